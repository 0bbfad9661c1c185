/*
 * Unit tests of xsave_check(): may a vCPU with these XSAVE components come in?
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Masks are literals here, not taken from the code under test.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-builtin-types.h"
#include "target/i386/xsave-check.h"

/* x87, sse, avx, mpx; what QEMU's TCG has without pkru */
#define TCG_NO_PKU 0x1f
#define TCG 0x21f
#define AVX512 0xe7
#define AMX 0x602e7

#define LACKS(names_, evidence_, has_, remedy_)                            \
    "xsave: incoming VM uses XSAVE component " names_ " (" evidence_ "), " \
    "this VM gives its guest " has_ "; " remedy_
#define NO_XCR0(names_, where_, found_, has_, remedy_)                     \
    LACKS(names_, where_ " = " found_, has_, remedy_)
#define IMPOSSIBLE(xcr0_)                                                  \
    "xsave: incoming VM has XCR0 = " xcr0_ ", a combination that no CPU "  \
    "allows; the stream is damaged: restart the VM"
#define DAMAGED(where_, found_, reserved_)                                 \
    "xsave: incoming VM has " where_ " = " found_ ", where " reserved_     \
    " are not components that this QEMU knows (0xe02ff); the stream is "   \
    "damaged, or of a newer machine: use a QEMU that knows them, or "      \
    "restart the VM on this host"
#define NOT_LOADABLE(names_, where_, found_, host_)                        \
    "xsave: incoming VM uses XSAVE component " names_ " (" where_ " = "    \
    found_ "), which this host cannot load (it can load " host_ "); use a " \
    "host that has it"

/**
 * Case: an incoming vCPU, this VM, and the result of xsave_check()
 * @state: the incoming vCPU
 * @limits: this VM
 * @kept: the components that are loaded
 * @refusal: NULL if it fits
 */
typedef struct Case {
    XsaveState state;
    XsaveLimits limits;
    uint64_t kept;
    const char *refusal;
} Case;

