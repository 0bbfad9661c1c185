/*
 * Guest ABI: what the source of a migration waits for
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef MIGRATION_GUEST_ABI_SAVING_H
#define MIGRATION_GUEST_ABI_SAVING_H

/**
 * guest_abi_saving_prepare: a migration or a snapshot is about to begin
 * @opaque: not used
 * @errp: not used
 *
 * Returns 0. The save_prepare of SaveVMHandlers.
 */
int guest_abi_saving_prepare(void *opaque, Error **errp);

/**
 * guest_abi_saving_pending: hold the VM until its contract has been accepted
 * @opaque: not used
 * @must_precopy: bytes to be sent before the VM may stop; more than any QEMU
 *                stops a VM for as long as a destination that can take it by
 *                postcopy has not judged the contract
 * @can_postcopy: not changed
 *
 * A PING goes out behind the contract; its PONG comes when that was loaded. The
 * state_pending_estimate of SaveVMHandlers, in the migration thread.
 */
void guest_abi_saving_pending(void *opaque, uint64_t *must_precopy,
                              uint64_t *can_postcopy);

#endif
