/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Disk: a driver of virtio-blk on virtio-mmio that shares its buffers, and
 * forgets to (virtio 1.3, sections 2.7, 4.2 and 5.2)
 */

#include "guest.h"

/* The last of virt's virtio-mmio transports is the first to get a device. */
#define TRANSPORT       (0x0a000000 + 31 * 0x200)
#define MAGIC_VALUE     0x000
#define VERSION         0x004
#define DEVICE_ID       0x008
#define FEATURES        0x010
#define FEATURES_SELECT 0x014
#define DRIVER          0x020
#define DRIVER_SELECT   0x024
#define QUEUE_SELECT    0x030
#define QUEUE_SIZE      0x038
#define QUEUE_READY     0x044
#define QUEUE_NOTIFY    0x050
#define STATUS          0x070
#define QUEUE_TABLE     0x080
#define QUEUE_AVAILABLE 0x090
#define QUEUE_USED      0x0a0

#define MAGIC           0x74726976
#define BLOCK_DEVICE    2

#define ACKNOWLEDGE     1
#define DRIVER_THERE    2
#define DRIVER_OK       4
#define FEATURES_OK     8
#define NEEDS_RESET     64

/* Bits 32 and 33 of the features, in the second word */
#define VERSION_1       1
#define ACCESS_PLATFORM 2

#define HAS_NEXT        1
#define DEVICE_WRITES   2

#define SECTOR          512
#define RING            (CALLS_RAM + 0x03800000)
#define AVAILABLE       (RING + 0x100)
#define USED            (RING + 0x200)
#define HEADER          (RING + 0x300)
#define RESULT          (RING + 0x400)
#define DATA            (RING + PAGE_SIZE)
#define QUEUE_LENGTH    4

/* A word that the disk, which has zeros, does not have */
#define UNTOUCHED       0x5aa55aa55aa55aa5
#define PATIENCE        20

static uint32_t device(uint32_t at)
{
    return read32(TRANSPORT + at);
}

static void set_device(uint32_t at, uint32_t value)
{
    dmb();
    write32(TRANSPORT + at, value);
    dmb();
}

static void set_address(uint32_t at, uint64_t address)
{
    set_device(at, address);
    set_device(at + 4, address >> 32);
}

static void describe(uint32_t i, uint64_t address, uint32_t size,
                     uint32_t flags)
{
    write64(RING + 16 * i, address);
    write32(RING + 16 * i + 8, size);
    write32(RING + 16 * i + 12, flags | (i + 1) << 16);
}

/* Whether the device takes the driver; it has all of its state from here on. */
static bool start_device(void)
{
    set_device(STATUS, 0);
    set_device(STATUS, ACKNOWLEDGE | DRIVER_THERE);
    set_device(FEATURES_SELECT, 1);
    emit_value(0, "FEATURES", device(FEATURES) & (VERSION_1 | ACCESS_PLATFORM));
    set_device(DRIVER_SELECT, 0);
    set_device(DRIVER, 0);
    set_device(DRIVER_SELECT, 1);
    set_device(DRIVER, device(FEATURES) & (VERSION_1 | ACCESS_PLATFORM));
    set_device(STATUS, ACKNOWLEDGE | DRIVER_THERE | FEATURES_OK);
    if (!(device(STATUS) & FEATURES_OK)) {
        return false;
    }
    for (uint64_t at = RING; at < RING + PAGE_SIZE; at += 8) {
        write64(at, 0);
    }
    set_device(QUEUE_SELECT, 0);
    set_device(QUEUE_SIZE, QUEUE_LENGTH);
    set_address(QUEUE_TABLE, RING);
    set_address(QUEUE_AVAILABLE, AVAILABLE);
    set_address(QUEUE_USED, USED);
    set_device(QUEUE_READY, 1);
    set_device(STATUS, ACKNOWLEDGE | DRIVER_THERE | FEATURES_OK | DRIVER_OK);
    return true;
}

static bool is_done(void)
{
    return read32(USED) >> 16 || device(STATUS) & NEEDS_RESET;
}

/* Reads the first sector: what becomes of the request and of its buffer */
static void read_sector(const char *name)
{
    uint64_t end = virtual_counter() +
        (uint64_t)PATIENCE * counter_frequency();
    uint32_t touched = 0;

    for (uint64_t at = DATA; at < DATA + SECTOR; at += 8) {
        write64(at, UNTOUCHED);
    }
    /* struct virtio_blk_req: VIRTIO_BLK_T_IN, of sector 0 */
    write64(HEADER, 0);
    write64(HEADER + 8, 0);
    write32(RESULT, 0xff);
    describe(0, HEADER, 16, HAS_NEXT);
    describe(1, DATA, SECTOR, HAS_NEXT | DEVICE_WRITES);
    describe(2, RESULT, 1, DEVICE_WRITES);
    /* Flags are 0, the index 1, and the first entry names descriptor 0. */
    write32(AVAILABLE + 4, 0);
    dmb();
    write32(AVAILABLE, 1 << 16);
    set_device(QUEUE_NOTIFY, 0);
    while (!is_done() && virtual_counter() < end) {
        yield();
    }
    dmb();
    for (uint64_t at = DATA; at < DATA + SECTOR; at += 8) {
        touched += read64(at) != UNTOUCHED;
    }
    emit_part(0, name, "USED", read32(USED) >> 16);
    emit_part(0, name, "RESULT", read32(RESULT) & 0xff);
    emit_part(0, name, "WORDS", touched);
    emit_part(0, name, "NEEDS_RESET", (device(STATUS) & NEEDS_RESET) != 0);
}

void report_disk(void)
{
    if (device(MAGIC_VALUE) != MAGIC || device(VERSION) != 2 ||
        device(DEVICE_ID) != BLOCK_DEVICE) {
        emit_value(0, "DISK", 0);
        return;
    }
    emit_value(0, "DISK", tell_page(RING, true, 0) &&
                          tell_page(DATA, true, 0) && start_device());
    read_sector("SHARED");
    emit_value(0, "TAKEN_BACK", tell_page(DATA, false, 0) && start_device());
    read_sector("PRIVATE");
    emit_value(0, "SHARED_AGAIN", tell_page(DATA, true, 0) && start_device());
    read_sector("AGAIN");
    set_device(STATUS, 0);
    tell_page(DATA, false, 0);
    tell_page(RING, false, 0);
}
