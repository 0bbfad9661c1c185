/*
 * guest-abi-profile: a VM like those of the fleet's oldest host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/units.h"
#include "migration/qemu-compat.h"
#include "kvm-abi.h"
#include "kvm-profile.h"
#include "kvm-registers.h"
#include "sysregs.h"

/* A contract has some 80 entries of some 100 bytes. */
#define MAX_FILE_SIZE (1 * MiB)

#define MIDR_ENTRY  "arm.midr-el1"
#define CTR_ENTRY   "arm.ctr-el0"
#define CLIDR_ENTRY "arm.clidr-el1"

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

static bool read_file(const char *file, char **text, Error **errp)
{
    g_autoptr(GError) err = NULL;
    struct stat status;
    gsize length;

    /* Whatever is there: neither wait for a pipe nor fill the memory. */
    if (stat(file, &status)) {
        error_setg_errno(errp, errno, "cannot read it");
        return false;
    }
    if (!S_ISREG(status.st_mode) || status.st_size > MAX_FILE_SIZE) {
        error_setg(errp, "not a file of at most %u bytes",
                   (unsigned)MAX_FILE_SIZE);
        return false;
    }
    if (!g_file_get_contents(file, text, &length, &err)) {
        error_setg(errp, "%s", err->message);
        return false;
    }
    if (strlen(*text) != length) {
        error_setg(errp, "not a text file");
        return false;
    }
    return true;
}

static bool parse(const char *text, HvcKvmProfile *profile, Error **errp)
{
    QObject *object = qobject_from_json(text, errp);

    if (!object) {
        return false;
    }
    profile->contract = guest_abi_incoming_from_json(object, errp);
    qobject_unref(object);
    if (!profile->contract) {
        return false;
    }
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
    g_autofree char *text = NULL;

    profile->file = g_strdup(file);
    if (!read_file(file, &text, errp) || !parse(text, profile, errp)) {
        g_autofree char *reason = g_strdup(error_get_pretty(*errp));

        error_free(*errp);
        *errp = NULL;
        error_setg(errp, "guest-abi-profile=%s is not a profile: %s; " REMEDY,
                   file, reason);
        return NULL;
    }
    return g_steal_pointer(&profile);
}

static bool check_hardware(const HvcKvmProfile *profile, const HvcKvm *kvm,
                           const char *entry, uint64_t id, Error **errp)
{
    const GuestAbiValue *value = profile_value(profile, entry);
    g_autofree char *name = NULL, *fields = NULL;
    uint64_t now = 0;
    int ret = kvm->get(kvm, id, &now);

    if (!value || (!ret && now == value->value)) {
        return true;
    }
    name = hvc_sysreg_name(id);
    if (ret) {
        error_setg_errno(errp, -ret, "guest-abi-profile=%s: cannot read this "
                         "host's %s", profile->file, name);
        return false;
    }
    fields = hvc_sysreg_differences(id, value->value, now);
    error_setg(errp, "guest-abi-profile=%s is of other hardware: its %s is 0x%"
               PRIx64 ", this host's is 0x%" PRIx64 " (%s); use the profile of "
               "a host with this CPU", profile->file, name, value->value, now,
               fields);
    return false;
}

/* What the profile lacks, its kernel had not heard of: 0. */
static bool apply_register(const HvcKvmProfile *profile, const HvcKvm *kvm,
                           uint64_t id, Error **errp)
{
    g_autofree char *entry = hvc_sysreg_entry_name(id);
    const GuestAbiValue *value = profile_value(profile, entry);
    uint64_t wanted = value ? value->value : 0;
    uint64_t offered = 0, now = 0;
    int ret;

    if (!value && hvc_is_ccsidr(id)) {
        /* A cache that the profile's CLIDR_EL1 has not got; nobody looks. */
        return true;
    }
    ret = kvm->get(kvm, id, &offered);
    if (ret) {
        g_autofree char *name = hvc_sysreg_name(id);

        error_setg_errno(errp, -ret, "guest-abi-profile=%s: cannot read this "
                         "host's %s", profile->file, name);
        return false;
    }
    if (hvc_kvm_same_register(id, offered, wanted)) {
        return true;
    }
    ret = kvm->set(kvm, id, wanted);
    if (!ret) {
        ret = kvm->get(kvm, id, &now);
    }
    if (ret || !hvc_kvm_same_register(id, now, wanted)) {
        g_autofree char *name = hvc_sysreg_name(id);
        g_autofree char *fields = hvc_sysreg_differences(id, wanted, offered);

        error_setg(errp, "guest-abi-profile=%s has %s = 0x%" PRIx64 ", this "
                   "host's kernel and CPU have 0x%" PRIx64 " and take no "
                   "other value (%s); use the profile of an older kernel, "
                   "made with the -cpu options of this VM", profile->file, name,
                   wanted, offered, fields);
        return false;
    }
    return true;
}

