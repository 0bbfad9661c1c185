/*
 * Test cases: which VM, which calls, under which name
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TESTS_QTEST_HVC_CALLS_CASE_H
#define TESTS_QTEST_HVC_CALLS_CASE_H

#include "answers.h"
#include "function-ids.h"
#include "guest-vm.h"

/* Of the guest's counter, which has 62.5 MHz: 8 ms */
#define TICKS 500000

/* Setup.machine of a guest that starts at EL2 and calls through SMC */
#define CASE_EL2 ",virtualization=on"

/* The size of an array of first steps; at least families_count */
#define CASE_FAMILIES 16

/**
 * Case: data of a test; each test uses what it needs
 * @setup: what kind of VM
 * @offer: what it offers
 * @vcpus: the number of vCPUs, 0 means 1
 * @family: a family of calls, NULL for all
 * @flags: struct CallList's
 * @immediate: struct CallStep's
 * @file: a file's name
 */
typedef struct Case {
    Setup setup;
    Offer offer;
    unsigned vcpus;
    const Family *family;
    uint32_t flags;
    uint32_t immediate;
    const char *file;
} Case;

/**
 * CaseMode: how vCPUs run
 * @name: for test paths
 * @accel: Setup's
 * @extra: Setup's
 * @vcpus: how many
 */
typedef struct CaseMode {
    const char *name;
    const char *accel;
    const char *extra;
    unsigned vcpus;
} CaseMode;

/**
 * CasePsci: a PSCI version that a VM can be pinned to
 * @name: psci-version=
 * @version: as PSCI_VERSION returns it
 */
typedef struct CasePsci {
    const char *name;
    uint32_t version;
} CasePsci;

extern const CaseMode case_modes[];
extern const unsigned case_modes_count;
extern const CasePsci case_psci_versions[];
extern const unsigned case_psci_versions_count;

/* What some values of hvc-services= stand for */
extern const Offer case_offer_none;
extern const Offer case_offer_linux_6_12;
extern const Offer case_offer_linux_6_18;

/**
 * case_add: add a test
 * @test: the test
 * @from: its data, which is copied; the strings in it are not
 * @format: its path below hvc/guest/, as printf()'s
 */
void case_add(void (*test)(const void *opaque), const Case *from,
              const char *format, ...) G_GNUC_PRINTF(3, 4);

/**
 * case_missing: begin a test, or skip it
 * @setup: what kind of VM it needs
 *
 * Returns: true if something is missing, and the test is skipped.
 */
bool case_missing(const Setup *setup);

/**
 * case_add_families: let all vCPUs make a family's calls, or all families'
 * @calls: the list
 * @only: the family, NULL for all
 * @first: filled with the families' first steps
 */
void case_add_families(Calls *calls, const Family *only,
                       unsigned first[CASE_FAMILIES]);

/**
 * case_check_families: look at the answers
 * @vm: the VM
 * @offer: what it offers
 * @calls: the list that it was given
 * @only: as in case_add_families()
 * @first: what case_add_families() filled in
 */
void case_check_families(const Vm *vm, const Offer *offer, const Calls *calls,
                         const Family *only,
                         const unsigned first[CASE_FAMILIES]);

/**
 * case_test_families: the test of a family, or of all, in a Case's VM
 * @opaque: the Case
 */
void case_test_families(const void *opaque);

/* The tests, each group in a file of its own */
void guest_engine_tests(void);
void guest_call_tests(void);
void guest_psci_tests(void);
void guest_service_tests(void);
void guest_hostile_tests(void);
void guest_mem_share_tests(void);
void guest_enforce_tests(void);

#endif
