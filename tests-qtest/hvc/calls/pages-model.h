/*
 * What a guest shares, by the rules of the documentation
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TESTS_QTEST_HVC_CALLS_PAGES_MODEL_H
#define TESTS_QTEST_HVC_CALLS_PAGES_MODEL_H

#include "guest-vm.h"

#define PAGES_SIZE 0x1000

/* Pages of the guest's RAM that neither list, report nor engine are in */
#define PAGES_FREE 0x43000000

/**
 * PagesModel:
 * @shared: for each page of the guest's RAM
 */
typedef struct PagesModel {
    bool shared[CALLS_RAM_SIZE / PAGES_SIZE];
} PagesModel;

/**
 * pages_model_call: make a call
 * @model: the model
 * @x: function id of mem-share, and arguments
 *
 * Returns: what the caller finds in X0; X1 to X3 are 0.
 */
uint64_t pages_model_call(PagesModel *model, const uint64_t *x);

/**
 * pages_assert_model: does a VM's list say what a model says?
 * @qts: the VM
 * @model: the model
 */
void pages_assert_model(QTestState *qts, const PagesModel *model);

/**
 * pages_assert_shared: what does a VM's list say?
 * @qts: the VM
 * @expected: its ranges, as in "0x43000000+0x1000 "
 */
void pages_assert_shared(QTestState *qts, const char *expected);

/**
 * PagesScript: calls of a guest that makes each when it is told to
 * @calls: the guest's list
 * @waits: the steps in which it waits, one before each call and one at the end
 * @done: how many calls it has made
 */
typedef struct PagesScript {
    Calls *calls;
    GArray *waits;
    unsigned done;
} PagesScript;

/**
 * pages_script_new: a script without calls
 * @calls: a list of one vCPU; what is added to it beside the script is done
 *         with the call before
 */
PagesScript *pages_script_new(Calls *calls);

/**
 * pages_script_free: free a script
 * @script: the script, or NULL; not its list
 */
void pages_script_free(PagesScript *script);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PagesScript, pages_script_free)

/**
 * pages_script_add: add a call
 * @script: the script
 * @id: function id of mem-share
 * @address: guest physical address
 */
void pages_script_add(PagesScript *script, uint64_t id, uint64_t address);

/**
 * pages_script_start: start a VM, whose guest waits for the first call
 * @script: the script; complete
 * @setup: what kind of VM
 */
Vm *pages_script_start(PagesScript *script, const Setup *setup);

/**
 * pages_script_next: have the guest make the next call, and wait for it
 * @script: the script
 * @vm: the VM
 *
 * Returns: what the guest finds in X0.
 */
uint64_t pages_script_next(PagesScript *script, Vm *vm);

/**
 * pages_script_stop: have the guest make no more calls, in the next boot either
 * @script: the script
 * @vm: the VM
 */
void pages_script_stop(PagesScript *script, Vm *vm);

#endif
