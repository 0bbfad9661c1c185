/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Semihosting from a host's user space: files outside, of the outer QEMU's
 *
 * A buffer has to be resident and, to be read into, the process's own: the
 * outer QEMU accesses memory, but takes no page faults.
 */

#ifndef LAB_SEMIHOSTING_H
#define LAB_SEMIHOSTING_H

#include <stdint.h>
#include <string.h>

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_EXIT = 0x18,
};

#define MODE_READ  1    /* "rb" */
#define MODE_WRITE 5    /* "wb" */

static inline int64_t semihost(uint64_t operation, const uint64_t *block)
{
    register uint64_t x0 asm("x0") = operation;
    register const uint64_t *x1 asm("x1") = block;

    asm volatile("hlt #0xf000" : "+r" (x0) : "r" (x1) : "memory");
    return x0;
}

/**
 * outside_open: a file outside; below 0 if it cannot be opened
 * @mode: MODE_READ or MODE_WRITE
 */
static inline int64_t outside_open(const char *name, uint64_t mode)
{
    uint64_t block[] = { (uintptr_t)name, mode, strlen(name) };

    return semihost(SYS_OPEN, block);
}

static inline void outside_close(int64_t file)
{
    uint64_t block[] = { file };

    semihost(SYS_CLOSE, block);
}

/**
 * outside_read: bytes read, 0 at the end of the file, below 0 on an error
 */
static inline int64_t outside_read(int64_t file, void *buffer, uint64_t size)
{
    uint64_t block[] = { file, (uintptr_t)buffer, size };
    uint64_t left = semihost(SYS_READ, block);

    return left > size ? -1 : (int64_t)(size - left);
}

/**
 * outside_write: bytes that were not written; 0 if all is well
 */
static inline int64_t outside_write(int64_t file, const void *buffer,
                                    uint64_t size)
{
    uint64_t block[] = { file, (uintptr_t)buffer, size };

    return semihost(SYS_WRITE, block);
}

#endif
