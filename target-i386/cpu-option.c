/*
 * The -cpu option that gives a guest a wanted CPUID
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "cpu.h"
#include "cpu-internal.h"
#include "hw/qdev-core.h"
#include "hw/qdev-properties.h"
#include "migration/guest-abi-cpu.h"
#include "migration/qemu-compat.h"
#include "qom/object.h"
#include "cpu-option.h"

/**
 * Option: an option of -cpu, while it is put together
 * @cpu: the vCPU as it is
 * @model: a vCPU as it is without +FEATURE and -FEATURE
 * @wanted: the value that each item should have
 * @base: what is common to all architectures
 */
typedef struct Option {
    X86CPU *cpu;
    X86CPU *model;
    uint64_t (*wanted)(const CpuidItem *item);
    GuestAbiCpuOption base;
} Option;

#define set(option, name, ...) \
    guest_abi_cpu_option_set(&(option)->base, name, __VA_ARGS__)

/* By "-cpu MODEL,FEATURE=on" and -global, or by "-cpu MODEL,+FEATURE" */
static bool is_chosen(const Option *option, const CpuidItem *item,
                      unsigned bit)
{
    const CPUX86State *env = &option->cpu->env;
    const CPUX86State *model = &option->model->env;
    uint64_t mask = BIT_ULL(bit);
    /* A vCPU without KVM's leaf has none of its features. */
    bool hidden = item->word == FEAT_KVM && !option->cpu->expose_kvm;

    if (qdev_find_global_prop(OBJECT(option->cpu), cpuid_feature(item, bit))) {
        return true;
    }
    if (!(env->user_features[item->word] & mask)) {
        return false;
    }
    /* Accelerators choose some features of each model, too. */
    return !(model->user_features[item->word] & mask) ||
           (!hidden && (env->features[item->word] ^
                        model->features[item->word]) & mask);
}

/*
 * KVM's leaf is there, or is not, by an option of its own. Returns what is in
 * it then, without others.
 */
static uint64_t set_kvm(Option *option, const CpuidItem *item, uint64_t wanted)
{
    uint64_t supported = cpuid_item_supported(item);

    if ((wanted != 0) == option->cpu->expose_kvm) {
        return cpuid_item_value(item, option->cpu);
    }
    set(option, "kvm", ",kvm=%s", wanted ? "on" : "off");
    if (!wanted) {
        return 0;
    }
    return x86_max_features(option->cpu) ? supported :
           option->model->env.features[item->word] & supported;
}

/* Words that QEMU empties where the vCPU was not given a feature */
static const struct {
    FeatureWord word;
    const char *feature;
} dependent_words[] = {
    { FEAT_ARCH_CAPABILITIES, "arch-capabilities" },
    { FEAT_CORE_CAPABILITY, "core-capability" },
    { FEAT_PERF_CAPABILITIES, "pdcm" },
    { FEAT_SVM, "svm" },
    { FEAT_XSAVE, "xsave" },
    { FEAT_14_0_ECX, "intel-pt" },
};

/* The feature that a word depends on, NULL if it depends on none */
static const char *depends_on(const CpuidItem *item)
{
    const FeatureWordInfo *info = &feature_word_info[item->word];

    for (size_t i = 0; i < ARRAY_SIZE(dependent_words); i++) {
        if (dependent_words[i].word == item->word) {
            return dependent_words[i].feature;
        }
    }
    return info->type == MSR_FEATURE_WORD &&
           info->msr.index >= MSR_IA32_VMX_BASIC &&
           info->msr.index <= MSR_IA32_VMX_VMFUNC ? "vmx" : NULL;
}

/* The item that has a feature, and the feature's bit */
static const CpuidItem *find_feature(const char *name, unsigned *found)
{
    for (unsigned i = 0; cpuid_item(i); i++) {
        const CpuidItem *item = cpuid_item(i);

        for (unsigned bit = 0; item->kind == CPUID_FEATURES && bit < 64;
             bit++) {
            if (!g_strcmp0(cpuid_feature(item, bit), name)) {
                *found = bit;
                return item;
            }
        }
    }
    return NULL;
}

