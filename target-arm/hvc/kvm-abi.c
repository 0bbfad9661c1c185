/*
 * What a KVM/arm64 VM promises its guest beside the services
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "migration/qemu-compat.h"
#include "kvm-abi.h"
#include "kvm-registers.h"
#include "sysregs.h"
#include "trace.h"

/* Names in the stream never change. */
#define CLIDR_ENTRY "arm.clidr-el1"

#define AIDR_EL1   HVC_SYSREG_ID(3, 1, 0, 0, 7)
#define CLIDR_EL1  HVC_SYSREG_ID(3, 1, 0, 0, 1)
#define CTR_EL0    HVC_SYSREG_ID(3, 3, 0, 0, 1)
#define MIDR_EL1   HVC_SYSREG_ID(3, 0, 0, 0, 0)
#define PMMIR_EL1  HVC_SYSREG_ID(3, 0, 9, 14, 6)
#define REVIDR_EL1 HVC_SYSREG_ID(3, 0, 0, 0, 6)

static HvcKvm probed_kvm;
static bool promised;

uint64_t hvc_kvm_register_id(const GuestAbiDefinition *definition)
{
    return definition->rule == GUEST_ABI_RULE_ACCEPTED ?
           *(const uint64_t *)definition->opaque : 0;
}

/* A kernel may take a value and leave out what it should never have shown. */
static void warn_left_out(uint64_t id, uint64_t incoming, uint64_t now)
{
    g_autofree char *name = hvc_sysreg_name(id);
    g_autofree char *fields = hvc_sysreg_differences(id, incoming, now);

    warn_report("guest-abi: incoming VM has %s = 0x%" PRIx64 ", here its guest "
                "will read 0x%" PRIx64 " (%s); the source's kernel shows by "
                "mistake what no guest has, this one does not", name, incoming,
                now, fields);
}

static bool is_same(const GuestAbiDefinition *definition, uint64_t a,
                    uint64_t b)
{
    return hvc_kvm_same_register(hvc_kvm_register_id(definition), a, b);
}

/* Gives one register of the contract back what it was promised to have. */
static bool take_back(const GuestAbiDefinition *definition, Error **errp)
{
    uint64_t id = hvc_kvm_register_id(definition), now = 0;
    g_autofree char *name = NULL;

    if (!probed_kvm.get(&probed_kvm, id, &now) &&
        is_same(definition, now, definition->promised)) {
        return true;
    }
    if (!probed_kvm.set(&probed_kvm, id, definition->promised) &&
        !probed_kvm.get(&probed_kvm, id, &now) &&
        is_same(definition, now, definition->promised)) {
        return true;
    }
    name = hvc_sysreg_name(id);
    error_setg(errp, "guest-abi: this host's kernel took another value for "
               "%s, but does not take 0x%" PRIx64 " again", name,
               definition->promised);
    return false;
}

/*
 * The values are tried on the VM's own vCPU and taken back: before a VM runs,
 * the kernel lets them be changed as often as one likes. A vCPU that runs is
 * left alone.
 */
static bool try_registers(const GuestAbiValue *wanted, unsigned count,
                          uint64_t *truth, Error **errp)
{
    bool running = runstate_is_running();

    for (unsigned i = 0; i < count; i++) {
        const GuestAbiDefinition *definition =
            guest_abi_definition_by_name(wanted[i].name);
        uint64_t id = hvc_kvm_register_id(definition);

        truth[i] = definition->promised;
        if (wanted[i].value == truth[i] || running) {
            continue;
        }
        if (id == PMMIR_EL1) {
            /*
             * All that the kernel takes is 0, and that for good: trying it
             * would change this VM even if the incoming one is refused.
             */
            truth[i] = wanted[i].value ? truth[i] : 0;
            continue;
        }
        if (!probed_kvm.set(&probed_kvm, id, wanted[i].value) &&
            probed_kvm.get(&probed_kvm, id, &truth[i])) {
            truth[i] = definition->promised;
        }
        if (!take_back(definition, errp)) {
            return false;
        }
        if (is_same(definition, truth[i], wanted[i].value) &&
            truth[i] != wanted[i].value) {
            warn_left_out(id, wanted[i].value, truth[i]);
        }
    }
    return true;
}

