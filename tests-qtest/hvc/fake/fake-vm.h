/*
 * What a VM's contract asks of the rest of QEMU, for tests of
 * target/arm/hvc/kvm-*
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TESTS_QTEST_HVC_FAKE_VM_H
#define TESTS_QTEST_HVC_FAKE_VM_H

#include "target/arm/hvc/vm.h"
#include "fake-kvm.h"

#define FAKE_VM_MACHINE "virt-hvc-10.0"
#define FAKE_VM_OPTIONS "hvc-services=X"

/* What migration_incoming_postcopy_advised() says */
extern bool fake_vm_postcopy_advised;

/**
 * fake_vm_new: a VM of two CPUs, without services, promised nothing yet
 * @fake: its kernel, and how VMs are made there
 *
 * Returns: the VM; the caller frees it with hvc_vm_free(), unless it becomes
 * the process' by hvc_kvm_promise().
 */
HvcVm *fake_vm_new(const FakeKvm *fake);

/**
 * fake_vm_info_guest_abi: what "info guest-abi" prints
 *
 * Returns: the text; the caller frees it with g_free().
 */
char *fake_vm_info_guest_abi(void);

#endif
