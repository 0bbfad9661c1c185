/*
 * Guest ABI: what the machine has to do with it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/boards.h"
#include "hw/core/cpu.h"
#include "hw/qdev-core.h"
#include "guest-abi.h"
#include "guest-abi-virtio.h"
#include "kernel-floor-machine.h"

const char *guest_abi_machine_type(void)
{
    return MACHINE_GET_CLASS(current_machine)->name;
}

/* The user has said guest-abi=off. */
static bool declined;

bool guest_abi_is_declined(void)
{
    return declined;
}

/* Hot-plugged vCPUs count: a destination is started with them. */
static uint64_t read_vcpus(const GuestAbiDefinition *definition)
{
    CPUState *cs;
    uint64_t count = 0;

    CPU_FOREACH(cs) {
        count++;
    }
    return count;
}

static void refuse_vcpus(const GuestAbiDefinition *definition,
                         uint64_t incoming, uint64_t here, Error **errp)
{
    error_setg(errp, "guest-abi: incoming VM has %" PRIu64 " vCPUs, this VM "
               "has %" PRIu64 "; start this QEMU with the source's -smp, and "
               "with a -device for each vCPU that was plugged in since",
               incoming, here);
}

/* 0 is for no floor, so that "none", of version 0, needs another value. */
#define FLOOR_NONE 1

static uint64_t floor_value(const KernelFloor *floor)
{
    return floor ? floor->version ?: FLOOR_NONE : 0;
}

static const char *floor_name(uint64_t value)
{
    for (size_t i = 0; i < kernel_floors_count; i++) {
        if (floor_value(&kernel_floors[i]) == value) {
            return kernel_floors[i].name;
        }
    }
    return NULL;
}

static strList *decode_floor(const GuestAbiDefinition *definition,
                             uint64_t value)
{
    strList *names = NULL;
    strList **tail = &names;
    const char *name = floor_name(value);

    QAPI_LIST_APPEND(tail, name ? g_strdup(name)
                                : g_strdup_printf("0x%" PRIx64, value));
    if (!guest_abi_virtio_count()) {
        QAPI_LIST_APPEND(tail, g_strdup("no device follows the kernel"));
    }
    return names;
}

/*
 * What a guest that boots here would find is another host's, or a fleet's. A
 * floor that only this VM has counts as well: the guest was offered more than
 * the devices of a floor have, and they find that out behind its memory.
 */
static void refuse_floor(const GuestAbiDefinition *definition,
                         uint64_t incoming, uint64_t here, Error **errp)
{
    const char *came = floor_name(incoming);
    const char *is = floor_name(here);

    if (!incoming) {
        error_setg(errp, "guest-abi: incoming VM has no kernel-floor, this VM "
                   "has kernel-floor=%s; start this QEMU with the source's "
                   "-machine options, without a kernel-floor", is);
        return;
    }
    if (!came) {
        error_setg(errp, "guest-abi: incoming VM has a kernel-floor (0x%"
                   PRIx64 ") that this QEMU does not know; use a QEMU that "
                   "has it", incoming);
        return;
    }
    error_setg(errp, "guest-abi: incoming VM has kernel-floor=%s, this VM has "
               "%s%s; start this QEMU with the source's -machine "
               "kernel-floor=%s", came, is ? "kernel-floor=" : "none",
               is ?: "", came);
}

static void list(void)
{
    const KernelFloor *floor = kernel_floor_of_vm();
    GuestAbiOrigin origin = kernel_floor_given() ? GUEST_ABI_ORIGIN_FLOOR
                                                 : GUEST_ABI_ORIGIN_TYPE;

    guest_abi_list_virtio(floor, origin);
    guest_abi_list(&(GuestAbiDefinition) {
        .name = "machine.kernel-floor",
        .rule = GUEST_ABI_RULE_EXACT,
        .value = floor_value(floor),
        .promised = floor_value(floor),
        .origin = origin,
        .zero_is_absent = true,
        .decode = decode_floor,
        .refuse = refuse_floor,
    });
}

void guest_abi_add_machine(void)
{
    static const GuestAbiLister lister = {
        .list = list,
        .told = guest_abi_virtio_told,
        .forget = guest_abi_virtio_forget,
        .refuse_unknown = guest_abi_virtio_refuse_unknown,
    };

    guest_abi_add(&(GuestAbiDefinition) {
        .name = "machine.vcpus",
        .rule = GUEST_ABI_RULE_EXACT,
        .origin = GUEST_ABI_ORIGIN_OPTION,
        .read = read_vcpus,
        .refuse = refuse_vcpus,
    });
    guest_abi_set_lister(&lister);
}

static bool get_guest_abi(Object *obj, Error **errp)
{
    return guest_abi_is_migrated();
}

static void set_guest_abi(Object *obj, bool value, Error **errp)
{
    if (phase_check(PHASE_MACHINE_CREATED)) {
        error_setg(errp, "guest-abi cannot be changed after the machine was "
                   "created; give it on the command line: -machine "
                   "guest-abi=on");
        return;
    }
    if (!value && kernel_floor_given()) {
        kernel_floor_refuse_declined(kernel_floor_given(), errp);
        return;
    }
    declined = !value;
    if (value) {
        guest_abi_migrate();
    }
}

/*
 * A property of every machine, added from here as the class is complete when
 * migration types are initialised.
 */
static void guest_abi_register(void)
{
    ObjectClass *oc = object_class_by_name(TYPE_MACHINE);

    object_class_property_add_bool(oc, "guest-abi", get_guest_abi,
                                   set_guest_abi);
    object_class_property_set_description(oc, "guest-abi",
        "Let the migration stream carry what the guest was promised, so that "
        "a destination that cannot keep it refuses (see query-guest-abi)");
}

migration_init(guest_abi_register)
