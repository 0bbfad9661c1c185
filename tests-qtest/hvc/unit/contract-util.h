/*
 * What a fake kernel's VM promises its guest: what tests of it share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A process has one VM, and a VM has one contract: each test runs in a process
 * of its own.
 */

#ifndef TESTS_QTEST_HVC_CONTRACT_UTIL_H
#define TESTS_QTEST_HVC_CONTRACT_UTIL_H

#include "migration/guest-abi.h"
#include "target/arm/hvc/kvm-contract.h"
#include "../fake/fake-kvm.h"

#define OTHER_REGISTER(name, came, here, why, fields, remedy) \
    "guest-abi: incoming VM has " name " = " came ", this VM has " here \
    " and " why " (" fields "); " remedy
#define PREFIX "guest-abi: "
#define TAKES_NO_OTHER "its kernel and CPU take no other value"
#define SAME_CPU       "use a host with the source's CPU"
#define PROFILE \
    "start the source VM with guest-abi-profile=FILE, FILE being " \
    "query-guest-abi of a VM on this host, or use a host like the source"
#define OTHER_VALUE(name, came, here, fields) \
    OTHER_REGISTER(name, came, here, TAKES_NO_OTHER, fields, PROFILE)
#define OTHER_CPU(name, came, here, fields) \
    OTHER_REGISTER(name, came, here, TAKES_NO_OTHER, fields, SAME_CPU)

/* What kernels promise on a Neoverse N1, in order; 6.16 as 6.12 */
#define ON_5_10_SIZE 15
#define ON_6_1_SIZE  15
#define ON_6_12_SIZE 14
#define ON_7_3_SIZE  15
extern const GuestAbiValue on_5_10[ON_5_10_SIZE];
extern const GuestAbiValue on_6_1[ON_6_1_SIZE];
extern const GuestAbiValue on_6_12[ON_6_12_SIZE];
extern const GuestAbiValue on_7_3[ON_7_3_SIZE];

/**
 * contract_vm_new: a VM that has been promised nothing yet
 * @fake: its kernel; its vCPUs do not matter
 *
 * Returns: the VM, which becomes the process' by hvc_kvm_promise().
 */
HvcVm *contract_vm_new(const FakeKvm *fake);

/**
 * promise: make this process' VM
 * @fake: its kernel
 */
void promise(const FakeKvm *fake);

/**
 * promised: what the guest was promised
 * @name: the name of an entry that there is
 */
uint64_t promised(const char *name);

/**
 * assert_contract: the contract as it is now
 * @values: all entries that are needed, in order
 * @count: number of @values
 */
void assert_contract(const GuestAbiValue *values, unsigned count);

/**
 * check_value: would a contract fit that has another value?
 * @name: of the entry
 * @value: that value
 * @refusal: what is said of the entry, NULL if it fits
 */
void check_value(const char *name, uint64_t value, const char *refusal);

/**
 * check_refused: an entry with that value does not fit, whatever is said
 * @name: of the entry
 * @value: its value
 */
void check_refused(const char *name, uint64_t value);

/**
 * can_be_missing: would a contract without an entry fit?
 * @name: of the entry
 */
bool can_be_missing(const char *name);

/**
 * assert_says: a refusal has that misfit, among others perhaps
 * @text: the refusal, NULL: none
 * @misfit: NULL: nothing was refused
 */
void assert_says(const char *text, const char *misfit);

/* The tests of contract-adopt-tests.c, each for a process of its own */
void test_adopt(void);
void test_adopt_services(void);
void test_adopt_missing(void);
void test_adopt_refused(void);
void test_clidr_first(void);

/* Those of contract-served-tests.c, too */
void test_served_6_12(void);
void test_served_7_3(void);
void test_served_features(void);

/**
 * contract_add_journeys: add the tests of contract-journey-tests.c
 */
void contract_add_journeys(void);

#endif
