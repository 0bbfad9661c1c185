/*
 * KVM_HC_MAP_GPA_RANGE and MSR_KVM_MIGRATION_CONTROL
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "standard-headers/asm-x86/kvm_para.h"
#include "standard-headers/linux/kvm_para.h"
#include "migration/shared-pages-ready.h"
#include "migration/shared-pages.h"
#include "map-gpa-range.h"

#define RESERVED_ATTRIBUTES MAKE_64BIT_MASK(5, 59)

uint64_t x86_map_gpa_range(uint64_t address, uint64_t pages,
                           uint64_t attributes)
{
    bool shared = !(attributes & KVM_MAP_GPA_RANGE_ENCRYPTED);

    if (attributes & RESERVED_ATTRIBUTES ||
        pages > UINT64_MAX / SHARED_PAGES_GRANULE ||
        shared_pages_set(address, pages * SHARED_PAGES_GRANULE, shared) < 0) {
        return -KVM_EINVAL;
    }
    return 0;
}

uint64_t x86_migration_control(void)
{
    return shared_pages_is_ready() ? KVM_MIGRATION_READY : 0;
}

bool x86_set_migration_control(uint64_t value)
{
    if (value & ~(uint64_t)KVM_MIGRATION_READY) {
        return false;
    }
    shared_pages_set_ready(value);
    return true;
}
