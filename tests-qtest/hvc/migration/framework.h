/*
 * Framework of hvc-migration-test: machines, VMs, and programs of their guests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Config is a machine with the contract that its guest has, Peer a VM of it,
 * Program the list of calls that the guest makes before and after a migration.
 */

#ifndef TESTS_QTEST_HVC_MIGRATION_FRAMEWORK_H
#define TESTS_QTEST_HVC_MIGRATION_FRAMEWORK_H

#include "../calls/answers.h"
#include "../calls/guest-vm.h"
#include "../calls/host.h"
#include "util.h"

/* The guest's CALL_AWAIT steps wait for this word; it is above CALLS_REPORT. */
#define GO 0x43f00000

/**
 * Config: a machine
 * @name: in test paths
 * @type: machine type
 * @options: its options; NULL for none
 * @chosen: what chose the services, in the words of a refusal; NULL if the
 *          guest has no contract
 * @offer: services and PSCI version of the contract
 */
typedef struct Config {
    const char *name;
    const char *type;
    const char *options;
    const char *chosen;
    Offer offer;
} Config;

#define CONFIGS_MAX 15
extern const Config configs[CONFIGS_MAX];

/**
 * configs_count: how many of configs[] can be migrated
 *
 * Returns: their number, CONFIGS_MAX or less: the last ones are machines of a
 * newer QEMU than source or destination.
 */
unsigned configs_count(void);

#define LINUX_6_12 (&configs[6])
#define WITHOUT_PTP (&configs[11])
#define NOT_PINNED (&configs[13])

/* The entries with which a contract under TCG begins, in their order */
#define CONTRACT_ENTRIES 6
extern const char *const contract_entry_names[CONTRACT_ENTRIES];

/**
 * expected_refusal: must a migration be refused?
 * @from: the source
 * @to: the destination
 * @named: set to whether the text is query-migrate's error-desc and on stderr;
 *         refusals of stock QEMU are on stderr or, from QEMU 10.2 on, a part of
 *         error-desc
 *
 * Returns: NULL if the migration must succeed, else the refusal's text, or a
 * part of it. The caller frees it.
 */
char *expected_refusal(const Config *from, const Config *to, bool *named);

/**
 * Peer: source or destination of a migration
 * @vm: the VM, if it has the call engine as its guest
 * @qts: its QEMU
 * @log: path of the file with QEMU's stderr
 */
typedef struct Peer {
    Vm *vm;
    QTestState *qts;
    char *log;
} Peer;

/**
 * have_guest: is there the call engine, hvc-guest-a64.elf?
 */
bool have_guest(void);

/**
 * skip_without_guest: begin a test, or skip it if there is no call engine
 *
 * Returns: true if the test is skipped.
 */
bool skip_without_guest(void);

/**
 * make_drive: a drive for snapshots, or skip the test if there is no qemu-img
 * @name: of its image, another one for each test
 *
 * Returns: a -drive option, which the caller frees; NULL if the test is
 * skipped.
 */
char *make_drive(const char *name);

/**
 * skip_without_contract: skip a test that migrates a VM as QEMU itself does, if
 * source and destination are two versions of QEMU
 * @config: the machine on both sides; the test goes on if it has a contract
 *
 * Returns: true if the test is skipped.
 */
bool skip_without_contract(const Config *config);

/**
 * peer_start: start a VM
 *
 * @config: its machine
 * @calls: what its guest does; NULL for a guest that does nothing
 * @extra: further options; NULL for none
 *
 * As with QEMU's own migration tests, the QEMU is QTEST_QEMU_BINARY_SRC if that
 * is set; of peer_start_there() and peer_incoming(), QTEST_QEMU_BINARY_DST.
 */
Peer *peer_start(const Config *config, const Calls *calls, const char *extra);

/**
 * peer_start_there: start a VM in the QEMU of the destination
 * @config: its machine
 * @calls: what its guest does; NULL for a guest that does nothing
 * @extra: further options; NULL for none
 */
Peer *peer_start_there(const Config *config, const Calls *calls,
                       const char *extra);

/**
 * peer_incoming: start a VM that waits for a migration
 * @config: its machine
 * @calls: what the guest that comes does; NULL if it does nothing
 * @extra: further options; NULL for none
 */
Peer *peer_incoming(const Config *config, const Calls *calls,
                    const char *extra);

/**
 * peer_free: end a VM
 * @peer: the VM, or NULL
 */
void peer_free(Peer *peer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Peer, peer_free)

