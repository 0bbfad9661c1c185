/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Reports: text in memory, where QEMU finds it
 *
 * Not written to the UART: there, each character is an exit to QEMU, and
 * under emulation a report would take seconds.
 */

#include "guest.h"

struct Report {
    uint32_t size;
    char text[REPORT_SIZE - 4];
};

static struct Report *report_of(uint32_t vcpu)
{
    return (struct Report *)CALLS_REPORT + vcpu;
}

void clear_report(uint32_t vcpu)
{
    report_of(vcpu)->size = 0;
}

uint32_t report_size(uint32_t vcpu)
{
    return report_of(vcpu)->size;
}

void emit(uint32_t vcpu, const char *text)
{
    struct Report *report = report_of(vcpu);

    while (*text && report->size < sizeof(report->text)) {
        report->text[report->size++] = *text++;
    }
}

const char *hex(char *buffer, uint64_t value)
{
    char *digit = buffer + 16;

    *digit = '\0';
    do {
        *--digit = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value);
    return digit;
}

void emit_hex(uint32_t vcpu, uint64_t value)
{
    char buffer[17];

    emit(vcpu, hex(buffer, value));
}

void emit_part(uint32_t vcpu, const char *name, const char *part,
               uint64_t value)
{
    emit(vcpu, name);
    emit(vcpu, "_");
    emit_value(vcpu, part, value);
}

void emit_value(uint32_t vcpu, const char *name, uint64_t value)
{
    emit(vcpu, name);
    emit(vcpu, "=");
    emit_hex(vcpu, value);
    emit(vcpu, "\n");
}
