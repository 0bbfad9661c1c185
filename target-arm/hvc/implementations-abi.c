/*
 * Target implementation CPUs in a VM's contract with its guest
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "migration/guest-abi-incoming.h"
#include "implementations.h"

#define REMEDY "start this QEMU with the source's implementation-cpus"

/* What a list in a file is made again with */
#define MADE_BY "guest-abi-diff --fleet --profile-out"

static HvcImplementations promised;

/**
 * Part: an entry of a CPU
 * @name: end of the entry's name, which never changes
 * @reg: the register
 * @offset: of its value in an HvcImplementation
 */
static const struct {
    const char *name;
    const char *reg;
    size_t offset;
} parts[] = {
    { "midr", "MIDR_EL1", offsetof(HvcImplementation, midr) },
    { "revidr", "REVIDR_EL1", offsetof(HvcImplementation, revidr) },
    { "aidr", "AIDR_EL1", offsetof(HvcImplementation, aidr) },
};

/* What @opaque has: the CPU, and which part of it */
#define OPAQUE(cpu, part) \
    ((void *)(uintptr_t)((cpu) * ARRAY_SIZE(parts) + (part)))
#define CPU_OF(definition) \
    ((unsigned)((uintptr_t)(definition)->opaque / ARRAY_SIZE(parts)))
#define PART_OF(definition) \
    ((unsigned)((uintptr_t)(definition)->opaque % ARRAY_SIZE(parts)))

static char *entry_name(unsigned cpu, unsigned part)
{
    return g_strdup_printf(HVC_IMPLEMENTATION_ENTRY, cpu, parts[part].name);
}

static strList *decode_midr(const GuestAbiDefinition *definition,
                            uint64_t value)
{
    strList *list = NULL;

    QAPI_LIST_PREPEND(list, hvc_implementation_describe(
                                &promised.cpu[CPU_OF(definition)]));
    return list;
}

static void refuse_count(const GuestAbiDefinition *definition,
                         uint64_t incoming, uint64_t here, Error **errp)
{
    error_setg(errp, "guest-abi: incoming VM was told of %" PRIu64 " CPUs that "
               "it may run on, this VM is told of %" PRIu64 "; " REMEDY,
               incoming, here);
}

static void refuse_part(const GuestAbiDefinition *definition,
                        uint64_t incoming, uint64_t here, Error **errp)
{
    error_setg(errp, "guest-abi: CPU %u that the incoming VM was told of has "
               "%s = 0x%" PRIx64 ", here it has 0x%" PRIx64 "; " REMEDY,
               CPU_OF(definition), parts[PART_OF(definition)].reg, incoming,
               here);
}

void hvc_implementations_promise(const HvcImplementations *list, bool chosen)
{
    GuestAbiOrigin origin = chosen ? GUEST_ABI_ORIGIN_OPTION
                                   : GUEST_ABI_ORIGIN_DEFAULT;

    promised = *list;
    guest_abi_add(&(GuestAbiDefinition) {
        .name = HVC_IMPLEMENTATIONS_ENTRY,
        .rule = GUEST_ABI_RULE_EXACT,
        .value = list->count,
        .origin = origin,
        .refuse = refuse_count,
    });
    for (unsigned cpu = 0; cpu < list->count; cpu++) {
        for (unsigned part = 0; part < ARRAY_SIZE(parts); part++) {
            const char *value = (const char *)&list->cpu[cpu] +
                                parts[part].offset;

            guest_abi_add(&(GuestAbiDefinition) {
                .name = entry_name(cpu, part),
                .rule = GUEST_ABI_RULE_EXACT,
                .value = *(const uint64_t *)value,
                .origin = origin,
                .decode = part ? NULL : decode_midr,
                .refuse = refuse_part,
                .opaque = OPAQUE(cpu, part),
            });
        }
    }
}

/* Is an entry that of a CPU? No other name is one that entry_name() makes. */
static bool is_entry(const char *name, unsigned *cpu, unsigned *part)
{
    const char *number, *dot;

    if (!strstart(name, HVC_IMPLEMENTATION_PREFIX, &number) ||
        !g_ascii_isdigit(*number) || qemu_strtoui(number, &dot, 10, cpu)) {
        return false;
    }
    for (*part = 0; *part < ARRAY_SIZE(parts); (*part)++) {
        g_autofree char *entry = entry_name(*cpu, *part);

        if (!strcmp(entry, name)) {
            return true;
        }
    }
    return false;
}

