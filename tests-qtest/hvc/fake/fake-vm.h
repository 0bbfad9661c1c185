/*
 * What a VM's contract asks of the rest of QEMU, for tests of
 * target/arm/hvc/kvm-*
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TESTS_QTEST_HVC_FAKE_VM_H
#define TESTS_QTEST_HVC_FAKE_VM_H

#define FAKE_VM_MACHINE "virt-hvc-10.0"

/* What migration_incoming_postcopy_advised() says */
extern bool fake_vm_postcopy_advised;

#endif
