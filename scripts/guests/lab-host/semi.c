/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Semihosting from a host's user space: files of the directory that the outer
 * QEMU runs in, and its exit status. It needs no driver and no disk.
 *
 *   semi get NAME >FILE
 *   semi put NAME <FILE
 *   semi exit STATUS
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_EXIT = 0x18,
};

#define MODE_READ  1    /* "rb" */
#define MODE_WRITE 5    /* "wb" */
#define ADP_STOPPED_APPLICATION_EXIT 0x20026

static char buffer[1 << 20];

static int64_t semihost(uint64_t operation, const uint64_t *block)
{
    register uint64_t x0 asm("x0") = operation;
    register const uint64_t *x1 asm("x1") = block;

    asm volatile("hlt #0xf000" : "+r" (x0) : "r" (x1) : "memory");
    return x0;
}

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "semi: %s %s\n", what, name);
    exit(1);
}

static int64_t open_outside(const char *name, uint64_t mode)
{
    uint64_t block[] = { (uintptr_t)name, mode, strlen(name) };
    int64_t file = semihost(SYS_OPEN, block);

    if (file < 0) {
        fail("the outer QEMU cannot open", name);
    }
    return file;
}

static void close_outside(int64_t file)
{
    uint64_t block[] = { file };

    semihost(SYS_CLOSE, block);
}

static void get(const char *name)
{
    int64_t file = open_outside(name, MODE_READ);
    uint64_t block[] = { file, (uintptr_t)buffer, sizeof(buffer) };
    uint64_t left;

    do {
        left = semihost(SYS_READ, block);
        if (left > sizeof(buffer) ||
            fwrite(buffer, 1, sizeof(buffer) - left, stdout) !=
            sizeof(buffer) - left) {
            fail("cannot copy", name);
        }
    } while (left != sizeof(buffer));
    if (fflush(stdout)) {
        fail("cannot write a copy of", name);
    }
    close_outside(file);
}

static void put(const char *name)
{
    int64_t file = open_outside(name, MODE_WRITE);
    size_t size;

    while ((size = fread(buffer, 1, sizeof(buffer), stdin)) > 0) {
        uint64_t block[] = { file, (uintptr_t)buffer, size };

        if (semihost(SYS_WRITE, block)) {
            fail("the outer QEMU cannot write", name);
        }
    }
    close_outside(file);
}

static void leave(const char *status)
{
    uint64_t block[] = { ADP_STOPPED_APPLICATION_EXIT,
                         atoi(status) };

    semihost(SYS_EXIT, block);
}

static const struct {
    const char *name;
    void (*function)(const char *argument);
} commands[] = {
    { "get", get },
    { "put", put },
    { "exit", leave },
};

int main(int argc, char **argv)
{
    /* The outer QEMU accesses memory, but takes no page faults. */
    memset(buffer, 1, sizeof(buffer));
    for (size_t i = 0; argc == 3 && i < sizeof(commands) / sizeof(*commands);
         i++) {
        if (!strcmp(argv[1], commands[i].name)) {
            commands[i].function(argv[2]);
            return 0;
        }
    }
    fail("usage:", "semi get NAME | put NAME | exit STATUS");
}
