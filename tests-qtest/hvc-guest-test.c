/*
 * QTest: hypercall services, seen by a bare-metal guest under TCG
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The guest makes the calls that a list tells it to make (hvc/guest/). What it
 * is told, and what it has to find, is in the tests of hvc/calls/. Needs in the
 * environment:
 *
 *   HVC_GUEST_DIR   where hvc-guest-a64.elf and hvc-guest-a32.elf are
 *   HVC_GOLDEN_DIR  where the answers of real KVM are, linux-*.txt
 *   HVC_STOCK_QEMU  an unpatched qemu-system-aarch64, to compare with
 *
 * Tests that miss something are skipped.
 */

#include "qemu/osdep.h"
#include "hvc/calls/case.h"

static void hang(int signal)
{
    static const char text[] = "# a test hangs\n";

    /* Whether it can be said or not, libqtest ends QEMU. */
    if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0) {
        abort();
    }
    abort();
}

int main(int argc, char **argv)
{
    const struct sigaction on_alarm = { .sa_handler = hang };
    int ret;

    g_test_init(&argc, &argv, NULL);
    /* One wrong answer shall not hide the others. */
    g_test_set_nonfatal_assertions();
    sigaction(SIGALRM, &on_alarm, NULL);

    guest_engine_tests();
    guest_call_tests();
    guest_psci_tests();
    guest_service_tests();
    guest_hostile_tests();
    ret = g_test_run();
    vm_cleanup();
    return ret;
}
