/*
 * What a fuzzing engine calls
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TESTS_QTEST_HVC_FUZZ_GUEST_ABI_H
#define TESTS_QTEST_HVC_FUZZ_GUEST_ABI_H

/**
 * LLVMFuzzerInitialize: called once, before anything else
 * @argc: main()'s
 * @argv: main()'s
 *
 * Returns: 0
 */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/**
 * LLVMFuzzerTestOneInput: called with one input after another
 * @data: the input
 * @size: its size
 *
 * Returns: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
