/*
 * Paravirtualized time: stolen time (Arm DEN 0057)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A vCPU's time is stolen while its thread is ready to run and the host runs
 * something else: the thread's run delay, which is what KVM counts too. The
 * record is guest memory and is added to rather than overwritten, so that it
 * goes on from where it was after a migration and never runs backwards.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "cpu.h"
#include "migration/misc.h"
#include "migration/qemu-compat.h"
#include "migration/vmstate.h"
#include "tcg.h"
#include "trace.h"

/*
 * How often records are brought up to date. Linux adds what it finds to a tick
 * whatever its size, so this only delays the count; each time costs one
 * pread() per vCPU. To open the file again each time, and so hold none, would
 * cost eight times as much, with the BQL held.
 */
#define UPDATE_INTERVAL_MS 100

/* DEN 0057, section 3.2.2; always little-endian. */
typedef struct PvTimeRecord {
    uint32_t revision;
    uint32_t attributes;
    uint64_t stolen_time_ns;
    uint8_t padding[48];
} PvTimeRecord;

QEMU_BUILD_BUG_ON(sizeof(PvTimeRecord) != HVC_PV_TIME_RECORD_SIZE);

/**
 * PvTimeVcpu: one vCPU's state
 * @armed: the guest has asked for the record since the last reset
 * @schedstat_fd: the thread's scheduler statistics, or -1
 * @run_delay_ns: the thread's run delay up to which its time was counted
 * @owed_ns: stolen time that was counted and is not in the record yet
 */
typedef struct PvTimeVcpu {
    bool armed;
    int schedstat_fd;
    uint64_t run_delay_ns;
    uint64_t owed_ns;
} PvTimeVcpu;

typedef struct PvTime {
    MemoryRegion *records;
    hwaddr base;
    PvTimeVcpu *vcpu;
    uint32_t vcpus;
    QEMUTimer *timer;
} PvTime;

static PvTime pv_time;

/*
 * Time that passes by the host's scheduler cannot be replayed, and under
 * icount the guest's clock stands still while a thread waits.
 */
static bool counts_stolen_time(void)
{
    return !icount_enabled() && replay_mode == REPLAY_MODE_NONE;
}

/*
 * A page of the records can keep its writer waiting for as long as a migration
 * takes: a background snapshot protects it until it is saved, on a postcopy
 * destination it may not have arrived. The BQL must not be held meanwhile, or
 * no monitor could end the migration.
 */
static bool records_are_held(void)
{
    return migration_in_bg_snapshot() || migration_in_incoming_postcopy();
}

#ifdef CONFIG_LINUX
/* Opened when the machine is made: after a chroot there is no /proc. */
static int open_schedstat(int thread_id)
{
    g_autofree char *path = g_strdup_printf("/proc/self/task/%d/schedstat",
                                            thread_id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        bool too_many = errno == EMFILE || errno == ENFILE;

        warn_report("pv-time: cannot read %s (%s): the guest will find no "
                    "stolen time; needed: %s", path, strerror(errno),
                    too_many ? "a file descriptor for each vCPU; raise the "
                               "limit of open files (ulimit -n)"
                             : "a kernel with CONFIG_SCHED_INFO, and /proc");
    }
    return fd;
}

/* Linux Documentation/scheduler/sched-stats.rst: run time, run delay, slices */
static uint64_t read_run_delay(PvTimeVcpu *vcpu)
{
    char buf[64];
    uint64_t run_delay_ns;
    ssize_t len;

    if (vcpu->schedstat_fd < 0) {
        return 0;
    }
    len = pread(vcpu->schedstat_fd, buf, sizeof(buf) - 1, 0);
    if (len < 0) {
        return vcpu->run_delay_ns;
    }
    buf[len] = '\0';
    if (sscanf(buf, "%*u %" SCNu64, &run_delay_ns) != 1) {
        return vcpu->run_delay_ns;
    }
    return run_delay_ns;
}
#else
static int open_schedstat(int thread_id)
{
    warn_report("pv-time: the guest will find no stolen time, which only "
                "a Linux host tells of its threads");
    return -1;
}

static uint64_t read_run_delay(PvTimeVcpu *vcpu)
{
    return 0;
}
#endif

static PvTimeRecord *record_of(uint32_t index)
{
    PvTimeRecord *records = memory_region_get_ram_ptr(pv_time.records);

    return &records[index];
}

static void mark_dirty(uint32_t index)
{
    memory_region_set_dirty(pv_time.records,
                            index * HVC_PV_TIME_RECORD_SIZE,
                            HVC_PV_TIME_RECORD_SIZE);
}

/* Count what the vCPU's thread has waited since the last call. */
static void count_stolen_time(PvTimeVcpu *vcpu)
{
    uint64_t run_delay_ns = read_run_delay(vcpu);

    if (run_delay_ns > vcpu->run_delay_ns) {
        vcpu->owed_ns += run_delay_ns - vcpu->run_delay_ns;
        vcpu->run_delay_ns = run_delay_ns;
    }
}

static void update_record(uint32_t index)
{
    PvTimeVcpu *vcpu = &pv_time.vcpu[index];
    uint64_t *stolen = &record_of(index)->stolen_time_ns;

    if (!vcpu->owed_ns) {
        return;
    }
    /* The guest may read at any time: one 64-bit store (section 3.2.2). */
    qatomic_set_u64(stolen, cpu_to_le64(le64_to_cpu(qatomic_read_u64(stolen)) +
                                        vcpu->owed_ns));
    mark_dirty(index);
    trace_hvc_pv_time_update(index, vcpu->owed_ns);
    vcpu->owed_ns = 0;
}

