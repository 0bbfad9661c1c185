/*
 * guest-abi-profile: a VM like those of the fleet's oldest host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "contract-entries.h"
#include "kvm-access.h"
#include "kvm-profile.h"
#include "sysregs.h"
#include "vm.h"

#define MIDR_ENTRY "arm.midr-el1"
#define DISCOVERY_ENTRY "arm.pv-time-discovery"

#define REMEDY "make FILE with query-guest-abi of a VM under KVM on the " \
               "fleet's oldest host"

void hvc_kvm_profile_free(HvcKvmProfile *profile)
{
    if (profile) {
        g_free(profile->file);
        guest_abi_incoming_free(profile->contract);
        g_free(profile);
    }
}

static const GuestAbiValue *profile_value(const HvcKvmProfile *profile,
                                          const char *name)
{
    return guest_abi_incoming_value(profile->contract, name);
}

static bool is_arm_contract(const HvcKvmProfile *profile, Error **errp)
{
    if (!profile_value(profile, MIDR_ENTRY)) {
        error_setg(errp, "no entry '%s', so it is not the contract of a VM "
                   "under KVM/arm64", MIDR_ENTRY);
        return false;
    }
    return true;
}

HvcKvmProfile *hvc_kvm_profile_load(const char *file, Error **errp)
{
    ERRP_GUARD();
    g_autoptr(HvcKvmProfile) profile = g_new0(HvcKvmProfile, 1);
    g_autofree char *where = g_strdup_printf("guest-abi-profile=%s", file);

    profile->file = g_strdup(file);
    profile->contract = guest_abi_incoming_from_file(file, errp);
    if (!profile->contract || !is_arm_contract(profile, errp)) {
        g_autofree char *reason = g_strdup(error_get_pretty(*errp));

        error_free(*errp);
        *errp = NULL;
        error_setg(errp, "guest-abi-profile=%s is not a profile: %s; " REMEDY,
                   file, reason);
        return NULL;
    }
    if (!hvc_implementations_of_contract(profile->contract, where,
                                         &profile->implementations, errp)) {
        return NULL;
    }
    return g_steal_pointer(&profile);
}

static bool check_hardware(const HvcKvmProfile *profile,
                           const HvcContract *here, uint64_t id, Error **errp)
{
    g_autofree char *entry = hvc_contract_entry_name(id);
    const GuestAbiValue *value = profile_value(profile, entry);
    uint64_t now = hvc_contract_value(here, id);
    g_autofree char *name = NULL, *fields = NULL;

    if (!value || now == value->value) {
        return true;
    }
    name = hvc_sysreg_name(id);
    fields = hvc_sysreg_differences(id, value->value, now);
    error_setg(errp, "guest-abi-profile=%s is of other hardware: its %s is 0x%"
               PRIx64 ", this host's is 0x%" PRIx64 " (%s); use the profile of "
               "a host with this CPU", profile->file, name, value->value, now,
               fields);
    return false;
}

/* Is an entry of the profile about a register, on whatever kernel? */
static bool is_register_entry(const char *entry)
{
    return g_str_has_suffix(entry, "-el1") || g_str_has_suffix(entry, "-el0") ||
           g_str_has_prefix(entry, "arm.s3-") ||
           g_str_has_prefix(entry, "arm.ccsidr-el1.");
}

static bool has_entry(const HvcContract *here, const char *entry)
{
    for (unsigned i = 0; i < here->count; i++) {
        g_autofree char *name = hvc_contract_entry_name(here->promises[i].id);

        if (!strcmp(name, entry)) {
            return true;
        }
    }
    return false;
}

static bool check_all_listed(const HvcKvmProfile *profile,
                             const HvcContract *here, Error **errp)
{
    unsigned count = guest_abi_incoming_count(profile->contract);

    for (unsigned i = 0; i < count; i++) {
        const GuestAbiValue *value =
            guest_abi_incoming_entry(profile->contract, i);

        if (value->value && is_register_entry(value->name) &&
            !has_entry(here, value->name)) {
            error_setg(errp, "guest-abi-profile=%s has '%s' = 0x%" PRIx64
                       ", a register that this host's kernel does not have; "
                       "use the profile of the fleet's oldest host",
                       profile->file, value->name, value->value);
            return false;
        }
    }
    return true;
}

