/*
 * What CPUID and MSRs tell an x86 guest of its CPU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Registers and bits: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E;
 * Linux Documentation/virt/kvm/x86/cpuid.rst.
 */

#include "qemu/osdep.h"
#include "qapi/util.h"
#include "qemu/bitops.h"
#include "cpu.h"
#include "cpu-internal.h"
#include "migration/qemu-compat.h"
#include "standard-headers/asm-x86/kvm_para.h"
#include "cpuid-items.h"
#include "xsave-check.h"

static const char *const registers[] = {
    [R_EAX] = "eax", [R_EBX] = "ebx", [R_ECX] = "ecx", [R_EDX] = "edx",
};

/* What is no feature, and differs between hosts with -cpu host */
static const struct {
    CpuidNumber number;
    uint32_t leaf;
    bool has_subleaf;
    int reg;
    const char *what;
    const char *option;
} numbers[] = {
    { CPUID_VENDOR, 0, false, R_EBX, "vendor" },
    { CPUID_VENDOR, 0, false, R_EDX, "vendor" },
    { CPUID_VENDOR, 0, false, R_ECX, "vendor" },
    { CPUID_SIGNATURE, 1, false, R_EAX, "family, model, stepping" },
    { CPUID_LEVEL, 0, false, R_EAX, "level", "level" },
    { CPUID_LEVEL, 7, true, R_EAX, "level of leaf 7", "level-func7" },
    { CPUID_LEVEL, 0x80000000, false, R_EAX, "extended level", "xlevel" },
    { CPUID_LEVEL, 0xc0000000, false, R_EAX, "Centaur's level", "xlevel2" },
    { CPUID_ADDRESSES, 0x80000008, false, R_EAX, "address widths" },
    { CPUID_PMU, 0xa, false, R_EAX, "PMU" },
    { CPUID_PMU, 0xa, false, R_EBX, "PMU" },
    { CPUID_PMU, 0xa, false, R_ECX, "PMU" },
    { CPUID_PMU, 0xa, false, R_EDX, "PMU" },
};

static GPtrArray *items;

static CpuidItem *add_item(CpuidKind kind, char *name, char *where)
{
    CpuidItem *item = g_new0(CpuidItem, 1);

    item->kind = kind;
    item->name = name;
    item->where = where;
    g_ptr_array_add(items, item);
    return item;
}

static CpuidItem *add_register(CpuidKind kind, uint32_t leaf, bool has_subleaf,
                               uint32_t subleaf, int reg, const char *what)
{
    g_autofree char *leaves = has_subleaf ?
        g_strdup_printf("%" PRIx32 ".%" PRIx32, leaf, subleaf) :
        g_strdup_printf("%" PRIx32, leaf);
    g_autofree char *upper = g_ascii_strup(registers[reg], -1);
    g_autofree char *where = g_strdup_printf("CPUID leaf %s %s%s%s%s", leaves,
                                             upper, what ? " (" : "",
                                             what ?: "", what ? ")" : "");

    return add_item(kind, g_strdup_printf("x86.cpuid-%s-%s", leaves,
                                          registers[reg]),
                    g_steal_pointer(&where));
}

/* x86.xcr0 and x86.xss have these, and more to say of them. */
static bool is_components(FeatureWord word)
{
    return word == FEAT_XSAVE_XCR0_LO || word == FEAT_XSAVE_XCR0_HI ||
           word == FEAT_XSAVE_XSS_LO || word == FEAT_XSAVE_XSS_HI;
}

static void add_features(void)
{
    for (FeatureWord word = 0; word < FEATURE_WORDS; word++) {
        const FeatureWordInfo *info = &feature_word_info[word];
        CpuidItem *item;

        if (is_components(word)) {
            continue;
        }
        if (info->type == CPUID_FEATURE_WORD) {
            item = add_register(CPUID_FEATURES, info->cpuid.eax,
                                info->cpuid.needs_ecx, info->cpuid.ecx,
                                info->cpuid.reg, NULL);
        } else {
            item = add_item(CPUID_FEATURES,
                            g_strdup_printf("x86.msr-%" PRIx32,
                                            info->msr.index),
                            g_strdup_printf("MSR 0x%" PRIx32,
                                            info->msr.index));
        }
        item->word = word;
    }
}

static void add_numbers(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        CpuidItem *item = add_register(CPUID_NUMBER, numbers[i].leaf,
                                       numbers[i].has_subleaf, 0,
                                       numbers[i].reg, numbers[i].what);

        item->number = numbers[i].number;
        item->leaf = numbers[i].leaf;
        item->reg = numbers[i].reg;
        item->option = numbers[i].option;
    }
}