static const Case cases[] = {
    /* The vCPU has what CPUID shows. */
    { { 0x7, 0x7 }, { 0x7, 0, 0x7 }, 0x7 },
    { { 0, 1 }, { TCG, 0, TCG }, 0 },
    { { TCG, TCG }, { TCG, 0, TCG }, TCG },
    { { AMX, AMX }, { AMX, 0, AMX }, AMX },
    /* A guest without XSAVE has x87 and SSE all the same. */
    { { 3, 1 }, { 0, 0, 0x7 }, 3 },
    { { 3, 1 }, { 0, 0, 0 }, 3 },
    { { 0, 1 }, { 0, 0, 0 }, 0 },

    /* A guest without XSAVE cannot have CR4.OSXSAVE set. */
    { { 3, 3, 0, false, true }, { 0, 0, 0x7 }, 3,
      NO_XCR0("'x87', 'sse'", "XCR0", "0x3", "none (0x0)",
              "start this QEMU with -cpu ...,+xsave") },
    { { 3, 3 }, { 0, 0, 0x7 }, 3,
      NO_XCR0("'x87', 'sse'", "XCR0", "0x3", "none (0x0)",
              "start this QEMU with -cpu ...,+xsave") },
    { { 3, 3 }, { 0, 0, 0 }, 3,
      NO_XCR0("'x87', 'sse'", "XCR0", "0x3", "none (0x0)",
              "use a host that has it, and start QEMU there with "
              "-cpu ...,+xsave") },
    { { 3, 1, 0, false, true }, { 0, 0, 0x7 }, 3,
      LACKS("'x87', 'sse'", "CR4.OSXSAVE is set", "none (0x0)",
            "start this QEMU with -cpu ...,+xsave") },
    { { 3, 1, 0, false, true }, { 0x7, 0, 0x7 }, 3 },
    { { 3, 3, 0, false, true }, { 0x3, 0, 0x7 }, 3 },

    /* Superfluous: there with content, but not enabled and not exposed */
    { { 0x207, 0x7 }, { 0x7, 0, 0x7 }, 0x7 },
    { { 0x207, 0x7 }, { 0x7, 0, 0x207 }, 0x7 },
    { { 0x602ff, 0x7 }, { 0x7, 0, AMX }, 0x7 },
    { { 0x80007, 0x7 }, { 0x7, 0, 0x7 }, 0x7 },
    { { 0xe02ff, 0x1 }, { 0, 0, 0 }, 0x3 },
    { { 0x204, 0x1 }, { 0, 0, 0 }, 0 },

    /* Exposed but not enabled: stays, whatever the guest did with it */
    { { 0x207, 0x7 }, { 0x207, 0, 0x207 }, 0x207 },
    { { 0x200, 0x1 }, { 0x207, 0, 0x207 }, 0x200 },

    /* Enabled by the guest, and not exposed here */
    { { 0x207, 0x207 }, { 0x7, 0, 0x207 }, 0x7,
      NO_XCR0("'pkru'", "XCR0", "0x207", "'x87', 'sse', 'avx' (0x7)",
              "start this QEMU with -cpu ...,+pku") },
    { { 0x7, 0x207 }, { 0x7, 0, 0x7 }, 0x7,
      NO_XCR0("'pkru'", "XCR0", "0x207", "'x87', 'sse', 'avx' (0x7)",
              "use a host that has it, and start QEMU there with "
              "-cpu ...,+pku") },
    { { 0, 0xe7 }, { 0x3, 0, 0xe7 }, 0,
      NO_XCR0("'avx', 'avx512'", "XCR0", "0xe7", "'x87', 'sse' (0x3)",
              "start this QEMU with -cpu ...,+avx,+avx512f") },
    { { 0, 0x1b }, { 0x3, 0, TCG }, 0,
      NO_XCR0("'mpx'", "XCR0", "0x1b", "'x87', 'sse' (0x3)",
              "start this QEMU with -cpu ...,+mpx") },
    { { 0, 0x600e7 }, { AVX512, 0, AMX }, 0,
      NO_XCR0("'amx-tile'", "XCR0", "0x600e7",
              "'x87', 'sse', 'avx', 'avx512' (0xe7)",
              "start this QEMU with -cpu ...,+amx-tile") },
    { { 0, 0x80007 }, { 0x7, 0, 0x7 }, 0,
      NO_XCR0("'apx'", "XCR0", "0x80007", "'x87', 'sse', 'avx' (0x7)",
              "use a QEMU and a host that have it") },
    /* Without XSAVE, AVX alone is no help. */
    { { 0, 0x207 }, { 0, 0, 0x207 }, 0,
      NO_XCR0("'x87', 'sse', 'avx', 'pkru'", "XCR0", "0x207", "none (0x0)",
              "start this QEMU with -cpu ...,+xsave,+avx,+pku") },
    /* The refusal names the component that the host does not have. */
    { { 0, 0x2e7 }, { 0x7, 0, 0xe7 }, 0,
      NO_XCR0("'avx512', 'pkru'", "XCR0", "0x2e7",
              "'x87', 'sse', 'avx' (0x7)",
              "use a host that has it, and start QEMU there with "
              "-cpu ...,+avx512f,+pku") },

    /* Protection keys work without XCR0. */
    { { 0x7, 0x7, 0, true }, { 0x207, 0, 0x207 }, 0x7 },
    { { 0x7, 0x7, 0, true }, { 0x7, 0, 0x207 }, 0x7,
      LACKS("'pkru'", "CR4.PKE is set", "'x87', 'sse', 'avx' (0x7)",
            "start this QEMU with -cpu ...,+pku") },
    /* Protection keys work without XSAVE, too, and PKRU is exposed. */
    { { 0x203, 0x1, 0, true }, { 0, 0, 0x207, 0, true }, 0x203 },
    { { 0x203, 0x1 }, { 0, 0, 0x207, 0, true }, 0x203 },
    { { 0x203, 0x1, 0, true }, { 0, 0, 0x207 }, 0x3,
      LACKS("'pkru'", "CR4.PKE is set", "none (0x0)",
            "start this QEMU with -cpu ...,+xsave,+pku") },
    { { 0x203, 0x1 }, { 0, 0, 0x7, 0, true }, 0x203,
      NOT_LOADABLE("'pkru'", "xstate_bv", "0x203", "0x7") },

    /* Supervisor components */
    { { 0x7, 0x7, 0x8000 }, { 0x7, 0x8000, 0x7, 0x8000 }, 0x7 },
    { { 0x7, 0x7, 0x8000 }, { 0x7, 0, 0x7, 0x8000 }, 0x7,
      NO_XCR0("'arch-lbr'", "XSS", "0x8000", "none (0x0)",
              "start this QEMU with -cpu ...,+arch-lbr") },
    { { 0x7, 0x7, 0x9800 }, { 0x7, 0x8000, 0x7, 0x8000 }, 0x7,
      NO_XCR0("'cet'", "XSS", "0x9800", "'arch-lbr' (0x8000)",
              "use QEMU 11.0 or later, and a host that has it") },
    { { 0x7, 0x7, 0x100 }, { 0x7, 0, 0x7, 0x8000 }, 0x7,
      NO_XCR0("'pt'", "XSS", "0x100", "none (0x0)",
              "use a QEMU and a host that have it") },

    /* Exposed, by force-features=on, but not loadable on this host */
    { { 0xe7, 0x7 }, { AVX512, 0, 0x7 }, 0xe7,
      NOT_LOADABLE("'avx512'", "xstate_bv", "0xe7", "0x7") },
    { { 0x7, 0xe7 }, { AVX512, 0, 0x7 }, 0x7,
      NOT_LOADABLE("'avx512'", "XCR0", "0xe7", "0x7") },
    { { 0x7, 0x7 }, { AVX512, 0, 0x7 }, 0x7 },
    { { 0x7, 0x7, 0x8000 }, { 0x7, 0x8000, 0x7, 0 }, 0x7,
      NOT_LOADABLE("'arch-lbr'", "XSS", "0x8000", "0x0") },
    { { 0x60000, 0x7 }, { AMX, 0, AVX512 }, 0x60000,
      NOT_LOADABLE("'amx-tile'", "xstate_bv", "0x60000", "0xe7") },

    /* XSTATE_BV that no host saves */
    { { UINT64_MAX, 0x7 }, { 0x7, 0, 0x7 }, 0x7,
      DAMAGED("xstate_bv", "0xffffffffffffffff", "0xfffffffffff1fd00") },
    { { 1ULL << 63, 0x7 }, { 0x7, 0, 0x7 }, 0,
      DAMAGED("xstate_bv", "0x8000000000000000", "0x8000000000000000") },
    { { 0x107, 0x7 }, { 0x7, 0, 0x7 }, 0x7,
      DAMAGED("xstate_bv", "0x107", "0x100") },
    { { 0x1800, 0x7 }, { 0x7, 0, 0x7 }, 0,
      DAMAGED("xstate_bv", "0x1800", "0x1800") },
    { { 0x100000, 0x7 }, { 0x7, 0, 0x7 }, 0,
      DAMAGED("xstate_bv", "0x100000", "0x100000") },
    { { 0, UINT64_MAX }, { 0x7, 0, 0x7 }, 0,
      DAMAGED("XCR0", "0xffffffffffffffff", "0xfffffffffff1fd00") },
    { { 0, 1ULL << 63 | 7 }, { UINT64_MAX, 0, UINT64_MAX }, 0,
      DAMAGED("XCR0", "0x8000000000000007", "0x8000000000000000") },
    { { 0, 1, 0x7 }, { 0x7, UINT64_MAX, 0x7, UINT64_MAX }, 0,
      "xsave: incoming VM has XSS = 0x7, where 0x7 are not components that "
      "this QEMU knows (0x1fd00); the stream is damaged, or of a newer "
      "machine: use a QEMU that knows them, or restart the VM on this host" },

    /* XCR0 that XSETBV refuses */
    { { 0, 0 }, { 0, 0, 0 }, 0, IMPOSSIBLE("0x0") },
    { { 0, 0 }, { AMX, 0, AMX }, 0, IMPOSSIBLE("0x0") },
    { { 0, 2 }, { AMX, 0, AMX }, 0, IMPOSSIBLE("0x2") },
    { { 0, 5 }, { AMX, 0, AMX }, 0, IMPOSSIBLE("0x5") },
    { { 0, 9 }, { TCG, 0, TCG }, 0, IMPOSSIBLE("0x9") },
    { { 0, 0x11 }, { TCG, 0, TCG }, 0, IMPOSSIBLE("0x11") },
    { { 0, 0x27 }, { AMX, 0, AMX }, 0, IMPOSSIBLE("0x27") },
    { { 0, 0xc7 }, { AMX, 0, AMX }, 0, IMPOSSIBLE("0xc7") },
    { { 0, 0xe3 }, { AMX, 0, AMX }, 0, IMPOSSIBLE("0xe3") },
    { { 0, 0x20007 }, { AMX, 0, AMX }, 0, IMPOSSIBLE("0x20007") },
    { { 0, 0x40007 }, { AMX, 0, AMX }, 0, IMPOSSIBLE("0x40007") },
    /* Allowed, if unusual */
    { { 0, 0x201 }, { TCG, 0, TCG }, 0 },
    { { 0, 0x19 }, { TCG, 0, TCG }, 0 },
    { { 0, 0x60001 }, { AMX, 0, AMX }, 0 },
    /* A component in its initial state can be absent from XSTATE_BV. */
    { { 0x20020, 0x7 }, { AMX, 0, AMX }, 0x20020 },
};

