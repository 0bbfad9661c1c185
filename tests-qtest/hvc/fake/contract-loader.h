/*
 * Loads and saves the section "guest-abi" without savevm.c, for tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Stands in for functions that migration/guest-abi.c calls: registration of
 * sections, error messages, and the error that the source is told.
 */

#ifndef TESTS_QTEST_HVC_CONTRACT_LOADER_H
#define TESTS_QTEST_HVC_CONTRACT_LOADER_H

#include "migration/guest-abi-incoming.h"

/**
 * Loading: the result of contract_load()
 * @loaded: the section was accepted
 * @consumed: bytes that were read, if the section was accepted
 * @refusal: the error message; NULL if there was none
 */
typedef struct Loading {
    bool loaded;
    size_t consumed;
    char *refusal;
} Loading;

/**
 * loading_clear: free what a loading points to
 * @loading: the loading
 */
void loading_clear(Loading *loading);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Loading, loading_clear)

/**
 * contract_loader_init: get ready; to be called first
 */
void contract_loader_init(void);

/* QEMU_VM_SECTION_FOOTER, the byte that follows a section's content */
#define CONTRACT_FOOTER 0x7e

/**
 * contract_load: load a section's content
 * @data: the stream, from the section's size on; QEMU looks one byte further
 *        than the content
 * @size: its size
 * @version: the section's version
 */
Loading contract_load(const uint8_t *data, size_t size, unsigned version);

/**
 * contract_save: save the section of this process' contract
 *
 * Returns: the content; the caller drops the reference.
 */
GByteArray *contract_save(void);

/**
 * contract_can_save: try to save this side's section
 * @error: set to what people were told, NULL if nothing; the caller frees it
 *
 * Returns: true if it could be saved.
 */
bool contract_can_save(char **error);

/**
 * contract_reset: what a reset of the machine does to the contract
 */
void contract_reset(void);

/**
 * contract_own: this side's contract, as if it came from another VM
 *
 * Returns: the contract; the caller frees it.
 */
GuestAbiIncoming *contract_own(void);

/**
 * contract_own_but: this side's contract with another value
 * @name: an entry, of this side or not
 * @value: its value; NULL: without the entry
 *
 * Returns: the contract; the caller frees it.
 */
GuestAbiIncoming *contract_own_but(const char *name, const uint64_t *value);

/**
 * contract_refusal: what is said about one entry or part of a contract
 * @incoming: the contract
 * @name: the entry or part
 *
 * Returns: the refusal, NULL if it fits; the caller frees it.
 */
char *contract_refusal(const GuestAbiIncoming *incoming, const char *name);

/**
 * contract_append_entry: add an entry to a part "entries", written by hand
 * @data: the part's data
 * @name: the entry's name, of up to 255 characters
 * @value: its value
 */
void contract_append_entry(GByteArray *data, const char *name, uint64_t value);

/**
 * contract_append_part: add a part to a section's content, written by hand
 * @content: the content, without its size
 * @name: the part's name, of up to 255 characters
 * @flags: the part's flags
 * @data: the part's data
 */
void contract_append_part(GByteArray *content, const char *name, uint8_t flags,
                          const GByteArray *data);

/**
 * contract_prepend_size: complete a section's content
 * @content: the content, without its size
 */
void contract_prepend_size(GByteArray *content);

/**
 * contract_section: a section's content with entries only, written by hand
 * @values: the entries
 * @count: number of @values
 *
 * Returns: the content, with its size; the caller drops the reference.
 */
GByteArray *contract_section(const GuestAbiValue *values, unsigned count);

#endif
