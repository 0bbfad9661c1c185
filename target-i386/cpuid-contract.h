/*
 * What CPUID tells an x86 guest, in its contract
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TARGET_I386_CPUID_CONTRACT_H
#define TARGET_I386_CPUID_CONTRACT_H

/**
 * x86_cpuid_promise: add CPUID's items to the contract
 * @cpu: the VM's first vCPU; it is never freed
 *
 * To be called once, when the machine is complete.
 */
void x86_cpuid_promise(X86CPU *cpu);

/**
 * x86_cpuid_remedy: what gives this VM the CPUID of the contract that is judged
 *
 * Only for the refusal of an entry; the text is the same for all of them.
 *
 * Returns: what to do; NULL if CPUID is not in the contract, or is what this
 * VM has. The caller frees it.
 */
char *x86_cpuid_remedy(void);

#endif
