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

/*
 * Why QEMU does not serve what the kernel does not, as the end of a clause; ""
 * of a kernel that hands over nothing
 */
static char *why_not_by_qemu(uint32_t function, int ret)
{
    return ret == -ENXIO ? g_strdup("") :
           g_strdup_printf(", and it does not hand over the function 0x%08"
                           PRIx32 " to QEMU (KVM_ARM_VM_SMCCC_FILTER: %s)",
                           function, strerror(-ret));
}

/* Why a bit of @wanted is not to be had in a register */
static void refuse_bits(const Firmware *firmware, HvcRegister reg,
                        uint64_t wanted, const char *why_not, Error **errp)
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
               "offers %s%s; needed: %s%s; use hvc-services=%s",
               firmware->options, name, offered, why_not, kernel,
               service && service->by_qemu && !*why_not ?
               ", where QEMU serves it" : "", remedy);
}

/* The bits of a set in a register for which the kernel has nothing to do */
static uint64_t bits_by_qemu(const HvcSet *set, HvcRegister reg)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < hvc_services_count; i++) {
        const HvcService *service = &hvc_services[i];

        if (service->reg == reg && service->by_qemu &&
            hvc_service_in(service, set)) {
            bits |= hvc_service_mask(service);
        }
    }
    return bits;
}

