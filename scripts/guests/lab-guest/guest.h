/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * What the files of the lab's bare-metal guest share
 */

#ifndef LAB_GUEST_H
#define LAB_GUEST_H

#include "engine.h"
#include "arch.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define NOT_SUPPORTED (~0ull)
#define DENIED        (~0ull - 2)

#define PAGE_SIZE     0x1000

/* REPORT_SIZE of lab/bare_guest.py */
#define REPORT_SIZE   0x10000

/* start-a64.S */
extern struct Vcpu vcpus[CALLS_VCPUS];

/* xorshift64 of Marsaglia, "Xorshift RNGs" (2003); @state is not 0. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

typedef uint64_t ReadRegister(void);

#define READER(name, register)                                          \
    static uint64_t read_##name(void)                                   \
    {                                                                   \
        uint64_t value;                                                 \
                                                                        \
        asm volatile("mrs %0, " register : "=r" (value));               \
        return value;                                                   \
    }

#define WRITER(name, register)                                          \
    static void write_##name(void *value)                               \
    {                                                                   \
        asm volatile("msr " register ", %0\n\tisb"                      \
                     : : "r" (*(uint64_t *)value));                     \
    }

/* --- report.c: what one vCPU found, as text in memory --- */

/**
 * emit: append text to the report of vCPU @vcpu
 */
void emit(uint32_t vcpu, const char *text);

/**
 * emit_hex: append @value in hexadecimal digits
 */
void emit_hex(uint32_t vcpu, uint64_t value);

/**
 * emit_value: append a line NAME=HEX
 */
void emit_value(uint32_t vcpu, const char *name, uint64_t value);

/**
 * emit_part: append a line NAME_PART=HEX
 */
void emit_part(uint32_t vcpu, const char *name, const char *part,
               uint64_t value);

/**
 * clear_report: make the report of vCPU @vcpu empty
 */
void clear_report(uint32_t vcpu);

/**
 * report_size: bytes in the report of vCPU @vcpu, at most REPORT_SIZE - 4
 */
uint32_t report_size(uint32_t vcpu);

/**
 * hex: the digits of @value
 * @buffer: at least 17 characters, which the result points into
 */
const char *hex(char *buffer, uint64_t value);

/* --- look.c: everything that a guest can read --- */

/**
 * prepare_look: once, before any vCPU looks
 */
void prepare_look(void);

/**
 * look: append all that vCPU @vcpu can find out about its machine
 */
void look(uint32_t vcpu);

/**
 * call: HVC with four arguments; its results, x0 first
 */
const uint64_t *call(uint32_t vcpu, uint64_t function, uint64_t x1,
                     uint64_t x2, uint64_t x3);

/**
 * call_by: HVC or SMC with four values, the function id first; its results, x0
 * first. Where SMC is undefined, that is NOT_SUPPORTED.
 */
const uint64_t *call_by(bool is_smc, uint32_t vcpu, const uint64_t *values);

/**
 * changes_state: whether a call may change the machine, or not come back
 * @owner: the function's, bits [29:24] of its id
 * @number: bits [15:0]
 */
bool changes_state(uint32_t owner, uint32_t number);

/**
 * steady_results: how many results of a call are the same each time, up to 4
 * @owner, @number: as above
 */
uint32_t steady_results(uint32_t owner, uint32_t number);

/**
 * read_id_aa64pfr0: ID_AA64PFR0_EL1
 */
uint64_t read_id_aa64pfr0(void);

/**
 * has_gicv3: whether the distributor is a GICv3's and not a GICv2's
 */
bool has_gicv3(uint32_t vcpu);

/**
 * has_pmu: whether ID_AA64DFR0_EL1.PMUVer has a PMU that Arm defines
 */
bool has_pmu(void);

/* --- work.c: what must go on --- */

/**
 * start_work: begin, on vCPU @vcpu, what must go on after a migration
 */
void start_work(uint32_t vcpu);

/**
 * start_physical_timer: let vCPU 0 take interrupts of its physical timer, too
 *
 * Apart, as a guest whose physical timer runs cannot go to every kernel.
 */
void start_physical_timer(void);

/**
 * doze: wait a little, at most 10 ms, and take what interrupts there are
 */
void doze(uint32_t vcpu);

/**
 * report_work: append what became of the work of vCPU @vcpu
 */
void report_work(uint32_t vcpu);

/* --- state.c: what must be found again --- */

/**
 * fill_state: write patterns to registers of vCPU @vcpu
 */
void fill_state(uint32_t vcpu);

/**
 * hold_state: fill FP, SIMD and SVE registers before vCPU 0 waits
 */
void hold_state(void);

/**
 * check_state: compare FP, SIMD and SVE registers with what hold_state() left
 */
void check_state(void);

/**
 * report_state: append whether vCPU @vcpu found its vectors as they were
 */
void report_state(uint32_t vcpu);

/* --- flood.c: calls without end --- */

/**
 * plain_call: HVC with one argument
 * @x: its four results
 *
 * Unlike call(), this leaves SIMD registers alone, which hold_state() fills.
 */
void plain_call(uint64_t function, uint64_t argument, uint64_t *x);

/**
 * prepare_flood: learn the answers; nobody may be calling
 */
void prepare_flood(void);

/**
 * flood: make some calls on vCPU @vcpu, and compare their answers
 */
void flood(uint32_t vcpu);

/**
 * flood_calls, flood_wrong: how many calls vCPU @vcpu has made since
 * prepare_flood(), and how many of the answers were others
 */
uint32_t flood_calls(uint32_t vcpu);
uint32_t flood_wrong(uint32_t vcpu);

/* --- hostile.c: calls at random --- */

/**
 * report_hostile: append to the report of vCPU 0 what such calls answer
 */
void report_hostile(void);

/* --- pages.c: pages that vCPUs share --- */

/**
 * tell_page: tell the host that a page is shared, or not any more
 * @answer: what it is to say, 0 or DENIED
 *
 * Returns: whether it says so.
 */
bool tell_page(uint64_t address, bool shares, uint64_t answer);

/**
 * forget_pages: once, when the machine boots, which shares nothing
 */
void forget_pages(void);

/**
 * prepare_pages: clear the pages, before any vCPU shares one; does nothing if
 * it has been done since the boot
 */
void prepare_pages(void);

/**
 * share_pages: share some pages of vCPU @vcpu, write them, take them back
 */
void share_pages(uint32_t vcpu);

/**
 * report_pages: append to the report of vCPU 0 what each has shared; nobody may
 * be sharing
 */
void report_pages(void);

/**
 * report_dimm: share a page of a DIMM that was plugged, and append to the
 * report of vCPU 0 whether that went well, and was refused when done again
 */
void report_dimm(void);

/**
 * eject_dimm: let it be unplugged, as QEMU has asked
 */
void eject_dimm(void);

/* --- disk.c: a device that reaches shared pages --- */

/**
 * report_disk: append to the report of vCPU 0 what a disk does with buffers
 * that are shared, taken back, and shared again
 */
void report_disk(void);

/* --- timing.c: how long calls take --- */

/**
 * report_times: append to the report of vCPU 0 the ticks that calls take, the
 * ticks in a second, and how many calls these are
 */
void report_times(void);

/* --- sve-a64.S --- */

/**
 * sve_length: bytes in a Z register
 */
uint64_t sve_length(void);

/**
 * load_sve, store_sve: Z0 to Z31, P0 to P15 and FFR, at the current length
 */
void load_sve(const void *buffer);
void store_sve(void *buffer);

/**
 * load_simd, store_simd: Q0 to Q31
 */
void load_simd(const void *buffer);
void store_simd(void *buffer);

#endif
