/*
 * Guest ABI: a complete -cpu option, for the texts of refusals
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "hw/qdev-core.h"
#include "hw/qdev-properties.h"
#include "qom/object.h"
#include "guest-abi-cpu.h"

void guest_abi_cpu_option_begin(GuestAbiCpuOption *option, Object *cpu)
{
    option->cpu = cpu;
    option->text = g_string_new(NULL);
    option->done = g_hash_table_new(g_str_hash, g_str_equal);
}

void guest_abi_cpu_option_set(GuestAbiCpuOption *option, const char *name,
                              const char *format, ...)
{
    va_list args;

    if (g_hash_table_add(option->done, (void *)name)) {
        va_start(args, format);
        g_string_append_vprintf(option->text, format, args);
        va_end(args);
    }
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What the user has chosen and nobody has changed */
static void keep_rest(GuestAbiCpuOption *option)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    ObjectPropertyIterator iter;
    ObjectProperty *property;

    object_property_iter_init(&iter, option->cpu);
    while ((property = object_property_iter_next(&iter))) {
        if (qdev_find_global_prop(option->cpu, property->name)) {
            g_ptr_array_add(names, property->name);
        }
    }
    g_ptr_array_sort(names, compare_names);
    for (unsigned i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);

        guest_abi_cpu_option_set(option, name, ",%s=%s", name,
                                 qdev_find_global_prop(option->cpu,
                                                       name)->value);
    }
}

char *guest_abi_cpu_option_end(GuestAbiCpuOption *option, const char *suffix)
{
    const char *type = object_get_typename(option->cpu);
    size_t length = strlen(type);

    if (g_str_has_suffix(type, suffix)) {
        length -= strlen(suffix);
    }
    keep_rest(option);
    g_string_prepend_len(option->text, type, length);
    g_hash_table_unref(option->done);
    return g_string_free(option->text, false);
}
