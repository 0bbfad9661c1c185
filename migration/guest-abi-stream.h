/*
 * Guest ABI: how a migration stream begins
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef MIGRATION_GUEST_ABI_STREAM_H
#define MIGRATION_GUEST_ABI_STREAM_H

/**
 * GuestAbiStream: what comes first
 * @return_path: the source asks for a return path
 * @begins_otherwise: the first section is not the contract's
 */
typedef struct GuestAbiStream {
    bool return_path;
    bool begins_otherwise;
} GuestAbiStream;

/**
 * guest_abi_stream_begin: look at a stream up to its first section's name
 * @peek: a byte of the stream, 0 beyond its end; called for each byte from the
 *        first one on, none left out
 * @file: for @peek
 *
 * The stream begins behind its header and configuration. A stream that is
 * damaged does not count as one that begins otherwise.
 */
GuestAbiStream guest_abi_stream_begin(uint8_t (*peek)(void *file, unsigned at),
                                      void *file);

#endif
