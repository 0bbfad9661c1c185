/*
 * The XSAVE components of a guest, across migration
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A kernel saves the components that its host has in use, and some kernels
 * those, too, that the guest was never given. It cannot tell the two apart on
 * the way in, but QEMU can: it knows the guest's CPUID. See
 * docs/system/i386/xsave-masks.rst.
 */

#include "qemu/osdep.h"
#ifdef CONFIG_KVM
#include <sys/syscall.h>
#endif
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "hw/boards.h"
#include "hw/i386/x86.h"
#include "hw/qdev-core.h"
#include "cpu.h"
#include "migration/guest-abi.h"
#include "migration/qemu-compat.h"
#include "migration/vmstate.h"
#include "migration/guest-abi/trace.h"
#include "cpuid-contract.h"
#include "xsave-check.h"
#include "xsave-mask.h"

/* Linux, arch/x86/include/uapi/asm/prctl.h */
#define XCOMP_GET_GUEST_PERMISSION 0x1024

/* -machine xsave-trim=; a process has one machine. */
static OnOffAuto xsave_trim = ON_OFF_AUTO_AUTO;

/*
 * A VM without options of ours loads what an unpatched QEMU loads, even where
 * that is more than its guest was given.
 */
static bool is_checked(void)
{
    return xsave_trim == ON_OFF_AUTO_AUTO ? guest_abi_is_migrated()
                                          : xsave_trim == ON_OFF_AUTO_ON;
}

/* A feature word of @cpu, or what the accelerator can give to a guest */
static uint64_t feature_word(X86CPU *cpu, FeatureWord word)
{
    return cpu ? cpu->env.features[word] : x86_supported_feature_word(word);
}

/*
 * The same of components. QEMU fills their words in before it takes away what
 * the accelerator does not have, which may be XSAVE itself; CPUID then shows
 * none.
 */
static uint64_t components(X86CPU *cpu, FeatureWord low, FeatureWord high)
{
    return feature_word(cpu, FEAT_1_ECX) & CPUID_EXT_XSAVE ?
           feature_word(cpu, high) << 32 | (uint32_t)feature_word(cpu, low) : 0;
}

/*
 * QEMU asks the kernel for some components when its guest is given them; the
 * kernel may say no, which is only a warning then.
 */
static uint64_t without_permission(uint64_t exposed)
{
    uint64_t asked = kvm_enabled() ? exposed & XSTATE_DYNAMIC_MASK : 0;
    uint64_t permitted = 0;

#ifdef CONFIG_KVM
    if (asked && syscall(SYS_arch_prctl, XCOMP_GET_GUEST_PERMISSION,
                         &permitted)) {
        /* A kernel that cannot be asked has none of them. */
        permitted = 0;
    }
#endif
    return asked & ~permitted;
}

static const XsaveLimits *host_limits(void)
{
    static XsaveLimits host;
    static bool is_known;

    if (!is_known) {
        is_known = true;
        host.host_xcr0 = components(NULL, FEAT_XSAVE_XCR0_LO,
                                    FEAT_XSAVE_XCR0_HI);
        host.host_xss = components(NULL, FEAT_XSAVE_XSS_LO,
                                   FEAT_XSAVE_XSS_HI);
    }
    return &host;
}

XsaveLimits x86_xsave_limits(X86CPU *cpu)
{
    XsaveLimits limits = *host_limits();

    limits.xcr0 = components(cpu, FEAT_XSAVE_XCR0_LO, FEAT_XSAVE_XCR0_HI);
    limits.xss = components(cpu, FEAT_XSAVE_XSS_LO, FEAT_XSAVE_XSS_HI);
    limits.pku = cpu->env.features[FEAT_7_0_ECX] & CPUID_7_0_ECX_PKU;
    limits.host_xcr0 &= ~without_permission(limits.xcr0);
    return limits;
}

/* The initial state of components; all of them are zeros. */

