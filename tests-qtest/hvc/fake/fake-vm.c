/*
 * What a VM's contract asks of the rest of QEMU, for tests of
 * target/arm/hvc/kvm-*
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qemu/module.h"
#include "migration/guest-abi.h"
#include "migration/misc.h"
#include "migration/qemu-compat.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "monitor/monitor-internal.h"
#include "fake-vm.h"

bool fake_vm_postcopy_advised;

bool migration_incoming_postcopy_advised(void)
{
    return fake_vm_postcopy_advised;
}

const char *guest_abi_machine_type(void)
{
    return FAKE_VM_MACHINE;
}

HvcVm *fake_vm_new(const FakeKvm *fake)
{
    HvcVm *vm = hvc_vm_new(&(HvcSet) { .psci_version = 0x10000 },
                           FAKE_VM_OPTIONS);

    vm->kernel = fake->kvm;
    vm->recipe = fake->recipe;
    vm->recipe.cpus = 2;
    return vm;
}

static GString *printed;
static void (*info_guest_abi)(Monitor *mon, const QDict *qdict);

char *fake_vm_info_guest_abi(void)
{
    char *text;

    module_call_init(MODULE_INIT_MIGRATION);
    printed = g_string_new(NULL);
    info_guest_abi(NULL, NULL);
    text = g_string_free(printed, false);
    printed = NULL;
    return text;
}

/* What migration/guest-abi-qmp.c calls */

int monitor_printf(Monitor *mon, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    g_string_append_vprintf(printed, fmt, args);
    va_end(args);
    return 0;
}

bool hmp_handle_error(Monitor *mon, Error *err)
{
    return false;
}

QmpCommandList qmp_commands = QTAILQ_HEAD_INITIALIZER(qmp_commands);

void monitor_register_hmp(const char *name, bool info,
                          void (*cmd)(Monitor *mon, const QDict *qdict))
{
    g_assert_cmpstr(name, ==, "guest-abi");
    info_guest_abi = cmd;
}
