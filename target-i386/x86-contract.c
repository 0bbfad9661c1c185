/*
 * The contract of an x86 machine, and its option guest-abi-profile
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/boards.h"
#include "hw/i386/x86.h"
#include "hw/qdev-core.h"
#include "cpu.h"
#include "migration/guest-abi.h"
#include "migration/qemu-compat.h"
#include "migration/shared-pages-machine.h"
#include "migration/shared-pages.h"
#include "cpuid-contract.h"
#include "cpuid-profile.h"
#include "xsave-mask.h"

static void refuse_shared_pages(const GuestAbiDefinition *definition,
                                uint64_t incoming, uint64_t here, Error **errp)
{
    shared_pages_refuse_mode(incoming, errp);
}

static void promise_shared_pages(void)
{
    guest_abi_add(&(GuestAbiDefinition) {
        .name = "x86.shared-pages",
        .rule = GUEST_ABI_RULE_EXACT,
        .value = shared_pages_log() != NULL,
        .origin = GUEST_ABI_ORIGIN_OPTION,
        .zero_is_absent = true,
        .refuse = refuse_shared_pages,
    });
}

/*
 * When the machine is complete, CPUID is final, and nothing was loaded yet.
 * All vCPUs have the same CPUID in this respect.
 */
static void machine_is_done(Notifier *notifier, void *data)
{
    Error *err = NULL;

    if (!first_cpu || !object_dynamic_cast(OBJECT(current_machine),
                                           TYPE_X86_MACHINE)) {
        return;
    }
    if (!x86_cpuid_profile_check(X86_CPU(first_cpu), &err)) {
        error_report_err(err);
        exit(EXIT_FAILURE);
    }
    x86_xsave_promise(X86_CPU(first_cpu));
    x86_cpuid_promise(X86_CPU(first_cpu));
    promise_shared_pages();
}

static char *get_profile(Object *obj, Error **errp)
{
    return g_strdup(x86_cpuid_profile_file());
}

static void set_profile(Object *obj, const char *value, Error **errp)
{
    if (phase_check(PHASE_MACHINE_CREATED)) {
        error_setg(errp, "guest-abi-profile cannot be changed after the "
                   "machine was created; give it on the command line: "
                   "-machine guest-abi-profile=...");
        return;
    }
    x86_cpuid_profile_load(MACHINE(obj), value, errp);
}

/* The machine classes are complete when migration types are initialised. */
static void x86_contract_register(void)
{
    static Notifier machine_done = { .notify = machine_is_done };
    ObjectClass *oc = object_class_by_name(TYPE_X86_MACHINE);

    object_class_property_add_str(oc, "guest-abi-profile", get_profile,
                                  set_profile);
    object_class_property_set_description(oc, "guest-abi-profile",
        "File with what query-guest-abi returned on another host, or what "
        "all hosts of a fleet have: the guest's CPU has nothing beyond it");
    qemu_add_machine_init_done_notifier(&machine_done);
}

migration_init(x86_contract_register)
