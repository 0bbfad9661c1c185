/*
 * What gives a VM under TCG the CPU of an incoming one
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bitops.h"
#include "cpu.h"
#include "cpu-qom.h"
#include "migration/guest-abi-cpu.h"
#include "contract-entries.h"
#include "kvm-access.h"
#include "sysregs.h"
#include "tcg-remedy.h"

/**
 * Choice: an option that decides on fields of ID registers
 * @id: the register
 * @field: one of its fields
 * @absent: the field's value where the option is off
 * @option: the property, "on" or "off"
 * @under: the property without which this one is off, and with which it comes
 *         back; NULL: none
 */
typedef struct Choice {
    uint64_t id;
    const char *field;
    uint64_t absent;
    const char *option;
    const char *under;
} Choice;

/* Of -cpu, for a guest in AArch64 */
static const Choice aarch64_choices[] = {
    { HVC_ID_AA64PFR0_EL1, "FP", 0xf, "vfp" },
    { HVC_ID_AA64PFR0_EL1, "AdvSIMD", 0xf, "neon" },
    { HVC_ID_AA64PFR0_EL1, "SVE", 0, "sve" },
    { HVC_ID_AA64PFR0_EL1, "RME", 0, "x-rme" },
    { HVC_ID_AA64PFR1_EL1, "SME", 0, "sme", "sve" },
    { HVC_ID_AA64SMFR0_EL1, "FA64", 0, "sme_fa64", "sme" },
    { HVC_ID_AA64DFR0_EL1, "PMUVer", 0, "pmu" },
    { HVC_ID_AA64MMFR0_EL1, "TGran4_2", 2, "lpa2" },
    { }
};

/*
 * Of a model without AArch64, whose ID_AA64 registers are 0. The contract has
 * not got its MVFR0 and MVFR1, so that "vfp" and "neon" stay as they are.
 */
static const Choice aarch32_choices[] = {
    { HVC_ID_DFR0_EL1, "PerfMon", 0, "pmu" },
    { }
};

/* Pointer authentication has one algorithm, which the options choose. */
static const Choice pauth_choices[] = {
    { HVC_ID_AA64ISAR1_EL1, "APA", 0, "pauth-qarma5" },
    { HVC_ID_AA64ISAR1_EL1, "API", 0, "pauth-impdef" },
    { HVC_ID_AA64ISAR2_EL1, "APA3", 0, "pauth-qarma3" },
};

/* Of -machine; of virt all of them, of other boards some */
static const Choice machine_choices[] = {
    { HVC_TCG_EL2, NULL, 0, "virtualization" },
    { HVC_TCG_EL3, NULL, 0, "secure" },
    { HVC_ID_AA64PFR1_EL1, "MTE", 1, "mte" },
};

static uint64_t incoming(uint64_t id)
{
    g_autofree char *name = hvc_contract_entry_name(id);

    return guest_abi_judged_value(name);
}

/*
 * A vCPU of the first model, by name, that has the incoming MIDR_EL1; with the
 * user's options for it, not realized. NULL if no model has.
 */
static ARMCPU *find_model(void)
{
    GSList *types = object_class_get_list_sorted(TYPE_ARM_CPU, false);
    ARMCPU *found = NULL;

    for (GSList *type = types; type && !found; type = type->next) {
        const char *name = object_class_get_name(type->data);
        Object *object;

        if (g_str_equal(name, ARM_CPU_TYPE_NAME("host"))) {
            continue;
        }
        object = object_new(name);
        if (ARM_CPU(object)->midr == incoming(HVC_MIDR_EL1)) {
            found = ARM_CPU(object);
        } else {
            object_unref(object);
        }
    }
    g_slist_free(types);
    return found;
}

static bool is_on(const Choice *choice, uint64_t value)
{
    uint64_t field = choice->field ?
        hvc_sysreg_field(choice->id, choice->field, value) : value;

    /* 0xf is Arm's number for features that every CPU used to have. */
    return choice->absent == 0xf ? field != 0xf : field > choice->absent;
}

