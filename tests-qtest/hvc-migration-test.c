/*
 * QTest: a guest's contract across migration
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * The tests are in hvc/migration/. Which contract fits where is worked out from
 * literal values, not from tables of the code under test. Needs in the
 * environment:
 *
 *   HVC_GUEST_DIR   where hvc-guest-a64.elf is; without it the VMs have no
 *                   guest, or tests are skipped
 *   HVC_GOLDEN_DIR  where machine-types.json is
 *   QTEST_QEMU_IMG  for snapshots
 */

#include "qemu/osdep.h"
#include <sys/statvfs.h>
#include "qemu/units.h"
#include "hvc/migration/framework.h"

/*
 * Postcopy can receive guest memory that is a file only on tmpfs, where the
 * other tests are faster, too. In a container /dev/shm may be tiny.
 */
static void use_tmpfs(void)
{
    static const char path[] = "/dev/shm";
    struct statvfs space;

    if (!getenv("TMPDIR") && !access(path, W_OK) && !statvfs(path, &space) &&
        (uint64_t)space.f_bavail * space.f_frsize > 512 * MiB) {
        g_setenv("TMPDIR", path, true);
    }
}

int main(int argc, char **argv)
{
    int ret;

    use_tmpfs();
    g_test_init(&argc, &argv, NULL);
    host_end_on_alarm();

    migration_type_tests();
    migration_damage_tests();
    migration_enforce_tests();
    migration_live_tests();
    migration_snapshot_tests();
    migration_early_tests();
    migration_background_tests();
    migration_pages_tests();
    migration_pages_order_tests();
    migration_matrix_tests();
    ret = g_test_run();

    migration_matrix_clear();
    vm_cleanup();
    return ret;
}
