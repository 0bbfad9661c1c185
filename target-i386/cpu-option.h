/*
 * The -cpu option that gives a guest a wanted CPUID
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TARGET_I386_CPU_OPTION_H
#define TARGET_I386_CPU_OPTION_H

#include "cpuid-items.h"

/**
 * x86_cpu_option: say which option makes a vCPU what it should be
 * @cpu: a vCPU of this VM, realized
 * @wanted: the value that each item should have
 *
 * The option is complete: it has the model and the user's own options of -cpu,
 * too. It sets what can be set, which is not the XSAVE layout, nor features
 * without a name, nor those that -smp decides on.
 *
 * Returns: "host,pmu=off,-avx512f,-pku". The caller frees it.
 */
char *x86_cpu_option(X86CPU *cpu, uint64_t (*wanted)(const CpuidItem *item));

#endif
