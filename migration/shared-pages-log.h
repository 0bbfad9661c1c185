/*
 * Shared pages: the log of what a guest shares with its host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A guest says by hypercall which pages it shares; all others are private. The
 * log has one bit for each page, in a bitmap for each memory of which a page
 * was ever shared, so that whatever a guest says costs no more than that. A
 * memory is what the guest's RAM is made of, such as a DIMM; pages belong to
 * it, and not to the address at which they are seen.
 *
 * Every function may be called in any thread, but that a log is freed last.
 */

#ifndef MIGRATION_SHARED_PAGES_LOG_H
#define MIGRATION_SHARED_PAGES_LOG_H

/* A page; part of what guests are told, and of the stream: it never changes. */
#define SHARED_PAGES_GRANULE_BITS 12
#define SHARED_PAGES_GRANULE      (1ULL << SHARED_PAGES_GRANULE_BITS)

typedef struct SharedPagesLog SharedPagesLog;

/**
 * SharedPagesOps: what a log needs of its VM
 * @name: the name by which another VM knows the same memory
 * @changed: the pages from guest physical address @address on, @size bytes, are
 *           from now on shared, or private; the first and the last of them were
 *           not so before, nor was one in each 2 MiB. Called with the new state
 *           in the log, which cannot change before it returns; not to call the
 *           log. Marks the pages dirty: a migration has to send them again, in
 *           the form that they now have
 */
typedef struct SharedPagesOps {
    const char *(*name)(const void *memory);
    void (*changed)(uint64_t address, uint64_t size, bool shared);
} SharedPagesOps;

/**
 * shared_pages_log_new: a log in which all pages are private
 * @ops: stays where it is
 *
 * Returns: the log; the caller frees it with shared_pages_log_free().
 */
SharedPagesLog *shared_pages_log_new(const SharedPagesOps *ops);

/**
 * shared_pages_log_free: free a log
 * @log: may be NULL
 */
void shared_pages_log_free(SharedPagesLog *log);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SharedPagesLog, shared_pages_log_free)

/**
 * shared_pages_log_map: the guest has memory at an address
 * @log: the log
 * @address: guest physical address, where nothing is
 * @size: in bytes
 * @memory: the memory
 * @memory_size: its size, in bytes
 * @offset: of the byte that is seen at @address, in @memory
 *
 * Pages of which the guest sees only a part cannot be shared.
 */
void shared_pages_log_map(SharedPagesLog *log, uint64_t address, uint64_t size,
                          const void *memory, uint64_t memory_size,
                          uint64_t offset);

/**
 * shared_pages_log_unmap: the guest does not have it there any more
 * @log: the log
 * @address: as it was given to shared_pages_log_map()
 * @size: as it was given to shared_pages_log_map()
 */
void shared_pages_log_unmap(SharedPagesLog *log, uint64_t address,
                            uint64_t size);

/**
 * shared_pages_log_forget_unmapped: the guest's memory is as it is now
 * @log: the log
 *
 * To be called after calls of shared_pages_log_unmap() and the calls of
 * shared_pages_log_map() that belong to them. All pages of memory that was
 * unplugged are private.
 */
void shared_pages_log_forget_unmapped(SharedPagesLog *log);

/**
 * shared_pages_log_set: the guest shares pages, or takes them back
 * @log: the log
 * @address: guest physical address; not trusted
 * @size: in bytes; not trusted
 * @shared: whether the pages are shared from now on
 *
 * All of the range is changed, or nothing is. Whatever the pages were before,
 * it takes no longer than to go through the range's bits, and to tell of a
 * range in each 4 MiB.
 *
 * Returns: how many pages were not as @shared says and now are; -EINVAL if the
 * range is empty, not of whole pages or wraps; -ENXIO if not all of it is the
 * guest's memory.
 */
int64_t shared_pages_log_set(SharedPagesLog *log, uint64_t address,
                             uint64_t size, bool shared);

/**
 * shared_pages_log_reset: all pages are private
 * @log: the log
 */
void shared_pages_log_reset(SharedPagesLog *log);

/**
 * shared_pages_log_get: is a page shared?
 * @log: the log
 * @memory: the memory that has the page
 * @offset: of the page in @memory, or of any byte in it
 */
bool shared_pages_log_get(SharedPagesLog *log, const void *memory,
                          uint64_t offset);

/**
 * shared_pages_log_next: find a range of shared pages
 * @log: the log
 * @address: guest physical address from which on to look; set to where the
 *           range begins
 * @size: set to the number of its bytes
 *
 * Returns: false if there is none.
 */
bool shared_pages_log_next(SharedPagesLog *log, uint64_t *address,
                           uint64_t *size);

/**
 * shared_pages_log_count: the number of shared pages
 * @log: the log
 */
uint64_t shared_pages_log_count(SharedPagesLog *log);

/**
 * shared_pages_log_changes: how many pages have changed, each change counted
 * @log: the log
 */
uint64_t shared_pages_log_changes(SharedPagesLog *log);

/**
 * shared_pages_log_save: a log in the form in which it migrates
 * @log: the log
 * @errp: it has more than INT_MAX bytes, which a section cannot carry
 *
 * Returns: its bytes, which the caller frees; NULL after an error.
 */
GByteArray *shared_pages_log_save(SharedPagesLog *log, Error **errp);

/**
 * shared_pages_log_max_size: the most bytes that can come for a log
 * @log: the log
 */
uint32_t shared_pages_log_max_size(SharedPagesLog *log);

/**
 * shared_pages_log_load: take over the log of another VM with the same memory
 * @log: the log; it stays as it is after an error
 * @data: what shared_pages_log_save() returned; not trusted
 * @size: number of its bytes
 * @errp: what is wrong with it, or which memory is not as it was there
 *
 * No page becomes dirty: this VM has what was sent.
 *
 * Returns: true on success.
 */
bool shared_pages_log_load(SharedPagesLog *log, const uint8_t *data,
                           size_t size, Error **errp);

#endif
