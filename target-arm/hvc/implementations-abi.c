/*
 * Target implementation CPUs in a VM's contract with its guest
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "migration/guest-abi.h"
#include "implementations.h"

#define REMEDY "start this QEMU with the source's implementation-cpus"

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
                .name = g_strdup_printf(HVC_IMPLEMENTATION_ENTRY, cpu,
                                        parts[part].name),
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
