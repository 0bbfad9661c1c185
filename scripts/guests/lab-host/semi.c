/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Semihosting from a host's user space: files of the directory that the outer
 * QEMU runs in, and its exit status. It needs no driver and no disk.
 *
 *   semi get NAME >FILE
 *   semi put NAME <FILE
 *   semi exit STATUS
 */

#include <stdio.h>
#include <stdlib.h>

#include "semihosting.h"

#define ADP_STOPPED_APPLICATION_EXIT 0x20026

static char buffer[1 << 20];

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "semi: %s %s\n", what, name);
    exit(1);
}

static int64_t open_outside(const char *name, uint64_t mode)
{
    int64_t file = outside_open(name, mode);

    if (file < 0) {
        fail("the outer QEMU cannot open", name);
    }
    return file;
}

static void get(const char *name)
{
    int64_t file = open_outside(name, MODE_READ);
    int64_t size;

    while ((size = outside_read(file, buffer, sizeof(buffer)))) {
        if (size < 0 || fwrite(buffer, 1, size, stdout) != (size_t)size) {
            fail("cannot copy", name);
        }
    }
    if (fflush(stdout)) {
        fail("cannot write a copy of", name);
    }
    outside_close(file);
}

static void put(const char *name)
{
    int64_t file = open_outside(name, MODE_WRITE);
    size_t size;

    while ((size = fread(buffer, 1, sizeof(buffer), stdin)) > 0) {
        if (outside_write(file, buffer, size)) {
            fail("the outer QEMU cannot write", name);
        }
    }
    outside_close(file);
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