static void test_cases(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        const Case *c = &cases[i];
        g_autoptr(Error) err = NULL;
        uint64_t kept = 0x5555;
        bool fits = xsave_check(&c->state, &c->limits, &kept, &err);

        g_test_message("case %u: xstate_bv 0x%" PRIx64 " xcr0 0x%" PRIx64, i,
                       c->state.xstate_bv, c->state.xcr0);
        g_assert_cmpstr(err ? error_get_pretty(err) : NULL, ==, c->refusal);
        g_assert_true(fits == !c->refusal);
        g_assert_cmphex(kept, ==, c->kept);
    }
}

static const struct {
    const XsaveRegister *reg;
    uint64_t mask;
    const char *names;
} names[] = {
    { &xsave_xcr0, 0, "" },
    { &xsave_xcr0, 0x1, "'x87'" },
    { &xsave_xcr0, TCG_NO_PKU, "'x87', 'sse', 'avx', 'mpx'" },
    /* One bit of AVX-512's three has the name of all. */
    { &xsave_xcr0, 0x20, "'avx512'" },
    { &xsave_xcr0, 0x20000, "'amx-tile'" },
    { &xsave_xcr0, 0xe02ff, "'x87', 'sse', 'avx', 'mpx', 'avx512', 'pkru', "
      "'amx-tile', 'apx'" },
    { &xsave_xcr0, 1ULL << 63 | 0x100 | 4, "'avx', 'bit8', 'bit63'" },
    { &xsave_xss, 0x1fd00, "'pt', 'pasid', 'cet', 'hdc', 'uintr', "
      "'arch-lbr', 'hwp'" },
    { &xsave_xss, 0x8001, "'arch-lbr', 'bit0'" },
};

