/*
 * Shared pages: guests that say when they may be migrated
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A guest that tells its host which pages it shares begins to do so at some
 * time while it boots. Where it can say that it does, a VM is not sent before,
 * as the list of shared pages would not be true. Neither is one that was reset.
 */

#ifndef MIGRATION_SHARED_PAGES_READY_H
#define MIGRATION_SHARED_PAGES_READY_H

/**
 * shared_pages_need_ready: send this VM only while its guest is ready
 * @reason: what to tell people when it is not; stays where it is
 *
 * To be called once, while the machine is made. The guest is not ready then.
 */
void shared_pages_need_ready(const char *reason);

/**
 * shared_pages_set_ready: the guest is ready to be sent, or is not any more
 * @ready: which of the two
 *
 * Of a VM that need not be ready nothing changes. What is on its way while a
 * guest takes its word back is not sent. May be called in any thread; takes the
 * BQL.
 */
void shared_pages_set_ready(bool ready);

/**
 * shared_pages_is_ready: has the guest said that it is ready?
 *
 * Returns: false as well if nobody asks it.
 */
bool shared_pages_is_ready(void);

/**
 * shared_pages_check_ready: may this VM be sent? Its vCPUs are stopped.
 * @errp: why not
 *
 * Returns: true if the guest is ready, or need not be.
 */
bool shared_pages_check_ready(Error **errp);

#endif