/* x87 and SSE are at the beginning of every XSAVE area. */
static void add_layout(void)
{
    for (unsigned i = 2; i < ARRAY_SIZE(x86_ext_save_areas); i++) {
        if (x86_ext_save_areas[i].bits) {
            CpuidItem *item = add_item(
                CPUID_LAYOUT, g_strdup_printf("x86.cpuid-d.%x", i),
                g_strdup_printf("CPUID leaf d.%x", i));

            item->component = i;
        }
    }
}

const CpuidItem *cpuid_item(unsigned index)
{
    if (!items) {
        items = g_ptr_array_new();
        add_features();
        add_numbers();
        add_layout();
    }
    return index < items->len ? g_ptr_array_index(items, index) : NULL;
}

bool cpuid_item_is_wide(const CpuidItem *item)
{
    return item->kind == CPUID_LAYOUT ||
           (item->kind == CPUID_FEATURES &&
            feature_word_info[item->word].type == MSR_FEATURE_WORD);
}

static uint64_t features_of(const CpuidItem *item, X86CPU *cpu)
{
    uint64_t features = cpu->env.features[item->word];

    switch (item->word) {
    case FEAT_8000_0001_EDX:
        /* Of AMD's CPUs these are FEAT_1_EDX once more. */
        return features & ~(uint64_t)CPUID_EXT2_AMD_ALIASES;
    case FEAT_1_ECX:
        return cpu->enable_pmu ? features : features & ~CPUID_EXT_PDCM;
    case FEAT_PERF_CAPABILITIES:
        return cpu->enable_pmu ? features : 0;
    case FEAT_XSAVE:
        /* Leaf 0xd is empty without XSAVE. */
        return cpu->env.features[FEAT_1_ECX] & CPUID_EXT_XSAVE ? features : 0;
    case FEAT_KVM_HINTS:
        return cpu->expose_kvm ? features : 0;
    default:
        return features;
    }
}

static uint64_t number_of(const CpuidItem *item, X86CPU *cpu)
{
    uint32_t regs[4] = { };

    cpu_x86_cpuid(&cpu->env, item->leaf, item->subleaf, &regs[R_EAX],
                  &regs[R_EBX], &regs[R_ECX], &regs[R_EDX]);
    /* Above the level, CPUID answers with another leaf. */
    switch (item->leaf) {
    case 0x80000008:
        return cpu->env.cpuid_xlevel >= item->leaf ? regs[item->reg] : 0;
    case 0x80000000:
        return cpu->env.cpuid_xlevel;
    case 0xc0000000:
        return cpu->env.cpuid_xlevel2;
    default:
        return cpu->env.cpuid_level >= item->leaf ? regs[item->reg] : 0;
    }
}

static uint64_t layout_of(const CpuidItem *item, X86CPU *cpu)
{
    const ExtSaveArea *area = &x86_ext_save_areas[item->component];
    const uint64_t *features = cpu->env.features;
    uint64_t shown = features[FEAT_XSAVE_XCR0_LO] |
                     features[FEAT_XSAVE_XCR0_HI] << 32 |
                     features[FEAT_XSAVE_XSS_LO] |
                     features[FEAT_XSAVE_XSS_HI] << 32;

    if (!(features[FEAT_1_ECX] & CPUID_EXT_XSAVE) ||
        !(shown >> item->component & 1)) {
        return 0;
    }
    return area->size | (uint64_t)area->offset << 32 |
           (uint64_t)(area->ecx & 0xff) << 56;
}

uint64_t cpuid_item_value(const CpuidItem *item, X86CPU *cpu)
{
    switch (item->kind) {
    case CPUID_FEATURES:
        return features_of(item, cpu);
    case CPUID_NUMBER:
        return number_of(item, cpu);
    case CPUID_LAYOUT:
        return layout_of(item, cpu);
    default:
        g_assert_not_reached();
    }
}

uint64_t cpuid_item_supported(const CpuidItem *item)
{
    return x86_supported_feature_word(item->word);
}

uint64_t cpuid_item_from_topology(const CpuidItem *item)
{
    return item->word == FEAT_1_EDX ? CPUID_HT : 0;
}

uint64_t cpuid_item_from_shared_pages(const CpuidItem *item)
{
    return item->word == FEAT_KVM ? CPUID_KVM_SHARED_PAGES : 0;
}

const char *cpuid_feature(const CpuidItem *item, unsigned bit)
{
    return feature_word_info[item->word].feat_names[bit];
}