/* The upper halves of 16 registers; the others are AVX-512's as a whole. */
static void init_avx(CPUX86State *env)
{
    for (unsigned i = 0; i < MIN(16, ARRAY_SIZE(env->xmm_regs)); i++) {
        env->xmm_regs[i].ZMM_Q(2) = 0;
        env->xmm_regs[i].ZMM_Q(3) = 0;
    }
}

static void init_mpx(CPUX86State *env)
{
    memset(env->bnd_regs, 0, sizeof(env->bnd_regs));
    memset(&env->bndcs_regs, 0, sizeof(env->bndcs_regs));
}

static void init_avx512(CPUX86State *env)
{
    memset(env->opmask_regs, 0, sizeof(env->opmask_regs));
    for (unsigned i = 0; i < ARRAY_SIZE(env->xmm_regs); i++) {
        for (unsigned q = i < 16 ? 4 : 0; q < 8; q++) {
            env->xmm_regs[i].ZMM_Q(q) = 0;
        }
    }
}

static void init_pkru(CPUX86State *env)
{
    env->pkru = 0;
}

#ifdef TARGET_X86_64
static void init_amx(CPUX86State *env)
{
    memset(env->xtilecfg, 0, sizeof(env->xtilecfg));
    memset(env->xtiledata, 0, sizeof(env->xtiledata));
}
#endif

static const struct {
    uint64_t mask;
    void (*init)(CPUX86State *env);
} initial_states[] = {
    { XSTATE_YMM_MASK, init_avx },
    { XSTATE_BNDREGS_MASK | XSTATE_BNDCSR_MASK, init_mpx },
    { XSTATE_OPMASK_MASK | XSTATE_ZMM_Hi256_MASK | XSTATE_Hi16_ZMM_MASK,
      init_avx512 },
    { XSTATE_PKRU_MASK, init_pkru },
#ifdef TARGET_X86_64
    { XSTATE_XTILE_CFG_MASK | XSTATE_XTILE_DATA_MASK, init_amx },
#endif
};

/* Once for a VM, unless another of its vCPUs has more. */
static void warn_dropped(uint64_t xstate_bv, uint64_t dropped)
{
    static uint64_t warned;
    g_autofree char *names = xsave_names_text(&xsave_xcr0, dropped);

    if (dropped & ~warned) {
        warned |= dropped;
        warn_report("xsave: incoming VM has XSAVE component %s (xstate_bv = "
                    "0x%" PRIx64 "), which its guest has not enabled and "
                    "this VM does not expose; not loaded. If the source's "
                    "-cpu has it, start this QEMU with the same -cpu; "
                    "otherwise the source's kernel saved what the guest "
                    "cannot see", names, xstate_bv);
    }
}

static void drop(X86CPU *cpu, uint64_t kept)
{
    CPUX86State *env = &cpu->env;
    uint64_t dropped = env->xstate_bv & ~kept;

    trace_x86_xsave_trim(CPU(cpu)->cpu_index, env->xstate_bv, kept);
    warn_dropped(env->xstate_bv, dropped);
    for (unsigned i = 0; i < ARRAY_SIZE(initial_states); i++) {
        if (dropped & initial_states[i].mask) {
            initial_states[i].init(env);
        }
    }
    env->xstate_bv = kept;
}

/*
 * After a refusal, too, savevm.c gives the vCPUs to the accelerator, and KVM
 * would end QEMU. Nor may the guest go on without what was refused, should
 * somebody continue the VM: all vCPUs are as after a reset. Those that come
 * later in the stream are not loaded any more.
 */
static void reset_all(void)
{
    CPUState *cs;

    CPU_FOREACH(cs) {
        cpu_reset(cs);
    }
}