/* Registers that a VM is made with, and that no later write changes */
static bool is_made(uint64_t id)
{
    return id == HVC_CNTFRQ_EL0 || id == HVC_KVM_SVE_VLS ||
           HVC_KVM_IS_DEVICE(id);
}

bool hvc_kvm_profile_wanted(const HvcKvmProfile *profile,
                            const HvcContract *here, bool mixed,
                            HvcContract *wanted, Error **errp)
{
    wanted->count = 0;
    if (!mixed && (!check_hardware(profile, here, HVC_MIDR_EL1, errp) ||
                   !check_hardware(profile, here, HVC_CTR_EL0, errp))) {
        return false;
    }
    if (!check_all_listed(profile, here, errp)) {
        return false;
    }
    for (unsigned i = 0; i < here->count; i++) {
        uint64_t id = here->promises[i].id;
        g_autofree char *entry = hvc_contract_entry_name(id);
        const GuestAbiValue *value = profile_value(profile, entry);

        if (hvc_contract_is_level(id) ||
            (!value && (hvc_is_ccsidr(id) || is_made(id)))) {
            /*
             * A cache that the profile's CLIDR_EL1 does not have, which no
             * guest looks at, or hardware that is as this VM's options say.
             */
            continue;
        }
        /* What the profile lacks, its kernel had not heard of: 0. */
        if (!hvc_contract_set(wanted, id, value ? value->value : 0, errp)) {
            return false;
        }
    }
    return true;
}

bool hvc_kvm_profile_check_told(const HvcKvmProfile *profile, bool told,
                                const char *services, const char *remedy,
                                Error **errp)
{
    unsigned count = profile->implementations.count;

    if (told || count <= 1) {
        return true;
    }
    error_setg(errp, "guest-abi-profile=%s is of a fleet with %u different "
               "CPUs, which needs the hvc service '"
               HVC_IMPLEMENTATIONS_SERVICE "', so that the guest is told of "
               "them, this VM has hvc-services=%s; use %s, or the profile of "
               "hosts with one CPU", profile->file, count, services, remedy);
    return false;
}

static bool check_taken(const HvcKvmProfile *profile,
                        const HvcContract *wanted, const HvcContract *truth,
                        Error **errp)
{
    g_autoptr(GString) text = g_string_new(NULL);
    bool of_gic = false, of_pmu = false, other = false;

    for (unsigned i = 0; i < wanted->count; i++) {
        const HvcPromise *promise = &wanted->promises[i];
        uint64_t value = promise->value;
        uint64_t taken = hvc_contract_value(truth, promise->id);
        uint64_t gic = hvc_sysreg_gic_field(promise->id);
        g_autofree char *name = NULL, *fields = NULL;

        if (!hvc_contract_counts(wanted, promise->id) ||
            hvc_same_register(promise->id, value, taken)) {
            continue;
        }
        of_gic |= (value ^ taken) & gic;
        of_pmu |= promise->id == HVC_KVM_PMU_COUNTERS;
        other |= promise->id != HVC_KVM_PMU_COUNTERS &&
                 !hvc_same_register(promise->id, value & ~gic, taken & ~gic);
        name = hvc_sysreg_name(promise->id);
        fields = hvc_sysreg_differences(promise->id, value, taken);
        g_string_append_printf(text, "%s %s = 0x%" PRIx64 ", this host's "
                               "kernel and CPU have 0x%" PRIx64 " and take no "
                               "other value (%s)", text->len ? ", and it has" :
                               "", name, value, taken, fields);
    }
    if (text->len) {
        error_setg(errp, "guest-abi-profile=%s has%s%s%s%s", profile->file,
                   text->str,
                   of_pmu ? "; use a profile with as many event counters as "
                            "the fleet's smallest PMU has, and Linux 6.7 or "
                            "later, which can take some away" : "",
                   other ? "; use the profile of an older kernel, made with "
                           "the -cpu options of this VM" : "",
                   of_gic ? "; " HVC_GIC_FIELD_WHY ": use "
                            HVC_GIC_FIELD_REMEDY " here and where FILE is "
                            "made, or no profile" : "");
    }
    return !text->len;
}