/* Of the caches' registers those count whose cache exists. */
static bool is_cache_there(const GuestAbiDefinition *definition)
{
    const GuestAbiDefinition *clidr = guest_abi_definition_by_name(CLIDR_ENTRY);

    return clidr && hvc_clidr_has_cache(clidr->promised,
                                        hvc_kvm_register_id(definition));
}

static void refuse_register(const GuestAbiDefinition *definition,
                            uint64_t incoming, uint64_t here, Error **errp)
{
    uint64_t id = hvc_kvm_register_id(definition);
    g_autofree char *name = hvc_sysreg_name(id);
    g_autofree char *fields = hvc_sysreg_differences(id, incoming, here);
    bool hardware = id == MIDR_EL1 || id == REVIDR_EL1 || id == AIDR_EL1 ||
                    id == CTR_EL0;

    error_setg(errp, "guest-abi: incoming VM has %s = 0x%" PRIx64 ", this VM "
               "has 0x%" PRIx64 " and %s (%s); %s", name, incoming, here,
               runstate_is_running() ?
               "runs, so that it can have no other value" :
               "its kernel and CPU take no other value", fields, hardware ?
               "use a host with the source's CPU" :
               "start the source VM with guest-abi-profile=FILE, FILE being "
               "query-guest-abi of a VM on this host, or use a host like the "
               "source");
}

/* Words of Linux' KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_n levels, by number */
static const char *const levels_1_3[] = {
    "not available", "available", "not required",
};
static const char *const levels_2[] = {
    "not available", "unknown", "available", "not required",
};

typedef struct Workaround {
    const char *entry;
    unsigned number;
    const char *const *levels;
    unsigned count;
} Workaround;

static const Workaround workarounds[] = {
    { "arm.smccc-arch-workaround-1", 1, levels_1_3, ARRAY_SIZE(levels_1_3) },
    { "arm.smccc-arch-workaround-2", 2, levels_2, ARRAY_SIZE(levels_2) },
    { "arm.smccc-arch-workaround-3", 3, levels_1_3, ARRAY_SIZE(levels_1_3) },
};

static const char *level_name(const Workaround *workaround, uint64_t level)
{
    return level < workaround->count ? workaround->levels[level] : "unheard of";
}

static strList *decode_workaround(const GuestAbiDefinition *definition,
                                  uint64_t value)
{
    strList *list = NULL;

    QAPI_LIST_PREPEND(list, g_strdup(level_name(definition->opaque, value)));
    return list;
}

static void refuse_workaround(const GuestAbiDefinition *definition,
                              uint64_t incoming, uint64_t here, Error **errp)
{
    const Workaround *workaround = definition->opaque;

    error_setg(errp, "guest-abi: incoming VM was told that "
               "SMCCC_ARCH_WORKAROUND_%u is '%s' [%" PRIu64 "], on this host "
               "it is '%s' [%" PRIu64 "]; use a host whose CPU and kernel are "
               "as safe as the source's", workaround->number,
               level_name(workaround, incoming), incoming,
               level_name(workaround, here), here);
}

static void refuse_pv_time_discovery(const GuestAbiDefinition *definition,
                                     uint64_t incoming, uint64_t here,
                                     Error **errp)
{
    error_setg(errp, "guest-abi: incoming VM %s, on this host it %s "
               "(SMCCC_ARCH_FEATURES of PV_TIME_FEATURES, which kernels before "
               "Linux 5.19 always answer); use a host with a kernel like the "
               "source's, or start the VM anew",
               incoming ? "discovers hvc service 'pv-time' but cannot use it"
                        : "does not discover hvc service 'pv-time'",
               here ? "would" : "would not");
}

/*
 * A kernel without the register says that PV_TIME_FEATURES can be called, even
 * where no vCPU was given a record. Nothing can be done about it, but a guest
 * shall not see it change.
 */
static void promise_pv_time_discovery(const uint64_t *ids, int count)
{
    bool hidden = bsearch(&(uint64_t) { HVC_KVM_FW_FEAT(HVC_STD_HYP_BMAP) },
                          ids, count, sizeof(*ids), hvc_compare_ids);

    guest_abi_add(&(GuestAbiDefinition) {
        .name = "arm.pv-time-discovery",
        .rule = GUEST_ABI_RULE_EXACT,
        .value = !hidden,
        .origin = GUEST_ABI_ORIGIN_DEFAULT,
        .refuse = refuse_pv_time_discovery,
    });
}

