/*
 * XSAVE components of an incoming vCPU: which are loaded, which are refused
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/util.h"
#include "qemu/bitops.h"
#include "xsave-check.h"

#define X87    BIT_ULL(0)
#define SSE    BIT_ULL(1)
#define AVX    BIT_ULL(2)
#define MPX    (BIT_ULL(3) | BIT_ULL(4))
#define AVX512 (BIT_ULL(5) | BIT_ULL(6) | BIT_ULL(7))
#define PKRU   BIT_ULL(9)
#define AMX    (BIT_ULL(17) | BIT_ULL(18))

/*
 * Intel SDM volume 1, 13.1, and for APX the APX specification. A bit that is
 * in neither table belongs to no component that a host could have saved.
 */
static const XsaveComponent user_components[] = {
    { X87, "x87", "xsave" },
    { SSE, "sse", "xsave" },
    { AVX, "avx", "avx" },
    { MPX, "mpx", "mpx" },
    { AVX512, "avx512", "avx512f" },
    { PKRU, "pkru", "pku" },
    { AMX, "amx-tile", "amx-tile" },
    { BIT_ULL(19), "apx", NULL },
    { }
};

static const XsaveComponent supervisor_components[] = {
    { BIT_ULL(8), "pt", NULL },
    { BIT_ULL(10), "pasid", NULL },
    { BIT_ULL(11) | BIT_ULL(12), "cet", NULL, "11.0" },
    { BIT_ULL(13), "hdc", NULL },
    { BIT_ULL(14), "uintr", NULL },
    { BIT_ULL(15), "arch-lbr", "arch-lbr" },
    { BIT_ULL(16), "hwp", NULL },
    { }
};

const XsaveRegister xsave_xcr0 = { "XCR0", "x86.xcr0", user_components };
const XsaveRegister xsave_xss = { "XSS", "x86.xss", supervisor_components };

static uint64_t all_components(const XsaveRegister *reg)
{
    uint64_t mask = 0;

    for (const XsaveComponent *c = reg->components; c->name; c++) {
        mask |= c->mask;
    }
    return mask;
}

strList *xsave_names(const XsaveRegister *reg, uint64_t mask)
{
    uint64_t unknown = mask & ~all_components(reg);
    strList *names = NULL;
    strList **tail = &names;

    for (const XsaveComponent *c = reg->components; c->name; c++) {
        if (mask & c->mask) {
            QAPI_LIST_APPEND(tail, g_strdup(c->name));
        }
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        if (unknown & BIT_ULL(bit)) {
            QAPI_LIST_APPEND(tail, g_strdup_printf("bit%u", bit));
        }
    }
    return names;
}

char *xsave_names_text(const XsaveRegister *reg, uint64_t mask)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(strList) names = xsave_names(reg, mask);

    for (strList *name = names; name; name = name->next) {
        g_string_append_printf(text, "%s'%s'", text->len ? ", " : "",
                               name->value);
    }
    return g_strdup(text->str);
}

/* The options by which a guest that has @exposed gets @lacking, too */
static char *remedy(const XsaveRegister *reg, uint64_t lacking,
                    uint64_t exposed, uint64_t host)
{
    /* A guest without XSAVE has x87 and SSE, but no bits in XCR0. */
    uint64_t added = lacking | (exposed ? 0 : XSAVE_LEGACY);
    g_autoptr(GString) options = g_string_new(NULL);

    for (const XsaveComponent *c = reg->components; c->name; c++) {
        if (!(added & c->mask)) {
            continue;
        }
        if (!c->feature) {
            return c->since ?
                g_strdup_printf("use QEMU %s or later, and a host that has it",
                                c->since) :
                g_strdup("use a QEMU and a host that have it");
        }
        /* x87 and sse come with one option, xsave: name it once. */
        if (!g_str_has_suffix(options->str, c->feature)) {
            g_string_append_printf(options, ",+%s", c->feature);
        }
    }
    return g_strdup_printf(lacking & ~host ?
                           "use a host that has it, and start QEMU there with "
                           "-cpu ...%s" :
                           "start this QEMU with -cpu ...%s", options->str);
}

/*
 * @uses: what the incoming VM does with the components
 * @evidence: where that is seen
 * @lacking: those of them that this VM's guest does not have
 * @what_to_do: NULL: the options of the components
 */
static void refuse_not_exposed(const XsaveRegister *reg, const char *prefix,
                               const char *uses, const char *evidence,
                               uint64_t lacking, uint64_t exposed,
                               uint64_t host, const char *what_to_do,
                               Error **errp)
{
    g_autofree char *names = xsave_names_text(reg, lacking);
    g_autofree char *has = xsave_names_text(reg, exposed);
    g_autofree char *options = remedy(reg, lacking, exposed, host);

    error_setg(errp, "%s: incoming VM %s XSAVE component %s (%s), this VM "
               "gives its guest %s (0x%" PRIx64 "); %s", prefix, uses, names,
               evidence, *has ? has : "none", exposed, what_to_do ?: options);
}

static char *evidence_of(const char *where, uint64_t found)
{
    return g_strdup_printf("%s = 0x%" PRIx64, where, found);
}