static const Choice *find_pauth(uint64_t (*value)(ARMCPU *cpu, uint64_t id),
                                ARMCPU *cpu)
{
    const Choice *found = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(pauth_choices); i++) {
        const Choice *choice = &pauth_choices[i];

        found = is_on(choice, value(cpu, choice->id)) ? choice : found;
    }
    return found;
}

static uint64_t incoming_to(ARMCPU *cpu, uint64_t id)
{
    return incoming(id);
}

/**
 * set_pauth: choose pointer authentication and its algorithm
 * @option: the option
 * @cpu: a vCPU of the option's model
 * @here: its registers; NULL: they are not known yet
 */
static void set_pauth(GuestAbiCpuOption *option, ARMCPU *cpu,
                      uint64_t (*here)(ARMCPU *cpu, uint64_t id))
{
    const Choice *came = find_pauth(incoming_to, cpu);
    const Choice *has = here ? find_pauth(here, cpu) : NULL;

    if ((here && came == has) || !object_property_find(OBJECT(cpu), "pauth")) {
        return;
    }
    if (!came || (here && !has)) {
        guest_abi_cpu_option_set(option, "pauth", ",pauth=%s",
                                 came ? "on" : "off");
    }
    /* At most one of them may be chosen, and none without "pauth". */
    for (size_t i = 0; i < ARRAY_SIZE(pauth_choices); i++) {
        const Choice *choice = &pauth_choices[i];
        bool is_named = choice == came &&
                        object_property_find(OBJECT(cpu), choice->option);

        guest_abi_cpu_option_set(option, choice->option, is_named ? ",%s=on"
                                 : "%.0s", choice->option);
    }
}

static void set_choices(GuestAbiCpuOption *option, ARMCPU *cpu)
{
    const Choice *choice = incoming(HVC_ID_AA64PFR0_EL1) ? aarch64_choices
                                                         : aarch32_choices;

    for (; choice->option; choice++) {
        bool came = is_on(choice, incoming(choice->id));
        bool is_refilled = choice->under &&
                           g_hash_table_contains(option->done, choice->under);

        if (!object_property_find(OBJECT(cpu), choice->option) ||
            (choice->id == HVC_ID_AA64SMFR0_EL1 &&
             !incoming(HVC_TCG_SME_VLS))) {
            continue;
        }
        if (is_refilled ||
            came != object_property_get_bool(OBJECT(cpu), choice->option,
                                             &error_abort)) {
            guest_abi_cpu_option_set(option, choice->option, ",%s=%s",
                                     choice->option, came ? "on" : "off");
        }
    }
}

/**
 * Lengths: the vector lengths of a feature, each of which has a property
 * @prefix: what the properties' names begin with
 * @maximum: the property that has the longest; NULL: there is none
 * @id: the lengths that a guest has
 * @ends: where one is off that is a power of two, so are all longer ones
 */
typedef struct Lengths {
    const char *prefix;
    const char *maximum;
    uint64_t id;
    bool ends;
} Lengths;

static const Lengths sve_lengths = {
    "sve", "sve-max-vq", HVC_KVM_SVE_VLS, true,
};
static const Lengths sme_lengths = { "sme", NULL, HVC_TCG_SME_VLS, false };

/*
 * Lengths that the user has named are not kept: without the feature QEMU takes
 * none, and to name one that is on takes away those that are not named.
 */
static void set_lengths(GuestAbiCpuOption *option, const Lengths *lengths,
                        uint64_t supported, uint64_t here)
{
    uint64_t came = incoming(lengths->id);
    bool ended = false;

    if (came && came == here) {
        return;
    }
    if (lengths->maximum) {
        guest_abi_cpu_option_set(option, lengths->maximum, "%s", "");
    }
    for (unsigned vq = 0; vq < ARM_MAX_VQ; vq++) {
        g_autofree char *text = g_strdup_printf("%s%u", lengths->prefix,
                                                (vq + 1) * 128);
        const char *name = g_intern_string(text);
        bool is_off = came && (supported & ~came) >> vq & 1 && !ended;

        guest_abi_cpu_option_set(option, name, is_off ? ",%s=off" : "%.0s",
                                 name);
        ended |= is_off && lengths->ends && is_power_of_2(vq + 1);
    }
}

