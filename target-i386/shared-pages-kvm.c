/*
 * Pages that a KVM guest shares with its host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * KVM has neither a list of these pages nor the register: it hands over what a
 * guest says, if its VMM has asked for that. The VMM tells the guest of both in
 * CPUID.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bitops.h"
#include "accel/accel-cpu-target.h"
#include "cpu.h"
#include "hw/boards.h"
#include "kvm/kvm_i386.h"
#include "migration/guest-abi.h"
#include "migration/qemu-compat.h"
#include "migration/shared-pages-machine.h"
#include "migration/shared-pages-ready.h"
#include "migration/shared-pages.h"
#include "standard-headers/asm-x86/kvm_para.h"
#include "standard-headers/linux/kvm_para.h"
#include "cpuid-items.h"
#include "map-gpa-range.h"
#include "shared-pages-kvm.h"

#ifdef CONFIG_KVM
#include <linux/kvm.h>

#define NOT_READY \
    "shared-pages: the guest has not said that it is ready to be migrated " \
    "(MSR_KVM_MIGRATION_CONTROL, 0x4b564d08, is 0): it may share pages that " \
    "it has not told of; wait until its kernel has set bit 0, or start the " \
    "VM without shared-pages"

/* The VM has its list. */
static bool is_enabled;

/* Of kvm-cpu.c */
static bool (*realize_vcpu)(CPUState *cs, Error **errp);

static bool check_host(Error **errp)
{
    int calls = kvm_check_extension(kvm_state, KVM_CAP_EXIT_HYPERCALL);

    if (!(calls & BIT(KVM_HC_MAP_GPA_RANGE))) {
        error_setg(errp, "shared-pages: this host's kernel does not hand over "
                   "KVM_HC_MAP_GPA_RANGE (KVM_CAP_EXIT_HYPERCALL is 0x%x, "
                   "needed: bit %d), by which a guest shares pages; use Linux "
                   "5.14 or later, or leave out shared-pages", calls,
                   KVM_HC_MAP_GPA_RANGE);
        return false;
    }
    if (machine_require_guest_memfd(current_machine)) {
        error_setg(errp, "shared-pages: the memory of this guest is in "
                   "guest_memfd, and QEMU converts its pages itself; leave "
                   "out shared-pages, or use a guest without "
                   "confidential-guest-support");
        return false;
    }
    if (guest_abi_is_declined()) {
        error_setg(errp, "guest-abi=off contradicts shared-pages=%s: what a "
                   "guest was promised has to be in its migration stream; "
                   "leave out guest-abi=off, or shared-pages",
                   SharedPagesMode_str(shared_pages_mode()));
        return false;
    }
    return true;
}

static bool enable(Error **errp)
{
    int ret;

    if (!check_host(errp)) {
        return false;
    }
    if (!kvm_enable_hypercall(BIT_ULL(KVM_HC_MAP_GPA_RANGE))) {
        error_setg(errp, "shared-pages: this host's kernel does not let QEMU "
                   "have KVM_HC_MAP_GPA_RANGE; leave out shared-pages");
        return false;
    }
    ret = x86_shared_pages_filter_msr();
    if (ret < 0) {
        error_setg_errno(errp, -ret, "shared-pages: this host's kernel does "
                         "not let QEMU have MSR_KVM_MIGRATION_CONTROL "
                         "(0x4b564d08); leave out shared-pages");
        return false;
    }
    guest_abi_migrate();
    shared_pages_enable();
    shared_pages_need_ready(NOT_READY);
    return true;
}

/*
 * After CPUID was cut to what KVM has of itself, and before KVM is told of it.
 * The first vCPU is made when there is a VM, and memory has not been used yet.
 */
static bool realize(CPUState *cs, Error **errp)
{
    X86CPU *cpu = X86_CPU(cs);

    if (shared_pages_mode() == SHARED_PAGES_MODE_OFF) {
        return realize_vcpu(cs, errp);
    }
    if (!cpu->expose_kvm) {
        error_setg(errp, "shared-pages: -cpu ...,kvm=off hides from the guest "
                   "how it shares pages; leave out kvm=off, or shared-pages");
        return false;
    }
    if (!is_enabled && !enable(errp)) {
        return false;
    }
    is_enabled = true;
    cpu->env.features[FEAT_KVM] |= CPUID_KVM_SHARED_PAGES;
    return realize_vcpu(cs, errp);
}

int x86_shared_pages_handle_call(struct kvm_run *run, int ret)
{
    if (!is_enabled) {
        return ret;
    }
    if (run->hypercall.nr == KVM_HC_MAP_GPA_RANGE) {
        run->hypercall.ret = x86_map_gpa_range(run->hypercall.args[0],
                                               run->hypercall.args[1],
                                               run->hypercall.args[2]);
    } else {
        /* As of calls that a kernel does not know */
        run->hypercall.ret = -KVM_ENOSYS;
    }
    return 0;
}

/* The class is there when migration types are initialised. */
static void x86_shared_pages_register(void)
{
    AccelCPUClass *acc = ACCEL_CPU_CLASS(object_class_by_name(
                                             ACCEL_CPU_NAME("kvm")));

    realize_vcpu = acc->cpu_target_realize;
    acc->cpu_target_realize = realize;
}

migration_init(x86_shared_pages_register)
#endif