static void test_names(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        g_autofree char *text = xsave_names_text(names[i].reg, names[i].mask);

        g_assert_cmpstr(text, ==, names[i].names);
    }
}

static const struct {
    const XsaveRegister *reg;
    uint64_t incoming, exposed, host;
    const char *refusal;
} contracts[] = {
    { &xsave_xcr0, 0x21f, 0x1f, 0x21f, "guest-abi: incoming VM gives its "
      "guest XSAVE component 'pkru' (x86.xcr0 = 0x21f), this VM gives its "
      "guest 'x87', 'sse', 'avx', 'mpx' (0x1f); start this QEMU with -cpu "
      "...,+pku" },
    { &xsave_xcr0, 0xe7, 0x7, 0x7, "guest-abi: incoming VM gives its guest "
      "XSAVE component 'avx512' (x86.xcr0 = 0xe7), this VM gives its guest "
      "'x87', 'sse', 'avx' (0x7); use a host that has it, and start QEMU "
      "there with -cpu ...,+avx512f" },
    /* A guest without XSAVE has x87 and SSE, but no bits in XCR0. */
    { &xsave_xcr0, 0x7, 0, 0x7, "guest-abi: incoming VM gives its guest XSAVE "
      "component 'x87', 'sse', 'avx' (x86.xcr0 = 0x7), this VM gives its "
      "guest none (0x0); start this QEMU with -cpu ...,+xsave,+avx" },
    { &xsave_xss, 0x8000, 0, 0x8000, "guest-abi: incoming VM gives its guest "
      "XSAVE component 'arch-lbr' (x86.xss = 0x8000), this VM gives its guest "
      "none (0x0); start this QEMU with -cpu ...,+arch-lbr" },
    { &xsave_xcr0, 1ULL << 63 | 7, 0x7, 0x7, "guest-abi: incoming VM gives "
      "its guest x86.xcr0 = 0x8000000000000007, of which this QEMU does not "
      "know 0x8000000000000000, this VM gives its guest 0x7; use a QEMU that "
      "knows it, or restart the VM on this host" },
};

