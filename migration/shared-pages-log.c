/*
 * Shared pages: the log of what a guest shares with its host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * As it migrates, a log begins with SHARED_PAGES_GRANULE_BITS (8 bits), and
 * goes on to its end with the memories that have shared pages. Numbers are
 * big-endian.
 *
 *   memory:  length of the name (8), the name, number of pages (64), form (8),
 *            length of the data (64), the data
 *
 * The data of form 0 is lengths of runs of pages, by turns private and shared,
 * each as LEB128 (seven bits a byte, the lowest first; bit 7: more follow). A
 * run has a page at least, but for the first one; pages behind the last run are
 * private. That of form 1 is a bitmap, page 0 in bit 0 of byte 0, which is
 * taken where runs would need more.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bitmap.h"
#include "qemu/bswap.h"
#include "qemu/lockable.h"
#include "section-reader.h"
#include "shared-pages-log.h"

/* An RAM block's name has so many bytes at most, with its NUL. */
#define NAME_SIZE 256

/* Bytes of a memory in a stream beside its name and its data */
#define HEADER_SIZE (1 + 8 + 1 + 8)

/* Of a 64-bit number */
#define LEB128_MAX_SIZE 10

/* Pages of which all may be told of for one that changes: 2 MiB */
#define CHUNK 512

typedef enum Form {
    FORM_RUNS,
    FORM_BITMAP,
} Form;

/**
 * Memory: the pages of a memory
 * @memory: whose
 * @count: their number
 * @shared: number of those that are shared
 * @mapped: number of those that the guest sees, each as often as it sees it
 * @bitmap: 1 for a shared page; NULL while none was ever shared
 */
typedef struct Memory {
    const void *memory;
    uint64_t count;
    uint64_t shared;
    uint64_t mapped;
    unsigned long *bitmap;
} Memory;

/**
 * Mapping: pages that the guest sees in a row
 * @address: guest physical address of the first one
 * @pages: their number
 * @memory: where they are
 * @first: the first of them there
 */
typedef struct Mapping {
    uint64_t address;
    uint64_t pages;
    Memory *memory;
    uint64_t first;
} Mapping;

/**
 * SharedPagesLog:
 * @lock: held by whoever reads or writes the rest
 * @ops: the VM's
 * @mappings: what the guest sees, by ascending address
 * @memories: what is in @mappings, by its pointer
 * @changes: see shared_pages_log_changes()
 */
struct SharedPagesLog {
    QemuMutex lock;
    const SharedPagesOps *ops;
    GArray *mappings;
    GHashTable *memories;
    uint64_t changes;
};

static void free_memory(void *data)
{
    Memory *memory = data;

    g_free(memory->bitmap);
    g_free(memory);
}

SharedPagesLog *shared_pages_log_new(const SharedPagesOps *ops)
{
    SharedPagesLog *log = g_new0(SharedPagesLog, 1);

    qemu_mutex_init(&log->lock);
    log->ops = ops;
    log->mappings = g_array_new(false, false, sizeof(Mapping));
    log->memories = g_hash_table_new_full(NULL, NULL, NULL, free_memory);
    return log;
}

void shared_pages_log_free(SharedPagesLog *log)
{
    if (log) {
        g_array_unref(log->mappings);
        g_hash_table_unref(log->memories);
        qemu_mutex_destroy(&log->lock);
        g_free(log);
    }
}

static Mapping *mapping_at(SharedPagesLog *log, unsigned index)
{
    return &g_array_index(log->mappings, Mapping, index);
}

static uint64_t end_of(const Mapping *mapping)
{
    return mapping->address + mapping->pages * SHARED_PAGES_GRANULE;
}

