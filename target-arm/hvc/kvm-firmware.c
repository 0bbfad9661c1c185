/*
 * Hypercall services under KVM: the firmware pseudo-registers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "kvm-firmware.h"
#include "services.h"
#include "trace.h"

#define REMEDY "use another floor or other services (hvc-services=help lists " \
               "them)"

/**
 * Firmware: what a kernel shows of its firmware registers before any is changed
 * @options: for messages
 * @wanted: what the VM is to be given
 * @listed: the kernel has the bitmap register
 * @offered: its value
 * @unknown: ids of bitmap registers that nobody here has heard of
 */
typedef struct Firmware {
    const char *options;
    const HvcSet *wanted;
    bool listed[HVC_REGISTERS];
    HvcSet offered;
    GArray *unknown;
} Firmware;

static bool is_known_bitmap(uint64_t id)
{
    return id >= HVC_KVM_FW_FEAT(0) && id < HVC_KVM_FW_FEAT(HVC_REGISTERS);
}

static bool probe(const HvcKvm *kvm, Firmware *firmware, Error **errp)
{
    ERRP_GUARD();
    g_autofree uint64_t *ids = NULL;
    size_t count;

    if (!hvc_kvm_list(kvm, &ids, &count, errp)) {
        error_prepend(errp, "%s: ", firmware->options);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if ((ids[i] & HVC_KVM_CLASS_MASK) != HVC_KVM_CLASS_FW_FEAT) {
            continue;
        }
        if (is_known_bitmap(ids[i])) {
            HvcRegister reg = ids[i] - HVC_KVM_FW_FEAT(0);

            if (!hvc_kvm_read(kvm, ids[i], &firmware->offered.bmap[reg],
                              errp)) {
                error_prepend(errp, "%s: ", firmware->options);
                return false;
            }
            firmware->listed[reg] = true;
        } else {
            g_array_append_val(firmware->unknown, ids[i]);
        }
    }
    return true;
}

/* Between Linux 5.13 and 5.18 a guest is shown all, and nothing hides it. */
static bool check_can_hide(const HvcKvm *kvm, const Firmware *firmware,
                           Error **errp)
{
    if (!kvm->ptp || firmware->listed[HVC_VENDOR_HYP_BMAP]) {
        return true;
    }
    error_setg(errp, "%s: this host's kernel shows every guest the hvc "
               "services 'trng', 'vendor-features' and 'ptp' and has no "
               "firmware register to hide them; needed: Linux 5.19 or later, "
               "or one before 5.12; run the VM on such a host, or use "
               "hvc-services=host", firmware->options);
    return false;
}

static char *describe_kernel(const char *first)
{
    return first ? g_strdup_printf("Linux %s or later", first)
                 : g_strdup("a kernel that has it");
}

/* Why a bit of @wanted is not to be had in a register */
static void refuse_bits(const Firmware *firmware, HvcRegister reg,
                        uint64_t wanted, Error **errp)
{
    uint64_t lacking = wanted & ~firmware->offered.bmap[reg];
    uint64_t bits = lacking ?: wanted;
    const HvcService *service = hvc_service_by_bit(reg, ctz64(bits));
    g_autofree char *kernel = describe_kernel(service ? service->kernel : NULL);
    g_autofree char *name = hvc_describe_bit(reg, bits);
    g_autofree char *offered = hvc_set_services(&firmware->offered);
    HvcSet extra = hvc_set_difference(firmware->wanted, &firmware->offered);
    HvcSet possible = hvc_set_difference(firmware->wanted, &extra);
    g_autofree char *remedy = hvc_set_services(&possible);

    error_setg(errp, "%s: this host's kernel cannot give a guest %s, it "
               "offers %s; needed: %s; use hvc-services=%s", firmware->options,
               name, offered, kernel, remedy);
}

static bool write_bitmap(const HvcKvm *kvm, const Firmware *firmware,
                         HvcRegister reg, uint64_t wanted, Error **errp)
{
    uint64_t id = HVC_KVM_FW_FEAT(reg);
    uint64_t now = 0;
    int ret;

    if (!firmware->listed[reg]) {
        if (wanted) {
            refuse_bits(firmware, reg, wanted, errp);
        }
        return !wanted;
    }
    ret = hvc_kvm_write(kvm, id, wanted, &now);
    if (ret == -EINVAL && (wanted & ~firmware->offered.bmap[reg])) {
        refuse_bits(firmware, reg, wanted, errp);
        return false;
    }
    if (ret) {
        error_setg(errp, "%s: this host's kernel does not take 0x%" PRIx64
                   " for its %s register [0x%" PRIx64 "], which is 0x%" PRIx64
                   ": %s; " REMEDY, firmware->options, wanted,
                   hvc_register_name(reg), id,
                   ret == HVC_KVM_KEPT_ANOTHER ? now :
                   firmware->offered.bmap[reg], hvc_kvm_why(ret));
        return false;
    }
    trace_hvc_kvm_bitmap(hvc_register_name(reg), firmware->offered.bmap[reg],
                         wanted);
    return true;
}