static bool promise_workaround(const HvcKvm *kvm, const Workaround *workaround,
                               Error **errp)
{
    uint64_t level = 0;
    int ret = kvm->get(kvm, HVC_KVM_WORKAROUND(workaround->number), &level);

    /* A kernel that has not heard of it says what level 0 says. */
    if (ret && ret != -ENOENT) {
        error_setg_errno(errp, -ret, "cannot read "
                         "KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_%u",
                         workaround->number);
        return false;
    }
    guest_abi_add(&(GuestAbiDefinition) {
        .name = workaround->entry,
        .rule = GUEST_ABI_RULE_AT_LEAST,
        .value = level,
        .origin = GUEST_ABI_ORIGIN_DEFAULT,
        .decode = decode_workaround,
        .refuse = refuse_workaround,
        .opaque = workaround,
    });
    return true;
}

static void refuse_unknown(const GuestAbiDefinition *definition,
                           uint64_t incoming, uint64_t here, Error **errp)
{
    error_setg(errp, "guest-abi: incoming VM has '%s' = %" PRIu64 ", on this "
               "host it is %" PRIu64 "; use a host whose CPU and kernel give "
               "as much as the source's", definition->name, incoming, here);
}

/* Like the levels that are known: a host may have more, not less. */
static bool promise_unknown(const HvcKvm *kvm, uint64_t id, Error **errp)
{
    uint64_t index = id & ~HVC_KVM_FW(0), value = 0;
    int ret = kvm->get(kvm, id, &value);

    if (ret) {
        error_setg_errno(errp, -ret, "cannot read the firmware register 0x%"
                         PRIx64, id);
        return false;
    }
    guest_abi_add(&(GuestAbiDefinition) {
        .name = g_strdup_printf(HVC_KVM_UNKNOWN_ENTRY "%" PRIu64, index),
        .rule = GUEST_ABI_RULE_AT_LEAST,
        .value = value,
        .origin = GUEST_ABI_ORIGIN_DEFAULT,
        .refuse = refuse_unknown,
    });
    return true;
}

static bool is_unknown_firmware(uint64_t id)
{
    return id >= HVC_KVM_WORKAROUND(ARRAY_SIZE(workarounds) + 1) &&
           id <= HVC_KVM_FW(0xffff);
}

static bool promise_register(const HvcKvm *kvm, uint64_t id,
                             GuestAbiOrigin origin, Error **errp)
{
    uint64_t value = 0;
    int ret = kvm->get(kvm, id, &value);

    if (ret) {
        g_autofree char *name = hvc_sysreg_name(id);

        error_setg_errno(errp, -ret, "cannot read %s", name);
        return false;
    }
    guest_abi_add(&(GuestAbiDefinition) {
        .name = hvc_sysreg_entry_name(id),
        .rule = GUEST_ABI_RULE_ACCEPTED,
        .value = value,
        .origin = origin,
        .same = is_same,
        .needed = hvc_is_ccsidr(id) ? is_cache_there : NULL,
        .refuse = refuse_register,
        .opaque = g_memdup2(&id, sizeof(id)),
    });
    return true;
}

bool hvc_kvm_promise(const HvcKvm *kvm, GuestAbiOrigin registers, Error **errp)
{
    g_autofree uint64_t *ids = NULL;
    int count = kvm->list(kvm, &ids);

    if (count < 0) {
        error_setg_errno(errp, -count, "cannot read the list of registers");
        return false;
    }
    probed_kvm = *kvm;
    guest_abi_set_trial(try_registers);
    promise_pv_time_discovery(ids, count);
    for (size_t i = 0; i < ARRAY_SIZE(workarounds); i++) {
        if (!promise_workaround(kvm, &workarounds[i], errp)) {
            return false;
        }
    }
    for (int i = 0; i < count; i++) {
        if (is_unknown_firmware(ids[i]) &&
            !promise_unknown(kvm, ids[i], errp)) {
            return false;
        }
    }
    /* CLIDR_EL1 says more clearly what is wrong than a cache's register. */
    for (int caches = 0; caches < 2; caches++) {
        for (int i = 0; i < count; i++) {
            if (hvc_sysreg_describes_cpu(ids[i]) &&
                hvc_is_ccsidr(ids[i]) == caches &&
                !promise_register(kvm, ids[i], registers, errp)) {
                return false;
            }
        }
    }
    promised = true;
    return true;
}

