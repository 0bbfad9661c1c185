/*
 * XSAVE components of an incoming vCPU: which are loaded, which are refused
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Masks and names only: includes neither CPUs nor accelerators.
 */

#ifndef TARGET_I386_XSAVE_CHECK_H
#define TARGET_I386_XSAVE_CHECK_H

#include "qapi/qapi-builtin-types.h"

/* x87 and SSE, which every x86-64 CPU has, with or without XSAVE */
#define XSAVE_LEGACY 3

/**
 * XsaveComponent: what users call one component, or several that come together
 * @mask: its bits
 * @name: as in a refusal
 * @feature: the property of -cpu that gives it to a guest; NULL if this QEMU
 *           has none
 * @since: where @feature is NULL: the first QEMU that has one; NULL if it is
 *         not known
 */
typedef struct XsaveComponent {
    uint64_t mask;
    const char *name;
    const char *feature;
    const char *since;
} XsaveComponent;

/**
 * XsaveRegister: a register whose bits are components
 * @name: the vendors' name for it
 * @entry: the contract's entry
 * @components: in the order of their bits, up to one without a name
 */
typedef struct XsaveRegister {
    const char *name;
    const char *entry;
    const XsaveComponent *components;
} XsaveRegister;

/* User components, and supervisor components */
extern const XsaveRegister xsave_xcr0;
extern const XsaveRegister xsave_xss;

/**
 * XsaveState: what an incoming vCPU says of its components
 * @xstate_bv: those that come with content
 * @xcr0: those that the guest has enabled
 * @xss: the same for supervisor components
 * @pke: the guest uses protection keys; that needs no bit of @xcr0
 * @osxsave: the guest uses XSAVE, be it with @xcr0 as after a reset
 */
typedef struct XsaveState {
    uint64_t xstate_bv;
    uint64_t xcr0;
    uint64_t xss;
    bool pke;
    bool osxsave;
} XsaveState;

/**
 * XsaveLimits: what this VM has
 * @xcr0: user components that its CPUID shows to the guest
 * @xss: the same for supervisor components
 * @host_xcr0: user components that this host can give to a guest by XSAVE; it
 *             can load x87 and SSE without
 * @host_xss: supervisor components that this host can load
 * @pku: its CPUID shows protection keys; a guest can have them, and so PKRU,
 *       even without XSAVE
 */
typedef struct XsaveLimits {
    uint64_t xcr0;
    uint64_t xss;
    uint64_t host_xcr0;
    uint64_t host_xss;
    bool pku;
} XsaveLimits;

/**
 * xsave_names: components in words
 * @reg: whose bits they are
 * @mask: the bits
 *
 * Returns: a name for each component of which @mask has a bit, and "bitN" for
 * each bit that is of none. The caller frees the list.
 */
strList *xsave_names(const XsaveRegister *reg, uint64_t mask);

/**
 * xsave_names_text: components in words, in one string
 * @reg: whose bits they are
 * @mask: the bits
 *
 * Returns: names in quotation marks, with commas. The caller frees the string.
 */
char *xsave_names_text(const XsaveRegister *reg, uint64_t mask);

/**
 * xsave_refuse_exposed: say why a contract does not fit
 * @reg: of which register
 * @incoming: what the other VM shows to its guest
 * @exposed: what this VM shows to its guest
 * @host: what this host can load
 * @what_to_do: what gives the guest @incoming; NULL: the components' options
 * @errp: set
 */
void xsave_refuse_exposed(const XsaveRegister *reg, uint64_t incoming,
                          uint64_t exposed, uint64_t host,
                          const char *what_to_do, Error **errp);

/**
 * xsave_refuse_cet: say why a vCPU with the subsection cpu/cet is refused
 * @errp: set
 *
 * QEMU sends the subsection from 11.0 on, for guests whose CPUID has shadow
 * stacks or indirect branch tracking.
 */
void xsave_refuse_cet(Error **errp);

/**
 * xsave_check: can an incoming vCPU be run here?
 * @state: what the stream says
 * @limits: what this VM has
 * @xstate_bv: set to the components whose content is to be loaded
 * @errp: why the vCPU cannot be run here, and what to do
 *
 * A component that the guest does not see is left out of @xstate_bv: a kernel
 * has saved it only because its host has it. One that the guest uses is never
 * left out: either it can be loaded, or the vCPU is refused.
 *
 * Returns: true if the vCPU can be run here
 */
bool xsave_check(const XsaveState *state, const XsaveLimits *limits,
                 uint64_t *xstate_bv, Error **errp);

#endif
