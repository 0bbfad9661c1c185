/*
 * Sections of a contract: what unit tests of it share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TESTS_QTEST_HVC_GUEST_ABI_UTIL_H
#define TESTS_QTEST_HVC_GUEST_ABI_UTIL_H

#include "../fake/contract-loader.h"

#define LONGEST \
    "test.a-name-of-sixty-three-characters-such-as-a-device-may-have"
QEMU_BUILD_BUG_ON(sizeof(LONGEST) != GUEST_ABI_NAME_SIZE);

#define REMEDY "; start this QEMU with the source's -machine options"

/* A contract that fits */
#define GOOD_SIZE 10
extern const GuestAbiValue good[GOOD_SIZE];

/* The bytes of the part "test.part" */
#define PART_SIZE 3
extern const uint8_t part_bytes[PART_SIZE];

/* What this VM has of "test.live", which changes while it runs */
extern uint64_t live;

/**
 * bytes_of: bytes as a GByteArray
 * @data: the bytes
 * @size: their number
 *
 * Returns: a copy, which the caller frees.
 */
GByteArray *bytes_of(const void *data, unsigned size);

/**
 * entries_but: the entries of @good
 * @count: so many of them, from the first on
 * @name: one that has another value, or none of them
 * @value: that value
 *
 * Returns: the content of the part "entries", which the caller frees.
 */
GByteArray *entries_but(unsigned count, const char *name, uint64_t value);

/**
 * append_parts: this VM's parts behind others
 * @content: of a section, without its size
 */
void append_parts(GByteArray *content);

/**
 * section_with: a section with this VM's parts
 * @entries: the content of its part "entries"; freed
 *
 * Returns: the section, which the caller frees.
 */
GByteArray *section_with(GByteArray *entries);

/**
 * section_but: the section of @good
 * @name: an entry that has another value, or none
 * @value: that value
 *
 * Returns: the section, which the caller frees.
 */
GByteArray *section_but(const char *name, uint64_t value);

/**
 * load: a section comes
 * @bytes: the section
 * @version: of it
 */
Loading load(const GByteArray *bytes, unsigned version);

/**
 * assert_loads: a section comes, and fits
 * @bytes: the section
 */
void assert_loads(const GByteArray *bytes);

/**
 * assert_refused: a section comes, and does not fit
 * @bytes: the section
 * @version: of it
 * @refusal: what is said; NULL if QEMU's own code refuses it
 */
void assert_refused(const GByteArray *bytes, unsigned version,
                    const char *refusal);

/**
 * assert_saves: this VM's section
 * @expected: what it is to be; freed
 */
void assert_saves(GByteArray *expected);

/**
 * load_good: reset the VM, and let @good come
 */
void load_good(void);

/**
 * guest_abi_add_section_tests: add the tests of guest-abi-section-tests.c
 */
void guest_abi_add_section_tests(void);

/**
 * guest_abi_add_json_tests: add the tests of guest-abi-json-tests.c
 */
void guest_abi_add_json_tests(void);

#endif
