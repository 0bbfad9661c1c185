/*
 * Loads and saves the section "guest-abi" without savevm.c, for tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Stands in for functions that migration/guest-abi.c calls: registration of
 * sections, error messages, and the error that the source is told.
 */

#ifndef TESTS_QTEST_HVC_CONTRACT_LOADER_H
#define TESTS_QTEST_HVC_CONTRACT_LOADER_H

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
 * @data: the stream, from the number of entries on; QEMU looks one byte
 *        further than the content
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

#endif
