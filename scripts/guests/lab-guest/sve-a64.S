/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * All of the FP, SIMD and SVE registers, from and to memory
 *
 * A C compiler that is told to use general registers only leaves them alone
 * between these calls, apart from the engine's calls, which load Q registers.
 */

    .arch   armv8.2-a+sve
    .text

/* sve_length(): bytes in a Z register */
    .global sve_length
sve_length:
    rdvl    x0, #1
    ret

/* Z and P registers, the latter behind 32 times the length */
    .macro  all_sve instruction
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
               18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \instruction z\n, [x0, #\n, mul vl]
    .endr
    rdvl    x1, #1
    add     x0, x0, x1, lsl #5
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \instruction p\n, [x0, #\n, mul vl]
    .endr
    .endm

/* load_sve(buffer): FFR is as P15, whose pattern is one that FFR may have */
    .global load_sve
load_sve:
    all_sve ldr
    wrffr   p15.b
    ret

/* store_sve(buffer): FFR follows P15 */
    .global store_sve
store_sve:
    all_sve str
    rdffr   p0.b
    str     p0, [x0, #16, mul vl]
    ret

    .macro  q_pair instruction, a, b
    \instruction q\a, q\b, [x0, #16 * \a]
    .endm

    .macro  all_simd instruction
    .irp    n, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
    .altmacro
    q_next  \instruction, \n, %(\n + 1)
    .noaltmacro
    .endr
    .endm

    .macro  q_next instruction, a, b
    q_pair  \instruction, \a, \b
    .endm

/* load_simd(buffer), store_simd(buffer): Q0 to Q31 */
    .global load_simd
load_simd:
    all_simd ldp
    ret

    .global store_simd
store_simd:
    all_simd stp
    ret

    .section .note.GNU-stack, "", %progbits