/* The first mapping that ends behind an address; their number if none does */
static unsigned find_mapping(SharedPagesLog *log, uint64_t address)
{
    unsigned low = 0, high = log->mappings->len;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        /* A mapping whose end is 2^64 ends behind all addresses. */
        if (end_of(mapping_at(log, middle)) - 1 < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Whole pages of a range; false if there is none */
static bool whole_pages(uint64_t *address, uint64_t *size)
{
    uint64_t skipped = -*address & (SHARED_PAGES_GRANULE - 1);

    if (*size < skipped + SHARED_PAGES_GRANULE) {
        return false;
    }
    *address += skipped;
    *size = (*size - skipped) & -SHARED_PAGES_GRANULE;
    return true;
}

static Memory *use_memory(SharedPagesLog *log, const void *memory,
                          uint64_t size)
{
    Memory *found = g_hash_table_lookup(log->memories, memory);

    if (!found) {
        found = g_new0(Memory, 1);
        found->memory = memory;
        found->count = size / SHARED_PAGES_GRANULE;
        g_hash_table_insert(log->memories, (void *)memory, found);
    }
    return found;
}

void shared_pages_log_map(SharedPagesLog *log, uint64_t address, uint64_t size,
                          const void *memory, uint64_t memory_size,
                          uint64_t offset)
{
    Mapping mapping = { .address = address };

    if (!whole_pages(&mapping.address, &size)) {
        return;
    }
    offset += mapping.address - address;
    if (offset % SHARED_PAGES_GRANULE) {
        return;
    }
    QEMU_LOCK_GUARD(&log->lock);
    mapping.pages = size / SHARED_PAGES_GRANULE;
    mapping.first = offset / SHARED_PAGES_GRANULE;
    mapping.memory = use_memory(log, memory, memory_size);
    assert(mapping.first + mapping.pages <= mapping.memory->count);
    mapping.memory->mapped += mapping.pages;
    g_array_insert_val(log->mappings, find_mapping(log, mapping.address),
                       mapping);
}

void shared_pages_log_unmap(SharedPagesLog *log, uint64_t address,
                            uint64_t size)
{
    Mapping *mapping;
    unsigned index;

    if (!whole_pages(&address, &size)) {
        return;
    }
    QEMU_LOCK_GUARD(&log->lock);
    index = find_mapping(log, address);
    mapping = index < log->mappings->len ? mapping_at(log, index) : NULL;
    /* Memory whose pages are not the guest's pages is not in the table. */
    if (mapping && mapping->address == address) {
        assert(mapping->pages == size / SHARED_PAGES_GRANULE);
        mapping->memory->mapped -= mapping->pages;
        g_array_remove_index(log->mappings, index);
    }
}

static gboolean is_unmapped(void *key, void *value, void *opaque)
{
    return !((Memory *)value)->mapped;
}

void shared_pages_log_forget_unmapped(SharedPagesLog *log)
{
    QEMU_LOCK_GUARD(&log->lock);
    g_hash_table_foreach_remove(log->memories, is_unmapped, NULL);
}

/* Is all of a range the guest's memory? */
static bool is_mapped(SharedPagesLog *log, unsigned index, uint64_t address,
                      uint64_t last)
{
    for (; index < log->mappings->len; index++) {
        const Mapping *mapping = mapping_at(log, index);

        if (mapping->address > address) {
            return false;
        }
        if (end_of(mapping) - 1 >= last) {
            return true;
        }
        address = end_of(mapping);
    }
    return false;
}

/* The first page from @page on, below @end, that is, or is not, shared */
static uint64_t find_page(const Memory *memory, uint64_t page, uint64_t end,
                          bool shared)
{
    if (!memory->bitmap) {
        return shared ? end : page;
    }
    return shared ? find_next_bit(memory->bitmap, end, page)
                  : find_next_zero_bit(memory->bitmap, end, page);
}

static void set_pages(Memory *memory, uint64_t page, uint64_t count,
                      bool shared)
{
    if (!memory->bitmap) {
        memory->bitmap = bitmap_new(memory->count);
    }
    if (shared) {
        bitmap_set(memory->bitmap, page, count);
    } else {
        bitmap_clear(memory->bitmap, page, count);
    }
}

/* How many pages from @page on, below @end, are not as @shared says */
static uint64_t count_others(const Memory *memory, uint64_t page, uint64_t end,
                             bool shared)
{
    uint64_t pages = end - page;
    uint64_t count = 0;

    if (memory->bitmap) {
        for (; page < end && page % BITS_PER_LONG; page++) {
            count += test_bit(page, memory->bitmap);
        }
        if (page < end) {
            count += bitmap_count_one_with_offset(memory->bitmap, page,
                                                  end - page);
        }
    }
    return shared ? pages - count : count;
}

/* Behind the last page before @page that is not as @shared says, if any is */
static uint64_t end_of_last(const Memory *memory, uint64_t page, bool shared)
{
    uint64_t word = ROUND_UP(page, BITS_PER_LONG) - BITS_PER_LONG;

    while (!count_others(memory, word, page, shared)) {
        page = word;
        word -= BITS_PER_LONG;
    }
    while (!count_others(memory, page - 1, page, shared)) {
        page--;
    }
    return page;
}

/*
 * Where pages end that change together, from @page on, which changes. Pages
 * among them that do not change are no reason to stop, as long as each CHUNK
 * has one that does: a guest would else have as many ranges told of as it has
 * pages, by one call.
 */
static uint64_t end_of_change(const Memory *memory, uint64_t page,
                              uint64_t end, bool shared, uint64_t *changed)
{
    uint64_t count;

    do {
        uint64_t next = MIN(end, QEMU_ALIGN_DOWN(page, CHUNK) + CHUNK);

        count = count_others(memory, page, next, shared);
        *changed += count;
        page = count ? next : page;
    } while (count && page < end);
    return end_of_last(memory, page, shared);
}

/* Returns the number of pages that were not so */
static uint64_t set_in_mapping(SharedPagesLog *log, const Mapping *mapping,
                               uint64_t page, uint64_t end, bool shared)
{
    Memory *memory = mapping->memory;
    uint64_t changed = 0;

    while ((page = find_page(memory, page, end, !shared)) < end) {
        uint64_t next = end_of_change(memory, page, end, shared, &changed);
        uint64_t count = next - page;

        set_pages(memory, page, count, shared);
        /* What was sent in the old form has to be sent again. */
        log->ops->changed(mapping->address + (page - mapping->first) *
                          SHARED_PAGES_GRANULE, count * SHARED_PAGES_GRANULE,
                          shared);
        page = next;
    }
    memory->shared += shared ? changed : -changed;
    log->changes += changed;
    return changed;
}

int64_t shared_pages_log_set(SharedPagesLog *log, uint64_t address,
                             uint64_t size, bool shared)
{
    uint64_t last = address + size - 1;
    int64_t changed = 0;
    unsigned index;

    if (!size || last < address || address % SHARED_PAGES_GRANULE ||
        size % SHARED_PAGES_GRANULE) {
        return -EINVAL;
    }
    QEMU_LOCK_GUARD(&log->lock);
    index = find_mapping(log, address);
    if (!is_mapped(log, index, address, last)) {
        return -ENXIO;
    }
    for (; index < log->mappings->len; index++) {
        const Mapping *mapping = mapping_at(log, index);
        uint64_t from, to;

        if (mapping->address > last) {
            break;
        }
        from = MAX(address, mapping->address) - mapping->address;
        to = MIN(last, end_of(mapping) - 1) - mapping->address;
        changed += set_in_mapping(log, mapping, mapping->first +
                                  from / SHARED_PAGES_GRANULE, mapping->first +
                                  to / SHARED_PAGES_GRANULE + 1, shared);
    }
    return changed;
}

void shared_pages_log_reset(SharedPagesLog *log)
{
    QEMU_LOCK_GUARD(&log->lock);
    for (unsigned i = 0; i < log->mappings->len; i++) {
        const Mapping *mapping = mapping_at(log, i);

        set_in_mapping(log, mapping, mapping->first,
                       mapping->first + mapping->pages, false);
    }
}

bool shared_pages_log_get(SharedPagesLog *log, const void *memory,
                          uint64_t offset)
{
    uint64_t page = offset / SHARED_PAGES_GRANULE;
    const Memory *found;

    QEMU_LOCK_GUARD(&log->lock);
    found = g_hash_table_lookup(log->memories, memory);
    return found && found->bitmap && page < found->count &&
           test_bit(page, found->bitmap);
}

bool shared_pages_log_next(SharedPagesLog *log, uint64_t *address,
                           uint64_t *size)
{
    QEMU_LOCK_GUARD(&log->lock);
    for (unsigned i = find_mapping(log, *address); i < log->mappings->len;
         i++) {
        const Mapping *mapping = mapping_at(log, i);
        uint64_t skipped = *address > mapping->address ?
            (*address - mapping->address) / SHARED_PAGES_GRANULE : 0;
        uint64_t end = mapping->first + mapping->pages;
        uint64_t page = find_page(mapping->memory, mapping->first + skipped,
                                  end, true);

        if (page < end) {
            uint64_t next = find_page(mapping->memory, page, end, false);

            *address = mapping->address +
                       (page - mapping->first) * SHARED_PAGES_GRANULE;
            *size = (next - page) * SHARED_PAGES_GRANULE;
            return true;
        }
    }
    return false;
}

uint64_t shared_pages_log_count(SharedPagesLog *log)
{
    GHashTableIter iter;
    uint64_t count = 0;
    void *value;

    QEMU_LOCK_GUARD(&log->lock);
    g_hash_table_iter_init(&iter, log->memories);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        count += ((Memory *)value)->shared;
    }
    return count;
}

uint64_t shared_pages_log_changes(SharedPagesLog *log)
{
    QEMU_LOCK_GUARD(&log->lock);
    return log->changes;
}

/* Bytes of a memory's bitmap in a stream, which no data is longer than */
static uint64_t bitmap_bytes(const Memory *memory)
{
    return DIV_ROUND_UP(memory->count, 8);
}

static void append_run(GByteArray *data, uint64_t length)
{
    uint8_t byte;

    do {
        byte = (length & 0x7f) | (length > 0x7f ? 0x80 : 0);
        g_byte_array_append(data, &byte, 1);
        length >>= 7;
    } while (length);
}

/* Returns false if there are too many of them */
static bool append_runs(GByteArray *data, const Memory *memory)
{
    uint64_t page = 0;
    bool shared = true;
    uint64_t left = memory->shared;

    while (left) {
        uint64_t next = find_page(memory, page, memory->count, shared);

        append_run(data, next - page);
        if (data->len > bitmap_bytes(memory)) {
            return false;
        }
        left -= shared ? 0 : next - page;
        page = next;
        shared = !shared;
    }
    return true;
}

static void append_bitmap(GByteArray *data, const Memory *memory)
{
    g_byte_array_set_size(data, bitmap_bytes(memory));
    memset(data->data, 0, data->len);
    for (uint64_t page = 0;
         (page = find_page(memory, page, memory->count, true)) < memory->count;
         page++) {
        data->data[page / 8] |= 1 << page % 8;
    }
}

static void append_memory(GByteArray *content, const Memory *memory,
                          const char *name)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    uint8_t name_length = strlen(name);
    uint64_t count = cpu_to_be64(memory->count);
    uint8_t form = FORM_RUNS;
    uint64_t length;

    if (!append_runs(data, memory)) {
        form = FORM_BITMAP;
        append_bitmap(data, memory);
    }
    length = cpu_to_be64(data->len);
    g_byte_array_append(content, &name_length, 1);
    g_byte_array_append(content, (const uint8_t *)name, name_length);
    g_byte_array_append(content, (const uint8_t *)&count, sizeof(count));
    g_byte_array_append(content, &form, 1);
    g_byte_array_append(content, (const uint8_t *)&length, sizeof(length));
    g_byte_array_append(content, data->data, data->len);
}

