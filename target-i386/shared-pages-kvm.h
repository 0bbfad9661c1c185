/*
 * Pages that a KVM guest shares with its host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TARGET_I386_SHARED_PAGES_KVM_H
#define TARGET_I386_SHARED_PAGES_KVM_H

struct kvm_run;

/**
 * x86_shared_pages_filter_msr: have KVM hand over MSR_KVM_MIGRATION_CONTROL
 *
 * To be called once, before vCPUs run; in shared-pages-kvm.c.inc, which is a
 * part of kvm.c.
 *
 * Returns: 0, or a negative errno value.
 */
int x86_shared_pages_filter_msr(void);

/**
 * x86_shared_pages_handle_call: KVM hands over a hypercall (KVM_EXIT_HYPERCALL)
 * @run: of the vCPU that makes it; gets the call's result
 * @ret: what QEMU's own handler has returned, which knows calls of SEV-SNP and
 *       TDX guests only
 *
 * Called without the BQL.
 *
 * Returns: what kvm_arch_handle_exit() is to return; @ret of a VM whose guest
 * cannot share pages.
 */
int x86_shared_pages_handle_call(struct kvm_run *run, int ret);

#endif
