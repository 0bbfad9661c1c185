/*
 * QTest: hypercall services, seen by a bare-metal guest under TCG
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * The guest, hvc/guest/, makes the calls of a list. Lists and answers are in
 * hvc/calls/. Needs in the environment:
 *
 *   HVC_GUEST_DIR   where hvc-guest-a64.elf and hvc-guest-a32.elf are
 *   HVC_GOLDEN_DIR  where linux-*.txt are, answers of real KVM
 *   HVC_STOCK_QEMU  an unpatched qemu-system-aarch64, to compare with
 *
 * Tests for which one of these is missing are skipped.
 */

#include "qemu/osdep.h"
#include "hvc/calls/case.h"
#include "hvc/calls/host.h"

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    /* Otherwise the first wrong answer would hide the others. */
    g_test_set_nonfatal_assertions();
    host_end_on_alarm();

    guest_engine_tests();
    guest_call_tests();
    guest_psci_tests();
    guest_service_tests();
    guest_hostile_tests();
    guest_mem_share_tests();
    guest_enforce_tests();
    ret = g_test_run();
    vm_cleanup();
    return ret;
}