static void test_contracts(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(contracts); i++) {
        g_autoptr(Error) err = NULL;

        xsave_refuse_exposed(contracts[i].reg, contracts[i].incoming,
                             contracts[i].exposed, contracts[i].host, NULL,
                             &err);
        g_assert_cmpstr(error_get_pretty(err), ==, contracts[i].refusal);
    }
}

/* What gives a VM all of the contract comes from whoever knows all of it. */
static void test_remedy_of_others(void)
{
    g_autoptr(Error) err = NULL;
    g_autoptr(Error) cet = NULL;

    xsave_refuse_exposed(&xsave_xcr0, 0x21f, 0x1f, 0x21f,
                         "start this QEMU with -cpu max", &err);
    g_assert_cmpstr(error_get_pretty(err), ==, "guest-abi: incoming VM gives "
                    "its guest XSAVE component 'pkru' (x86.xcr0 = 0x21f), this "
                    "VM gives its guest 'x87', 'sse', 'avx', 'mpx' (0x1f); "
                    "start this QEMU with -cpu max");
    xsave_refuse_cet(&cet);
    g_assert_cmpstr(error_get_pretty(cet), ==, "xsave: incoming VM has XSAVE "
                    "component 'cet' (shadow stacks or indirect branch "
                    "tracking, subsection cpu/cet), which this QEMU does not "
                    "have; use QEMU 11.0 or later, and a host that has it, or "
                    "start the source VM with -cpu ...,-cet-ss,-cet-ibt");
}

/* Does XSETBV accept this value of XCR0? Intel SDM volume 1, 13.3 */
static bool possible(uint64_t xcr0)
{
    unsigned mpx = xcr0 >> 3 & 3;
    unsigned avx512 = xcr0 >> 5 & 7;
    unsigned amx = xcr0 >> 17 & 3;

    return xcr0 % 2 == 1 && (xcr0 >> 1 & 3) != 2 && (mpx == 0 || mpx == 3) &&
           (avx512 == 0 || (avx512 == 7 && (xcr0 & 4) == 4)) &&
           (amx == 0 || amx == 3);
}

