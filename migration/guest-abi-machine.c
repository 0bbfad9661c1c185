/*
 * Guest ABI: what the machine has to do with it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/boards.h"
#include "hw/qdev-core.h"
#include "guest-abi.h"

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