/**
 * peer_log: what a VM's QEMU has printed
 * @peer: the VM
 *
 * Returns: its stderr; the caller frees it.
 */
char *peer_log(const Peer *peer);

/**
 * assert_refused: has a destination refused the stream, with the right text?
 * @to: the destination; it must still wait for a migration
 * @outcome: how the migration ended there
 * @refusal: the text, as expected_refusal() returned it
 * @named: as expected_refusal() set it
 */
void assert_refused(const Peer *to, const Outcome *outcome,
                    const char *refusal, bool named);

/**
 * assert_source_refused: does a source know that its VM was refused?
 * @from: the source, whose guest must run on
 * @refusal: the destination's reason; NULL if there was no return path
 */
void assert_source_refused(const Peer *from, const char *refusal);

/**
 * assert_source_hinted: does a source that was told nothing say where to look?
 * @from: the source; its VM has a contract
 *
 * In query-migrate, from now on, and on stderr.
 */
void assert_source_hinted(const Peer *from);

/**
 * Program: calls before and after a migration
 * @calls: the list
 * @first: the first step of each family, before and after
 * @wait: waits for GO; [0] before the second half of the list
 * @st: PV_TIME_ST
 * @record: looks at the vCPU's stolen-time record: [0] when it is new, [1]
 *          just after GO is 1, [2] after it is 2
 */
typedef struct Program {
    Calls *calls;
    unsigned first[2][16];
    unsigned wait[2];
    unsigned st;
    unsigned record[3];
} Program;

/**
 * program_clear: free what a program points to
 * @program: the program
 */
void program_clear(Program *program);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Program, program_clear)

/**
 * program_same_answers: all calls; wait for GO; all calls again
 * @vcpus: the number of vCPUs, from 1
 */
Program program_same_answers(unsigned vcpus);

/**
 * program_stolen_time: program_same_answers() with a look at the stolen time
 * @vcpus: the number of vCPUs, from 1, of a VM that has pv-time
 */
Program program_stolen_time(unsigned vcpus);

/**
 * program_check_answers: did a guest get the same answers before and after?
 * @vm: the VM, whose guest is through its list
 * @config: its machine
 * @program: what it did
 */
void program_check_answers(const Vm *vm, const Config *config,
                   const Program *program);

/**
 * program_wait_step: wait until all vCPUs have come to a step
 * @vm: the VM
 * @program: what its guest does
 * @step: the step's number
 */
void program_wait_step(const Vm *vm, const Program *program, unsigned step);

/**
 * program_go: let a guest that waits for GO go on
 * @peer: the VM
 * @value: for GO
 */
void program_go(const Peer *peer, uint64_t value);

/**
 * program_finish: let a guest that has arrived come to its end, and check its
 * answers
 * @peer: the VM
 * @started_ns: a time before the source was started, since 1970
 * @config: its machine
 * @program: what it does, of program_same_answers()
 */
void program_finish(const Peer *peer, int64_t started_ns, const Config *config,
            const Program *program);

/**
 * socket_path: a path for a socket
 *
 * Returns: a new one each time; the caller frees it.
 */
char *socket_path(void);

/**
 * accept_stream: start to receive
 * @to: the destination, of peer_incoming(); it goes on after a failure
 * @uri: where from
 */
void accept_stream(const Peer *to, const char *uri);

/**
 * start_live: let both sides begin to migrate; the caller waits
 * @from: the source
 * @to: the destination
 */
void start_live(const Peer *from, const Peer *to);

/**
 * assert_completed: wait until a migration has ended, and see that it is good
 * @qts: one side
 */
void assert_completed(QTestState *qts);

/**
 * migrate_live: migrate over a socket
 * @from: the source
 * @to: the destination
 */
void migrate_live(const Peer *from, const Peer *to);

/**
 * set_capability: switch a capability on, on both sides
 * @from: the source
 * @to: the destination
 * @name: the capability
 */
void set_capability(const Peer *from, const Peer *to, const char *name);

/* The tests, each group in a file of its own */
void migration_type_tests(void);
void migration_damage_tests(void);
void migration_enforce_tests(void);
void migration_live_tests(void);
void migration_snapshot_tests(void);
void migration_early_tests(void);
void migration_background_tests(void);
void migration_matrix_tests(void);
void migration_pages_tests(void);
void migration_pages_order_tests(void);

/**
 * migration_matrix_clear: free what the tests of the matrix share
 */
void migration_matrix_clear(void);

#endif
