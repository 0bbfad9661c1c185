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

struct GuestAbiIncoming;

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

typedef struct HvcImplementationsSource HvcImplementationsSource;

/**
 * HvcImplementationsSource: where a list is from, for messages
 * @list: names what has the list, as in "implementation-cpus"
 * @cpu: names what has the CPU of a number from 0; the caller frees it with
 *       g_free()
 * @too_many: what to do about more than HVC_IMPLEMENTATIONS_MAX CPUs
 * @wrong: what to do about a CPU that is none, or is there twice
 * @opaque: for @cpu
 */
struct HvcImplementationsSource {
    const char *list;
    char *(*cpu)(const HvcImplementationsSource *source, unsigned cpu);
    const char *too_many;
    const char *wrong;
    const void *opaque;
};

/**
 * hvc_implementations_set: make a list of CPUs that a guest can be told of
 * @list: set to the list
 * @cpus: the CPUs, not trusted; the first HVC_IMPLEMENTATIONS_MAX of them if
 *        @count is more
 * @count: their number, not trusted
 * @source: where they are from
 * @errp: there are too many, one has no MIDR_EL1 of 32 bits, or is there twice
 *
 * Every list comes through here, whoever has written it.
 *
 * Returns: true on success; on error @list stays as it is.
 */
bool hvc_implementations_set(HvcImplementations *list,
                             const HvcImplementation *cpus, uint64_t count,
                             const HvcImplementationsSource *source,
                             Error **errp);

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

/**
 * hvc_implementations_of_contract: the list that another VM's guest is told
 * @contract: that VM's contract
 * @where: names what has the contract, as in "guest-abi-profile=FILE"
 * @list: set to the list; empty if the guest is told nothing
 * @errp: which entry is wrong or lacking, and how it would be right
 *
 * Returns: true on success; on error @list stays as it is.
 */
bool hvc_implementations_of_contract(const struct GuestAbiIncoming *contract,
                                     const char *where,
                                     HvcImplementations *list, Error **errp);

/**
 * hvc_implementations_refuse_unknown: see GuestAbiRefuseUnknown
 * @name: the entry
 * @value: what the guest was promised
 * @errp: set if the entry is of a CPU, or the number of CPUs, and not 0
 *
 * Returns: false if the entry is about something else.
 */
bool hvc_implementations_refuse_unknown(const char *name, uint64_t value,
                                        Error **errp);

/* Entries of the contract: the number, and for each CPU, by number and part */
#define HVC_IMPLEMENTATIONS_ENTRY "arm.implementation-cpus"
#define HVC_IMPLEMENTATION_PREFIX "arm.implementation-cpu-"
#define HVC_IMPLEMENTATION_ENTRY  HVC_IMPLEMENTATION_PREFIX "%u.%s"

#endif
