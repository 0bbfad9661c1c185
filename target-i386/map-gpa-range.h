/*
 * KVM_HC_MAP_GPA_RANGE and MSR_KVM_MIGRATION_CONTROL
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * By the call an x86 guest says which pages it shares with its host, and by the
 * register that it says so of all of them. KVM hands both over to its VMM.
 */

#ifndef TARGET_I386_MAP_GPA_RANGE_H
#define TARGET_I386_MAP_GPA_RANGE_H

/**
 * x86_map_gpa_range: the guest shares pages, or takes them back
 * @address: guest physical address, of a whole page; not trusted
 * @pages: their number, of 4 KiB each; not trusted
 * @attributes: bits 3:0: the size of pages that the guest would like best,
 *              which says nothing about the list; bit 4: 1 for private pages;
 *              the others are 0; not trusted
 *
 * A page may be in that state already. May be called in any thread. Linux
 * Documentation/virt/kvm/x86/hypercalls.rst
 *
 * Returns: what the guest finds in RAX: 0, or -KVM_EINVAL, and nothing has
 * changed: no pages, another attribute, or not all of it is the guest's RAM.
 */
uint64_t x86_map_gpa_range(uint64_t address, uint64_t pages,
                           uint64_t attributes);

/**
 * x86_migration_control: the register's value
 *
 * It is one for the VM, whichever vCPU asks. Linux
 * Documentation/virt/kvm/x86/msr.rst
 */
uint64_t x86_migration_control(void);

/**
 * x86_set_migration_control: the guest writes the register
 * @value: KVM_MIGRATION_READY, or 0; not trusted
 *
 * Returns: false for another value, of which the guest gets #GP.
 */
bool x86_set_migration_control(uint64_t value);

#endif
