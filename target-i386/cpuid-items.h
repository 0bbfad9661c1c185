/*
 * What CPUID and MSRs tell an x86 guest of its CPU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * One item for each word of features, each other register of CPUID that
 * depends on the host, and each XSAVE component. Names and values of items are
 * those of the contract's entries; QEMU's own table, feature_word_info, has
 * the names of features.
 */

#ifndef TARGET_I386_CPUID_ITEMS_H
#define TARGET_I386_CPUID_ITEMS_H

#include "qapi/qapi-builtin-types.h"

/**
 * CpuidKind: what an item's value is
 * @CPUID_FEATURES: bits, each a feature
 * @CPUID_NUMBER: a register as it is
 * @CPUID_LAYOUT: where a component is in the XSAVE area: [31:0] its size,
 *                [55:32] its offset, [63:56] the flags in ECX's low byte
 */
typedef enum CpuidKind {
    CPUID_FEATURES,
    CPUID_NUMBER,
    CPUID_LAYOUT,
} CpuidKind;

/**
 * CpuidNumber: registers of kind CPUID_NUMBER, by what they are
 */
typedef enum CpuidNumber {
    CPUID_VENDOR,
    CPUID_LEVEL,
    CPUID_SIGNATURE,
    CPUID_ADDRESSES,
    CPUID_PMU,
} CpuidNumber;

/**
 * CpuidItem: one of them
 * @name: the contract's entry
 * @where: in words, as in "CPUID leaf 7.0 EBX"
 * @kind: what the value is
 * @word: of kind CPUID_FEATURES: the FeatureWord
 * @number: of kind CPUID_NUMBER: what the register is
 * @leaf, @subleaf, @reg: of kind CPUID_NUMBER: the register (R_EAX ...)
 * @option: of number CPUID_LEVEL: the property of -cpu
 * @component: of kind CPUID_LAYOUT: the component's bit in XCR0
 */
typedef struct CpuidItem {
    char *name;
    char *where;
    CpuidKind kind;
    FeatureWord word;
    CpuidNumber number;
    uint32_t leaf;
    uint32_t subleaf;
    int reg;
    const char *option;
    unsigned component;
} CpuidItem;

/**
 * cpuid_item: the items, one by one
 * @index: counts from 0
 *
 * Returns: the item, which stays; NULL if there are no more than @index.
 */
const CpuidItem *cpuid_item(unsigned index);

/**
 * cpuid_item_is_wide: has an item more than the 32 bits of a register of CPUID?
 * @item: the item
 *
 * Returns: true for features of an MSR, and for a layout.
 */
bool cpuid_item_is_wide(const CpuidItem *item);

/**
 * cpuid_item_value: what an item is for a guest
 * @item: the item
 * @cpu: the guest's vCPU, realized
 */
uint64_t cpuid_item_value(const CpuidItem *item, X86CPU *cpu);

/**
 * cpuid_item_supported: what the accelerator can give of an item
 * @item: of kind CPUID_FEATURES
 */
uint64_t cpuid_item_supported(const CpuidItem *item);

/**
 * cpuid_item_from_topology: features that only -smp decides on
 * @item: of kind CPUID_FEATURES
 *
 * Returns: the bit of "ht", of FEAT_1_EDX; else 0.
 */
uint64_t cpuid_item_from_topology(const CpuidItem *item);

/* Of FEAT_KVM: KVM_FEATURE_HC_MAP_GPA_RANGE, KVM_FEATURE_MIGRATION_CONTROL */
#define CPUID_KVM_SHARED_PAGES (1U << 16 | 1U << 17)

/**
 * cpuid_item_from_shared_pages: features that -machine shared-pages decides on
 * @item: of kind CPUID_FEATURES
 *
 * Returns: CPUID_KVM_SHARED_PAGES, of FEAT_KVM; else 0.
 */
uint64_t cpuid_item_from_shared_pages(const CpuidItem *item);

/**
 * cpuid_feature: the name of a feature
 * @item: of kind CPUID_FEATURES
 * @bit: the feature's bit, below 64
 *
 * Returns: the property of -cpu; NULL if this QEMU has none.
 */
const char *cpuid_feature(const CpuidItem *item, unsigned bit);

/**
 * cpuid_family, cpuid_model, cpuid_stepping: parts of a signature
 * @signature: a value of number CPUID_SIGNATURE
 */
unsigned cpuid_family(uint64_t signature);
unsigned cpuid_model(uint64_t signature);
unsigned cpuid_stepping(uint64_t signature);

/**
 * cpuid_component: the name of an XSAVE component
 * @item: of kind CPUID_LAYOUT
 *
 * Returns: the name as xsave_names() has it. The caller frees it.
 */
char *cpuid_component(const CpuidItem *item);

/**
 * cpuid_item_names: an item's value in words
 * @item: the item
 * @value: its value
 *
 * Returns: of features their names, and "bitN" for those without one, be they
 * properties of -cpu or not. The caller frees the list.
 */
strList *cpuid_item_names(const CpuidItem *item, uint64_t value);

/**
 * cpuid_item_text: an item's value in words, in one string
 * @item: the item
 * @value: its value
 *
 * Returns: names of features in quotation marks, with commas. The caller frees
 * the string.
 */
char *cpuid_item_text(const CpuidItem *item, uint64_t value);

#endif