static bool feature_differs(const Option *option, const char *name)
{
    unsigned bit;
    const CpuidItem *item = find_feature(name, &bit);

    return item && (cpuid_item_value(item, option->cpu) ^
                    option->wanted(item)) >> bit & 1;
}

/*
 * Ahead of the words of CPUID, which do not show that a feature is needed if
 * the accelerator takes it away: what depends on it stays, and comes in the
 * contract without it.
 */
static void set_dependency(Option *option, const CpuidItem *item)
{
    const char *name = depends_on(item);
    const CpuidItem *from;
    unsigned bit;

    if (!name || !option->wanted(item)) {
        return;
    }
    from = find_feature(name, &bit);
    if (from && !(option->wanted(from) >> bit & 1) &&
        (!cpuid_item_value(item, option->cpu) ||
         is_chosen(option, from, bit))) {
        set(option, name, ",+%s", name);
    }
}

/* What a word has with the option, if none of the word's features is named */
static uint64_t without_names(Option *option, const CpuidItem *item)
{
    uint64_t here = cpuid_item_value(item, option->cpu);
    uint64_t supported = cpuid_item_supported(item);
    const char *name = depends_on(item);

    if (kvm_enabled() && item->word == FEAT_KVM) {
        return set_kvm(option, item, option->wanted(item));
    }
    if (here || !name ||
        !(option->wanted(item) || feature_differs(option, name))) {
        return here;
    }
    /* The word is filled again. */
    return x86_max_features(option->cpu) ? supported :
           option->model->env.features[item->word] & supported;
}

static void set_features(Option *option, const CpuidItem *item)
{
    uint64_t wanted = option->wanted(item);
    uint64_t differs = (without_names(option, item) ^ wanted) &
                       ~cpuid_item_from_topology(item);

    for (unsigned bit = 0; bit < 64; bit++) {
        const char *name = cpuid_feature(item, bit);

        if (name && (differs >> bit & 1 || is_chosen(option, item, bit))) {
            set(option, name, ",%c%s", wanted >> bit & 1 ? '+' : '-', name);
        }
    }
}

static void set_signature(Option *option, uint64_t wanted)
{
    set(option, "family", ",family=%u", cpuid_family(wanted));
    set(option, "model", ",model=%u", cpuid_model(wanted));
    set(option, "stepping", ",stepping=%u", cpuid_stepping(wanted));
}

static void set_addresses(Option *option, uint64_t here, uint64_t wanted)
{
    unsigned bit;
    const CpuidItem *item = find_feature("lm", &bit);
    bool other_mode = feature_differs(option, "lm");

    if (!(option->wanted(item) >> bit & 1)) {
        /* QEMU does not start with them where addresses have 32 bits. */
        set(option, "phys-bits", "%s", "");
        set(option, "guest-phys-bits", "%s", "");
        return;
    }
    if (other_mode || extract64(here, 0, 8) != extract64(wanted, 0, 8)) {
        set(option, "host-phys-bits", ",host-phys-bits=off");
        set(option, "phys-bits", ",phys-bits=%u",
            (unsigned)extract64(wanted, 0, 8));
    }
    if (extract64(here, 16, 8) != extract64(wanted, 16, 8)) {
        set(option, "guest-phys-bits", ",guest-phys-bits=%u",
            (unsigned)extract64(wanted, 16, 8));
    }
}

/* All three registers at once, when the first of them is looked at */
static void set_vendor(Option *option)
{
    uint32_t words[3] = { };
    char vendor[CPUID_VENDOR_SZ + 1];

    for (unsigned i = 0; cpuid_item(i); i++) {
        const CpuidItem *item = cpuid_item(i);

        if (item->kind == CPUID_NUMBER && item->number == CPUID_VENDOR) {
            words[item->reg == R_EBX ? 0 : item->reg == R_EDX ? 1 : 2] =
                option->wanted(item);
        }
    }
    x86_cpu_vendor_words2str(vendor, words[0], words[1], words[2]);
    set(option, "vendor", ",vendor=%s", vendor);
}

/* Features that raise a level beyond the leaf that they are in */
static const struct {
    const char *feature;
    uint32_t leaf;
} level_features[] = {
    { "avx10", 0 },
    { "intel-pt", 0 },
    { "sgx", 0 },
    { "svm", 0x80000000 },
};

