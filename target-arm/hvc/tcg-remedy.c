/*
 * What gives a VM under TCG the CPU of an incoming one
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
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
 * @option: the property; one that has several fields is named once
 * @on, @off: the values of the property
 */
typedef struct Choice {
    uint64_t id;
    const char *field;
    uint64_t absent;
    const char *option;
    const char *on;
    const char *off;
} Choice;

/* Of -cpu */
static const Choice cpu_choices[] = {
    { HVC_ID_AA64PFR0_EL1, "FP", 0xf, "vfp", "on", "off" },
    { HVC_ID_AA64PFR0_EL1, "AdvSIMD", 0xf, "neon", "on", "off" },
    { HVC_ID_AA64PFR0_EL1, "SVE", 0, "sve", "on", "off" },
    { HVC_ID_AA64PFR0_EL1, "RME", 0, "x-rme", "on", "off" },
    { HVC_ID_AA64PFR1_EL1, "SME", 0, "sme", "on", "off" },
    { HVC_ID_AA64DFR0_EL1, "PMUVer", 0, "pmu", "on", "off" },
    { HVC_ID_AA64MMFR0_EL1, "TGran4_2", 2, "lpa2", "on", "off" },
};

/* Pointer authentication has one algorithm, which the options choose. */
static const Choice pauth_choices[] = {
    { HVC_ID_AA64ISAR1_EL1, "APA", 0, "pauth-qarma5", "on", "off" },
    { HVC_ID_AA64ISAR1_EL1, "API", 0, "pauth-impdef", "on", "off" },
    { HVC_ID_AA64ISAR2_EL1, "APA3", 0, "pauth-qarma3", "on", "off" },
};

/* Of -machine; of virt all of them, of other boards some */
static const Choice machine_choices[] = {
    { HVC_TCG_EL2, NULL, 0, "virtualization", "on", "off" },
    { HVC_TCG_EL3, NULL, 0, "secure", "on", "off" },
    { HVC_ID_AA64PFR1_EL1, "MTE", 1, "mte", "on", "off" },
};

static uint64_t incoming(uint64_t id)
{
    g_autofree char *name = hvc_contract_entry_name(id);

    return guest_abi_judged_value(name);
}

/* A model of this QEMU's with the incoming MIDR_EL1; the first by name */
static char *find_model(void)
{
    GSList *types = object_class_get_list_sorted(TYPE_ARM_CPU, false);
    char *found = NULL;

    for (GSList *type = types; type && !found; type = type->next) {
        const char *name = object_class_get_name(type->data);
        Object *object;

        if (g_str_equal(name, ARM_CPU_TYPE_NAME("host"))) {
            continue;
        }
        object = object_new(name);
        if (ARM_CPU(object)->midr == incoming(HVC_MIDR_EL1)) {
            found = g_strndup(name, strlen(name) - strlen(ARM_CPU_TYPE_SUFFIX));
        }
        object_unref(object);
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

/* What the option has to be; NULL if it need not change */
static const char *choose(const Choice *choice, uint64_t here)
{
    bool came = is_on(choice, incoming(choice->id));

    return came == is_on(choice, here) ? NULL : came ? choice->on : choice->off;
}

static void set_pauth(GuestAbiCpuOption *option, ARMCPU *cpu,
                      uint64_t (*here)(ARMCPU *cpu, uint64_t id))
{
    const Choice *came = NULL, *has = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(pauth_choices); i++) {
        const Choice *choice = &pauth_choices[i];

        came = is_on(choice, incoming(choice->id)) ? choice : came;
        has = is_on(choice, here(cpu, choice->id)) ? choice : has;
    }
    if (came == has || !object_property_find(OBJECT(cpu), "pauth")) {
        return;
    }
    if (!came || !has) {
        guest_abi_cpu_option_set(option, "pauth", ",pauth=%s",
                                 came ? "on" : "off");
    }
    if (has) {
        /* At most one of them may be chosen. */
        guest_abi_cpu_option_set(option, has->option, "%s", "");
    }
    if (came && object_property_find(OBJECT(cpu), came->option)) {
        guest_abi_cpu_option_set(option, came->option, ",%s=on", came->option);
    }
}

static void set_lengths(GuestAbiCpuOption *option, const char *prefix,
                        uint64_t came, uint64_t here)
{
    /* Without the feature there are none, and its own option says so. */
    for (unsigned vq = 0; came && here && vq < 16; vq++) {
        if ((came ^ here) >> vq & 1) {
            unsigned bits = (vq + 1) * 128;
            g_autofree char *name = g_strdup_printf("%s%u", prefix, bits);

            guest_abi_cpu_option_set(option, g_intern_string(name), ",%s=%s",
                                     name, came >> vq & 1 ? "on" : "off");
        }
    }
}

static char *changed_option(ARMCPU *cpu,
                            uint64_t (*here)(ARMCPU *cpu, uint64_t id))
{
    GuestAbiCpuOption option;
    uint64_t frequency = incoming(HVC_CNTFRQ_EL0);

    guest_abi_cpu_option_begin(&option, OBJECT(cpu));
    if (frequency && frequency != here(cpu, HVC_CNTFRQ_EL0)) {
        guest_abi_cpu_option_set(&option, "cntfrq", ",cntfrq=%" PRIu64,
                                 frequency);
    }
    for (size_t i = 0; i < ARRAY_SIZE(cpu_choices); i++) {
        const Choice *choice = &cpu_choices[i];
        const char *value = choose(choice, here(cpu, choice->id));

        if (value && object_property_find(OBJECT(cpu), choice->option)) {
            guest_abi_cpu_option_set(&option, choice->option, ",%s=%s",
                                     choice->option, value);
        }
    }
    set_pauth(&option, cpu, here);
    set_lengths(&option, "sve", incoming(HVC_KVM_SVE_VLS),
                here(cpu, HVC_KVM_SVE_VLS));
    set_lengths(&option, "sme", incoming(HVC_TCG_SME_VLS),
                here(cpu, HVC_TCG_SME_VLS));
    if (!option.text->len) {
        char *unchanged = guest_abi_cpu_option_end(&option,
                                                   ARM_CPU_TYPE_SUFFIX);

        g_free(unchanged);
        return NULL;
    }
    return guest_abi_cpu_option_end(&option, ARM_CPU_TYPE_SUFFIX);
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
        const char *value = choose(choice, here(cpu, choice->id));

        if (value) {
            g_string_append_printf(text, "%s%s=%s", text->len ? "," : "",
                                   choice->option, value);
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
        option = find_model();
        if (!option) {
            return g_strdup("no CPU model of this QEMU under TCG has this "
                            "MIDR_EL1: use the source's -accel and a host "
                            "like the source");
        }
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