/* The most bytes that a log has in a stream */
static uint64_t max_size(SharedPagesLog *log)
{
    GHashTableIter iter;
    uint64_t size = 1;
    void *value;

    g_hash_table_iter_init(&iter, log->memories);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        size += HEADER_SIZE + NAME_SIZE + bitmap_bytes(value);
    }
    return size;
}

uint32_t shared_pages_log_max_size(SharedPagesLog *log)
{
    QEMU_LOCK_GUARD(&log->lock);
    return MIN(max_size(log), INT_MAX);
}

static int by_name(const void *a, const void *b, void *opaque)
{
    const SharedPagesLog *log = opaque;
    const Memory *const *first = a, *const *second = b;

    return strcmp(log->ops->name((*first)->memory),
                  log->ops->name((*second)->memory));
}

/* What has shared pages, in the same order for the same pages */
static GPtrArray *shared_memories(SharedPagesLog *log)
{
    GPtrArray *memories = g_ptr_array_new();
    GHashTableIter iter;
    void *value;

    g_hash_table_iter_init(&iter, log->memories);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (((Memory *)value)->shared) {
            g_ptr_array_add(memories, value);
        }
    }
    g_ptr_array_sort_with_data(memories, by_name, log);
    return memories;
}

GByteArray *shared_pages_log_save(SharedPagesLog *log, Error **errp)
{
    g_autoptr(GByteArray) content = g_byte_array_new();
    g_autoptr(GPtrArray) memories = NULL;
    uint8_t granule_bits = SHARED_PAGES_GRANULE_BITS;

    QEMU_LOCK_GUARD(&log->lock);
    memories = shared_memories(log);
    g_byte_array_append(content, &granule_bits, 1);
    for (unsigned i = 0; i < memories->len; i++) {
        const Memory *memory = g_ptr_array_index(memories, i);
        const char *name = log->ops->name(memory->memory);

        assert(strlen(name) < NAME_SIZE);
        if (content->len + HEADER_SIZE + strlen(name) + bitmap_bytes(memory) >
            INT_MAX) {
            error_setg(errp, "shared-pages: what this VM's guest shares needs "
                       "more than the %d bytes that can be sent", INT_MAX);
            return NULL;
        }
        append_memory(content, memory, name);
    }
    return g_steal_pointer(&content);
}