bool x86_xsave_mask_post_load(X86CPU *cpu)
{
    CPUX86State *env = &cpu->env;
    const XsaveState state = {
        .xstate_bv = env->xstate_bv,
        .xcr0 = env->xcr0,
        .xss = env->xss,
        .pke = env->cr[4] & CR4_PKE_MASK,
        .osxsave = env->cr[4] & CR4_OSXSAVE_MASK,
    };
    const XsaveLimits limits = x86_xsave_limits(cpu);
    g_autoptr(Error) err = NULL;
    uint64_t kept;

    if (!guest_abi_check_received()) {
        reset_all();
        return false;
    }
    if (!is_checked()) {
        return true;
    }
    if (!xsave_check(&state, &limits, &kept, &err)) {
        guest_abi_refuse(err);
        reset_all();
        return false;
    }
    if (kept != state.xstate_bv) {
        drop(cpu, kept);
    }
    return true;
}

/*
 * The subsection of a guest that was given CET, which QEMU 10 does not have:
 * nothing would say why a subsection that is not known ends a migration.
 */
static bool never(void *opaque)
{
    return false;
}

static int refuse_cet(void *opaque)
{
    g_autoptr(Error) err = NULL;

    xsave_refuse_cet(&err);
    guest_abi_refuse(err);
    reset_all();
    return -EINVAL;
}

const VMStateDescription vmstate_x86_cet_unknown = {
    .name = "cpu/cet",
    .version_id = INT_MAX,
    .minimum_version_id = 0,
    .needed = never,
    .pre_load = refuse_cet,
    .fields = (const VMStateField[]) {
        VMSTATE_END_OF_LIST()
    }
};

/* The contract */

static strList *decode(const GuestAbiDefinition *definition, uint64_t value)
{
    return xsave_names(definition->opaque, value);
}

static void refuse(const GuestAbiDefinition *definition, uint64_t incoming,
                   uint64_t here, Error **errp)
{
    const XsaveRegister *reg = definition->opaque;
    const XsaveLimits *host = host_limits();
    g_autofree char *what_to_do = x86_cpuid_remedy();

    xsave_refuse_exposed(reg, incoming, here,
                         reg == &xsave_xcr0 ? host->host_xcr0
                                            : host->host_xss,
                         what_to_do, errp);
}

static void add_entry(const XsaveRegister *reg, uint64_t exposed)
{
    guest_abi_add(&(GuestAbiDefinition) {
        .name = reg->entry,
        .rule = GUEST_ABI_RULE_SUBSET,
        .value = exposed,
        .origin = GUEST_ABI_ORIGIN_OPTION,
        .decode = decode,
        .refuse = refuse,
        .opaque = reg,
    });
}

void x86_xsave_promise(X86CPU *cpu)
{
    XsaveLimits limits = x86_xsave_limits(cpu);

    add_entry(&xsave_xcr0, limits.xcr0);
    add_entry(&xsave_xss, limits.xss);
}

static bool get_xsave_trim(Object *obj, Error **errp)
{
    return is_checked();
}

static void set_xsave_trim(Object *obj, bool value, Error **errp)
{
    if (phase_check(PHASE_MACHINE_CREATED)) {
        error_setg(errp, "xsave-trim cannot be changed after the machine was "
                   "created; give it on the command line: -machine "
                   "xsave-trim=%s", value ? "on" : "off");
        return;
    }
    xsave_trim = value ? ON_OFF_AUTO_ON : ON_OFF_AUTO_OFF;
}

/* The machine classes are complete when migration types are initialised. */
static void x86_xsave_mask_register(void)
{
    ObjectClass *oc = object_class_by_name(TYPE_X86_MACHINE);

    object_class_property_add_bool(oc, "xsave-trim", get_xsave_trim,
                                   set_xsave_trim);
    object_class_property_set_description(oc, "xsave-trim",
        "Leave out XSAVE components that an incoming VM's guest was not "
        "given, and refuse those that it was given and that cannot be kept; "
        "default: as guest-abi");
}

migration_init(x86_xsave_mask_register)
