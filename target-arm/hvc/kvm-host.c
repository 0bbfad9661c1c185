/*
 * Hypercall services under KVM: the kernel of this host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <linux/kvm.h>
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "cpu.h"
#include "kvm_arm.h"
#include "hw/boards.h"
#include "migration/qemu-compat.h"
#include "kvm-abi.h"
#include "kvm-host.h"
#include "kvm-registers.h"

QEMU_BUILD_BUG_ON(HVC_KVM_PSCI_VERSION != KVM_REG_ARM_PSCI_VERSION);
QEMU_BUILD_BUG_ON(HVC_KVM_WORKAROUND(1) != KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1);
QEMU_BUILD_BUG_ON(HVC_KVM_WORKAROUND(2) != KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2);

/* More than any kernel lists beside what this one does. */
#define FOREIGN_REGISTERS 1024

/**
 * Pinned: what was chosen for the VM
 * @options: as in messages; NULL: no set was pinned
 * @set: the services
 * @profile: the registers of another host, or NULL
 * @written: the kernel has been told
 */
static struct Pinned {
    char *options;
    HvcSet set;
    HvcKvmProfile *profile;
    bool written;
} pinned;

static int host_list(const HvcKvm *kvm, uint64_t **ids)
{
    g_autofree struct kvm_reg_list *list = g_new0(struct kvm_reg_list, 1);
    int ret;

    /* Asked again when the list grew in between. */
    while ((ret = kvm_vcpu_ioctl(kvm->opaque, KVM_GET_REG_LIST, list)) ==
           -E2BIG) {
        list = g_realloc(list, sizeof(*list) + list->n * sizeof(list->reg[0]));
    }
    if (ret) {
        return ret;
    }
    qsort(list->reg, list->n, sizeof(list->reg[0]), hvc_compare_ids);
    *ids = g_memdup2(list->reg, list->n * sizeof(list->reg[0]));
    return list->n;
}

static int host_get(const HvcKvm *kvm, uint64_t id, uint64_t *value)
{
    uint32_t value32;
    int ret;

    switch (id & KVM_REG_SIZE_MASK) {
    case KVM_REG_SIZE_U32:
        ret = kvm_get_one_reg(kvm->opaque, id, &value32);
        if (!ret) {
            *value = value32;
        }
        return ret;
    case KVM_REG_SIZE_U64:
        return kvm_get_one_reg(kvm->opaque, id, value);
    default:
        return -EINVAL;
    }
}

static int host_set(const HvcKvm *kvm, uint64_t id, uint64_t value)
{
    uint32_t value32 = value;

    switch (id & KVM_REG_SIZE_MASK) {
    case KVM_REG_SIZE_U32:
        return value == value32 ? kvm_set_one_reg(kvm->opaque, id, &value32)
                                : -EINVAL;
    case KVM_REG_SIZE_U64:
        return kvm_set_one_reg(kvm->opaque, id, &value);
    default:
        return -EINVAL;
    }
}

static HvcKvm host_kvm(CPUState *cs)
{
    return (HvcKvm) {
        .list = host_list,
        .get = host_get,
        .set = host_set,
        .opaque = cs,
    };
}

static void die(Error *err)
{
    error_report_err(err);
    exit(EXIT_FAILURE);
}

void hvc_kvm_host_pin(const HvcSet *set, const char *options,
                      HvcKvmProfile *profile)
{
    pinned.options = g_strdup(options);
    pinned.set = *set;
    pinned.profile = profile;
}

bool hvc_kvm_host_promise(Error **errp)
{
    HvcKvm kvm = host_kvm(first_cpu);
    GuestAbiOrigin registers = pinned.profile ? GUEST_ABI_ORIGIN_OPTION
                                              : GUEST_ABI_ORIGIN_DEFAULT;

    return hvc_kvm_promise(&kvm, registers, errp) &&
           (!pinned.profile || hvc_kvm_profile_check(pinned.profile, errp));
}

bool hvc_kvm_host_has_steal_time(void)
{
    return kvm_check_extension(kvm_state, KVM_CAP_STEAL_TIME);
}

bool hvc_kvm_host_gives_steal_time(ARMCPU *cpu)
{
    return cpu->kvm_steal_time == ON_OFF_AUTO_ON;
}

