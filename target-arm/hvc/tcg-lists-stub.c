/*
 * The registers with which the vCPUs of TCG migrate, without TCG
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "tcg-lists.h"

bool hvc_tcg_has_lists(void)
{
    return false;
}

bool hvc_tcg_load(ARMCPU *cpu, uint64_t *values, Error **errp)
{
    g_assert_not_reached();
}
