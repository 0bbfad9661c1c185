/*
 * What CPUID tells an x86 guest, in its contract
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A guest decides by CPUID, when it boots, which instructions and hypercalls
 * it uses for the rest of its life. A feature that is gone is a fault in the
 * middle of the guest's kernel; one that is new is used by whatever of the
 * guest looks later. So both are refused.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "cpu.h"
#include "migration/guest-abi.h"
#include "migration/qemu-compat.h"
#include "cpu-option.h"
#include "cpuid-contract.h"
#include "cpuid-items.h"

/* A remedy names so many features; a contract may claim all bits. */
#define MAX_FEATURES 24

/* For a contract of a machine whose CPUID is not in it */
#define DEFAULT_REMEDY "start this QEMU with the source's -cpu"

/* The vCPU that the contract is of */
static X86CPU *promised_cpu;

/* What the incoming VM's guest was told, while its contract is judged */
static uint64_t incoming_value(const CpuidItem *item)
{
    return guest_abi_judged_value(item->name);
}

static uint64_t lacking(const CpuidItem *item)
{
    return item->kind == CPUID_FEATURES ?
           incoming_value(item) & ~cpuid_item_value(item, promised_cpu) &
           ~cpuid_item_supported(item) & ~cpuid_item_from_topology(item) &
           ~cpuid_item_from_shared_pages(item) : 0;
}

static bool is_number(const CpuidItem *item, CpuidNumber number)
{
    return item->kind == CPUID_NUMBER && item->number == number;
}

static void add_lacking(const CpuidItem *item, unsigned bit,
                        GuestAbiNames *names, GString *options)
{
    const char *name = cpuid_feature(item, bit);

    if (!name) {
        guest_abi_names_add(names, "bit %u of %s", bit, item->where);
    } else if (guest_abi_names_add(names, "'%s'", name)) {
        g_string_append_printf(options, ",-%s", name);
    }
}

/*
 * Features that this host cannot give, NULL if it can give all; and the option
 * that takes them away
 */
static char *describe_lacking(GString *options)
{
    GuestAbiNames names = { .most = MAX_FEATURES };

    for (unsigned i = 0; cpuid_item(i); i++) {
        uint64_t bits = lacking(cpuid_item(i));

        for (unsigned bit = 0; bit < 64; bit++) {
            if (bits >> bit & 1) {
                add_lacking(cpuid_item(i), bit, &names, options);
            }
        }
    }
    if (names.count > names.most) {
        g_string_append(options, ",...");
    }
    return guest_abi_names_end(&names);
}

/*
 * Layouts are compared where both VMs have the component: what else differs is
 * said of the feature that brings the component.
 */
static bool is_same(const CpuidItem *item, uint64_t a, uint64_t b)
{
    return a == b || (item->kind == CPUID_LAYOUT && (!a || !b));
}

static bool differs(const CpuidItem *item)
{
    return !is_same(item, incoming_value(item),
                    cpuid_item_value(item, promised_cpu));
}

static bool any_differs(CpuidNumber number)
{
    for (unsigned i = 0; cpuid_item(i); i++) {
        if (is_number(cpuid_item(i), number) && differs(cpuid_item(i))) {
            return true;
        }
    }
    return false;
}

/* Do features differ that another option decides on? */
static bool any_differs_from(uint64_t (*option)(const CpuidItem *item))
{
    for (unsigned i = 0; cpuid_item(i); i++) {
        const CpuidItem *item = cpuid_item(i);

        if (item->kind == CPUID_FEATURES &&
            (incoming_value(item) ^ cpuid_item_value(item, promised_cpu)) &
            option(item)) {
            return true;
        }
    }
    return false;
}

/* Not the layout: no option changes it. */
static bool option_helps(void)
{
    bool has_any = false, differs_any = false;

    for (unsigned i = 0; cpuid_item(i); i++) {
        const CpuidItem *item = cpuid_item(i);

        has_any |= incoming_value(item) != 0;
        differs_any |= item->kind != CPUID_LAYOUT && differs(item);
    }
    return has_any && differs_any;
}

/*
 * What stands in the way of all entries comes first, and else the option that
 * mends them together.
 */