/**
 * File: a file with a contract, for messages
 * @where: names the file
 * @contract: the contract
 * @count: the number of CPUs, as the contract has it
 */
typedef struct File {
    const char *where;
    const GuestAbiIncoming *contract;
    uint64_t count;
} File;

static char *name_of_entry(const HvcImplementationsSource *source, unsigned cpu)
{
    const File *file = source->opaque;
    g_autofree char *midr = entry_name(cpu, 0);

    return g_strdup_printf("%s: CPU %u ('%s')", file->where, cpu, midr);
}

static bool read_cpu(const File *file, unsigned cpu,
                     HvcImplementation *implementation, Error **errp)
{
    for (unsigned part = 0; part < ARRAY_SIZE(parts); part++) {
        g_autofree char *name = entry_name(cpu, part);
        const GuestAbiValue *value = guest_abi_incoming_value(file->contract,
                                                              name);

        /* An entry that is not there is 0, which no MIDR_EL1 is. */
        if (!value && !part) {
            error_setg(errp, "%s has '" HVC_IMPLEMENTATIONS_ENTRY "' = %" PRIu64
                       " and no entry '%s'; needed: one for each CPU from 0 "
                       "on; make FILE again, with " MADE_BY, file->where,
                       file->count, name);
            return false;
        }
        *(uint64_t *)((char *)implementation + parts[part].offset) =
            value ? value->value : 0;
    }
    return true;
}

/* A CPU that is not counted would be one that the guest is not told of. */
static bool check_all_counted(const File *file, Error **errp)
{
    unsigned count = guest_abi_incoming_count(file->contract);

    for (unsigned i = 0; i < count; i++) {
        const GuestAbiValue *value = guest_abi_incoming_entry(file->contract,
                                                              i);
        unsigned cpu, part;

        if (!value->value ||
            !g_str_has_prefix(value->name, HVC_IMPLEMENTATION_PREFIX) ||
            (is_entry(value->name, &cpu, &part) && cpu < file->count)) {
            continue;
        }
        error_setg(errp, "%s has '%s' = 0x%" PRIx64 ", of no CPU that its '"
                   HVC_IMPLEMENTATIONS_ENTRY "' = %" PRIu64 " counts; needed: "
                   "entries of CPUs below that number; make FILE again, with "
                   MADE_BY, file->where, value->name, value->value,
                   file->count);
        return false;
    }
    return true;
}

bool hvc_implementations_of_contract(const GuestAbiIncoming *contract,
                                     const char *where,
                                     HvcImplementations *list, Error **errp)
{
    const GuestAbiValue *count =
        guest_abi_incoming_value(contract, HVC_IMPLEMENTATIONS_ENTRY);
    const File file = { where, contract, count ? count->value : 0 };
    g_autofree char *name = g_strdup_printf("%s: '" HVC_IMPLEMENTATIONS_ENTRY
                                            "'", where);
    const HvcImplementationsSource source = {
        .list = name,
        .cpu = name_of_entry,
        .too_many = "make FILE for fewer hosts, with " MADE_BY,
        .wrong = "make FILE again, with " MADE_BY,
        .opaque = &file,
    };
    HvcImplementation cpus[HVC_IMPLEMENTATIONS_MAX] = { };

    if (file.count <= ARRAY_SIZE(cpus)) {
        for (unsigned cpu = 0; cpu < file.count; cpu++) {
            if (!read_cpu(&file, cpu, &cpus[cpu], errp)) {
                return false;
            }
        }
        if (!check_all_counted(&file, errp)) {
            return false;
        }
    }
    return hvc_implementations_set(list, cpus, file.count, &source, errp);
}

bool hvc_implementations_refuse_unknown(const char *name, uint64_t value,
                                        Error **errp)
{
    unsigned cpu, part;

    if (!strcmp(name, HVC_IMPLEMENTATIONS_ENTRY)) {
        if (value) {
            error_setg(errp, "guest-abi: incoming VM was told of %" PRIu64
                       " CPUs that it may run on, this VM is told of none; "
                       "start this QEMU with the source's hvc-services and "
                       "implementation-cpus", value);
        }
        return true;
    }
    if (!is_entry(name, &cpu, &part)) {
        return false;
    }
    if (value) {
        error_setg(errp, "guest-abi: incoming VM was told of CPU %u, with %s = "
                   "0x%" PRIx64 ", this VM is told of %u CPUs; " REMEDY, cpu,
                   parts[part].reg, value, promised.count);
    }
    return true;
}
