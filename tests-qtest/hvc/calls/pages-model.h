/*
 * What a guest shares, by the rules of the documentation
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TESTS_QTEST_HVC_CALLS_PAGES_MODEL_H
#define TESTS_QTEST_HVC_CALLS_PAGES_MODEL_H

#include "guest-vm.h"

#define PAGES_SIZE 0x1000

/* Pages of the guest's RAM that neither list, report nor engine are in */
#define PAGES_FREE 0x43000000

/**
 * PagesModel:
 * @shared: for each page of the guest's RAM
 */
typedef struct PagesModel {
    bool shared[CALLS_RAM_SIZE / PAGES_SIZE];
} PagesModel;

/**
 * pages_model_call: make a call
 * @model: the model
 * @x: function id of mem-share, and arguments
 *
 * Returns: what the caller finds in X0; X1 to X3 are 0.
 */
uint64_t pages_model_call(PagesModel *model, const uint64_t *x);

/**
 * pages_assert_model: does a VM's list say what a model says?
 * @qts: the VM
 * @model: the model
 */
void pages_assert_model(QTestState *qts, const PagesModel *model);

/**
 * pages_assert_shared: what does a VM's list say?
 * @qts: the VM
 * @expected: its ranges, as in "0x43000000+0x1000 "
 */
void pages_assert_shared(QTestState *qts, const char *expected);

#endif