static bool clear_unknown(const HvcKvm *kvm, const Firmware *firmware,
                          uint64_t id, Error **errp)
{
    uint64_t value = 0, now = 0;
    int ret = kvm->get(kvm, id, &value);

    if (!ret && value) {
        ret = hvc_kvm_write(kvm, id, 0, &now);
    }
    if (ret) {
        error_setg(errp, "%s: this host's kernel shows guests services in its "
                   "firmware register 0x%" PRIx64 " (0x%" PRIx64 "), which "
                   "this QEMU does not know and cannot hide: %s; use a QEMU "
                   "that knows them, or hvc-services=host", firmware->options,
                   id, value, hvc_kvm_why(ret));
        return false;
    }
    trace_hvc_kvm_unknown(id, value);
    return true;
}

static const char *psci_version_kernel(uint32_t version)
{
    for (const HvcPsciVersion *row = hvc_psci_versions; row->version; row++) {
        if (row->version == version) {
            return row->kernel;
        }
    }
    return NULL;
}

static bool write_psci_version(const HvcKvm *kvm, const Firmware *firmware,
                               uint32_t wanted, Error **errp)
{
    ERRP_GUARD();
    uint64_t offered = 0, now = 0;

    if (!hvc_kvm_read(kvm, HVC_KVM_PSCI_VERSION, &offered, errp)) {
        error_prepend(errp, "%s: ", firmware->options);
        return false;
    }
    if (hvc_kvm_write(kvm, HVC_KVM_PSCI_VERSION, wanted, &now)) {
        g_autofree char *kernel = describe_kernel(psci_version_kernel(wanted));

        error_setg(errp, "%s: this host's kernel cannot give a guest PSCI "
                   "%u.%u, it has %u.%u; needed: %s; use "
                   "psci-version=%u.%u", firmware->options, wanted >> 16,
                   wanted & 0xffff, (unsigned)(offered >> 16) & 0xffff,
                   (unsigned)offered & 0xffff, kernel,
                   (unsigned)(offered >> 16) & 0xffff,
                   (unsigned)offered & 0xffff);
        return false;
    }
    trace_hvc_kvm_psci_version(offered, wanted);
    return true;
}

static bool write_all(const HvcKvm *kvm, const Firmware *firmware,
                      const HvcSet *set, Error **errp)
{
    for (HvcRegister reg = 0; reg < HVC_REGISTERS; reg++) {
        if (!write_bitmap(kvm, firmware, reg, set->bmap[reg], errp)) {
            return false;
        }
    }
    for (unsigned i = 0; i < firmware->unknown->len; i++) {
        if (!clear_unknown(kvm, firmware,
                           g_array_index(firmware->unknown, uint64_t, i),
                           errp)) {
            return false;
        }
    }
    return write_psci_version(kvm, firmware, set->psci_version, errp);
}

bool hvc_kvm_pin(const HvcKvm *kvm, const HvcSet *set, const char *options,
                 Error **errp)
{
    g_autoptr(GArray) unknown = g_array_new(false, false, sizeof(uint64_t));
    Firmware firmware = {
        .options = options, .wanted = set, .unknown = unknown,
    };

    return probe(kvm, &firmware, errp) &&
           check_can_hide(kvm, &firmware, errp) &&
           write_all(kvm, &firmware, set, errp);
}

static bool check_register(const HvcKvm *kvm, uint64_t id, const char *name,
                           uint64_t promised, Error **errp)
{
    uint64_t now = 0;
    int ret = kvm->get(kvm, id, &now);

    /* A kernel without the register has none of its services. */
    if (ret == -ENOENT && !promised) {
        return true;
    }
    if (!ret && now == promised) {
        return true;
    }
    error_setg(errp, "guest-abi: this VM's guest was promised %s = 0x%" PRIx64
               " [0x%" PRIx64 "], this host's kernel now has 0x%" PRIx64
               "%s%s; the VM's contract cannot be kept, so it cannot be sent",
               name, promised, id, now, ret ? ": " : "",
               ret ? strerror(-ret) : "");
    return false;
}

bool hvc_kvm_check_pinned(const HvcKvm *kvm, const HvcSet *set, Error **errp)
{
    for (HvcRegister reg = 0; reg < HVC_REGISTERS; reg++) {
        if (!check_register(kvm, HVC_KVM_FW_FEAT(reg), hvc_register_name(reg),
                            set->bmap[reg], errp)) {
            return false;
        }
    }
    return check_register(kvm, HVC_KVM_PSCI_VERSION, "PSCI version",
                          set->psci_version, errp);
}