static bool write_bitmap(const HvcKvm *kvm, const Firmware *firmware,
                         HvcRegister reg, HvcShare *share, Error **errp)
{
    uint64_t wanted = firmware->wanted->bmap[reg];
    uint64_t by_qemu = bits_by_qemu(firmware->wanted, reg);
    uint64_t id = HVC_KVM_FW_FEAT(reg);
    uint64_t now = 0;
    int ret;

    if (!firmware->listed[reg]) {
        if (wanted & ~by_qemu) {
            refuse_bits(firmware, reg, wanted & ~by_qemu, "", errp);
        }
        share->kernel.bmap[reg] = 0;
        return !(wanted & ~by_qemu);
    }
    ret = hvc_kvm_write(kvm, id, wanted, &now);
    if (ret == -EINVAL && (by_qemu & ~firmware->offered.bmap[reg])) {
        /* It knows no such bits, and need not. */
        wanted &= ~by_qemu | firmware->offered.bmap[reg];
        share->kernel.bmap[reg] = wanted;
        ret = hvc_kvm_write(kvm, id, wanted, &now);
    }
    if (ret == -EINVAL && (wanted & ~firmware->offered.bmap[reg])) {
        refuse_bits(firmware, reg, wanted, "", errp);
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

/* Does QEMU answer a function of a set, of whatever service? */
static bool is_by_qemu(const Firmware *firmware, const HvcService *service,
                       const HvcFunction *function, const HvcShare *share)
{
    if (service->by_qemu) {
        return true;
    }
    /* A kernel that did not take a bit would leave it out. */
    for (HvcRegister reg = 0; reg < HVC_REGISTERS; reg++) {
        if (function->by_qemu && function->shows & BIT(reg) &&
            share->kernel.bmap[reg] != firmware->wanted->bmap[reg]) {
            return true;
        }
    }
    return false;
}

static bool hand_over_service(const HvcKvm *kvm, const Firmware *firmware,
                              const HvcService *service, HvcShare *share,
                              Error **errp)
{
    for (const HvcFunction *function = service->functions; function->id;
         function++) {
        g_autofree char *why = NULL;
        int ret;

        if (!is_by_qemu(firmware, service, function, share)) {
            continue;
        }
        ret = kvm->hand_over(kvm, function->id);
        if (ret) {
            why = why_not_by_qemu(function->id, ret);
            refuse_bits(firmware, service->reg, hvc_service_mask(service), why,
                        errp);
            return false;
        }
        share->qemu.bmap[service->reg] |= hvc_service_mask(service);
        trace_hvc_kvm_by_qemu(service->name, function->id);
    }
    return true;
}

/* Those of QEMU's first: a refusal is about them, not about what shows them. */
static bool hand_over_services(const HvcKvm *kvm, const Firmware *firmware,
                               HvcShare *share, Error **errp)
{
    for (int by_qemu = 1; by_qemu >= 0; by_qemu--) {
        for (size_t i = 0; i < hvc_services_count; i++) {
            const HvcService *service = &hvc_services[i];

            if (service->by_qemu == by_qemu &&
                hvc_service_in(service, firmware->wanted) &&
                !hand_over_service(kvm, firmware, service, share, errp)) {
                return false;
            }
        }
    }
    return true;
}

/* @why_not: why QEMU does not serve it, as in ", and ...", or "" */
static void refuse_psci_version(const Firmware *firmware, uint32_t wanted,
                                uint32_t has, const char *why_not,
                                Error **errp)
{
    const HvcPsciVersion *row = hvc_psci_version_row(wanted);
    g_autofree char *kernel = describe_kernel(row ? row->kernel : NULL);
    bool by_qemu = row && row->by_qemu && !*why_not;

    error_setg(errp, "%s: this host's kernel cannot give a guest PSCI "
               "%u.%u, it has %u.%u%s; needed: %s%s; use "
               "psci-version=%u.%u", firmware->options, wanted >> 16,
               wanted & 0xffff, has >> 16, has & 0xffff, why_not, kernel,
               by_qemu ? ", or " HVC_HAND_OVER_KERNEL " or later, where QEMU "
                         "serves it" : "",
               has >> 16, has & 0xffff);
}

/* The newest version below @wanted that the kernel has; 0: none */
static uint32_t write_older_psci_version(const HvcKvm *kvm, uint32_t wanted)
{
    const HvcPsciVersion *row = hvc_psci_version_row(wanted);
    uint64_t now = 0;

    while (row && row > hvc_psci_versions) {
        row--;
        if (!hvc_kvm_write(kvm, HVC_KVM_PSCI_VERSION, row->version, &now)) {
            return row->version;
        }
    }
    return 0;
}

/* Can QEMU serve what a version has that an older one has not? */
static bool qemu_has_functions(uint32_t version, uint32_t older)
{
    for (const HvcFunction *function = hvc_psci_functions; function->id;
         function++) {
        if (function->psci_version <= version &&
            function->psci_version > older && !function->by_qemu) {
            return false;
        }
    }
    return true;
}

/*
 * The kernel goes on with what does not differ between the two versions: an
 * exit to QEMU costs several times what a call in the kernel does, and only the
 * kernel can turn vCPUs on and off.
 */
static bool hand_over_psci(const HvcKvm *kvm, const Firmware *firmware,
                           uint32_t wanted, uint32_t offered, HvcShare *share,
                           Error **errp)
{
    const HvcPsciVersion *row = hvc_psci_version_row(wanted);
    uint32_t older = row && row->by_qemu ?
                     write_older_psci_version(kvm, wanted) : 0;

    if (!older || !qemu_has_functions(wanted, older)) {
        refuse_psci_version(firmware, wanted, offered, "", errp);
        return false;
    }
    for (const HvcFunction *function = hvc_psci_functions; function->id;
         function++) {
        g_autofree char *why = NULL;
        int ret;

        if (!function->by_qemu || function->psci_version > wanted) {
            continue;
        }
        ret = kvm->hand_over(kvm, function->id);
        if (!ret) {
            continue;
        }
        why = why_not_by_qemu(function->id, ret);
        refuse_psci_version(firmware, wanted, offered, why, errp);
        return false;
    }
    share->kernel.psci_version = older;
    share->qemu.psci_version = wanted;
    trace_hvc_kvm_psci_by_qemu(older, wanted);
    return true;
}

static bool write_psci_version(const HvcKvm *kvm, const Firmware *firmware,
                               uint32_t wanted, HvcShare *share, Error **errp)
{
    ERRP_GUARD();
    uint64_t offered = 0, now = 0;

    if (!hvc_kvm_read(kvm, HVC_KVM_PSCI_VERSION, &offered, errp)) {
        error_prepend(errp, "%s: ", firmware->options);
        return false;
    }
    if (!hvc_kvm_write(kvm, HVC_KVM_PSCI_VERSION, wanted, &now)) {
        trace_hvc_kvm_psci_version(offered, wanted);
        return true;
    }
    if (wanted > offered) {
        return hand_over_psci(kvm, firmware, wanted, offered, share, errp);
    }
    refuse_psci_version(firmware, wanted, offered, "", errp);
    return false;
}

static bool write_all(const HvcKvm *kvm, const Firmware *firmware,
                      const HvcSet *set, HvcShare *share, Error **errp)
{
    for (HvcRegister reg = 0; reg < HVC_REGISTERS; reg++) {
        if (!write_bitmap(kvm, firmware, reg, share, errp)) {
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
    return hand_over_services(kvm, firmware, share, errp) &&
           write_psci_version(kvm, firmware, set->psci_version, share, errp);
}

bool hvc_kvm_pin(const HvcKvm *kvm, const HvcSet *set, const char *options,
                 HvcShare *share, Error **errp)
{
    g_autoptr(GArray) unknown = g_array_new(false, false, sizeof(uint64_t));
    Firmware firmware = {
        .options = options, .wanted = set, .unknown = unknown,
    };

    *share = (HvcShare) { .kernel = *set };
    return probe(kvm, &firmware, errp) &&
           check_can_hide(kvm, &firmware, errp) &&
           write_all(kvm, &firmware, set, share, errp);
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

bool hvc_kvm_check_pinned(const HvcKvm *kvm, const HvcShare *share,
                          Error **errp)
{
    const HvcSet *set = &share->kernel;

    for (HvcRegister reg = 0; reg < HVC_REGISTERS; reg++) {
        if (!check_register(kvm, HVC_KVM_FW_FEAT(reg), hvc_register_name(reg),
                            set->bmap[reg], errp)) {
            return false;
        }
    }
    return check_register(kvm, HVC_KVM_PSCI_VERSION, "PSCI version",
                          set->psci_version, errp);
}
