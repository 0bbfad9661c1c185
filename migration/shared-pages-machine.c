/*
 * -machine shared-pages=
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/util.h"
#include "hw/boards.h"
#include "hw/qdev-core.h"
#include "qemu/error-report.h"
#include "qemu-compat.h"
#include "guest-abi.h"
#include "shared-pages.h"
#include "shared-pages-machine.h"

/* Of a text of the user's that is repeated in a message */
#define VALUE_MAX_LENGTH 40

/* The user has said shared-pages=@mode. */
static bool given;
static SharedPagesMode mode;

static void (*prepare_enforcer)(MachineState *machine);

SharedPagesMode shared_pages_mode(void)
{
    if (given) {
        return mode;
    }
    return shared_pages_log() ? SHARED_PAGES_MODE_ON : SHARED_PAGES_MODE_OFF;
}

bool shared_pages_mode_is_given(void)
{
    return given;
}

void shared_pages_refuse_mode(bool shares, Error **errp)
{
    SharedPagesMode incoming = !shares ? SHARED_PAGES_MODE_OFF :
        guest_abi_judged_value(SHARED_PAGES_ENFORCED_ENTRY) ?
        SHARED_PAGES_MODE_ENFORCE : SHARED_PAGES_MODE_ON;

    error_setg(errp, "guest-abi: incoming VM has shared-pages=%s, this VM has "
               "shared-pages=%s; start this QEMU with the source's -machine "
               "shared-pages=%s", SharedPagesMode_str(incoming),
               SharedPagesMode_str(shared_pages_mode()),
               SharedPagesMode_str(incoming));
}

void shared_pages_set_enforcer(void (*prepare)(MachineState *machine))
{
    prepare_enforcer = prepare;
}

/* Boards of which some have a way to share pages */
static const char *const sharing_boards[] = { "virt-machine", "x86-machine" };

static bool may_share(const MachineState *machine)
{
    for (size_t i = 0; i < ARRAY_SIZE(sharing_boards); i++) {
        if (object_dynamic_cast(OBJECT(machine), sharing_boards[i])) {
            return true;
        }
    }
    return false;
}

static void refuse_machine(SharedPagesMode wanted, const char *type,
                           Error **errp)
{
    error_setg(errp, "shared-pages=%s: guests of machine type '%s' have no way "
               "to share pages here; needed: an x86 machine with -accel kvm, "
               "or machine type virt with "
               "hvc-services=linux-6.12:+mem-share; use one of them, or "
               "shared-pages=off", SharedPagesMode_str(wanted), type);
}

/* A board that knows of no way to share pages has not looked at the mode. */
static void check_enabled(Notifier *notifier, void *data)
{
    Error *err = NULL;

    if (mode != SHARED_PAGES_MODE_OFF && !shared_pages_log()) {
        refuse_machine(mode, guest_abi_machine_type(), &err);
        error_report_err(err);
        exit(EXIT_FAILURE);
    }
}

static char *get_mode(Object *obj, Error **errp)
{
    return g_strdup(SharedPagesMode_str(shared_pages_mode()));
}

static G_NORETURN void print_help(void)
{
    printf("shared-pages=off      the guest cannot share pages; the default\n"
           "shared-pages=on       it can, by hypercall, and query-shared-pages "
           "has the list\n"
           "shared-pages=enforce  as on, and devices reach nothing of its "
           "memory but what\n"
           "                      it shares; an access to another page fails, "
           "and is reported\n"
           "\n"
           "A guest can share pages on the machine virt, with "
           "hvc-services=linux-6.12:+mem-share,\n"
           "and on x86 machines with -accel kvm.\n");
    exit(EXIT_SUCCESS);
}

static void set_mode(Object *obj, const char *text, Error **errp)
{
    static Notifier done = { .notify = check_enabled };
    int value;

    if (phase_check(PHASE_MACHINE_CREATED)) {
        error_setg(errp, "shared-pages cannot be changed after the machine was "
                   "created; give it on the command line: -machine "
                   "shared-pages=%.*s", VALUE_MAX_LENGTH, text);
        return;
    }
    if (!strcmp(text, "help")) {
        print_help();
    }
    value = qapi_enum_parse(&SharedPagesMode_lookup, text, -1, NULL);
    if (value < 0) {
        error_setg(errp, "shared-pages: '%.*s' is not a value; needed: off, "
                   "on, or enforce (shared-pages=help says what they do)",
                   VALUE_MAX_LENGTH, text);
        return;
    }
    /* Before the board is made: not every one outlives a refusal inside. */
    if (value != SHARED_PAGES_MODE_OFF && !may_share(MACHINE(obj))) {
        refuse_machine(value, MACHINE_GET_CLASS(obj)->name, errp);
        return;
    }
    if (value == SHARED_PAGES_MODE_ENFORCE && !prepare_enforcer) {
        error_setg(errp, "shared-pages=enforce needs PCI and virtio, which "
                   "this QEMU was built without; use shared-pages=on");
        return;
    }
    if (!given) {
        qemu_add_machine_init_done_notifier(&done);
    }
    given = true;
    mode = value;
    if (mode == SHARED_PAGES_MODE_ENFORCE) {
        prepare_enforcer(MACHINE(obj));
    }
}

/* After all classes, as guest-abi= is; see guest-abi-machine.c */
static void register_property(void)
{
    ObjectClass *oc = object_class_by_name(TYPE_MACHINE);

    object_class_property_add_str(oc, "shared-pages", get_mode, set_mode);
    object_class_property_set_description(oc, "shared-pages",
        "Let the guest share pages with its host by hypercall: 'off', 'on', or "
        "'enforce' for devices that reach shared pages only; "
        "shared-pages=help says more");
}

migration_init(register_property)