bool arm_hvc_kvm_init_vcpu(ARMCPU *cpu)
{
    HvcKvm kvm = host_kvm(CPU(cpu));
    Error *err = NULL;

    if (!pinned.options) {
        return false;
    }
    kvm.ptp = kvm_check_extension(kvm_state, KVM_CAP_PTP_KVM);
    /* The firmware registers hold for the VM, so one vCPU is enough. */
    if (!pinned.written &&
        !hvc_kvm_pin(&kvm, &pinned.set, pinned.options, &err)) {
        die(err);
    }
    pinned.written = true;
    if (pinned.profile &&
        !hvc_kvm_profile_apply(pinned.profile, &kvm, &err)) {
        die(err);
    }
    cpu->psci_version = pinned.set.psci_version;
    return true;
}

/* What a reset takes away, the guest's turning a CPU on takes away as well. */
static bool check_kept(const HvcKvm *kvm, Error **errp)
{
    return current_machine->smp.max_cpus == 1 ||
           hvc_kvm_profile_check_kept(pinned.profile, kvm, errp);
}

void arm_hvc_kvm_reset_vcpu(ARMCPU *cpu)
{
    HvcKvm kvm = host_kvm(CPU(cpu));
    Error *err = NULL;

    if (hvc_kvm_is_promised()) {
        if (!hvc_kvm_restore(&kvm, &err)) {
            /* The guest must not go on with another CPU than it had. */
            error_report_err(err);
            qemu_system_vmstop_request_prepare();
            qemu_system_vmstop_request(RUN_STATE_INTERNAL_ERROR);
        }
    } else if (pinned.profile &&
               (!check_kept(&kvm, &err) ||
                !hvc_kvm_profile_apply(pinned.profile, &kvm, &err))) {
        die(err);
    }
}

void arm_hvc_kvm_trim_list(struct kvm_reg_list *list)
{
    uint64_t kept = 0;

    if (!pinned.options) {
        return;
    }
    for (uint64_t i = 0; i < list->n; i++) {
        if (!hvc_kvm_is_firmware(list->reg[i])) {
            list->reg[kept++] = list->reg[i];
        }
    }
    list->n = kept;
}

void arm_hvc_kvm_pre_load(ARMCPU *cpu)
{
    int room = cpu->cpreg_array_len + FOREIGN_REGISTERS;

    if (!pinned.options) {
        return;
    }
    cpu->cpreg_vmstate_indexes = g_renew(uint64_t, cpu->cpreg_vmstate_indexes,
                                         room);
    cpu->cpreg_vmstate_values = g_renew(uint64_t, cpu->cpreg_vmstate_values,
                                        room);
    /* The stream's number is compared with this one. */
    cpu->cpreg_vmstate_array_len = room;
}

bool arm_hvc_post_load(ARMCPU *cpu)
{
    HvcRegisterList incoming = {
        .ids = cpu->cpreg_vmstate_indexes,
        .values = cpu->cpreg_vmstate_values,
        .count = cpu->cpreg_vmstate_array_len,
    };
    size_t size = cpu->cpreg_array_len * sizeof(uint64_t);
    g_autofree uint64_t *values = NULL;
    g_autoptr(Error) err = NULL;
    HvcKvm kvm;

    if (!guest_abi_check_received()) {
        return false;
    }
    if (!pinned.options) {
        return true;
    }
    kvm = host_kvm(CPU(cpu));
    values = g_malloc(size);
    if (!hvc_kvm_match(&kvm, &incoming, cpu->cpreg_indexes, values,
                       cpu->cpreg_array_len, &err) ||
        !hvc_kvm_check_registers(&kvm, cpu->cpreg_indexes, values,
                                 cpu->cpreg_array_len, &err)) {
        guest_abi_refuse(err);
        return false;
    }
    memcpy(cpu->cpreg_vmstate_indexes, cpu->cpreg_indexes, size);
    memcpy(cpu->cpreg_vmstate_values, values, size);
    cpu->cpreg_vmstate_array_len = cpu->cpreg_array_len;
    return true;
}

void arm_hvc_kvm_report_refused(ARMCPU *cpu)
{
    HvcKvm kvm = host_kvm(CPU(cpu));
    g_autoptr(Error) err = NULL;

    if (!pinned.options) {
        return;
    }
    if (!hvc_kvm_set_registers(&kvm, cpu->cpreg_indexes, cpu->cpreg_values,
                               cpu->cpreg_array_len, &err)) {
        guest_abi_refuse(err);
    }
    /*
     * What is in the list will be written once more, even though the load
     * failed; QEMU would end before anybody could ask why.
     */
    write_kvmstate_to_list(cpu);
}
