/*
 * Shared pages: which of its pages this VM's guest shares with its host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A VM whose guest can share pages has a log of them, which goes with it when
 * it migrates. All other VMs have none, and their streams are what they were.
 * docs/system/shared-pages.rst is for people who write a transport.
 */

#ifndef MIGRATION_SHARED_PAGES_H
#define MIGRATION_SHARED_PAGES_H

#include "shared-pages-log.h"

/**
 * shared_pages_enable: let this VM's guest share pages
 *
 * To be called once, while the machine is made. All pages are private.
 */
void shared_pages_enable(void);

/**
 * shared_pages_log: this VM's log
 *
 * Returns: the log, whose memories are MemoryRegions; NULL if
 * shared_pages_enable() was not called.
 */
SharedPagesLog *shared_pages_log(void);

/**
 * shared_pages_set: the guest shares pages, or takes them back
 * @address: guest physical address; not trusted
 * @size: in bytes; not trusted
 * @shared: whether the pages are shared from now on
 *
 * Only the memory of memory backends is the guest's to share: neither devices
 * nor flash, nor that of virtio-mem. May be called in any thread.
 *
 * Returns: what shared_pages_log_set() does.
 */
int64_t shared_pages_set(uint64_t address, uint64_t size, bool shared);

/**
 * shared_pages_is_private: is a page the guest's own?
 * @address: guest physical address of any byte in it; not trusted
 *
 * May be called in any thread, within an RCU critical section.
 *
 * Returns: true for memory of a memory backend that the guest does not share,
 * or cannot share; false for what the guest shares, and for what is not its
 * memory.
 */
bool shared_pages_is_private(uint64_t address);

#endif
