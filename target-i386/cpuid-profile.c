/*
 * guest-abi-profile: an x86 VM that can run on another host, too
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bitops.h"
#include "cpu.h"
#include "hw/boards.h"
#include "hw/qdev-core.h"
#include "migration/guest-abi-incoming.h"
#include "migration/qemu-compat.h"
#include "cpuid-items.h"
#include "cpuid-profile.h"
#include "xsave-check.h"
#include "xsave-mask.h"

/* An entry that the contract of every x86 VM has */
#define ANY_ENTRY "x86.cpuid-1-edx"

#define REMEDY "make FILE with query-guest-abi of a VM on another host, or " \
               "with guest-abi-diff --fleet --profile-out"

/*
 * How far CPUID may go. KVM is told each leaf below a level, one by one, and
 * QEMU has room for 100 of them.
 */
#define MOST_LEAVES 0xff
#define MOST_SUBLEAVES 0xf

/* A process has one machine. */
static char *profile_file;
static GuestAbiIncoming *profile;

static uint64_t value_in(const GuestAbiIncoming *contract,
                         const CpuidItem *item)
{
    const GuestAbiValue *value = guest_abi_incoming_value(contract, item->name);

    return value ? value->value : 0;
}

static uint64_t profile_value(const CpuidItem *item)
{
    return value_in(profile, item);
}

const char *x86_cpuid_profile_file(void)
{
    return profile_file;
}

/* Compat properties stay for as long as vCPUs can be plugged in. */
static void G_GNUC_PRINTF(4, 5) set(MachineState *machine, const char *type,
                                    const char *property, const char *format,
                                    ...)
{
    GlobalProperty *global = g_new0(GlobalProperty, 1);
    va_list args;

    va_start(args, format);
    global->driver = type;
    global->property = g_strdup(property);
    global->value = g_strdup_vprintf(format, args);
    global->optional = true;
    va_end(args);
    g_ptr_array_add(MACHINE_GET_CLASS(machine)->compat_props, global);
}

/*
 * Features that QEMU sets for a guest with hyperthreads in any case, and those
 * of shared-pages=on
 */
static uint64_t forced(const CpuidItem *item)
{
    return (item->word == FEAT_8000_0001_ECX ? CPUID_EXT3_CMP_LEG : 0) |
           cpuid_item_from_topology(item) | cpuid_item_from_shared_pages(item);
}

/* Two bits of KVM's leaf have one name, kvmclock. */
static uint64_t bits_of(const CpuidItem *item, const char *name)
{
    uint64_t bits = 0;

    for (unsigned bit = 0; bit < 64; bit++) {
        if (!g_strcmp0(cpuid_feature(item, bit), name)) {
            bits |= BIT_ULL(bit);
        }
    }
    return bits;
}

static void take_features(MachineState *machine, const CpuidItem *item)
{
    uint64_t kept = profile_value(item) | cpuid_item_from_topology(item);

    for (unsigned bit = 0; bit < 64; bit++) {
        const char *name = cpuid_feature(item, bit);

        if (name && !(bits_of(item, name) & kept)) {
            set(machine, TYPE_X86_CPU, name, "off");
        }
    }
}

/* A CPU without long mode has the address widths that its features give it. */
static bool has_long_mode(void)
{
    for (unsigned i = 0; cpuid_item(i); i++) {
        const CpuidItem *item = cpuid_item(i);

        if (item->kind == CPUID_FEATURES && item->word == FEAT_8000_0001_EDX) {
            return profile_value(item) & CPUID_EXT2_LM;
        }
    }
    g_assert_not_reached();
}

/* Of models that are as their host is; the others have numbers of their own. */
static void set_number(MachineState *machine, const CpuidItem *item)
{
    static const char host_models[] = X86_CPU_TYPE_NAME("max");
    uint64_t value = profile_value(item);

    if (!value) {
        return;
    }
    switch (item->number) {
    case CPUID_LEVEL:
        set(machine, host_models, item->option, "%" PRIu64, value);
        break;
    case CPUID_SIGNATURE:
        set(machine, host_models, "family", "%u", cpuid_family(value));
        set(machine, host_models, "model", "%u", cpuid_model(value));
        set(machine, host_models, "stepping", "%u", cpuid_stepping(value));
        break;
    case CPUID_ADDRESSES:
        set(machine, host_models, "host-phys-bits", "off");
        if (!has_long_mode()) {
            break;
        }
        set(machine, host_models, "phys-bits", "%u",
            (unsigned)extract64(value, 0, 8));
        set(machine, host_models, "guest-phys-bits", "%u",
            (unsigned)extract64(value, 16, 8));
        break;
    default:
        /* x86_cpuid_profile_check() compares vendor and PMU. */
        break;
    }
}

