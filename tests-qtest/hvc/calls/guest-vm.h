/*
 * A VM that has the call engine as its guest, for tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A test makes a list of calls, starts a VM with it, waits until the guest is
 * through, and looks at what each vCPU found. List and report are described in
 * guest/calls.h.
 */

#ifndef TESTS_QTEST_HVC_CALLS_GUEST_VM_H
#define TESTS_QTEST_HVC_CALLS_GUEST_VM_H

#include "libqtest.h"
#include "../guest/calls.h"

/* vCPU masks of steps */
#define VCPU(n) (1u << (n))

/**
 * Calls: a list of steps under construction
 * @vcpus: the number of vCPUs of the VM
 * @all: mask of them
 * @flags: for the guest, CALLS_PRINT and so on
 * @immediate: for the steps to come, struct CallStep's
 * @conduit: for the steps to come, an enum CallConduit
 * @boot: for the steps to come, struct CallStep's
 * @steps: the steps so far
 */
typedef struct Calls {
    unsigned vcpus;
    uint32_t all;
    uint32_t flags;
    uint32_t immediate;
    uint32_t conduit;
    uint32_t boot;
    GArray *steps;
} Calls;

/**
 * calls_new: a list for a VM
 * @vcpus: its number of vCPUs
 *
 * Returns: a list without steps, in which only vCPU 0 runs yet.
 */
Calls *calls_new(unsigned vcpus);

/**
 * calls_free: free a list
 * @calls: the list, or NULL
 */
void calls_free(Calls *calls);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Calls, calls_free)

/**
 * calls_add: add a step
 * @calls: the list
 * @vcpus: mask of the vCPUs that perform it
 * @op: what they do
 * @x0: first register, or what @op says
 * @x1: second
 * @x2: third
 * @x3: fourth
 *
 * The rest of the registers get values that no call expects.
 *
 * Returns: the step's number.
 */
unsigned calls_add(Calls *calls, uint32_t vcpus, enum CallOp op,
                   uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3);

/* A call that all vCPUs make. */
#define calls_call(calls, ...) \
    calls_call_((calls), (const uint64_t[4]) { __VA_ARGS__ })
unsigned calls_call_(Calls *calls, const uint64_t x[4]);

/**
 * calls_step: the last step, for changes
 * @calls: a list that has one
 *
 * Returns: the step; valid until the next one is added.
 */
struct CallStep *calls_step(Calls *calls);

/**
 * calls_barrier: let vCPUs wait for each other
 * @calls: the list
 * @vcpus: mask of the vCPUs
 */
void calls_barrier(Calls *calls, uint32_t vcpus);

/**
 * calls_start_all: start all other vCPUs, by CPU_ON
 * @calls: a list without steps
 *
 * Then all vCPUs go on together. vm_run() looks at what CPU_ON said.
 */
void calls_start_all(Calls *calls);

/**
 * Setup: what kind of VM
 * @type: the machine type; default virt
 * @services: hvc-services=, NULL to leave the option out
 * @psci: psci-version=, NULL to leave the option out
 * @machine: further properties of the machine, as ",name=value"
 * @cpu: the CPU model; default cortex-a72, or cortex-a15 for AArch32
 * @accel: the accelerator; default tcg
 * @extra: further options
 * @firmware: start the guest beside this firmware, which never runs: DIMMs are
 *            plugged only where there is one
 * @aarch32: run the AArch32 guest
 * @stock: run the QEMU that HVC_STOCK_QEMU names
 */
typedef struct Setup {
    const char *type;
    const char *services;
    const char *psci;
    const char *machine;
    const char *cpu;
    const char *accel;
    const char *extra;
    const char *firmware;
    bool aarch32;
    bool stock;
} Setup;

/**
 * Vm: a running VM, or one that has ended
 * @setup: as started
 * @qts: its QEMU; NULL after vm_run_alone()
 * @report: the guest's, as it is being written
 * @boot: the boot whose results are looked at, from 1
 * @started_ns: a time before the VM was started, since 1970
 * @done_ns: a time after the guest was done
 */
typedef struct Vm {
    Setup setup;
    QTestState *qts;
    struct CallReport *report;
    unsigned boot;
    int64_t started_ns;
    int64_t done_ns;
} Vm;

/**
 * vm_missing: why the tests of a setup cannot be run here
 * @setup: the setup
 *
 * Returns: the reason, or NULL if they can. The caller frees it.
 */
char *vm_missing(const Setup *setup);

/**
 * vm_start: start a VM
 * @setup: what kind of VM
 * @calls: what its guest does
 */
Vm *vm_start(const Setup *setup, const Calls *calls);

/**
 * vm_wait: wait until the guest is through its list
 * @vm: the VM
 * @boot: in which boot, from 1; its results are looked at from now on
 */
void vm_wait(Vm *vm, unsigned boot);

/**
 * vm_run: start a VM, wait, and see that all vCPUs were started
 * @setup: what kind of VM
 * @calls: a list that begins with calls_start_all()
 */
Vm *vm_run(const Setup *setup, const Calls *calls);

/**
 * vm_run_alone: run QEMU without libqtest until it ends by itself
 * @setup: what kind of VM
 * @calls: a list with CALLS_POWER_OFF; NULL for none, as a person would
 *
 * The sockets of libqtest would be part of a recording.
 */
Vm *vm_run_alone(const Setup *setup, const Calls *calls);

/**
 * vm_free: end a VM
 * @vm: the VM, or NULL
 */
void vm_free(Vm *vm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Vm, vm_free)

/**
 * vm_result: what a vCPU found
 * @vm: the VM
 * @vcpu: the vCPU
 * @step: the step's number
 *
 * Returns: the result, in host byte order.
 */
struct CallResult vm_result(const Vm *vm, unsigned vcpu, unsigned step);

/**
 * vm_result_text: a result as text for a message
 * @result: the result
 *
 * Returns: the text; the caller frees it.
 */
char *vm_result_text(const struct CallResult *result);

/**
 * vm_expect: see that a call was answered, and what it preserved
 * @vm: the VM
 * @vcpu: the vCPU
 * @step: the step's number
 * @x0: its result
 * @x1: second register
 * @x2: third
 * @x3: fourth
 *
 * In AArch32 the low words are expected.
 */
void vm_expect(const Vm *vm, unsigned vcpu, unsigned step,
               uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3);

/**
 * vm_check_started: did the vCPUs come up that vCPU 0 has started?
 * @vm: the VM
 * @calls: a list that begins with calls_start_all()
 */
void vm_check_started(const Vm *vm, const Calls *calls);

/**
 * vm_fail: report what is wrong and let the test go on and fail
 * @format: as printf()'s
 */
void vm_fail(const char *format, ...) G_GNUC_PRINTF(1, 2);

/**
 * vm_scratch: a file of the test program's own
 * @name: its name
 *
 * The directory is removed by vm_cleanup().
 *
 * Returns: its path; the caller frees it.
 */
char *vm_scratch(const char *name);

/**
 * vm_cleanup: remove what was left in the file system
 */
void vm_cleanup(void);

#endif
