/*
 * KVM's PTP call: the host's wall clock and the guest's counter, as a pair
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Linux Documentation/virt/kvm/arm/ptp_kvm.rst.
 */

#include "qemu/osdep.h"
#include "qemu/timer.h"
#include "cpu.h"
#include "internals.h"
#include "migration/qemu-compat.h"
#include "tcg.h"

#define PTP_VIRTUAL_COUNTER  0
#define PTP_PHYSICAL_COUNTER 1

/*
 * QEMU_CLOCK_HOST counts microseconds; KVM's wall clock has all its digits.
 * In a recording both are events of the same clock.
 */
static int64_t read_wall_clock(void)
{
#ifdef CONFIG_POSIX
    struct timespec ts;

    if (!clock_gettime(CLOCK_REALTIME, &ts)) {
        return ts.tv_sec * NANOSECONDS_PER_SECOND + ts.tv_nsec;
    }
#endif
    return get_clock_realtime();
}

static int64_t wall_clock_ns(void)
{
    return REPLAY_CLOCK(REPLAY_CLOCK_HOST, read_wall_clock());
}

/*
 * The guest takes the pair for one instant. A thread that is preempted between
 * two clocks would make it wrong by milliseconds, so the wall clock is read
 * between two readings of the counter and the closest of a few such attempts
 * counts. Under icount time stands still meanwhile and the first attempt is
 * exact, which also keeps record/replay deterministic.
 */
#define PTP_ATTEMPTS 4
#define PTP_CLOSE_NS 1000

static void read_clocks(ARMCPU *cpu, uint64_t *wall_ns, uint64_t *counter)
{
    int64_t best = INT64_MAX;
    int attempts = PTP_ATTEMPTS;

    do {
        int64_t before = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
        int64_t wall = wall_clock_ns();
        int64_t distance = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) - before;

        if (distance <= best) {
            best = distance;
            *wall_ns = wall;
            *counter = (before + distance / 2) / gt_cntfrq_period_ns(cpu);
        }
    } while (best > PTP_CLOSE_NS && --attempts);
}

/**
 * hvc_ptp: PTP
 * @call: W1: 0 for the virtual counter, 1 for the physical one
 *
 * Returns the wall clock in ns since 1970 in W0 (high word) and W1, the
 * counter in W2 (high word) and W3. The counter is what the caller would read
 * from CNTVCT or CNTPCT.
 */
void hvc_ptp(HvcCall *call)
{
    uint64_t wall_ns = 0, counter = 0;
    int timer;

    switch ((uint32_t)hvc_call_arg(call, 1)) {
    case PTP_VIRTUAL_COUNTER:
        timer = GTIMER_VIRT;
        break;
    case PTP_PHYSICAL_COUNTER:
        timer = GTIMER_PHYS;
        break;
    default:
        call->result[0] = HVC_NOT_SUPPORTED;
        return;
    }

    read_clocks(call->cpu, &wall_ns, &counter);
    counter -= gt_direct_access_timer_offset(&call->cpu->env, timer);
    call->result[0] = wall_ns >> 32;
    call->result[1] = (uint32_t)wall_ns;
    call->result[2] = counter >> 32;
    call->result[3] = (uint32_t)counter;
}
