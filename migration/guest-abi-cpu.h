/*
 * Guest ABI: a complete -cpu option, for the texts of refusals
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef MIGRATION_GUEST_ABI_CPU_H
#define MIGRATION_GUEST_ABI_CPU_H

/**
 * GuestAbiCpuOption: an option, while it is put together
 * @cpu: a vCPU of this VM
 * @text: what was set so far
 * @done: the names of the properties in @text
 */
typedef struct GuestAbiCpuOption {
    Object *cpu;
    GString *text;
    GHashTable *done;
} GuestAbiCpuOption;

/**
 * guest_abi_cpu_option_begin: start an option
 * @option: set
 * @cpu: a vCPU of this VM, whose model the option will have
 */
void guest_abi_cpu_option_begin(GuestAbiCpuOption *option, Object *cpu);

/**
 * guest_abi_cpu_option_set: change a property
 * @option: the option
 * @name: the property; stays valid until the option ends. The first value
 *        that a property is set to is the one that counts
 * @format: what is appended, as in ",%s=on"
 */
void guest_abi_cpu_option_set(GuestAbiCpuOption *option, const char *name,
                              const char *format, ...) G_GNUC_PRINTF(3, 4);

/**
 * guest_abi_cpu_option_end: the complete option
 * @option: the option; it is over
 * @suffix: what a vCPU's type has behind the model's name
 *
 * Properties that the user has set, by -cpu or -global, and that were not
 * changed, are part of the option.
 *
 * Returns: "MODEL,CHANGED...,KEPT...". The caller frees it.
 */
char *guest_abi_cpu_option_end(GuestAbiCpuOption *option, const char *suffix);

#endif