static bool take_run(SectionReader *reader, uint64_t *length)
{
    *length = 0;
    for (unsigned i = 0; i < LEB128_MAX_SIZE; i++) {
        const uint8_t *byte = section_take(reader, 1);
        uint64_t bits = byte ? *byte & 0x7f : 0;

        if (!byte || bits > UINT64_MAX >> 7 * i) {
            return false;
        }
        *length |= bits << 7 * i;
        if (!(*byte & 0x80)) {
            return true;
        }
    }
    return false;
}

static bool read_runs(SectionReader *reader, Memory *came)
{
    uint64_t page = 0;
    bool shared = false;

    while (reader->size) {
        uint64_t length;

        if (!take_run(reader, &length) || length > came->count - page ||
            (!length && page)) {
            return false;
        }
        if (!length && shared) {
            return false;
        }
        if (shared) {
            set_pages(came, page, length, true);
            came->shared += length;
        }
        page += length;
        shared = !shared;
    }
    return true;
}

static bool read_bitmap(SectionReader *reader, Memory *came)
{
    if (reader->size != bitmap_bytes(came)) {
        return false;
    }
    for (uint64_t page = 0; page < 8 * reader->size; page++) {
        if (!(reader->data[page / 8] >> page % 8 & 1)) {
            continue;
        }
        if (page >= came->count) {
            return false;
        }
        set_pages(came, page, 1, true);
        came->shared++;
    }
    return true;
}