static bool check_level(const CpuidItem *item, uint64_t value, Error **errp)
{
    uint64_t most = item->leaf == 7 ? MOST_SUBLEAVES
                                    : item->leaf | MOST_LEAVES;
    uint64_t least = item->leaf == 7 ? 0 : item->leaf;

    if (value < least || value > most) {
        error_setg(errp, "'%s' = 0x%" PRIx64 " is not a level of CPUID, which "
                   "is from 0x%" PRIx64 " to 0x%" PRIx64, item->name, value,
                   least, most);
        return false;
    }
    return true;
}

/* Intel SDM volume 2A, CPUID: "Version Information" */
static bool check_signature(const CpuidItem *item, uint64_t value,
                            Error **errp)
{
    unsigned family = cpuid_family(value), model = cpuid_model(value);
    uint64_t known = (family < 0xf ? family : 0xf) << 8 |
                     (family < 0xf ? 0 : family - 0xf) << 20 |
                     (model & 0xf) << 4 | (model >> 4) << 16 |
                     cpuid_stepping(value);

    if (value != known) {
        error_setg(errp, "'%s' = 0x%" PRIx64 " has more than a family, a model "
                   "and a stepping, which are 0x%" PRIx64, item->name, value,
                   known);
        return false;
    }
    return true;
}

static bool check_widths(const CpuidItem *item, uint64_t value, Error **errp)
{
    unsigned physical = extract64(value, 0, 8);
    unsigned of_guest = extract64(value, 16, 8);

    if (physical < 32 || physical > TARGET_PHYS_ADDR_SPACE_BITS ||
        (of_guest && (of_guest < 32 || of_guest > physical)) || value >> 24) {
        error_setg(errp, "'%s' = 0x%" PRIx64 " is not widths of addresses: "
                   "needed: physical ones of 32 to %d bits in [7:0], the "
                   "guest's of 0, or of 32 to as many, in [23:16]", item->name,
                   value, TARGET_PHYS_ADDR_SPACE_BITS);
        return false;
    }
    return true;
}

/* Values become properties of -cpu, which abort on what they cannot hold. */
static bool check_value(const GuestAbiIncoming *contract,
                        const CpuidItem *item, Error **errp)
{
    uint64_t value = value_in(contract, item);

    if (!value || cpuid_item_is_wide(item)) {
        return true;
    }
    if (value > UINT32_MAX) {
        error_setg(errp, "'%s' = 0x%" PRIx64 " has more than the 32 bits of %s",
                   item->name, value, item->where);
        return false;
    }
    if (item->kind == CPUID_FEATURES) {
        return true;
    }
    switch (item->number) {
    case CPUID_LEVEL:
        return check_level(item, value, errp);
    case CPUID_SIGNATURE:
        return check_signature(item, value, errp);
    case CPUID_ADDRESSES:
        return check_widths(item, value, errp);
    default:
        /* x86_cpuid_profile_check() compares vendor and PMU. */
        return true;
    }
}

static bool check_values(const GuestAbiIncoming *contract, Error **errp)
{
    for (unsigned i = 0; cpuid_item(i); i++) {
        if (!check_value(contract, cpuid_item(i), errp)) {
            return false;
        }
    }
    return true;
}

bool x86_cpuid_profile_load(MachineState *machine, const char *file,
                            Error **errp)
{
    g_autoptr(Error) err = NULL;
    g_autoptr(GuestAbiIncoming) contract =
        guest_abi_incoming_from_file(file, &err);

    if (contract && !guest_abi_incoming_value(contract, ANY_ENTRY)) {
        error_setg(&err, "no entry '" ANY_ENTRY "', so it is not the contract "
                   "of an x86 VM");
    } else if (contract) {
        check_values(contract, &err);
    }
    if (err) {
        error_setg(errp, "guest-abi-profile=%s is not a profile: %s; " REMEDY,
                   file, error_get_pretty(err));
        return false;
    }
    profile = g_steal_pointer(&contract);
    profile_file = g_strdup(file);
    for (unsigned i = 0; cpuid_item(i); i++) {
        const CpuidItem *item = cpuid_item(i);

        if (item->kind == CPUID_FEATURES) {
            take_features(machine, item);
        } else if (item->kind == CPUID_NUMBER) {
            set_number(machine, item);
        }
    }
    return true;
}

/* The names of features, over all words */
static char *collect(X86CPU *cpu,
                     uint64_t (*pick)(const CpuidItem *item, X86CPU *cpu))
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; cpuid_item(i); i++) {
        const CpuidItem *item = cpuid_item(i);
        uint64_t bits = item->kind == CPUID_FEATURES ?
            pick(item, cpu) & ~forced(item) : 0;
        g_autofree char *names = bits ? cpuid_item_text(item, bits) : NULL;

        if (bits) {
            g_string_append_printf(text, "%s%s (%s)", text->len ? ", " : "",
                                   names, item->where);
        }
    }
    return g_strdup(text->str);
}

static uint64_t host_lacks(const CpuidItem *item, X86CPU *cpu)
{
    return profile_value(item) & ~cpuid_item_supported(item) &
           ~cpuid_item_value(item, cpu);
}

static uint64_t beyond_profile(const CpuidItem *item, X86CPU *cpu)
{
    return cpuid_item_value(item, cpu) & ~profile_value(item);
}