bool hvc_kvm_profile_check(const HvcKvmProfile *profile,
                           const HvcContract *wanted, const HvcTruth *truth,
                           Error **errp)
{
    if (!truth->keeps_caches) {
        error_setg(errp, "guest-abi-profile=%s: this host's kernel forgets "
                   "CLIDR_EL1 when the guest turns a CPU on; needed: Linux "
                   "6.10 or later, or 6.2 or earlier; leave out the profile, "
                   "or give the VM one CPU", profile->file);
        return false;
    }
    return check_taken(profile, wanted, &truth->contract, errp);
}

static void refuse_host(const HvcKvmProfile *profile, const char *name,
                        uint64_t wanted, uint64_t given, Error **errp)
{
    error_setg(errp, "guest-abi-profile=%s has '%s' = %" PRIu64 ", this host "
               "has %" PRIu64 ", which cannot be chosen; a VM could not go "
               "both ways between the two; use a host with the same "
               "mitigations and kernel, or leave out the profile",
               profile->file, name, wanted, given);
}

/* A guest that was told less elsewhere may find more here. */
static void refuse_start(const HvcKvmProfile *profile, const char *name,
                         uint64_t wanted, uint64_t given, Error **errp)
{
    error_setg(errp, "guest-abi-profile=%s has '%s' = %" PRIu64 ", this host "
               "has %" PRIu64 ", which cannot be chosen; a VM that is started "
               "here could not go to hosts with %" PRIu64 "; start it on one "
               "of these, from where it can come here and go home, or leave "
               "out the profile", profile->file, name, wanted, given, wanted);
}

/* Neither an option nor a register changes the firmware's levels. */
bool hvc_kvm_profile_check_levels(const HvcKvmProfile *profile,
                                  const HvcContract *truth, bool incoming,
                                  Error **errp)
{
    unsigned count = guest_abi_incoming_count(profile->contract);

    for (unsigned i = 0; i < truth->count; i++) {
        const HvcPromise *promise = &truth->promises[i];
        g_autofree char *entry = hvc_contract_entry_name(promise->id);
        const GuestAbiValue *value = profile_value(profile, entry);
        uint64_t wanted = value ? value->value : 0;

        if (!hvc_contract_is_level(promise->id) || promise->value == wanted) {
            continue;
        }
        if (promise->value < wanted) {
            refuse_host(profile, entry, wanted, promise->value, errp);
            return false;
        }
        if (!incoming) {
            refuse_start(profile, entry, wanted, promise->value, errp);
            return false;
        }
    }
    /* A kernel that does not list one of these says 0. */
    for (unsigned i = 0; i < count; i++) {
        const GuestAbiValue *value =
            guest_abi_incoming_entry(profile->contract, i);

        if ((g_str_has_prefix(value->name, HVC_UNKNOWN_FIRMWARE_ENTRY) ||
             g_str_has_prefix(value->name, "arm.smccc-arch-workaround-")) &&
            value->value && !has_entry(truth, value->name)) {
            refuse_host(profile, value->name, value->value, 0, errp);
            return false;
        }
    }
    return true;
}

bool hvc_kvm_profile_check_discovery(const HvcKvmProfile *profile,
                                     bool discovered, Error **errp)
{
    const GuestAbiValue *value = profile_value(profile, DISCOVERY_ENTRY);

    if ((value ? value->value : 0) == discovered) {
        return true;
    }
    refuse_host(profile, DISCOVERY_ENTRY, value ? value->value : 0, discovered,
                errp);
    return false;
}