char *x86_cpuid_remedy(void)
{
    g_autoptr(GString) options = g_string_new(NULL);
    g_autofree char *names = NULL;
    g_autofree char *option = NULL;

    if (!option_helps()) {
        return NULL;
    }
    if (kvm_enabled() && any_differs(CPUID_VENDOR)) {
        return g_strdup("use a host whose CPU is of the source's vendor");
    }
    names = describe_lacking(options);
    if (names) {
        return g_strdup_printf(options->len ?
                               "use a host with %s, or start the source VM "
                               "with -cpu ...%s" :
                               "use a QEMU and a host with %s%s", names,
                               options->str);
    }
    option = x86_cpu_option(promised_cpu, incoming_value);
    return g_strdup_printf("start this QEMU with -cpu %s%s%s", option,
                           any_differs_from(cpuid_item_from_topology) ?
                           ", and with the source's -smp" : "",
                           any_differs_from(cpuid_item_from_shared_pages) ?
                           ", and with the source's -machine shared-pages" :
                           "");
}

static void refuse_features(const CpuidItem *item, uint64_t incoming,
                            uint64_t here, Error **errp)
{
    g_autofree char *more = cpuid_item_text(item, incoming & ~here);
    g_autofree char *less = cpuid_item_text(item, here & ~incoming);
    g_autofree char *option = x86_cpuid_remedy();
    const char *what_to_do = option ?: DEFAULT_REMEDY;

    if (!*less) {
        error_setg(errp, "guest-abi: incoming VM has CPU features %s (%s = 0x%"
                   PRIx64 "), which this VM does not have (0x%" PRIx64 "); %s",
                   more, item->where, incoming, here, what_to_do);
    } else if (!*more) {
        error_setg(errp, "guest-abi: incoming VM does not have CPU features %s "
                   "(%s = 0x%" PRIx64 "), which this VM has (0x%" PRIx64
                   "); %s", less, item->where, incoming, here, what_to_do);
    } else {
        error_setg(errp, "guest-abi: incoming VM has CPU features %s and does "
                   "not have %s (%s = 0x%" PRIx64 "), this VM has the latter "
                   "and not the former (0x%" PRIx64 "); %s", more, less,
                   item->where, incoming, here, what_to_do);
    }
}

static void refuse_number(const CpuidItem *item, uint64_t incoming,
                          uint64_t here, Error **errp)
{
    g_autofree char *came = cpuid_item_text(item, incoming);
    g_autofree char *have = cpuid_item_text(item, here);
    g_autofree char *option = x86_cpuid_remedy();
    const char *what_to_do = option ?: DEFAULT_REMEDY;

    if (item->number == CPUID_PMU && incoming && here) {
        what_to_do = "use a host with the source's PMU, or start both VMs "
                     "with -cpu ...,pmu=off";
    }
    error_setg(errp, "guest-abi: incoming VM has %s = %s, this VM has %s; %s",
               item->where, came, have, what_to_do);
}

static void refuse_layout(const CpuidItem *item, uint64_t incoming,
                          uint64_t here, Error **errp)
{
    g_autofree char *component = cpuid_component(item);
    g_autofree char *came = cpuid_item_text(item, incoming);
    g_autofree char *have = cpuid_item_text(item, here);

    error_setg(errp, "guest-abi: XSAVE component '%s' of the incoming VM has "
               "%s of the area in memory (%s), here it has %s; use a host "
               "whose CPU has the source's layout, as those of its vendor do, "
               "or start the source VM with a -cpu that does not have the "
               "component", component, came, item->where, have);
}

static void refuse(const GuestAbiDefinition *definition, uint64_t incoming,
                   uint64_t here, Error **errp)
{
    const CpuidItem *item = definition->opaque;

    switch (item->kind) {
    case CPUID_FEATURES:
        refuse_features(item, incoming, here, errp);
        break;
    case CPUID_NUMBER:
        refuse_number(item, incoming, here, errp);
        break;
    case CPUID_LAYOUT:
        refuse_layout(item, incoming, here, errp);
        break;
    default:
        g_assert_not_reached();
    }
}

static bool same(const GuestAbiDefinition *definition, uint64_t a, uint64_t b)
{
    return is_same(definition->opaque, a, b);
}

static strList *decode(const GuestAbiDefinition *definition, uint64_t value)
{
    return cpuid_item_names(definition->opaque, value);
}

void x86_cpuid_promise(X86CPU *cpu)
{
    promised_cpu = cpu;
    for (unsigned i = 0; cpuid_item(i); i++) {
        const CpuidItem *item = cpuid_item(i);

        guest_abi_add(&(GuestAbiDefinition) {
            .name = item->name,
            .rule = GUEST_ABI_RULE_EXACT,
            .value = cpuid_item_value(item, cpu),
            .origin = GUEST_ABI_ORIGIN_OPTION,
            .same = same,
            .zero_is_absent = true,
            .decode = decode,
            .refuse = refuse,
            .opaque = item,
        });
    }
}