void xsave_refuse_exposed(const XsaveRegister *reg, uint64_t incoming,
                          uint64_t exposed, uint64_t host,
                          const char *what_to_do, Error **errp)
{
    uint64_t reserved = incoming & ~all_components(reg);
    g_autofree char *evidence = evidence_of(reg->entry, incoming);

    if (reserved) {
        error_setg(errp, "guest-abi: incoming VM gives its guest %s = 0x%"
                   PRIx64 ", of which this QEMU does not know 0x%" PRIx64
                   ", this VM gives its guest 0x%" PRIx64 "; use a QEMU that "
                   "knows it, or restart the VM on this host", reg->entry,
                   incoming, reserved, exposed);
        return;
    }
    refuse_not_exposed(reg, "guest-abi", "gives its guest", evidence,
                       incoming & ~exposed, exposed, host, what_to_do, errp);
}

void xsave_refuse_cet(Error **errp)
{
    error_setg(errp, "xsave: incoming VM has XSAVE component 'cet' (shadow "
               "stacks or indirect branch tracking, subsection cpu/cet), which "
               "this QEMU does not have; use QEMU 11.0 or later, and a host "
               "that has it, or start the source VM with -cpu ...,-cet-ss,-cet-ibt");
}

static bool check_reserved(const XsaveRegister *reg, const char *where,
                           uint64_t found, Error **errp)
{
    uint64_t reserved = found & ~all_components(reg);

    if (!reserved) {
        return true;
    }
    error_setg(errp, "xsave: incoming VM has %s = 0x%" PRIx64 ", where 0x%"
               PRIx64 " are not components that this QEMU knows (0x%" PRIx64
               "); the stream is damaged, or of a newer machine: use a QEMU "
               "that knows them, or restart the VM on this host", where, found,
               reserved, all_components(reg));
    return false;
}

/* XCR0 as XSETBV lets a guest set it (Intel SDM volume 1, 13.3) */
static bool is_consistent(uint64_t xcr0)
{
    uint64_t mpx = xcr0 & MPX;
    uint64_t avx512 = xcr0 & AVX512;
    uint64_t amx = xcr0 & AMX;

    return (xcr0 & X87) &&
           (!(xcr0 & AVX) || (xcr0 & SSE)) &&
           (!mpx || mpx == MPX) &&
           (!avx512 || (avx512 == AVX512 && (xcr0 & AVX))) &&
           (!amx || amx == AMX);
}

static bool check_consistent(uint64_t xcr0, Error **errp)
{
    if (is_consistent(xcr0)) {
        return true;
    }
    error_setg(errp, "xsave: incoming VM has XCR0 = 0x%" PRIx64 ", a "
               "combination that no CPU allows; the stream is damaged: "
               "restart the VM", xcr0);
    return false;
}

static bool check_used(const XsaveRegister *reg, const char *evidence,
                       uint64_t used, uint64_t exposed, uint64_t host,
                       Error **errp)
{
    uint64_t lacking = used & ~exposed;

    if (lacking) {
        refuse_not_exposed(reg, "xsave", "uses", evidence, lacking, exposed,
                           host, NULL, errp);
    }
    return !lacking;
}

static bool check_enabled(const XsaveRegister *reg, uint64_t enabled,
                          uint64_t initial, uint64_t exposed, uint64_t host,
                          Error **errp)
{
    g_autofree char *evidence = evidence_of(reg->name, enabled);

    /* The register has @initial after a reset, with XSAVE and without. */
    return enabled == initial ||
           check_used(reg, evidence, enabled, exposed, host, errp);
}

static bool check_loadable(const XsaveRegister *reg, const char *where,
                           uint64_t content, uint64_t host, Error **errp)
{
    g_autofree char *names = NULL;

    if (!(content & ~host)) {
        return true;
    }
    names = xsave_names_text(reg, content & ~host);
    error_setg(errp, "xsave: incoming VM uses XSAVE component %s (%s = 0x%"
               PRIx64 "), which this host cannot load (it can load 0x%" PRIx64
               "); use a host that has it", names, where, content, host);
    return false;
}

bool xsave_check(const XsaveState *state, const XsaveLimits *limits,
                 uint64_t *xstate_bv, Error **errp)
{
    uint64_t host = limits->host_xcr0;
    /* Components that a guest has without a bit in XCR0 */
    uint64_t always = XSAVE_LEGACY | (limits->pku ? PKRU : 0);
    bool keys = state->pke && !limits->pku;
    bool xsave = state->osxsave && !limits->xcr0;

    *xstate_bv = state->xstate_bv & (limits->xcr0 | always);
    return check_reserved(&xsave_xcr0, "XCR0", state->xcr0, errp) &&
           check_reserved(&xsave_xcr0, "xstate_bv", state->xstate_bv, errp) &&
           check_reserved(&xsave_xss, "XSS", state->xss, errp) &&
           check_consistent(state->xcr0, errp) &&
           check_enabled(&xsave_xcr0, state->xcr0, X87, limits->xcr0, host,
                         errp) &&
           check_used(&xsave_xcr0, "CR4.OSXSAVE is set",
                      xsave ? XSAVE_LEGACY : 0, limits->xcr0, host, errp) &&
           check_used(&xsave_xcr0, "CR4.PKE is set", keys ? PKRU : 0,
                      limits->xcr0, host, errp) &&
           check_enabled(&xsave_xss, state->xss, 0, limits->xss,
                         limits->host_xss, errp) &&
           check_loadable(&xsave_xcr0, "XCR0", state->xcr0,
                          host | XSAVE_LEGACY, errp) &&
           check_loadable(&xsave_xcr0, "xstate_bv", *xstate_bv,
                          host | XSAVE_LEGACY, errp) &&
           check_loadable(&xsave_xss, "XSS", state->xss, limits->host_xss,
                          errp);
}
