/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Pages: each vCPU shares some of its own, writes them and takes them back; and
 * one of memory that comes and goes
 *
 * By what it has told its host so far a vCPU knows what each call answers, so
 * that a state that was lost on the way shows, in this file's counts and in
 * QEMU's list.
 */

#include "guest.h"

#define MEM_SHARE   0xc6000003
#define MEM_UNSHARE 0xc6000004

/* Of each vCPU, as many as a line of the report has bits; they take turns */
#define PAGES       64
#define PAGES_AT    (CALLS_RAM + 0x03000000)
#define RAM_END     (CALLS_RAM + CALLS_RAM_SIZE)
/* Words of a page that are written and read */
#define WORDS       8
#define WORD_STEP   (PAGE_SIZE / WORDS)

/* A DIMM behind the RAM, and ACPI's registers for it */
#define DIMM        0x80000000
#define DIMM_SLOT   0x09070000
#define DIMM_FLAGS  0x09070014
#define DIMM_EJECT  0x8

/* Calls between two looks at what else there is to do */
#define BURST       16
/* Of so many calls, one has to be refused */
#define HOSTILE     8
#define RESULTS     4

/**
 * Sharing: what a vCPU has told and written
 * @random: of its choices
 * @shared: a bit for each of its pages
 * @written: how often it has written each
 * @changes: calls that changed a page's state
 * @refused: calls that were refused, and had to be
 * @wrong: calls with another answer, and words that were not what was written
 */
static struct Sharing {
    uint64_t random;
    uint64_t shared;
    uint32_t written[PAGES];
    uint32_t changes;
    uint32_t refused;
    uint32_t wrong;
} sharing[CALLS_VCPUS];

static bool prepared;

static uint64_t address_of(uint32_t vcpu, uint32_t page)
{
    return PAGES_AT + (uint64_t)(page * CALLS_VCPUS + vcpu) * PAGE_SIZE;
}

static uint64_t word_of(uint64_t address, uint32_t written)
{
    return written ? address * 0x9e3779b97f4a7c15 ^ written : 0;
}

static uint64_t next(struct Sharing *own)
{
    return next_random(&own->random);
}

bool tell_page(uint64_t address, bool shares, uint64_t answer)
{
    uint64_t x[RESULTS];

    plain_call(shares ? MEM_SHARE : MEM_UNSHARE, address, x);
    return x[0] == answer && !x[1] && !x[2] && !x[3];
}

static void tell_of_page(struct Sharing *own, uint32_t vcpu, uint32_t page)
{
    bool shares = next(own) & 1;
    bool changes = (own->shared >> page & 1) != shares;
    uint64_t answer = changes ? 0 : DENIED;

    own->wrong += !tell_page(address_of(vcpu, page), shares, answer);
    if (changes) {
        own->shared ^= 1ull << page;
        own->changes++;
    } else {
        own->refused++;
    }
}

static void be_hostile(struct Sharing *own)
{
    static const uint64_t addresses[] = {
        0, PAGES_AT + 1, PAGES_AT + PAGE_SIZE - 1, CALLS_RAM - PAGE_SIZE,
        RAM_END, 0x08000000, 0x09000000, 1ull << 40, 1ull << 52,
        PAGES_AT + (1ull << 48), PAGES_AT | 1ull << 63, -(uint64_t)PAGE_SIZE,
        ~0ull,
    };
    uint64_t address = addresses[next(own) % ARRAY_SIZE(addresses)];

    own->wrong += !tell_page(address, next(own) & 1, DENIED);
    own->refused++;
}

static void write_page(struct Sharing *own, uint64_t address, uint32_t page)
{
    own->written[page]++;
    for (uint32_t i = 0; i < WORDS; i++) {
        write64(address + i * WORD_STEP,
                word_of(address + i * WORD_STEP, own->written[page]));
    }
}

static void read_page(struct Sharing *own, uint64_t address, uint32_t page)
{
    for (uint32_t i = 0; i < WORDS; i++) {
        own->wrong += read64(address + i * WORD_STEP) !=
            word_of(address + i * WORD_STEP, own->written[page]);
    }
}

static void forget_all(struct Sharing *own)
{
    for (uint32_t page = 0; page < PAGES; page++) {
        own->written[page] = 0;
    }
    own->shared = 0;
    own->changes = 0;
    own->refused = 0;
    own->wrong = 0;
}

void forget_pages(void)
{
    for (uint32_t vcpu = 0; vcpu < CALLS_VCPUS; vcpu++) {
        forget_all(&sharing[vcpu]);
        sharing[vcpu].random = 88172645463325252 + vcpu;
    }
    prepared = false;
}

void prepare_pages(void)
{
    if (prepared) {
        return;
    }
    /* Memory outlives a reset. */
    for (uint64_t at = address_of(0, 0); at < address_of(0, PAGES); at += 8) {
        write64(at, 0);
    }
    prepared = true;
}

void share_pages(uint32_t vcpu)
{
    struct Sharing *own = &sharing[vcpu];

    for (uint32_t c = 0; c < BURST; c++) {
        uint32_t page = next(own) % PAGES;
        uint32_t other = next(own) % PAGES;

        if (next(own) % HOSTILE) {
            tell_of_page(own, vcpu, page);
            write_page(own, address_of(vcpu, page), page);
        } else {
            be_hostile(own);
        }
        read_page(own, address_of(vcpu, other), other);
    }
}

void report_pages(void)
{
    for (uint32_t vcpu = 0; vcpu < CALLS_VCPUS; vcpu++) {
        struct Sharing *own = &sharing[vcpu];
        char buffer[17];
        const char *number = hex(buffer, vcpu);

        for (uint32_t page = 0; page < PAGES; page++) {
            read_page(own, address_of(vcpu, page), page);
        }
        emit_part(0, "SHARED", number, own->shared);
        emit_part(0, "CHANGES", number, own->changes);
        emit_part(0, "REFUSED", number, own->refused);
        emit_part(0, "WRONG", number, own->wrong);
    }
}

void report_dimm(void)
{
    emit_value(0, "SHARED", tell_page(DIMM + PAGE_SIZE, true, 0));
    emit_value(0, "AGAIN", tell_page(DIMM + PAGE_SIZE, true, DENIED));
}

void eject_dimm(void)
{
    write32(DIMM_SLOT, 0);
    dmb();
    write32(DIMM_FLAGS, DIMM_EJECT);
}