/* A feature that is no property of -cpu has a name for people. */
static const char *name_of(const CpuidItem *item, unsigned bit)
{
    static const char *const of_shared_pages[] = {
        [KVM_FEATURE_HC_MAP_GPA_RANGE] = "kvm-hc-map-gpa-range",
        [KVM_FEATURE_MIGRATION_CONTROL] = "kvm-migration-control",
    };

    return cpuid_item_from_shared_pages(item) >> bit & 1 ?
           of_shared_pages[bit] : cpuid_feature(item, bit);
}

static strList *feature_names(const CpuidItem *item, uint64_t value)
{
    strList *list = NULL, **tail = &list;
    const char *before = NULL;

    for (unsigned bit = 0; bit < 64; bit++) {
        const char *name = name_of(item, bit);

        if (!(value >> bit & 1) || (name && !g_strcmp0(name, before))) {
            /* Two bits of KVM's leaf have one name, kvmclock. */
            continue;
        }
        QAPI_LIST_APPEND(tail, name ? g_strdup(name)
                                    : g_strdup_printf("bit%u", bit));
        before = name;
    }
    return list;
}

/* Intel SDM volume 2A, CPUID: "Version Information" */

unsigned cpuid_family(uint64_t signature)
{
    unsigned family = extract64(signature, 8, 4);

    return family == 0xf ? family + extract64(signature, 20, 8) : family;
}

unsigned cpuid_model(uint64_t signature)
{
    return extract64(signature, 4, 4) | extract64(signature, 16, 4) << 4;
}

unsigned cpuid_stepping(uint64_t signature)
{
    return extract64(signature, 0, 4);
}

static char *number_text(const CpuidItem *item, uint64_t value)
{
    char text[5] = { };

    switch (item->number) {
    case CPUID_VENDOR:
        stl_le_p(text, value);
        for (unsigned i = 0; i < 4; i++) {
            text[i] = g_ascii_isprint(text[i]) ? text[i] : '?';
        }
        return g_strdup(text);
    case CPUID_SIGNATURE:
        return g_strdup_printf("family %u, model %u, stepping %u",
                               cpuid_family(value), cpuid_model(value),
                               cpuid_stepping(value));
    case CPUID_ADDRESSES:
        return g_strdup_printf("physical %u, virtual %u, guest-physical %u",
                               (unsigned)extract64(value, 0, 8),
                               (unsigned)extract64(value, 8, 8),
                               (unsigned)extract64(value, 16, 8));
    default:
        return g_strdup_printf("0x%" PRIx64, value);
    }
}

static char *layout_text(uint64_t value)
{
    return g_strdup_printf("%u bytes at offset 0x%x%s",
                           (unsigned)extract64(value, 0, 32),
                           (unsigned)extract64(value, 32, 24),
                           value >> 56 & 2 ? ", aligned" : "");
}

char *cpuid_component(const CpuidItem *item)
{
    uint64_t mask = BIT_ULL(item->component);
    const XsaveRegister *reg = &xsave_xss;
    g_autoptr(strList) names = NULL;

    for (const XsaveComponent *c = xsave_xcr0.components; c->name; c++) {
        if (c->mask & mask) {
            reg = &xsave_xcr0;
        }
    }
    names = xsave_names(reg, mask);
    return g_strdup(names->value);
}

strList *cpuid_item_names(const CpuidItem *item, uint64_t value)
{
    strList *list = NULL;

    switch (item->kind) {
    case CPUID_FEATURES:
        return feature_names(item, value);
    case CPUID_NUMBER:
        QAPI_LIST_PREPEND(list, number_text(item, value));
        break;
    case CPUID_LAYOUT:
        QAPI_LIST_PREPEND(list, layout_text(value));
        QAPI_LIST_PREPEND(list, cpuid_component(item));
        break;
    default:
        g_assert_not_reached();
    }
    return list;
}

char *cpuid_item_text(const CpuidItem *item, uint64_t value)
{
    g_autoptr(strList) names = NULL;
    g_autoptr(GString) text = g_string_new(NULL);

    switch (item->kind) {
    case CPUID_FEATURES:
        names = feature_names(item, value);
        for (strList *name = names; name; name = name->next) {
            g_string_append_printf(text, "%s'%s'", text->len ? ", " : "",
                                   name->value);
        }
        return g_strdup(text->str);
    case CPUID_NUMBER:
        return number_text(item, value);
    case CPUID_LAYOUT:
        return layout_text(value);
    default:
        g_assert_not_reached();
    }
}