static void update_records(void)
{
    bool held = records_are_held();

    for (uint32_t i = 0; i < pv_time.vcpus; i++) {
        if (pv_time.vcpu[i].armed) {
            count_stolen_time(&pv_time.vcpu[i]);
            if (!held) {
                update_record(i);
            }
        }
    }
}

static void update_is_due(void *opaque)
{
    update_records();
    timer_mod(pv_time.timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) +
                             UPDATE_INTERVAL_MS);
}

/* Real time, as a snapshot that is loaded may set the guest's clock back. */
static void schedule_updates(void)
{
    bool armed = false;

    for (uint32_t i = 0; i < pv_time.vcpus; i++) {
        armed |= pv_time.vcpu[i].armed;
    }
    if (!armed || !counts_stolen_time() || !runstate_is_running()) {
        timer_del(pv_time.timer);
    } else if (!timer_pending(pv_time.timer)) {
        timer_mod(pv_time.timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) +
                                 UPDATE_INTERVAL_MS);
    }
}

/* A thread that waits for the VM to run is not being stolen from. */
static void count_from_now(void)
{
    for (uint32_t i = 0; i < pv_time.vcpus; i++) {
        pv_time.vcpu[i].run_delay_ns = read_run_delay(&pv_time.vcpu[i]);
    }
}

static void vm_state_changed(void *opaque, bool running, RunState state)
{
    if (running) {
        count_from_now();
    } else {
        update_records();
    }
    schedule_updates();
}

static void reset(void *opaque)
{
    for (uint32_t i = 0; i < pv_time.vcpus; i++) {
        pv_time.vcpu[i].armed = false;
        pv_time.vcpu[i].owed_ns = 0;
    }
    schedule_updates();
}

static int post_load(void *opaque, int version_id)
{
    count_from_now();
    schedule_updates();
    return 0;
}

static const VMStateDescription vmstate_pv_time_vcpu = {
    .name = "hvc-pv-time/vcpu",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (const VMStateField[]) {
        VMSTATE_BOOL(armed, PvTimeVcpu),
        VMSTATE_END_OF_LIST()
    }
};

static const VMStateDescription vmstate_pv_time = {
    .name = "hvc-pv-time",
    .version_id = 1,
    .minimum_version_id = 1,
    .post_load = post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT32_EQUAL(vcpus, PvTime, NULL),
        VMSTATE_STRUCT_VARRAY_POINTER_UINT32(vcpu, PvTime, vcpus,
                                             vmstate_pv_time_vcpu, PvTimeVcpu),
        VMSTATE_END_OF_LIST()
    }
};

static void close_schedstats(void)
{
    for (uint32_t i = 0; i < pv_time.vcpus; i++) {
        if (pv_time.vcpu[i].schedstat_fd >= 0) {
            close(pv_time.vcpu[i].schedstat_fd);
            pv_time.vcpu[i].schedstat_fd = -1;
        }
    }
}

/*
 * Of all vCPUs, or of none: where descriptors are short, QEMU has other uses
 * for the last ones.
 */
static void open_schedstats(void)
{
    CPUState *cs;

    CPU_FOREACH(cs) {
        int fd = open_schedstat(cs->thread_id);

        if (fd < 0) {
            close_schedstats();
            return;
        }
        pv_time.vcpu[cs->cpu_index].schedstat_fd = fd;
    }
}

void hvc_pv_time_init(MemoryRegion *records, hwaddr base)
{
    CPUState *cs;

    pv_time.records = records;
    pv_time.base = base;
    CPU_FOREACH(cs) {
        pv_time.vcpus++;
    }
    assert(memory_region_size(records) / HVC_PV_TIME_RECORD_SIZE >=
           pv_time.vcpus);
    pv_time.vcpu = g_new0(PvTimeVcpu, pv_time.vcpus);
    for (uint32_t i = 0; i < pv_time.vcpus; i++) {
        pv_time.vcpu[i].schedstat_fd = -1;
    }
    pv_time.timer = timer_new_ms(QEMU_CLOCK_REALTIME, update_is_due, NULL);
    if (counts_stolen_time()) {
        open_schedstats();
    }
    qemu_register_reset(reset, NULL);
    qemu_add_vm_change_state_handler(vm_state_changed, NULL);
    vmstate_register(NULL, 0, &vmstate_pv_time, &pv_time);
}

/**
 * hvc_pv_time_features: PV_TIME_FEATURES
 * @call: W1: a function id
 */
void hvc_pv_time_features(HvcCall *call)
{
    uint32_t id = hvc_call_arg(call, 1);
    bool known = hvc_service_has_function(hvc_service_by_name("pv-time"), id);

    call->result[0] = known && hvc_call_can_use(call, id) ?
        HVC_SUCCESS : HVC_NOT_SUPPORTED;
}

/**
 * hvc_pv_time_st: PV_TIME_ST
 * @call: no arguments
 *
 * Returns the guest physical address of the calling vCPU's record. Every call
 * clears the record and starts the count from 0, as in KVM.
 */
void hvc_pv_time_st(HvcCall *call)
{
    int index = CPU(call->cpu)->cpu_index;
    PvTimeVcpu *vcpu = &pv_time.vcpu[index];
    bool held = records_are_held();

    /* Not armed, update_records() leaves the record to this thread. */
    vcpu->armed = false;
    if (held) {
        bql_unlock();
    }
    memset(record_of(index), 0, HVC_PV_TIME_RECORD_SIZE);
    if (held) {
        bql_lock();
    }
    mark_dirty(index);
    vcpu->run_delay_ns = read_run_delay(vcpu);
    vcpu->owed_ns = 0;
    vcpu->armed = true;
    schedule_updates();
    call->result[0] = pv_time.base + index * HVC_PV_TIME_RECORD_SIZE;
    trace_hvc_pv_time_armed(index, call->result[0]);
}