/* The largest part of a mask that a CPU could have in XCR0, and x87 */
static uint64_t make_possible(uint64_t xcr0)
{
    xcr0 &= xcr0 & 2 ? UINT64_MAX : ~4ULL;
    xcr0 &= (xcr0 & 0x18) == 0x18 ? UINT64_MAX : ~0x18ULL;
    xcr0 &= (xcr0 & 0xe4) == 0xe4 ? UINT64_MAX : ~0xe0ULL;
    xcr0 &= (xcr0 & 0x60000) == 0x60000 ? UINT64_MAX : ~0x60000ULL;
    return xcr0 | 1;
}

/*
 * xsave_check() against its rules, bit by bit, for random states. About every
 * second XCR0 is drawn so that XSETBV would accept it.
 */
static void test_random(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(20261121);
    unsigned fitting = 0, fitting_xss = 0;

    for (unsigned i = 0; i < 200000; i++) {
        uint64_t known = g_rand_int_range(rand, 0, 8) ? 0xe02ff : UINT64_MAX;
        uint64_t word[8];
        XsaveState state;
        XsaveLimits limits;
        uint64_t kept, expected = 0;
        bool fits = true;
        bool result;

        for (unsigned w = 0; w < ARRAY_SIZE(word); w++) {
            word[w] = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
            /* User components, and those of a supervisor */
            word[w] &= w < 5 ? known : 0x1fd00;
        }
        state = (XsaveState) {
            .xstate_bv = word[0], .xcr0 = word[1],
            .pke = g_rand_boolean(rand), .osxsave = g_rand_boolean(rand),
            .xss = i % 4 ? 0 : word[5],
        };
        limits = (XsaveLimits) {
            .xcr0 = word[2], .host_xcr0 = word[3],
            .xss = word[6], .host_xss = word[7],
            .pku = g_rand_boolean(rand),
        };
        if (i % 2) {
            state.xcr0 &= limits.xcr0 & limits.host_xcr0;
            state.xstate_bv &= limits.host_xcr0 | word[4];
        }
        if (i % 8) {
            state.xcr0 = make_possible(state.xcr0);
        }
        if (i % 16 > 11) {
            /* Without XSAVE */
            limits.xcr0 = 0;
            state.xcr0 &= i % 32 > 24 ? 3 : 1;
        }
        if (i % 8 == 4) {
            state.xss &= limits.xss & limits.host_xss;
        }
        if (!possible(state.xcr0) || (state.osxsave && !limits.xcr0) ||
            (state.xss & ~(limits.xss & limits.host_xss))) {
            fits = false;
        }
        for (unsigned bit = 0; bit < 64; bit++) {
            bool content = state.xstate_bv >> bit & 1;
            bool enabled = state.xcr0 >> bit & 1;
            bool in_xcr0 = limits.xcr0 >> bit & 1;
            bool exposed = bit < 2 || in_xcr0 || (bit == 9 && limits.pku);
            bool loadable = bit < 2 || (limits.host_xcr0 >> bit & 1);
            bool exists = bit < 8 || bit == 9 || bit == 17 || bit == 18 ||
                          bit == 19;

            if (((content || enabled) && !exists) ||
                (enabled && !in_xcr0 && state.xcr0 != 1) ||
                (bit == 9 && state.pke && !exposed) ||
                ((enabled || (content && exposed)) && !loadable)) {
                fits = false;
            }
            if (content && exposed) {
                expected |= 1ULL << bit;
            }
        }
        result = xsave_check(&state, &limits, &kept, NULL);
        g_assert_true(result == fits);
        g_assert_cmphex(kept, ==, expected);
        fitting += fits;
        fitting_xss += fits && state.xss;
    }
    g_assert_cmpuint(fitting, >, 1000);
    g_assert_cmpuint(fitting_xss, >, 100);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xsave/cases", test_cases);
    g_test_add_func("/xsave/names", test_names);
    g_test_add_func("/xsave/contracts", test_contracts);
    g_test_add_func("/xsave/remedy-of-others", test_remedy_of_others);
    g_test_add_func("/xsave/random", test_random);
    return g_test_run();
}
