/*
 * PSCI versions without KVM
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "kvm-psci.h"

uint32_t hvc_kvm_host_psci_version(void)
{
    g_assert_not_reached();
}
