/*
 * Target implementation CPUs: the CPUs that a guest may come to run on
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A guest works around the errata of the CPU that it boots on. One that moves
 * between different CPUs has to know all of them (Linux
 * Documentation/virt/kvm/arm/hypercalls.rst, DISCOVER_IMPL_VER and
 * DISCOVER_IMPL_CPUS; guests from Linux 6.15 on ask).
 */

#ifndef TARGET_ARM_HVC_IMPLEMENTATIONS_H
#define TARGET_ARM_HVC_IMPLEMENTATIONS_H

#include "set.h"

/* The service of the table whose guests are told the list */
#define HVC_IMPLEMENTATIONS_SERVICE "implementation-cpus"

/* More kinds of CPU than a fleet has */
#define HVC_IMPLEMENTATIONS_MAX 16

/**
 * HvcImplementation: an implementation of a CPU
 * @midr: MIDR_EL1, 32 bits
 * @revidr: REVIDR_EL1
 * @aidr: AIDR_EL1
 */
typedef struct HvcImplementation {
    uint64_t midr;
    uint64_t revidr;
    uint64_t aidr;
} HvcImplementation;

/**
 * HvcImplementations: what a guest is told
 * @count: number of @cpu; 0 for a guest that is told nothing
 * @cpu: the first one is the guest's own
 */
typedef struct HvcImplementations {
    unsigned count;
    HvcImplementation cpu[HVC_IMPLEMENTATIONS_MAX];
} HvcImplementations;

/**
 * hvc_implementations_parse: read a list
 * @text: MIDR[/REVIDR[/AIDR]][:...], numbers as in C
 * @list: set to the list
 * @errp: which item is wrong, and how it would be right
 *
 * Returns: true on success; on error @list stays as it is.
 */
bool hvc_implementations_parse(const char *text, HvcImplementations *list,
                               Error **errp);

/**
 * hvc_implementations_format: write a list
 * @list: the list
 *
 * Returns: what hvc_implementations_parse() reads; the caller frees it with
 * g_free().
 */
char *hvc_implementations_format(const HvcImplementations *list);

/**
 * hvc_implementation_equal: are two the same CPU to a guest?
 * @a: an implementation
 * @b: another
 */
bool hvc_implementation_equal(const HvcImplementation *a,
                              const HvcImplementation *b);

/**
 * hvc_implementation_describe: an implementation, for messages
 * @cpu: the implementation
 *
 * Returns: as in "Neoverse-N2, 0x410fd490/0x0/0x0"; without a name for a CPU
 * that is not known. The caller frees it with g_free().
 */
char *hvc_implementation_describe(const HvcImplementation *cpu);

/**
 * hvc_implementations_init: what the handlers tell guests
 * @list: the list; it is copied
 *
 * To be called while the machine is made; a later list takes the place of an
 * earlier one.
 */
void hvc_implementations_init(const HvcImplementations *list);

/**
 * hvc_implementations_promise: make a list part of the contract
 * @list: the list
 * @chosen: the list is the user's, and not what there is without the option
 *
 * To be called once, while the machine is made.
 */
void hvc_implementations_promise(const HvcImplementations *list, bool chosen);

/* Entries of the contract: the number, and for each CPU, by number and part */
#define HVC_IMPLEMENTATIONS_ENTRY "arm.implementation-cpus"
#define HVC_IMPLEMENTATION_ENTRY  "arm.implementation-cpu-%u.%s"

#endif
