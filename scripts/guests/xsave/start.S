/*
 * From the reset vector to 64-bit mode, for main.c, pages.c and gif.c
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * The whole of a -bios image of 64 KiB, which is seen at 0xf0000, too. Memory
 * is mapped one to one; what is in it is listed in layout.h. The other CPUs of a
 * guest that starts them (start-up IPI to ROM) come by the same way. Each calls
 * main with its APIC id.
 */

#include "layout.h"

#define CR0_PE      0x00000001
#define CR0_PG      0x80000000
#define CR4_PAE     0x00000020
#define EFER        0xc0000080
#define EFER_LME    0x00000100
#define APIC_BASE   0x1b
#define APIC_BSP    0x00000100
#define CODE32      8
#define DATA        16
#define CODE64      24
#define PAGE        0x1000
#define PRESENT_RW  3
#define LARGE       0x80

        .section .text.start, "ax"
        .code16
start16:
        cli
        movw    %cs, %ax
        movw    %ax, %ds
        data32 lgdt gdt_pointer - ROM
        movl    %cr0, %eax
        orl     $CR0_PE, %eax
        movl    %eax, %cr0
        ljmpl   $CODE32, $start32

        .code32
start32:
        movw    $DATA, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss

        movl    $APIC_BASE, %ecx
        rdmsr
        testl   $APIC_BSP, %eax
        jz      3f

        /* A level-4 and a level-3 table, and four of level 2: 4 GiB */
        cld
        xorl    %eax, %eax
        movl    $TABLES, %edi
        movl    $(6 * PAGE / 4), %ecx
        rep stosl
        movl    $(TABLES + PAGE + PRESENT_RW), TABLES
        movl    $(TABLES + 2 * PAGE + PRESENT_RW), %eax
        movl    $(TABLES + PAGE), %edi
1:      movl    %eax, (%edi)
        addl    $8, %edi
        addl    $PAGE, %eax
        cmpl    $(TABLES + PAGE + 4 * 8), %edi
        jne     1b
        movl    $(LARGE + PRESENT_RW), %eax
        movl    $(TABLES + 2 * PAGE), %edi
2:      movl    %eax, (%edi)
        addl    $8, %edi
        addl    $0x200000, %eax
        cmpl    $(TABLES + 6 * PAGE), %edi
        jne     2b

3:      movl    $CR4_PAE, %eax
        movl    %eax, %cr4
        movl    $TABLES, %eax
        movl    %eax, %cr3
        movl    $EFER, %ecx
        rdmsr
        orl     $EFER_LME, %eax
        wrmsr
        movl    $(CR0_PE | CR0_PG), %eax
        movl    %eax, %cr0
        ljmp    $CODE64, $start64

        .code64
start64:
        movl    $1, %eax
        cpuid
        shrl    $24, %ebx
        movl    %ebx, %edi
        shll    $12, %ebx
        leal    STACK(%rbx), %esp
        call    main
        hlt

        .balign 8
        /* As if accessed: a CPU cannot note that in a ROM. */
gdt:
        .quad   0
        .quad   0x00cf9b000000ffff
        .quad   0x00cf93000000ffff
        .quad   0x00af9b000000ffff
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt

        /* Where a CPU begins, 16 bytes below the end */
        .section .reset, "ax"
        .code16
reset:
        ljmp    $(ROM >> 4), $(start16 - ROM)

        .section .note.GNU-stack, "", @progbits
