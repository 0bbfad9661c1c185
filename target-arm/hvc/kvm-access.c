/*
 * Access to KVM/arm64: a vCPU's registers, and VMs made to find out
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bitops.h"
#include "kvm-access.h"
#include "sysregs.h"

int hvc_compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

bool hvc_kvm_is_firmware(uint64_t id)
{
    uint64_t class = id & HVC_KVM_CLASS_MASK;

    return class == HVC_KVM_CLASS_FW || class == HVC_KVM_CLASS_FW_FEAT;
}

bool hvc_has_id(const uint64_t *ids, size_t count, uint64_t id)
{
    return count && bsearch(&id, ids, count, sizeof(id), hvc_compare_ids);
}

bool hvc_kvm_list(const HvcKvm *kvm, uint64_t **ids, size_t *count,
                  Error **errp)
{
    int ret = kvm->list(kvm, ids);

    if (ret < 0) {
        error_setg_errno(errp, -ret, "cannot read this kernel's list of "
                         "registers");
        return false;
    }
    *count = ret;
    return true;
}

bool hvc_kvm_read(const HvcKvm *kvm, uint64_t id, uint64_t *value,
                  Error **errp)
{
    int ret = kvm->get(kvm, id, value);

    if (ret) {
        g_autofree char *name = hvc_sysreg_name(id);

        error_setg_errno(errp, -ret, "cannot read this host's %s [0x%" PRIx64
                         "]", name, id);
    }
    return !ret;
}

int hvc_kvm_write(const HvcKvm *kvm, uint64_t id, uint64_t value,
                  uint64_t *now)
{
    int ret = kvm->set(kvm, id, value);
    int read = kvm->get(kvm, id, now);

    if (ret || read) {
        return ret ?: read;
    }
    return *now == value ? 0 : HVC_KVM_KEPT_ANOTHER;
}

int hvc_kvm_get_counters(const HvcKvm *kvm, uint64_t *value)
{
    uint64_t pmcr = 0;
    int ret = kvm->get(kvm, HVC_PMCR_EL0, &pmcr);

    if (!ret) {
        *value = extract64(pmcr, HVC_PMCR_N_LSB, HVC_PMCR_N_WIDTH);
    }
    return ret;
}

int hvc_kvm_set_counters(const HvcKvm *kvm, uint64_t value)
{
    uint64_t pmcr = 0;
    int ret = kvm->get(kvm, HVC_PMCR_EL0, &pmcr);

    if (ret) {
        return ret;
    }
    if (value >> HVC_PMCR_N_WIDTH) {
        return -EINVAL;
    }
    return kvm->set(kvm, HVC_PMCR_EL0,
                    deposit64(pmcr, HVC_PMCR_N_LSB, HVC_PMCR_N_WIDTH, value));
}

const char *hvc_kvm_why(int ret)
{
    return ret < 0 ? strerror(-ret) : "it kept another value";
}
