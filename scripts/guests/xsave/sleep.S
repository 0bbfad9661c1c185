/*
 * A guest that says that it can be migrated, and sleeps in its memory (S3)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * The whole of a -bios image, for the machine q35 under KVM. It stays in real
 * mode, which a nested KVM emulates that runs no other guest. The word at
 * RESULTS counts how often it came here; only the first time does it sleep.
 */

#include "layout.h"

#define MSR_MIGRATION_CONTROL 0x4b564d08
#define MIGRATION_READY       1

/* ICH9, datasheet 13.1: PMBASE and ACPI_CNTL of the LPC bridge, 00:1f.0 */
#define PCI_ADDRESS  0xcf8
#define PCI_DATA     0xcfc
#define LPC_PMBASE   0x8000f840
#define LPC_ACPI     0x8000f844
#define PMBASE       0x600
#define ACPI_ENABLE  0x80
/* 13.8.3: PM1_CNT, SLP_EN and SLP_TYP; QEMU's S3 */
#define PM1_CNT      (PMBASE + 4)
#define SLEEP_S3     (1 << 13 | 1 << 10)

        .section .text.start, "ax"
        .code16
start16:
        cli
        xorw    %ax, %ax
        movw    %ax, %ds
        incl    RESULTS
        cmpl    $1, RESULTS
        jne     awake

        movl    $MSR_MIGRATION_CONTROL, %ecx
        movl    $MIGRATION_READY, %eax
        xorl    %edx, %edx
        wrmsr

        movw    $PCI_ADDRESS, %dx
        movl    $LPC_PMBASE, %eax
        outl    %eax, %dx
        movw    $PCI_DATA, %dx
        movl    $(PMBASE | 1), %eax
        outl    %eax, %dx
        movw    $PCI_ADDRESS, %dx
        movl    $LPC_ACPI, %eax
        outl    %eax, %dx
        movw    $PCI_DATA, %dx
        movb    $ACPI_ENABLE, %al
        outb    %al, %dx
        movw    $PM1_CNT, %dx
        movw    $SLEEP_S3, %ax
        outw    %ax, %dx
awake:
        incl    RESULTS + 8
        jmp     awake

        .section .reset, "ax"
        .code16
reset:
        ljmp    $(ROM >> 4), $(start16 - ROM)

        .section .note.GNU-stack, "", @progbits
