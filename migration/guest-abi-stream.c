/*
 * Guest ABI: how a migration stream begins
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "guest-abi-stream.h"

/* Types of sections, as in savevm.h, and a command, as in savevm.c */
#define SECTION_START 0x01
#define SECTION_FULL  0x04
#define COMMAND       0x08
#define OPEN_RETURN_PATH 1

/* The commands that a source sends before its first section have some 60. */
#define COMMANDS_MAX 1024

typedef struct Peeker {
    uint8_t (*peek)(void *file, unsigned at);
    void *file;
    unsigned at;
} Peeker;

static uint32_t number(Peeker *peeker, unsigned bytes)
{
    uint32_t value = 0;

    while (bytes--) {
        value = value << 8 | peeker->peek(peeker->file, peeker->at++);
    }
    return value;
}

GuestAbiStream guest_abi_stream_begin(uint8_t (*peek)(void *file, unsigned at),
                                      void *file)
{
    static const char contract[] = "guest-abi";
    GuestAbiStream stream = { };
    Peeker peeker = { peek, file };
    uint32_t type;
    bool same;

    /* Command (16 bits), length (16), as many bytes */
    while ((type = number(&peeker, 1)) == COMMAND) {
        uint32_t command = number(&peeker, 2);
        uint32_t length = number(&peeker, 2);

        stream.return_path |= command == OPEN_RETURN_PATH;
        if (peeker.at + length > COMMANDS_MAX) {
            return stream;
        }
        number(&peeker, length);
    }
    if (type != SECTION_START && type != SECTION_FULL) {
        return stream;
    }
    /* Section id (32), length of the name (8), the name */
    number(&peeker, 4);
    same = number(&peeker, 1) == strlen(contract);
    for (unsigned i = 0; same && i < strlen(contract); i++) {
        same = number(&peeker, 1) == contract[i];
    }
    stream.begins_otherwise = !same;
    return stream;
}
