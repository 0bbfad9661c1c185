/*
 * Lists of registers: what tests of them share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TESTS_QTEST_HVC_LIST_UTIL_H
#define TESTS_QTEST_HVC_LIST_UTIL_H

#include "target/arm/hvc/kvm-lists.h"
#include "../fake/fake-kvm.h"

#define MAX_REGISTERS 64

/* What no register is: where nothing was written */
#define POISON 0xdeadbeefdeadbeefULL

/* 6.1's own; the invented one of later kernels has L1 instruction, L2. */
#define CLIDR_N1       0x82000023ULL
#define CLIDR_INVENTED 0x02000021ULL

#define STUCK(name, value, id, unless, who) \
    "guest-abi: incoming VM has " name " = " value " [" id "], this host's " \
    "kernel does not list it, and it cannot be left behind: " unless \
    "; use a host whose kernel lists it" who

/* Fields of ID_AA64MMFR3_EL1 */
#define TCRX  0x1ULL
#define S1PIE 0x100ULL

/* A register without a name */
#define FAKE_UNKNOWN 0x603000000013c517ULL

/**
 * List: the registers of a vCPU in an order of one's own
 */
typedef struct List {
    uint64_t ids[MAX_REGISTERS];
    uint64_t values[MAX_REGISTERS];
    size_t count;
} List;

/* What has been warned of in this process */
extern HvcListWarnings warned;

/**
 * add: a register behind all others
 * @list: the list, with room for it
 * @id: the register
 * @value: its value
 */
void add(List *list, uint64_t id, uint64_t value);

/**
 * add_sorted: a register at the place of its id, in a list that ascends
 * @list: the list, with room for it
 * @id: the register
 * @value: its value
 */
void add_sorted(List *list, uint64_t id, uint64_t value);

/**
 * list_of: what a pinned VM migrates with a vCPU, all but the firmware's
 * @fake: the vCPU
 */
List list_of(const FakeKvm *fake);

/**
 * value_in: the value of a register
 * @list: the list
 * @id: a register that it has
 */
uint64_t value_in(const List *list, uint64_t id);

/**
 * check_match_on: make the registers of a kernel from those of another
 * @fake: that kernel's vCPU
 * @incoming: what came
 * @local: that kernel's list, which gets values
 * @refusal: what is said, NULL if they can be made
 */
void check_match_on(const FakeKvm *fake, const List *incoming, List *local,
                    const char *refusal);

/**
 * check_match: check_match_on() Linux 7.3
 * @incoming: what came
 * @local: a list, which gets values
 * @refusal: what is said, NULL if they can be made
 */
void check_match(const List *incoming, List *local, const char *refusal);

/**
 * list_add_travel_tests: add the tests of list-travel-tests.c
 */
void list_add_travel_tests(void);

/**
 * list_add_journeys: add the tests of list-journey-tests.c
 */
void list_add_journeys(void);

#endif