static bool check_features(X86CPU *cpu, Error **errp)
{
    g_autofree char *lacking = collect(cpu, host_lacks);
    g_autofree char *beyond = collect(cpu, beyond_profile);

    if (*lacking) {
        error_setg(errp, "guest-abi-profile=%s has CPU features %s, which this "
                   "host does not have; use a profile that all hosts of the "
                   "fleet can give, as guest-abi-diff --fleet --profile-out "
                   "writes it", profile_file, lacking);
        return false;
    }
    if (*beyond) {
        error_setg(errp, "guest-abi-profile=%s does not have CPU features %s, "
                   "which this VM would have; do not ask for them with -cpu, "
                   "or use the profile of hosts that have them", profile_file,
                   beyond);
        return false;
    }
    return true;
}

/* The features bring components, so that a profile has no others. */
static bool check_components(const XsaveRegister *reg, uint64_t exposed,
                             uint64_t host, Error **errp)
{
    const GuestAbiValue *value = guest_abi_incoming_value(profile, reg->entry);
    uint64_t lacking = value ? value->value & ~host & ~exposed : 0;
    uint64_t beyond = value ? exposed & ~value->value : 0;
    g_autofree char *names = xsave_names_text(reg, lacking ?: beyond);

    if (lacking) {
        error_setg(errp, "guest-abi-profile=%s has XSAVE component %s (%s), "
                   "which this host does not have; use a profile that all "
                   "hosts of the fleet can give, as guest-abi-diff --fleet "
                   "--profile-out writes it", profile_file, names, reg->name);
        return false;
    }
    if (beyond) {
        error_setg(errp, "guest-abi-profile=%s does not have XSAVE component "
                   "%s (%s), which this VM would have by its features; use a "
                   "profile that has both, as query-guest-abi and "
                   "guest-abi-diff --fleet --profile-out write it",
                   profile_file, names, reg->name);
        return false;
    }
    return true;
}

static bool check_all_components(X86CPU *cpu, Error **errp)
{
    XsaveLimits limits = x86_xsave_limits(cpu);

    return check_components(&xsave_xcr0, limits.xcr0, limits.host_xcr0,
                            errp) &&
           check_components(&xsave_xss, limits.xss, limits.host_xss, errp);
}

/* The number of physical address bits is the one that a host may lack. */
static bool check_addresses(Error **errp)
{
    unsigned wanted = 0, here;
    uint32_t level, widths;

    if (!kvm_enabled()) {
        return true;
    }
    for (unsigned i = 0; cpuid_item(i); i++) {
        const CpuidItem *item = cpuid_item(i);

        if (item->kind == CPUID_NUMBER && item->number == CPUID_ADDRESSES) {
            wanted = extract64(profile_value(item), 0, 8);
        }
    }
    host_cpuid(0x80000000, 0, &level, NULL, NULL, NULL);
    if (level < 0x80000008) {
        return true;
    }
    host_cpuid(0x80000008, 0, &widths, NULL, NULL, NULL);
    here = extract32(widths, 0, 8);
    if (wanted > here) {
        error_setg(errp, "guest-abi-profile=%s has physical addresses of %u "
                   "bits, this host has %u; use a profile that all hosts of "
                   "the fleet can give, as guest-abi-diff --fleet "
                   "--profile-out writes it", profile_file, wanted, here);
        return false;
    }
    return true;
}

static bool is_compared(const CpuidItem *item, X86CPU *cpu)
{
    switch (item->kind) {
    case CPUID_NUMBER:
        return x86_max_features(cpu);
    case CPUID_LAYOUT:
        return cpuid_item_value(item, cpu);
    default:
        return false;
    }
}

static bool check_rest(X86CPU *cpu, Error **errp)
{
    for (unsigned i = 0; cpuid_item(i); i++) {
        const CpuidItem *item = cpuid_item(i);
        uint64_t here = cpuid_item_value(item, cpu);
        uint64_t wanted = profile_value(item);
        g_autofree char *has = NULL, *gives = NULL;

        if (!is_compared(item, cpu) || here == wanted) {
            continue;
        }
        has = cpuid_item_text(item, wanted);
        gives = cpuid_item_text(item, here);
        error_setg(errp, "guest-abi-profile=%s has %s = %s, this VM would have "
                   "%s; %s", profile_file, item->where, has, gives,
                   item->kind == CPUID_LAYOUT ||
                   item->number == CPUID_VENDOR ?
                   "use the profile of hosts whose CPU is of this one's "
                   "vendor" : item->number == CPUID_PMU ?
                   "use a host with the profile's PMU, or a profile made with "
                   "-cpu ...,pmu=off, and the same here" :
                   "leave that to the profile, and do not set it with -cpu");
        return false;
    }
    return true;
}

bool x86_cpuid_profile_check(X86CPU *cpu, Error **errp)
{
    return !profile ||
           (check_features(cpu, errp) && check_all_components(cpu, errp) &&
            check_addresses(errp) && check_rest(cpu, errp));
}
