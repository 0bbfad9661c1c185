/*
 * Answers: calls, and what their callers find in X0 to X3
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Literal values, taken from the specifications (Arm DEN 0022, 0028, 0057,
 * 0098) and from KVM's sources and answers, and not from QEMU's own tables.
 */

#ifndef TESTS_QTEST_HVC_CALLS_ANSWERS_H
#define TESTS_QTEST_HVC_CALLS_ANSWERS_H

#include "guest-vm.h"

/* Services that a call can need. */
enum {
    TRNG            = 1 << 0,
    PV_TIME         = 1 << 1,
    VENDOR_FEATURES = 1 << 2,
    PTP             = 1 << 3,
    ALL_SERVICES    = TRNG | PV_TIME | VENDOR_FEATURES | PTP,
    /* No floor has them; the first with the list of IMPLEMENTATIONS_LIST. */
    IMPLEMENTATIONS = 1 << 4,
    MEM_SHARING     = 1 << 5,
};

/* A PSCI version as PSCI_VERSION returns it. */
#define PSCI(major, minor) ((major) << 16 | (minor))

/* Errors in X0; TRNG and PSCI call -2 an invalid parameter. */
#define NOT_SUPPORTED UINT64_MAX
#define INVALID       (UINT64_MAX - 1)
#define DENIED        (UINT64_MAX - 2)
#define ALREADY_ON    (UINT64_MAX - 3)

/* Two CPUs, of which a Cortex-A72 can be the first */
#define IMPLEMENTATIONS_LIST "0x410fd083:0x414fd0c1/0x11/0x123456789abcdef0"

/* Where the stolen-time records are: of the virt machine's memory map. */
#define RECORDS       0x090a0000
#define RECORD_SIZE   64

/**
 * Offer: what a VM offers its guest
 * @services: services
 * @psci: PSCI version
 */
typedef struct Offer {
    unsigned services;
    uint32_t psci;
} Offer;

/**
 * Spec: an Offer and how to ask for it
 * @spec: hvc-services=
 * @offer: what it stands for
 */
typedef struct Spec {
    const char *spec;
    Offer offer;
} Spec;

/**
 * Kind: what an answer looks like
 * @EXACTLY: as written
 * @RANDOM: X0 as written, X1 to X3 have only bits of what is written
 * @CLOCKS: a wall clock time and a counter value, as of PTP
 * @RECORD: the address of the calling vCPU's stolen-time record
 * @VERSION: the VM's PSCI version
 * @FEATURES: the bits of the offered vendor services
 * @WORKAROUND: X0 is 0 through HVC, with whatever in X1 to X3; NOT_SUPPORTED
 *              through SMC
 */
typedef enum Kind {
    EXACTLY,
    RANDOM,
    CLOCKS,
    RECORD,
    VERSION,
    FEATURES,
    WORKAROUND,
} Kind;

/**
 * Row: a call and its answer
 * @x: function id and arguments
 * @result: X0 to X3
 * @kind: how to read @result
 * @service: the service without which the answer is NOT_SUPPORTED, 0, 0, 0;
 *           0: none
 * @psci: the PSCI version before which the answer is that; 0: none
 */
typedef struct Row {
    uint64_t x[4];
    uint64_t result[4];
    Kind kind;
    unsigned service;
    uint32_t psci;
} Row;

/**
 * Family: rows that belong together
 * @name: of the family, for test paths
 * @row: the rows
 * @rows: their number
 */
typedef struct Family {
    const char *name;
    const Row *row;
    unsigned rows;
} Family;

extern const Family families[];
extern const unsigned families_count;

/* All function ids that any of the services, SMCCC or PSCI has. */
extern const uint32_t known_ids[];
extern const unsigned known_ids_count;

/**
 * rows_add: let all vCPUs make the calls of a family
 * @calls: the list
 * @family: the family
 *
 * Returns: the number of the first step.
 */
unsigned rows_add(Calls *calls, const Family *family);

/**
 * rows_check: look at the answers
 * @vm: the VM
 * @offer: what it offers
 * @calls: the list that it was given
 * @family: the family
 * @step: what rows_add() returned
 *
 * Reports each answer that is not as it should be.
 */
void rows_check(const Vm *vm, const Offer *offer, const Calls *calls,
                const Family *family, unsigned step);

/**
 * rows_steps: how many steps the calls of a family take
 * @family: the family
 */
unsigned rows_steps(const Family *family);

#endif
