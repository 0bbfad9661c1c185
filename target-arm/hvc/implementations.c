/*
 * Target implementation CPUs: the CPUs that a guest may come to run on
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bitops.h"
#include "qemu/cutils.h"
#include "dispatch.h"
#include "implementations.h"

/* Longer than any item: more of one is not printed. */
#define ITEM_MAX_LENGTH 64

#define ABI_VERSION 0x10000

/* Bits of MIDR_EL1 without Variant and Revision, and their names at Arm */
static const struct {
    uint32_t part;
    const char *name;
} names[] = {
    { 0x410fd030, "Cortex-A53" },
    { 0x410fd050, "Cortex-A55" },
    { 0x410fd070, "Cortex-A57" },
    { 0x410fd080, "Cortex-A72" },
    { 0x410fd090, "Cortex-A73" },
    { 0x410fd0a0, "Cortex-A75" },
    { 0x410fd0b0, "Cortex-A76" },
    { 0x410fd0c0, "Neoverse-N1" },
    { 0x410fd0d0, "Cortex-A77" },
    { 0x410fd400, "Neoverse-V1" },
    { 0x410fd410, "Cortex-A78" },
    { 0x410fd440, "Cortex-X1" },
    { 0x410fd470, "Cortex-A710" },
    { 0x410fd480, "Cortex-X2" },
    { 0x410fd490, "Neoverse-N2" },
    { 0x410fd4f0, "Neoverse-V2" },
};

static HvcImplementations told;

static const char *name_of(uint64_t midr)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if ((midr & ~0xf0000fULL) == (names[i].part & ~0xf0000fULL)) {
            return names[i].name;
        }
    }
    return NULL;
}

char *hvc_implementation_describe(const HvcImplementation *cpu)
{
    const char *name = name_of(cpu->midr);

    return g_strdup_printf("%s%s0x%" PRIx64 "/0x%" PRIx64 "/0x%" PRIx64,
                           name ?: "", name ? ", " : "", cpu->midr,
                           cpu->revidr, cpu->aidr);
}

bool hvc_implementation_equal(const HvcImplementation *a,
                              const HvcImplementation *b)
{
    return a->midr == b->midr && a->revidr == b->revidr && a->aidr == b->aidr;
}

static bool parse_item(const char *item, HvcImplementation *cpu)
{
    g_auto(GStrv) parts = g_strsplit(item, "/", -1);
    uint64_t *const numbers[] = { &cpu->midr, &cpu->revidr, &cpu->aidr };

    *cpu = (HvcImplementation) { };
    for (unsigned i = 0; parts[i]; i++) {
        /* Neither a sign nor a space is part of a number. */
        if (i == ARRAY_SIZE(numbers) || !g_ascii_isdigit(parts[i][0]) ||
            qemu_strtou64(parts[i], NULL, 0, numbers[i])) {
            return false;
        }
    }
    return parts[0];
}

static bool is_repeated(const HvcImplementation *cpus, unsigned last)
{
    for (unsigned i = 0; i < last; i++) {
        if (hvc_implementation_equal(&cpus[i], &cpus[last])) {
            return true;
        }
    }
    return false;
}

bool hvc_implementations_set(HvcImplementations *list,
                             const HvcImplementation *cpus, uint64_t count,
                             const HvcImplementationsSource *source,
                             Error **errp)
{
    if (count > HVC_IMPLEMENTATIONS_MAX) {
        error_setg(errp, "%s names %" PRIu64 " CPUs; needed: at most %d; %s",
                   source->list, count, HVC_IMPLEMENTATIONS_MAX,
                   source->too_many);
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        g_autofree char *name = source->cpu(source, i);
        g_autofree char *cpu = hvc_implementation_describe(&cpus[i]);

        if (!cpus[i].midr || cpus[i].midr > UINT32_MAX) {
            error_setg(errp, "%s has MIDR_EL1 = 0x%" PRIx64 "; needed: a "
                       "number of 32 bits that is not 0; %s", name,
                       cpus[i].midr, source->wrong);
            return false;
        }
        if (is_repeated(cpus, i)) {
            error_setg(errp, "%s is %s, which is there already; needed: each "
                       "CPU once; %s", name, cpu, source->wrong);
            return false;
        }
    }
    *list = (HvcImplementations) { .count = count };
    memcpy(list->cpu, cpus, count * sizeof(*cpus));
    return true;
}

static char *name_of_item(const HvcImplementationsSource *source, unsigned cpu)
{
    char *const *items = source->opaque;

    return g_strdup_printf("implementation-cpus: item %u, '%.*s',", cpu + 1,
                           ITEM_MAX_LENGTH, items[cpu]);
}

bool hvc_implementations_parse(const char *text, HvcImplementations *list,
                               Error **errp)
{
    g_auto(GStrv) items = g_strsplit(text, ":", -1);
    unsigned count = g_strv_length(items);
    g_autofree HvcImplementation *cpus = g_new0(HvcImplementation, count);
    const HvcImplementationsSource source = {
        .list = "implementation-cpus",
        .cpu = name_of_item,
        .too_many = "leave out those that the guest will not run on",
        .wrong = "write MIDR_EL1[/REVIDR_EL1[/AIDR_EL1]] of each, as in "
                 "0x410fd490/0x0/0x0",
        .opaque = items,
    };

    if (!*text) {
        error_setg(errp, "implementation-cpus is empty; needed: "
                   "MIDR[/REVIDR[/AIDR]][:...]; leave it out for a guest that "
                   "stays on one kind of CPU");
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        if (!parse_item(items[i], &cpus[i])) {
            error_setg(errp, "implementation-cpus: item %u is '%.*s'; needed: "
                       "MIDR[/REVIDR[/AIDR]], numbers of which MIDR has 32 "
                       "bits and is not 0, as in 0x410fd490/0x0/0x0", i + 1,
                       ITEM_MAX_LENGTH, items[i]);
            return false;
        }
    }
    return hvc_implementations_set(list, cpus, count, &source, errp);
}

char *hvc_implementations_format(const HvcImplementations *list)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; i < list->count; i++) {
        const HvcImplementation *cpu = &list->cpu[i];

        g_string_append_printf(text, "%s0x%" PRIx64 "/0x%" PRIx64 "/0x%" PRIx64,
                               i ? ":" : "", cpu->midr, cpu->revidr, cpu->aidr);
    }
    return g_strdup(text->str);
}

void hvc_implementations_init(const HvcImplementations *list)
{
    told = *list;
}

/**
 * hvc_implementations_version: DISCOVER_IMPL_VER
 * @call: no arguments
 *
 * Returns the version of the interface in X1, 1.0, and the number of CPUs in
 * X2.
 */
void hvc_implementations_version(HvcCall *call)
{
    call->result[1] = ABI_VERSION;
    call->result[2] = told.count;
}

/**
 * hvc_implementations_cpu: DISCOVER_IMPL_CPUS
 * @call: X1: which one, from 0; X2 and X3 are to be 0, which early guests do
 *        not see to
 *
 * Returns MIDR_EL1, REVIDR_EL1 and AIDR_EL1 in X1 to X3.
 */
void hvc_implementations_cpu(HvcCall *call)
{
    uint64_t index = hvc_call_arg(call, 1);

    if (index >= told.count) {
        call->result[0] = (int64_t)HVC_INVALID_PARAMETER;
        return;
    }
    call->result[1] = told.cpu[index].midr;
    call->result[2] = told.cpu[index].revidr;
    call->result[3] = told.cpu[index].aidr;
}