bool hvc_kvm_is_promised(void)
{
    return promised;
}

static const GuestAbiDefinition *promised_register(uint64_t id)
{
    for (unsigned i = 0; guest_abi_definition(i); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);

        if (hvc_kvm_register_id(definition) == id) {
            return guest_abi_is_needed(definition) ? definition : NULL;
        }
    }
    return NULL;
}

bool hvc_kvm_check_registers(const HvcKvm *kvm, const uint64_t *ids,
                             uint64_t *values, size_t count, Error **errp)
{
    for (size_t i = 0; i < count; i++) {
        const GuestAbiDefinition *definition;
        g_autofree char *name = NULL;
        uint64_t now = 0;

        if (!hvc_sysreg_describes_cpu(ids[i])) {
            continue;
        }
        definition = promised_register(ids[i]);
        if (!definition) {
            continue;
        }
        if (hvc_kvm_same_register(ids[i], values[i], definition->promised)) {
            /* What a kernel shows by mistake, it may not take from others. */
            if (!kvm->get(kvm, ids[i], &now) &&
                hvc_kvm_same_register(ids[i], values[i], now)) {
                values[i] = now;
            }
            continue;
        }
        name = hvc_sysreg_name(ids[i]);
        if (ids[i] != CLIDR_EL1 && !hvc_is_ccsidr(ids[i])) {
            error_setg(errp, "guest-abi: a vCPU of the incoming VM has %s = "
                       "0x%" PRIx64 ", its contract has 0x%" PRIx64 "; the "
                       "stream is damaged", name, values[i],
                       definition->promised);
            return false;
        }
        trace_hvc_kvm_forgotten(name, values[i], definition->promised);
        values[i] = definition->promised;
    }
    return true;
}

bool hvc_kvm_set_registers(const HvcKvm *kvm, const uint64_t *ids,
                           const uint64_t *values, size_t count, Error **errp)
{
    for (size_t i = 0; i < count; i++) {
        int ret = kvm->set(kvm, ids[i], values[i]);
        g_autofree char *name = NULL, *fields = NULL;
        uint64_t now = 0;

        if (!ret) {
            continue;
        }
        kvm->get(kvm, ids[i], &now);
        name = hvc_sysreg_name(ids[i]);
        fields = hvc_sysreg_differences(ids[i], values[i], now);
        error_setg(errp, "guest-abi: incoming VM has %s = 0x%" PRIx64 " [0x%"
                   PRIx64 "], this VM has 0x%" PRIx64 " and its kernel takes "
                   "no other value: %s (%s); use a host like the source", name,
                   values[i], ids[i], now, strerror(-ret), fields);
        return false;
    }
    return true;
}

bool hvc_kvm_restore(const HvcKvm *kvm, Error **errp)
{
    for (unsigned i = 0; guest_abi_definition(i); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);
        uint64_t id = hvc_kvm_register_id(definition);
        uint64_t now = 0;
        int ret;

        if (!id || !guest_abi_is_needed(definition)) {
            continue;
        }
        ret = kvm->get(kvm, id, &now);
        if (!ret && !hvc_kvm_same_register(id, now, definition->promised)) {
            ret = kvm->set(kvm, id, definition->promised);
            if (!ret) {
                ret = kvm->get(kvm, id, &now);
            }
        }
        if (ret || !hvc_kvm_same_register(id, now, definition->promised)) {
            g_autofree char *name = hvc_sysreg_name(id);

            error_setg(errp, "guest-abi: %s was 0x%" PRIx64 " before the "
                       "reset, is 0x%" PRIx64 " now, and the kernel does not "
                       "take it back: %s", name, definition->promised, now,
                       ret ? strerror(-ret) : "it kept another value");
            return false;
        }
    }
    return true;
}