static Memory *memory_by_name(SharedPagesLog *log, const char *name)
{
    GHashTableIter iter;
    void *value;

    g_hash_table_iter_init(&iter, log->memories);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Memory *memory = value;

        if (!strcmp(log->ops->name(memory->memory), name)) {
            return memory;
        }
    }
    return NULL;
}

/* A name that can be printed; there is no RAM block of another one. */
static bool take_name(SectionReader *reader, char name[NAME_SIZE])
{
    const uint8_t *length = section_take(reader, 1);
    const uint8_t *text = length ? section_take(reader, *length) : NULL;

    if (!text || !*length) {
        return false;
    }
    for (unsigned i = 0; i < *length; i++) {
        if (!g_ascii_isprint(text[i])) {
            return false;
        }
    }
    memcpy(name, text, *length);
    name[*length] = '\0';
    return true;
}

static bool read_data(SectionReader *reader, uint8_t form, Memory *came)
{
    switch (form) {
    case FORM_RUNS:
        return read_runs(reader, came);
    case FORM_BITMAP:
        return read_bitmap(reader, came);
    default:
        return false;
    }
}

static bool damaged(Error **errp, const char *what)
{
    error_setg(errp, "shared-pages: the incoming list of shared pages is "
               "damaged: %s", what);
    return false;
}

