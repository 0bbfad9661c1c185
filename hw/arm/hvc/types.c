/*
 * Versioned machine types whose hypercall services are pinned to a floor
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Each is a stock virt-X.Y with a default for hvc-services and kernel-floor. A
 * released row never changes.
 *
 * A row whose parent this QEMU lacks is left out: a newer virt-X.Y, or one that
 * a distribution has taken away.
 *
 * Names: libvirt knows a virt machine by the prefix "virt-", and the stream's
 * configuration section compares machine names by prefix, so that no type's
 * name may be a prefix of another's.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/module.h"
#include "hw/arm/virt.h"
#include "migration/kernel-floor-machine.h"
#include "migration/qemu-compat.h"
#include "floors.h"

/**
 * VirtHvcType:
 * @name: the machine type, without its "-machine" suffix
 * @parent: the stock type that it derives from
 * @floor: its default for hvc-services and kernel-floor
 */
typedef struct VirtHvcType {
    const char *name;
    const char *parent;
    const char *floor;
} VirtHvcType;

/* Oldest first */
static const VirtHvcType types[] = {
    { "virt-hvc-9.0",  "virt-9.0",  "linux-5.10" },
    { "virt-hvc-9.2",  "virt-9.2",  "linux-6.1" },
    { "virt-hvc-10.0", "virt-10.0", "linux-6.12" },
    { "virt-hvc-10.2", "virt-10.2", "linux-6.12" },
#define OWN_TYPES 4
#include "distro-types.c.inc"
};

/* Of the last of our own rows that this QEMU has */
#define LATEST_ALIAS "virt-hvc"
static const VirtHvcType *latest;

static const VirtHvcType *type_of(ObjectClass *oc)
{
    const char *name = object_class_get_name(oc);

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        size_t length = strlen(types[i].name);

        if (!strncmp(name, types[i].name, length) &&
            !strcmp(name + length, TYPE_MACHINE_SUFFIX)) {
            return &types[i];
        }
    }
    g_assert_not_reached();
}

static void type_class_init(ObjectClass *oc, ClassInitData *data)
{
    MachineClass *mc = MACHINE_CLASS(oc);
    MachineClass *parent = MACHINE_CLASS(object_class_get_parent(oc));
    const VirtHvcType *type = type_of(oc);

    if (!hvc_floor_by_name(type->floor)) {
        error_report("machine type %s: there is no floor '%s'; give its row "
                     "one of those in hw/arm/hvc/floors.c", type->name,
                     type->floor);
        abort();
    }
    mc->desc = g_strdup_printf("%s, hypercall services of %s", parent->desc,
                               type->floor);
    /* Inherited, but there can be only one machine of a name. */
    mc->alias = type == latest ? LATEST_ALIAS : NULL;
    mc->is_default = false;
    /* Not inherited: every class gets an empty list of its own. */
    for (size_t i = 0; i < parent->compat_props->len; i++) {
        g_ptr_array_add(mc->compat_props,
                        g_ptr_array_index(parent->compat_props, i));
    }
    kernel_floor_set_default(oc, kernel_floor_by_name(type->floor));
}

static void type_instance_init(Object *obj)
{
    VirtHvc *hvc = &VIRT_MACHINE(obj)->hvc;
    const HvcFloor *floor = hvc_floor_by_name(type_of(object_get_class(obj))
                                              ->floor);

    /* A parent of types[] has set hvc->services, too. */
    g_free(hvc->services);
    hvc->services = g_strdup(floor->name);
    hvc->from_type = true;
    hvc->pinned = true;
    hvc->set = floor->set;
}

static void type_instance_finalize(Object *obj)
{
    g_clear_pointer(&VIRT_MACHINE(obj)->hvc.services, g_free);
}

/*
 * QOM would abort for a type without its parent, whatever machine was asked
 * for. So types are registered when all others are there, those of an earlier
 * row included.
 */
static void register_types(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        g_autofree char *name = g_strconcat(types[i].name,
                                            TYPE_MACHINE_SUFFIX, NULL);
        g_autofree char *parent = g_strconcat(types[i].parent,
                                              TYPE_MACHINE_SUFFIX, NULL);
        const TypeInfo info = {
            .name = name,
            .parent = parent,
            .class_init = type_class_init,
            .instance_init = type_instance_init,
            .instance_finalize = type_instance_finalize,
        };

        if (object_class_by_name(parent)) {
            type_register_static(&info);
            if (i < OWN_TYPES) {
                latest = &types[i];
            }
        }
    }
}

migration_init(register_types)
