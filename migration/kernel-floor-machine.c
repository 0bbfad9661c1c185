/*
 * -machine kernel-floor=
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A floor sets defaults of device properties as compat properties of the
 * machine type do: for devices of the board, of -device and device_add alike,
 * and behind what the user says with -device or -global.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/boards.h"
#include "hw/qdev-core.h"
#include "guest-abi.h"
#include "kernel-floor-machine.h"

/* By name of the class */
static GHashTable *floors_of_types;
static GHashTable *help_of_boards;

/* The user has said kernel-floor=. */
static const KernelFloor *given;

static void set_for_class(GHashTable **table, ObjectClass *oc,
                          gconstpointer value)
{
    if (!*table) {
        *table = g_hash_table_new(g_str_hash, g_str_equal);
    }
    g_hash_table_insert(*table, (gpointer)object_class_get_name(oc),
                        (gpointer)value);
}

/* The value of the class, or of the nearest class that it derives from */
static gconstpointer of_class(GHashTable *table, ObjectClass *oc)
{
    gconstpointer value = NULL;

    for (; table && oc && !value; oc = object_class_get_parent(oc)) {
        value = g_hash_table_lookup(table, object_class_get_name(oc));
    }
    return value;
}

/* One for each feature; a QEMU whose devices lack the property leaves it out */
static GlobalProperty *switches_off(void)
{
    static GlobalProperty *properties;

    if (!properties) {
        properties = g_new0(GlobalProperty, kernel_features_count);
        for (size_t i = 0; i < kernel_features_count; i++) {
            properties[i] = (GlobalProperty) {
                .driver = kernel_features[i].driver,
                .property = kernel_features[i].property,
                .value = "off",
                .optional = true,
            };
        }
    }
    return properties;
}

/* In place of the properties of another floor, such as the machine type's */
static void set_properties(MachineClass *mc, const KernelFloor *floor)
{
    GlobalProperty *properties = switches_off();

    for (size_t i = 0; i < kernel_features_count; i++) {
        g_ptr_array_remove(mc->compat_props, &properties[i]);
        if (!kernel_floor_has(floor, &kernel_features[i])) {
            g_ptr_array_add(mc->compat_props, &properties[i]);
        }
    }
}

void kernel_floor_set_default(ObjectClass *oc, const KernelFloor *floor)
{
    set_for_class(&floors_of_types, oc, floor);
    set_properties(MACHINE_CLASS(oc), floor);
}

void kernel_floor_set_help(ObjectClass *oc, char *(*help)(void))
{
    set_for_class(&help_of_boards, oc, help);
}

const KernelFloor *kernel_floor_given(void)
{
    return given;
}

const KernelFloor *kernel_floor_of_vm(void)
{
    return given ?: of_class(floors_of_types, object_get_class(
                                                  OBJECT(current_machine)));
}

void kernel_floor_refuse_declined(const KernelFloor *floor, Error **errp)
{
    error_setg(errp, "guest-abi=off contradicts kernel-floor=%s: what a guest "
               "was promised has to be in its migration stream; leave out "
               "guest-abi=off, or kernel-floor", floor->name);
}

static char *get_floor(Object *obj, Error **errp)
{
    const KernelFloor *floor = obj == OBJECT(current_machine) ?
        kernel_floor_of_vm() : of_class(floors_of_types, object_get_class(obj));

    return g_strdup(floor ? floor->name : NULL);
}

static G_NORETURN void print_help(Object *obj)
{
    g_autofree char *general = kernel_floor_help();
    char *(*board)(void) = of_class(help_of_boards, object_get_class(obj));
    g_autofree char *more = board ? board() : NULL;

    printf("%s%s", general, more ?: "");
    exit(EXIT_SUCCESS);
}

static void set_floor(Object *obj, const char *value, Error **errp)
{
    const KernelFloor *floor;

    if (phase_check(PHASE_MACHINE_CREATED)) {
        error_setg(errp, "kernel-floor cannot be changed after the machine was "
                   "created; give it on the command line: -machine "
                   "kernel-floor=...");
        return;
    }
    if (!strcmp(value, "help")) {
        print_help(obj);
    }
    floor = kernel_floor_parse(value, errp);
    if (!floor) {
        return;
    }
    if (guest_abi_is_declined()) {
        kernel_floor_refuse_declined(floor, errp);
        return;
    }
    given = floor;
    set_properties(MACHINE_GET_CLASS(obj), floor);
    guest_abi_migrate();
}

/* After all classes, as guest-abi= is; see guest-abi-machine.c */
static void register_property(void)
{
    ObjectClass *oc = object_class_by_name(TYPE_MACHINE);

    object_class_property_add_str(oc, "kernel-floor", get_floor, set_floor);
    object_class_property_set_description(oc, "kernel-floor",
        "Oldest kernel of the fleet: the VM has nothing that only a newer one "
        "gives to a guest; kernel-floor=help lists floors and features");
}

migration_init(register_property)
