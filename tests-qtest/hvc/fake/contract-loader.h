/*
 * The contract's section without the rest of QEMU, for tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Stands in for what migration/guest-abi.c calls: the list of sections, and
 * the message to people and to the source.
 */

#ifndef TESTS_QTEST_HVC_CONTRACT_LOADER_H
#define TESTS_QTEST_HVC_CONTRACT_LOADER_H

/**
 * Loading: what became of a section
 * @loaded: it was accepted
 * @consumed: bytes that were read, if it was accepted
 * @refusal: what people were told, NULL if nothing
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
 * contract_loader_init: before anything else
 */
void contract_loader_init(void);

/* What follows a section's content in a stream */
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
 * contract_save: the content of this side's section
 *
 * Returns: the content; the caller drops the reference.
 */
GByteArray *contract_save(void);

#endif