static bool has_entry(const uint64_t *ids, int count, const char *entry)
{
    for (int i = 0; i < count; i++) {
        if (hvc_sysreg_describes_cpu(ids[i])) {
            g_autofree char *name = hvc_sysreg_entry_name(ids[i]);

            if (!strcmp(name, entry)) {
                return true;
            }
        }
    }
    return false;
}

/* Is an entry of the profile about a register, on whatever kernel? */
static bool is_register_entry(const char *entry)
{
    return g_str_has_suffix(entry, "-el1") || g_str_has_suffix(entry, "-el0") ||
           g_str_has_prefix(entry, "arm.s3-") ||
           g_str_has_prefix(entry, "arm.ccsidr-el1.");
}

static bool check_all_listed(const HvcKvmProfile *profile, const uint64_t *ids,
                             int count, Error **errp)
{
    for (unsigned i = 0; i < guest_abi_incoming_count(profile->contract);
         i++) {
        const GuestAbiValue *value =
            guest_abi_incoming_entry(profile->contract, i);

        if (value->value && is_register_entry(value->name) &&
            !has_entry(ids, count, value->name)) {
            error_setg(errp, "guest-abi-profile=%s has '%s' = 0x%" PRIx64
                       ", a register that this host's kernel does not have; "
                       "use the profile of the fleet's oldest host",
                       profile->file, value->name, value->value);
            return false;
        }
    }
    return true;
}

bool hvc_kvm_profile_apply(const HvcKvmProfile *profile, const HvcKvm *kvm,
                           Error **errp)
{
    g_autofree uint64_t *ids = NULL;
    int count = kvm->list(kvm, &ids);

    if (count < 0) {
        error_setg_errno(errp, -count, "guest-abi-profile=%s: cannot read this "
                         "kernel's list of registers", profile->file);
        return false;
    }
    if (!check_hardware(profile, kvm, MIDR_ENTRY,
                        HVC_SYSREG_ID(3, 0, 0, 0, 0), errp) ||
        !check_hardware(profile, kvm, CTR_ENTRY,
                        HVC_SYSREG_ID(3, 3, 0, 0, 1), errp) ||
        !check_all_listed(profile, ids, count, errp)) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (hvc_sysreg_describes_cpu(ids[i]) &&
            !apply_register(profile, kvm, ids[i], errp)) {
            return false;
        }
    }
    return true;
}

/*
 * Linux 6.3 to 6.9 takes another CLIDR_EL1, and forgets it when a CPU is reset:
 * by QEMU, which gives it again, but also inside of the kernel, when the guest
 * turns a CPU on.
 */
bool hvc_kvm_profile_check_kept(const HvcKvmProfile *profile,
                                const HvcKvm *kvm, Error **errp)
{
    const GuestAbiValue *value = profile_value(profile, CLIDR_ENTRY);
    uint64_t now = 0;

    if (!value || (!kvm->get(kvm, HVC_SYSREG_ID(3, 1, 0, 0, 1), &now) &&
                   now == value->value)) {
        return true;
    }
    error_setg(errp, "guest-abi-profile=%s: this host's kernel forgets "
               "CLIDR_EL1 when the guest turns a CPU on; needed: Linux 6.10 or "
               "later, or 6.2 or earlier; leave out the profile, or give the "
               "VM one CPU", profile->file);
    return false;
}

/* Services are chosen, registers were applied: the rest is the host's. */
static bool is_of_the_host(const GuestAbiDefinition *definition)
{
    return definition->rule == GUEST_ABI_RULE_AT_LEAST ||
           !strcmp(definition->name, "arm.pv-time-discovery");
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

bool hvc_kvm_profile_check(const HvcKvmProfile *profile, Error **errp)
{
    for (unsigned i = 0; guest_abi_definition(i); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);
        const GuestAbiValue *value = profile_value(profile, definition->name);
        uint64_t wanted = value ? value->value : 0;

        if (is_of_the_host(definition) && definition->value != wanted) {
            refuse_host(profile, definition->name, wanted, definition->value,
                        errp);
            return false;
        }
    }
    /* A kernel that does not list one of these says 0. */
    for (unsigned i = 0; i < guest_abi_incoming_count(profile->contract);
         i++) {
        const GuestAbiValue *value =
            guest_abi_incoming_entry(profile->contract, i);

        if (g_str_has_prefix(value->name, HVC_KVM_UNKNOWN_ENTRY) &&
            value->value && !guest_abi_definition_by_name(value->name)) {
            refuse_host(profile, value->name, value->value, 0, errp);
            return false;
        }
    }
    return true;
}