/**
 * changed_option: the -cpu option that has what the incoming VM has
 * @cpu: a vCPU of the option's model
 * @here: its registers, if the model is this VM's; else NULL, and the option
 *        names what the model might have in another way
 *
 * Returns: the option; NULL if it is what this VM has. The caller frees it.
 */
static char *changed_option(ARMCPU *cpu,
                            uint64_t (*here)(ARMCPU *cpu, uint64_t id))
{
    GuestAbiCpuOption option;
    uint64_t frequency = incoming(HVC_CNTFRQ_EL0);
    g_autofree char *unchanged = NULL;
    char *changed;

    guest_abi_cpu_option_begin(&option, OBJECT(cpu));
    unchanged = guest_abi_cpu_option_end(&option, ARM_CPU_TYPE_SUFFIX);
    guest_abi_cpu_option_begin(&option, OBJECT(cpu));
    if (frequency && (!here || frequency != here(cpu, HVC_CNTFRQ_EL0))) {
        guest_abi_cpu_option_set(&option, "cntfrq", ",cntfrq=%" PRIu64,
                                 frequency);
    }
    set_choices(&option, cpu);
    set_pauth(&option, cpu, here);
    set_lengths(&option, &sve_lengths, cpu->sve_vq.supported,
                here ? here(cpu, HVC_KVM_SVE_VLS) : 0);
    set_lengths(&option, &sme_lengths, cpu->sme_vq.supported,
                here ? here(cpu, HVC_TCG_SME_VLS) : 0);
    changed = guest_abi_cpu_option_end(&option, ARM_CPU_TYPE_SUFFIX);
    if (here && g_str_equal(changed, unchanged)) {
        g_free(changed);
        return NULL;
    }
    return changed;
}

static void append_gic_version(GString *text)
{
    static const char entry[] = "arm.gic";
    uint64_t came = guest_abi_judged_value(entry);
    uint64_t has = guest_abi_definition_by_name(entry)->promised;

    /* Above 0xff there is the kernel's, which TCG cannot have. */
    if (came && came != has && came <= 0xff) {
        g_string_append_printf(text, "%sgic-version=%" PRIu64,
                               text->len ? "," : "", came);
    }
}

static char *machine_options(ARMCPU *cpu,
                             uint64_t (*here)(ARMCPU *cpu, uint64_t id))
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (size_t i = 0; i < ARRAY_SIZE(machine_choices); i++) {
        const Choice *choice = &machine_choices[i];
        bool came = is_on(choice, incoming(choice->id));

        if (came != is_on(choice, here(cpu, choice->id))) {
            g_string_append_printf(text, "%s%s=%s", text->len ? "," : "",
                                   choice->option, came ? "on" : "off");
        }
    }
    append_gic_version(text);
    return text->len ? g_strdup(text->str) : NULL;
}

char *hvc_tcg_remedy(ARMCPU *cpu, uint64_t (*here)(ARMCPU *cpu, uint64_t id))
{
    g_autofree char *machine = machine_options(cpu, here);
    g_autofree char *option = NULL;

    if (incoming(HVC_MIDR_EL1) != cpu->midr) {
        ARMCPU *model = find_model();

        if (!model) {
            return g_strdup("no CPU model of this QEMU under TCG has this "
                            "MIDR_EL1: use the source's -accel and a host "
                            "like the source");
        }
        option = changed_option(model, NULL);
        object_unref(OBJECT(model));
    } else {
        option = changed_option(cpu, here);
    }
    if (!option && !machine) {
        return g_strdup("start this QEMU with the source's -cpu and -machine "
                        "options, and use its version of QEMU");
    }
    return g_strdup_printf("start this QEMU with %s%s%s%s%s",
                           option ? "-cpu " : "", option ?: "",
                           option && machine ? " and " : "",
                           machine ? "-machine ..., " : "", machine ?: "");
}