static bool feature_raises(const CpuidItem *level, const char *name)
{
    for (size_t i = 0; name && i < ARRAY_SIZE(level_features); i++) {
        if (g_str_equal(name, level_features[i].feature)) {
            return level_features[i].leaf == level->leaf;
        }
    }
    return false;
}

/* Is a level at least as high as this leaf, if there is anything in it? */
static bool leaf_raises(const CpuidItem *level, const CpuidItem *item)
{
    const FeatureWordInfo *info = &feature_word_info[item->word];

    if (info->type != CPUID_FEATURE_WORD) {
        return false;
    }
    if (level->leaf == 7) {
        return info->cpuid.eax == 7 && info->cpuid.ecx;
    }
    return (info->cpuid.eax ^ level->leaf) >> 28 == 0;
}

/*
 * Levels follow from features, unless they are set: one that is right now may
 * not be with the features that the option has.
 */
static bool level_follows(Option *option, const CpuidItem *level)
{
    for (unsigned i = 0; cpuid_item(i); i++) {
        const CpuidItem *item = cpuid_item(i);
        uint64_t here = cpuid_item_value(item, option->cpu);
        uint64_t wanted = option->wanted(item);

        if (here == wanted || item->kind == CPUID_LAYOUT) {
            continue;
        }
        if (item->kind == CPUID_NUMBER) {
            if (item->number == CPUID_VENDOR) {
                return true;
            }
            continue;
        }
        if ((!here || !wanted) && leaf_raises(level, item)) {
            return true;
        }
        for (unsigned bit = 0; bit < 64; bit++) {
            if ((here ^ wanted) >> bit & 1 &&
                feature_raises(level, cpuid_feature(item, bit))) {
                return true;
            }
        }
    }
    return false;
}

/* Do other options decide on a number that is right now? */
static bool is_changed(Option *option, const CpuidItem *item)
{
    switch (item->number) {
    case CPUID_LEVEL:
        return level_follows(option, item);
    case CPUID_ADDRESSES:
        return feature_differs(option, "lm");
    default:
        return false;
    }
}

static void set_number(Option *option, const CpuidItem *item)
{
    uint64_t here = cpuid_item_value(item, option->cpu);
    uint64_t wanted = option->wanted(item);

    if (here == wanted && !is_changed(option, item)) {
        return;
    }
    switch (item->number) {
    case CPUID_VENDOR:
        set_vendor(option);
        break;
    case CPUID_LEVEL:
        set(option, item->option, ",%s=0x%" PRIx64, item->option, wanted);
        break;
    case CPUID_SIGNATURE:
        set_signature(option, wanted);
        break;
    case CPUID_ADDRESSES:
        set_addresses(option, here, wanted);
        break;
    case CPUID_PMU:
        set(option, "pmu", ",pmu=%s", wanted ? "on" : "off");
        break;
    default:
        g_assert_not_reached();
    }
}

char *x86_cpu_option(X86CPU *cpu, uint64_t (*wanted)(const CpuidItem *item))
{
    Option option = {
        .cpu = cpu,
        .model = X86_CPU(object_new(object_get_typename(OBJECT(cpu)))),
        .wanted = wanted,
    };

    guest_abi_cpu_option_begin(&option.base, OBJECT(cpu));
    for (unsigned i = 0; cpuid_item(i); i++) {
        if (cpuid_item(i)->kind == CPUID_NUMBER) {
            set_number(&option, cpuid_item(i));
        }
    }
    for (unsigned i = 0; cpuid_item(i); i++) {
        if (cpuid_item(i)->kind == CPUID_FEATURES) {
            set_dependency(&option, cpuid_item(i));
        }
    }
    for (unsigned i = 0; cpuid_item(i); i++) {
        if (cpuid_item(i)->kind == CPUID_FEATURES) {
            set_features(&option, cpuid_item(i));
        }
    }
    object_unref(OBJECT(option.model));
    return guest_abi_cpu_option_end(&option.base, X86_CPU_TYPE_SUFFIX);
}