/* @loaded: from a memory of this VM to what has come for it */
static bool read_memory(SharedPagesLog *log, SectionReader *reader,
                        GHashTable *loaded, Error **errp)
{
    char name[NAME_SIZE];
    const uint8_t *count =
        take_name(reader, name) ? section_take(reader, 8) : NULL;
    const uint8_t *form = count ? section_take(reader, 1) : NULL;
    const uint8_t *size = form ? section_take(reader, 8) : NULL;
    const uint8_t *data = size ? section_take(reader, ldq_be_p(size)) : NULL;
    SectionReader content = { data, data ? ldq_be_p(size) : 0 };
    Memory *memory, *came;

    if (!data) {
        return damaged(errp, "a memory has no valid name or is cut off");
    }
    memory = memory_by_name(log, name);
    if (!memory) {
        error_setg(errp, "shared-pages: the guest of the incoming VM shares "
                   "pages of memory '%s', which this VM does not have; start "
                   "this QEMU with the source's -m, -object and -device",
                   name);
        return false;
    }
    if (ldq_be_p(count) != memory->count) {
        error_setg(errp, "shared-pages: memory '%s' of the incoming VM has %"
                   PRIu64 " pages, that of this VM has %" PRIu64 "; start this "
                   "QEMU with the source's -m, -object and -device", name,
                   ldq_be_p(count), memory->count);
        return false;
    }
    if (g_hash_table_contains(loaded, memory)) {
        return damaged(errp, "a memory comes twice");
    }
    came = g_new0(Memory, 1);
    came->count = memory->count;
    g_hash_table_insert(loaded, memory, came);
    return content.size <= bitmap_bytes(came) &&
           read_data(&content, *form, came) ? true :
           damaged(errp, "the pages of a memory make no sense");
}

static bool read_memories(SharedPagesLog *log, SectionReader *reader,
                          GHashTable *loaded, Error **errp)
{
    const uint8_t *granule_bits = section_take(reader, 1);

    if (!granule_bits || *granule_bits != SHARED_PAGES_GRANULE_BITS) {
        return damaged(errp, "its pages are not of 4 KiB");
    }
    while (reader->size) {
        if (!read_memory(log, reader, loaded, errp)) {
            return false;
        }
    }
    return true;
}

bool shared_pages_log_load(SharedPagesLog *log, const uint8_t *data,
                           size_t size, Error **errp)
{
    g_autoptr(GHashTable) loaded =
        g_hash_table_new_full(NULL, NULL, NULL, free_memory);
    SectionReader reader = { data, size };
    GHashTableIter iter;
    void *value;

    QEMU_LOCK_GUARD(&log->lock);
    if (!read_memories(log, &reader, loaded, errp)) {
        return false;
    }
    g_hash_table_iter_init(&iter, log->memories);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Memory *memory = value;
        Memory *came = g_hash_table_lookup(loaded, memory);

        g_clear_pointer(&memory->bitmap, g_free);
        memory->shared = came ? came->shared : 0;
        memory->bitmap = came ? g_steal_pointer(&came->bitmap) : NULL;
    }
    return true;
}
