/*
 * Unit tests of pinning the services on a fake kernel
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "target/arm/hvc/kvm-firmware.h"
#include "../fake/fake-kvm.h"

#define OPTIONS "hvc-services=X"
#define FLOOR_OR_SERVICES \
    "; use another floor or other services (hvc-services=help lists them)"
#define CANNOT_HIDE \
    OPTIONS ": this host's kernel shows every guest the hvc services 'trng', " \
    "'vendor-features' and 'ptp' and has no firmware register to hide them; " \
    "needed: Linux 5.19 or later, or one before 5.12; run the VM on such a " \
    "host, or use hvc-services=host"
#define NO_PSCI_VERSION(reason) \
    OPTIONS ": cannot read this host's PSCI_VERSION [0x6030000000140000]: " \
    reason
#define UNKNOWN_AT(id, value, reason) \
    OPTIONS ": this host's kernel shows guests services in its firmware " \
    "register " id " (" value "), which this QEMU does not know and cannot " \
    "hide: " reason "; use a QEMU that knows them, or hvc-services=host"

/* The floors of DESIGN.md, section 1 */
static const HvcSet none =       { { 0, 0, 0, 0 }, 0x10001 };
static const HvcSet linux_5_10 = { { 0, 0, 0, 0 }, 0x10000 };
static const HvcSet linux_6_1 =  { { 1, 1, 3, 0 }, 0x10001 };
static const HvcSet linux_6_18 = { { 1, 1, 3, 0 }, 0x10003 };

static const uint64_t bitmaps[] = {
    FAKE_STD, FAKE_STD_HYP, FAKE_VENDOR_HYP, FAKE_VENDOR_HYP_2,
};

/* What QEMU serves of PSCI 1.2 and 1.3, and what the kernel goes on with */
static const uint32_t psci_1_2[] = { 0x84000000, 0x8400000a };
static const uint32_t psci_1_3[] = {
    0x84000000, 0x8400000a, 0x84000015, 0xc4000015,
};

static void assert_psci(const FakeKvm *fake, uint32_t version,
                        const HvcShare *share)
{
    bool by_qemu = share->qemu.psci_version;
    unsigned count = !by_qemu ? 0 :
                     version == 0x10003 ? ARRAY_SIZE(psci_1_3)
                                        : ARRAY_SIZE(psci_1_2);

    g_assert_cmphex(share->kernel.psci_version, ==,
                    by_qemu ? 0x10001 : version);
    g_assert_true(!by_qemu || share->qemu.psci_version == version);
    g_assert_true(hvc_set_is_empty(&share->qemu));
    g_assert_cmphex(fake_kvm_value(fake, FAKE_PSCI_VERSION), ==,
                    share->kernel.psci_version);
    g_assert_cmpuint(fake->handed_over->len, ==, count);
    for (unsigned i = 0; i < count; i++) {
        g_assert_true(fake_kvm_hands_over(fake, psci_1_3[i]));
    }
}

static void assert_pinned(const FakeKvm *fake, const HvcSet *set,
                          const HvcShare *share)
{
    for (unsigned i = 0; i < ARRAY_SIZE(bitmaps); i++) {
        const FakeRegister *reg = fake_kvm_register(fake, bitmaps[i]);

        g_assert_cmphex(reg ? reg->value : 0, ==, set->bmap[i]);
        g_assert_cmphex(share->kernel.bmap[i], ==, set->bmap[i]);
    }
    assert_psci(fake, set->psci_version, share);
}

static void check_pin(FakeKvm *fake, const HvcSet *set, const char *refusal)
{
    Error *err = NULL;
    HvcShare share;
    bool ok = hvc_kvm_pin(&fake->kvm, set, OPTIONS, &share, &err);

    if (err) {
        g_test_message("%s", error_get_pretty(err));
    }
    g_assert_cmpstr(err ? error_get_pretty(err) : NULL, ==, refusal);
    g_assert_true(ok == !refusal);
    error_free(err);
    if (ok) {
        assert_pinned(fake, set, &share);
    }
}

/* For a refusal that is not to be compared as a whole */
static char *refusal_of(FakeKvm *fake, const HvcSet *set)
{
    Error *err = NULL;
    HvcShare share;
    char *text;

    g_assert_false(hvc_kvm_pin(&fake->kvm, set, OPTIONS, &share, &err));
    text = g_strdup(error_get_pretty(err));
    g_test_message("%s", text);
    error_free(err);
    return text;
}

static void test_firmware_ids(void)
{
    static const uint64_t yes[] = {
        FAKE_PSCI_VERSION, FAKE_WORKAROUND_1, FAKE_WORKAROUND_3,
        0x6030000000140004, 0x603000000014ffff, 0x6020000000140000,
        FAKE_STD, FAKE_VENDOR_HYP_2, FAKE_BITMAP_5, 0x603000000016ffff,
        0x6020000000160000,
    };
    static const uint64_t no[] = {
        FAKE_X0, FAKE_CCSIDR(0), FAKE_MIDR, 0x603000000013ffff,
        0x6030000000150000, 0x603000000015ffff, 0x6030000000170000,
        0x6030000001140000, 0x6030000008160000, 0,
    };

    g_assert_cmphex(HVC_KVM_PSCI_VERSION, ==, FAKE_PSCI_VERSION);
    g_assert_cmphex(HVC_KVM_WORKAROUND(3), ==, FAKE_WORKAROUND_3);
    g_assert_cmphex(HVC_KVM_FW_FEAT(HVC_VENDOR_HYP_BMAP_2), ==,
                    FAKE_VENDOR_HYP_2);
    for (unsigned i = 0; i < ARRAY_SIZE(yes); i++) {
        g_test_message("0x%" PRIx64, yes[i]);
        g_assert_true(hvc_kvm_is_firmware(yes[i]));
    }
    for (unsigned i = 0; i < ARRAY_SIZE(no); i++) {
        g_test_message("0x%" PRIx64, no[i]);
        g_assert_false(hvc_kvm_is_firmware(no[i]));
    }
}

/* Every floor on every kernel */

#define NO_SERVICE(has) \
    OPTIONS ": this host's kernel cannot give a guest hvc service 'trng' " \
    "(std bit 0), it offers " has "; needed: Linux 5.19 or later; use " \
    "hvc-services=" has
#define NO_PSCI(wanted, has, kernel) \
    OPTIONS ": this host's kernel cannot give a guest PSCI " wanted ", it " \
    "has " has "; needed: Linux " kernel " or later; use psci-version=" has
#define NOT_HANDED_OVER(wanted, has) \
    OPTIONS ": this host's kernel cannot give a guest PSCI " wanted ", it " \
    "has " has "; needed: Linux 6.13 or later, or 6.4 or later, where QEMU " \
    "serves it; use psci-version=" has

typedef struct FloorCase {
    const HvcSet *set;
    const char *refusals[FAKE_KERNELS]; /* NULL: the kernel takes it */
} FloorCase;

static const FloorCase floors[] = {
    { &none,
      { [FAKE_5_10] = NO_PSCI("1.1", "1.0", "5.18"),
        [FAKE_5_15] = CANNOT_HIDE } },
    { &linux_5_10,
      { [FAKE_5_15] = CANNOT_HIDE } },
    { &linux_6_1,
      { [FAKE_5_10] = NO_SERVICE("none"),
        [FAKE_5_15] = CANNOT_HIDE } },
    { &linux_6_18,
      { [FAKE_5_10] = NO_SERVICE("none"),
        [FAKE_5_15] = CANNOT_HIDE,
        [FAKE_6_1]  = NOT_HANDED_OVER("1.3", "1.1") } },
};

static void test_kernels(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(floors); i++) {
        for (FakeKernel kernel = 0; kernel < FAKE_KERNELS; kernel++) {
            g_autoptr(FakeKvm) fake = fake_kvm_new(kernel);
            g_autoptr(FakeKvm) before = fake_kvm_new(kernel);

            g_test_message("floor %u on Linux %s", i, fake_kvm_name(kernel));
            check_pin(fake, floors[i].set, floors[i].refusals[kernel]);
            fake_kvm_assert_same(fake, before, false);
        }
    }
}

/* A VM is pinned to what was asked for, not to what was there before. */
static void test_again(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);

    check_pin(fake, &none, NULL);
    check_pin(fake, &linux_6_18, NULL);
    check_pin(fake, &linux_5_10, NULL);
}

/* Each combination of what 6.1 has; ptp without vendor-features is one. */
static void test_combinations(void)
{
    for (unsigned bits = 0; bits < 16; bits++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_1);
        HvcSet set = { { bits & 1, bits >> 1 & 1, bits >> 2, 0 }, 0x10001 };

        check_pin(fake, &set, NULL);
    }
}

/* Kernels to come: bits that are on by default */
static void test_future_bits(void)
{
    static const HvcSet *const sets[] = { &none, &linux_6_1, &linux_6_18 };

    for (unsigned i = 0; i < ARRAY_SIZE(bitmaps); i++) {
        for (unsigned bit = 2; bit < 64; bit++) {
            for (unsigned s = 0; s < ARRAY_SIZE(sets); s++) {
                g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);
                FakeRegister *reg = fake_kvm_register(fake, bitmaps[i]);

                reg->limit |= 1ULL << bit;
                reg->value |= 1ULL << bit;
                check_pin(fake, sets[s], NULL);
            }
        }
    }
}

static void test_all_bits(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);

    for (unsigned i = 0; i < ARRAY_SIZE(bitmaps); i++) {
        fake_kvm_register(fake, bitmaps[i])->limit = UINT64_MAX;
        fake_kvm_register(fake, bitmaps[i])->value = UINT64_MAX;
    }
    check_pin(fake, &linux_6_1, NULL);
}

/* The new register may be on by default in a kernel to come. */
static void test_vendor_hyp_2_on(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);

    fake_kvm_register(fake, FAKE_VENDOR_HYP_2)->value = 0x3;
    check_pin(fake, &linux_6_18, NULL);
}

/* A bit that cannot be cleared: its guest would see it. */

static FakeKvm *new_stuck(uint64_t id, uint64_t bits, bool silent)
{
    FakeKvm *fake = fake_kvm_new(FAKE_7_3);
    FakeRegister *reg = fake_kvm_register(fake, id);

    reg->limit |= bits;
    reg->value |= bits;
    if (silent) {
        reg->ignores = bits;
    } else {
        reg->stuck = bits;
    }
    return fake;
}

static void test_stuck_bit(void)
{
    g_autoptr(FakeKvm) loud = new_stuck(FAKE_STD, 0x20, false);
    g_autoptr(FakeKvm) silent = new_stuck(FAKE_STD, 0x20, true);
    g_autoptr(FakeKvm) loud_vendor = new_stuck(FAKE_VENDOR_HYP, 0x2, false);

    check_pin(loud, &none, OPTIONS ": this host's kernel does not take 0x0 "
              "for its std register [0x6030000000160000], which is 0x21: "
              "Invalid argument" FLOOR_OR_SERVICES);
    check_pin(silent, &none, OPTIONS ": this host's kernel does not take 0x0 "
              "for its std register [0x6030000000160000], which is 0x20: it "
              "kept another value" FLOOR_OR_SERVICES);
    check_pin(silent, &linux_6_1, OPTIONS ": this host's kernel does not take "
              "0x1 for its std register [0x6030000000160000], which is 0x21: "
              "it kept another value" FLOOR_OR_SERVICES);
    check_pin(loud_vendor, &none, OPTIONS ": this host's kernel does not take "
              "0x0 for its vendor-hyp register [0x6030000000160002], which is "
              "0x3: Invalid argument" FLOOR_OR_SERVICES);
}

/* The fault is with the bit that stays, not with a service that is there. */
static void test_stuck_bit_beside_wanted(void)
{
    g_autoptr(FakeKvm) fake = new_stuck(FAKE_STD, 0x20, false);
    g_autofree char *refusal = refusal_of(fake, &linux_6_1);

    g_assert_null(strstr(refusal, "cannot give a guest hvc service 'trng'"));
    g_assert_nonnull(strstr(refusal, "does not take 0x1 for its std register "
                                     "[0x6030000000160000], which is 0x21"));
}

/* Registers that nobody has heard of */

static const FakeRegister fifth = {
    .id = FAKE_BITMAP_5, .kind = FAKE_BITMAP, .value = 0x5, .limit = 0x7,
};

static void test_fifth_bitmap(void)
{
    for (FakeKernel kernel = FAKE_6_1; kernel < FAKE_KERNELS; kernel++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(kernel);

        fake_kvm_add(fake, &fifth);
        check_pin(fake, &linux_6_1, NULL);
        g_assert_cmphex(fake_kvm_value(fake, FAKE_BITMAP_5), ==, 0);
    }
}

static void test_many_unknown(void)
{
    static const uint64_t ids[] = {
        FAKE_BITMAP_5, 0x6030000000160005, 0x6030000000160100,
        0x603000000016ffff, 0x6020000000160000, 0x6020000000160007,
    };
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);

    for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
        FakeRegister reg = fifth;

        reg.id = ids[i];
        fake_kvm_add(fake, &reg);
    }
    check_pin(fake, &linux_6_18, NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
        g_assert_cmphex(fake_kvm_value(fake, ids[i]), ==, 0);
    }
}

static void check_unknown(const FakeRegister *reg, const char *refusal)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);

    fake_kvm_add(fake, reg);
    check_pin(fake, &linux_6_1, refusal);
}

static void test_unknown_refused(void)
{
    FakeRegister reg = fifth;

    reg.stuck = 0x4;
    check_unknown(&reg, UNKNOWN_AT("0x6030000000160004", "0x5",
                                   "Invalid argument"));
    reg = fifth;
    reg.ignores = 0x1;
    check_unknown(&reg, UNKNOWN_AT("0x6030000000160004", "0x5",
                                   "it kept another value"));
    reg = fifth;
    reg.set_errno = EBUSY;
    check_unknown(&reg, UNKNOWN_AT("0x6030000000160004", "0x5",
                                   "Device or resource busy"));
    reg = fifth;
    reg.get_errno = EIO;
    check_unknown(&reg, UNKNOWN_AT("0x6030000000160004", "0x0",
                                   "Input/output error"));
    reg = fifth;
    reg.id = 0x6040000000160004; /* of 16 bytes: who knows what it does */
    check_unknown(&reg, UNKNOWN_AT("0x6040000000160004", "0x0",
                                   "Invalid argument"));
    /* One that is 0 shows nothing; it need not take it either. */
    reg = fifth;
    reg.value = 0;
    reg.set_errno = EINVAL;
    check_unknown(&reg, NULL);
}

/* Registers that are not there */

static const char *const lacking[] = {
    NO_SERVICE("pv-time:vendor-features:ptp"),
    OPTIONS ": this host's kernel cannot give a guest hvc service 'pv-time' "
    "(std-hyp bit 0), it offers trng:vendor-features:ptp; needed: Linux 5.19 "
    "or later; use hvc-services=trng:vendor-features:ptp",
    OPTIONS ": this host's kernel cannot give a guest hvc service "
    "'vendor-features' (vendor-hyp bit 0), it offers trng:pv-time; needed: "
    "Linux 5.19 or later; use hvc-services=trng:pv-time",
    OPTIONS ": this host's kernel cannot give a guest hvc service "
    "'implementation-cpus' (vendor-hyp-2 bit 0), it offers "
    "trng:pv-time:vendor-features:ptp; needed: Linux 6.4 or later, where QEMU "
    "serves it; use hvc-services=trng:pv-time:vendor-features:ptp",
};

static void test_missing_registers(void)
{
    /* What is left is still as @without made it when @with is refused. */
    for (unsigned i = 0; i < ARRAY_SIZE(bitmaps); i++) {
        HvcSet without = linux_6_18, with = linux_6_18;
        g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);

        fake_kvm_remove(fake, bitmaps[i]);
        fake->kvm.ptp = false;
        without.bmap[i] = 0;
        check_pin(fake, &without, NULL);
        with.bmap[i] = 1;
        check_pin(fake, &with, lacking[i]);
    }
}

/* What shows is judged by ptp's capability and by ptp's own register. */
static void test_cannot_hide(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);

    fake_kvm_remove(fake, FAKE_STD);
    fake_kvm_remove(fake, FAKE_STD_HYP);
    check_pin(fake, &none, NULL);
    fake_kvm_remove(fake, FAKE_VENDOR_HYP);
    check_pin(fake, &none, CANNOT_HIDE);
    g_assert_cmphex(fake_kvm_value(fake, FAKE_PSCI_VERSION), ==, 0x10001);
}

static void test_bits_not_offered(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    HvcSet set = linux_6_1;

    set.bmap[HVC_STD_HYP_BMAP] = 0x81;
    check_pin(fake, &set, OPTIONS ": this host's kernel cannot give a guest "
              "hvc service 'std-hyp bit 7' (std-hyp bit 7), it offers "
              "trng:pv-time:vendor-features:ptp; needed: a kernel that has it; "
              "use hvc-services=trng:pv-time:vendor-features:ptp");

    fake_kvm_register(fake, FAKE_VENDOR_HYP)->limit = 0x1;
    fake_kvm_register(fake, FAKE_VENDOR_HYP)->value = 0x1;
    check_pin(fake, &linux_6_1, OPTIONS ": this host's kernel cannot give a "
              "guest hvc service 'ptp' (vendor-hyp bit 1), it offers "
              "trng:pv-time:vendor-features; needed: Linux 5.19 or later; use "
              "hvc-services=trng:pv-time:vendor-features");
}

/* A bit can be there and off; what was off before does not limit it. */
static void test_bits_off(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);
    HvcSet set = linux_6_18;

    for (unsigned i = 0; i < ARRAY_SIZE(bitmaps); i++) {
        fake_kvm_register(fake, bitmaps[i])->value = 0;
    }
    set.bmap[HVC_VENDOR_HYP_BMAP_2] = 0x2;
    check_pin(fake, &set, NULL);
}

/* What no kernel serves, whether it has the bits or not */

static const HvcSet told = { { 1, 1, 3, 3 }, 0x10001 };

static void test_by_qemu(void)
{
    for (FakeKernel kernel = FAKE_6_12; kernel < FAKE_KERNELS; kernel++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(kernel);
        bool listed = fake_kvm_register(fake, FAKE_VENDOR_HYP_2);
        HvcShare share;

        g_test_message("Linux %s", fake_kvm_name(kernel));
        g_assert_true(hvc_kvm_pin(&fake->kvm, &told, OPTIONS, &share,
                                  &error_abort));
        g_assert_cmphex(share.qemu.bmap[HVC_VENDOR_HYP_BMAP_2], ==, 3);
        g_assert_cmphex(share.kernel.bmap[HVC_VENDOR_HYP_BMAP_2], ==,
                        listed ? 3 : 0);
        g_assert_true(fake_kvm_hands_over(fake, 0xc6000040));
        g_assert_true(fake_kvm_hands_over(fake, 0xc6000041));
        /* Who has the register says its bits; UID and PTP are the kernel's. */
        g_assert_true(fake_kvm_hands_over(fake, 0x86000000) == !listed);
        g_assert_cmpuint(fake->handed_over->len, ==, listed ? 2 : 3);
        g_assert_cmphex(share.qemu.bmap[HVC_VENDOR_HYP_BMAP], ==,
                        listed ? 0 : 1);
        g_assert_cmphex(fake_kvm_value(fake, FAKE_VENDOR_HYP), ==, 3);
        fake->has_run = true;
        g_assert_true(hvc_kvm_check_pinned(&fake->kvm, &share, &error_abort));
    }
}

/* Bits that no kernel takes, of a register that all of them have */
static void test_by_qemu_in_kernels_register(void)
{
    static const HvcSet sharing = { { 1, 1, 0x1f, 0 }, 0x10001 };

    for (FakeKernel kernel = FAKE_6_12; kernel < FAKE_KERNELS; kernel++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(kernel);
        HvcShare share;

        g_test_message("Linux %s", fake_kvm_name(kernel));
        g_assert_true(hvc_kvm_pin(&fake->kvm, &sharing, OPTIONS, &share,
                                  &error_abort));
        /* The kernel has UID and PTP, and would not say the bits. */
        g_assert_cmphex(share.kernel.bmap[HVC_VENDOR_HYP_BMAP], ==, 3);
        g_assert_cmphex(share.qemu.bmap[HVC_VENDOR_HYP_BMAP], ==, 0x1d);
        g_assert_cmphex(fake_kvm_value(fake, FAKE_VENDOR_HYP), ==, 3);
        g_assert_true(fake_kvm_hands_over(fake, 0xc6000002));
        g_assert_true(fake_kvm_hands_over(fake, 0xc6000003));
        g_assert_true(fake_kvm_hands_over(fake, 0xc6000004));
        g_assert_true(fake_kvm_hands_over(fake, 0x86000000));
        g_assert_cmpuint(fake->handed_over->len, ==, 4);
        fake->has_run = true;
        g_assert_true(hvc_kvm_check_pinned(&fake->kvm, &share, &error_abort));
    }
}

/* One that takes them says them, but leaves the calls to QEMU. */
static void test_by_qemu_with_bits(void)
{
    static const HvcSet sharing = { { 1, 1, 0x1f, 0 }, 0x10001 };
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);
    HvcShare share;

    fake_kvm_register(fake, FAKE_VENDOR_HYP)->limit = 0x1f;
    hvc_kvm_pin(&fake->kvm, &sharing, OPTIONS, &share, &error_abort);
    g_assert_cmphex(fake_kvm_value(fake, FAKE_VENDOR_HYP), ==, 0x1f);
    g_assert_cmphex(share.qemu.bmap[HVC_VENDOR_HYP_BMAP], ==, 0x1c);
    g_assert_cmpuint(fake->handed_over->len, ==, 3);
}

#define NOT_SHARED(why) \
    OPTIONS ": this host's kernel cannot give a guest hvc service " \
    "'mem-share' (vendor-hyp bit 2), it offers " \
    "trng:pv-time:vendor-features:ptp" why "; use " \
    "hvc-services=trng:pv-time:vendor-features:ptp"

static void test_by_qemu_in_kernels_register_refused(void)
{
    static const HvcSet sharing = { { 1, 1, 0x1f, 0 }, 0x10001 };
    HvcSet more = sharing;
    g_autoptr(FakeKvm) old = fake_kvm_new(FAKE_6_1);
    g_autoptr(FakeKvm) keeps = fake_kvm_new(FAKE_7_3);
    g_autoptr(FakeKvm) lacks = fake_kvm_new(FAKE_7_3);

    check_pin(old, &sharing, NOT_SHARED("; needed: Linux 6.4 or later, where "
                                        "QEMU serves it"));
    keeps->hand_over_errno = EPERM;
    keeps->hand_over_fails = 0xc6000004;
    check_pin(keeps, &sharing, NOT_SHARED(
        ", and it does not hand over the function 0xc6000004 to QEMU "
        "(KVM_ARM_VM_SMCCC_FILTER: Operation not permitted); needed: Linux "
        "6.4 or later"));
    /* A bit of nobody's beside them is still refused. */
    more.bmap[HVC_VENDOR_HYP_BMAP] |= 0x20;
    check_pin(lacks, &more, OPTIONS ": this host's kernel cannot give a guest "
              "hvc service 'vendor-hyp bit 5' (vendor-hyp bit 5), it offers "
              "trng:pv-time:vendor-features:ptp; needed: a kernel that has it; "
              "use hvc-services=trng:pv-time:vendor-features:ptp");
}

/* Without vendor-features nobody asks for its bits. */
static void test_by_qemu_alone(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    HvcSet set = { { 0, 0, 2, 3 }, 0x10001 };
    HvcShare share;

    hvc_kvm_pin(&fake->kvm, &set, OPTIONS, &share, &error_abort);
    g_assert_cmpuint(fake->handed_over->len, ==, 2);
    g_assert_false(fake_kvm_hands_over(fake, 0x86000000));
}

#define NOT_TOLD(why) \
    OPTIONS ": this host's kernel cannot give a guest hvc service " \
    "'implementation-cpus' (vendor-hyp-2 bit 0), it offers " \
    "trng:pv-time:vendor-features:ptp" why "; use " \
    "hvc-services=trng:pv-time:vendor-features:ptp"

static void test_by_qemu_refused(void)
{
    g_autoptr(FakeKvm) old = fake_kvm_new(FAKE_6_1);
    g_autoptr(FakeKvm) keeps = fake_kvm_new(FAKE_7_3);

    check_pin(old, &told, NOT_TOLD("; needed: Linux 6.4 or later, where QEMU "
                                   "serves it"));
    keeps->hand_over_errno = EPERM;
    keeps->hand_over_fails = 0xc6000041;
    check_pin(keeps, &told, NOT_TOLD(
        ", and it does not hand over the function 0xc6000041 to QEMU "
        "(KVM_ARM_VM_SMCCC_FILTER: Operation not permitted); needed: Linux "
        "6.4 or later"));
}

/* PSCI */

static void test_psci(void)
{
    static const struct {
        uint32_t version;
        const char *refusal;
    } cases[] = {
        { 0x00002 },
        { 0x10000 },
        { 0x10001 },
        { 0x10002 },
        { 0x10003 },
        { 0x10004, OPTIONS ": this host's kernel cannot give a guest PSCI "
          "1.4, it has 1.1; needed: a kernel that has it; use "
          "psci-version=1.1" },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
        HvcSet set = none;

        set.psci_version = cases[i].version;
        check_pin(fake, &set, cases[i].refusal);
    }
}

/* Linux 6.1 to 6.3 let QEMU answer nothing. */
static void test_psci_not_handed_over(void)
{
    static const struct {
        uint32_t version;
        const char *refusal;
    } cases[] = {
        { 0x10001 },
        { 0x10002, NOT_HANDED_OVER("1.2", "1.1") },
        { 0x10003, NOT_HANDED_OVER("1.3", "1.1") },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_1);
        HvcSet set = none;

        set.psci_version = cases[i].version;
        check_pin(fake, &set, cases[i].refusal);
    }
}

#define KEEPS(function) \
    OPTIONS ": this host's kernel cannot give a guest PSCI 1.3, it has 1.1, " \
    "and it does not hand over the function " function " to QEMU " \
    "(KVM_ARM_VM_SMCCC_FILTER: Operation not permitted); needed: Linux 6.13 " \
    "or later; use psci-version=1.1"

/* A kernel has a reason of its own, for the first function or a later one. */
static void test_psci_refuses_to_hand_over(void)
{
    static const char *const refusals[] = {
        KEEPS("0x84000000"), KEEPS("0x8400000a"), KEEPS("0x84000015"),
        KEEPS("0xc4000015"),
    };

    for (unsigned i = 0; i < ARRAY_SIZE(psci_1_3); i++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

        fake->hand_over_errno = EPERM;
        fake->hand_over_fails = psci_1_3[i];
        check_pin(fake, &linux_6_18, refusals[i]);
    }
}

/* The kernel has it: QEMU serves nothing. */
static void test_psci_of_kernel(void)
{
    for (FakeKernel kernel = FAKE_6_16; kernel < FAKE_KERNELS; kernel++) {
        for (uint32_t version = 0x10000; version <= 0x10003; version++) {
            g_autoptr(FakeKvm) fake = fake_kvm_new(kernel);
            HvcSet set = none;

            set.psci_version = version;
            check_pin(fake, &set, NULL);
            g_assert_cmpuint(fake->handed_over->len, ==, 0);
        }
    }
}

/* Half of a version is nothing: a kernel that lacks SYSTEM_RESET2, too. */
static void test_psci_too_old(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_register(fake, FAKE_PSCI_VERSION)->limit = 0x10000;
    fake_kvm_register(fake, FAKE_PSCI_VERSION)->value = 0x10000;
    check_pin(fake, &linux_6_18, NOT_HANDED_OVER("1.3", "1.0"));
    g_assert_cmpuint(fake->handed_over->len, ==, 0);
}

static void test_psci_broken(void)
{
    g_autoptr(FakeKvm) keeps = fake_kvm_new(FAKE_7_3);
    g_autoptr(FakeKvm) busy = fake_kvm_new(FAKE_7_3);

    fake_kvm_register(keeps, FAKE_PSCI_VERSION)->ignores = UINT64_MAX;
    check_pin(keeps, &none, NO_PSCI("1.1", "1.3", "5.18"));

    fake_kvm_register(busy, FAKE_PSCI_VERSION)->set_errno = EBUSY;
    check_pin(busy, &none, NO_PSCI("1.1", "1.3", "5.18"));
}

/* What cannot be read is not called a version, and not written either. */
static void test_psci_unreadable(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);
    g_autoptr(FakeKvm) lacks = fake_kvm_new(FAKE_7_3);
    g_autoptr(FakeKvm) later = fake_kvm_new(FAKE_7_3);

    fake_kvm_register(fake, FAKE_PSCI_VERSION)->get_errno = EIO;
    check_pin(fake, &none, NO_PSCI_VERSION("Input/output error"));
    g_assert_cmphex(fake_kvm_value(fake, FAKE_PSCI_VERSION), ==, 0x10003);

    fake_kvm_remove(lacks, FAKE_PSCI_VERSION);
    check_pin(lacks, &none, NO_PSCI_VERSION("No such file or directory"));

    /* The kernel cannot be asked what came of it. */
    fake_kvm_register(later, FAKE_PSCI_VERSION)->reread_errno = EIO;
    check_pin(later, &none, NO_PSCI("1.1", "1.3", "5.18"));
}

/* The kernel's errors */

static void test_read_errors(void)
{
    static const struct {
        uint64_t id;
        int errnum;
        const char *refusal;
    } cases[] = {
        { FAKE_STD, EIO, OPTIONS ": cannot read this host's STD_BMAP "
          "[0x6030000000160000]: Input/output error" },
        { FAKE_STD_HYP, ENOENT, OPTIONS ": cannot read this host's "
          "STD_HYP_BMAP [0x6030000000160001]: No such file or directory" },
        { FAKE_VENDOR_HYP, ENOEXEC, OPTIONS ": cannot read this host's "
          "VENDOR_HYP_BMAP [0x6030000000160002]: Exec format error" },
        { FAKE_VENDOR_HYP_2, EPERM, OPTIONS ": cannot read this host's "
          "VENDOR_HYP_BMAP_2 [0x6030000000160003]: Operation not "
          "permitted" },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);
        g_autoptr(FakeKvm) before = fake_kvm_new(FAKE_7_3);

        fake_kvm_register(fake, cases[i].id)->get_errno = cases[i].errnum;
        check_pin(fake, &none, cases[i].refusal);
        fake_kvm_assert_same(fake, before, true);
    }
}

static void test_write_errors(void)
{
    static const struct {
        uint64_t id;
        int errnum;
        const char *refusal;
    } cases[] = {
        { FAKE_STD, EBUSY, OPTIONS ": this host's kernel does not take 0x1 "
          "for its std register [0x6030000000160000], which is 0x1: Device or "
          "resource busy" FLOOR_OR_SERVICES },
        { FAKE_STD_HYP, EIO, OPTIONS ": this host's kernel does not take 0x1 "
          "for its std-hyp register [0x6030000000160001], which is 0x1: "
          "Input/output error" FLOOR_OR_SERVICES },
        { FAKE_VENDOR_HYP, EPERM, OPTIONS ": this host's kernel does not take "
          "0x3 for its vendor-hyp register [0x6030000000160002], which is "
          "0x3: Operation not permitted" FLOOR_OR_SERVICES },
        { FAKE_VENDOR_HYP_2, EINVAL, OPTIONS ": this host's kernel does not "
          "take 0x0 for its vendor-hyp-2 register [0x6030000000160003], which "
          "is 0x0: Invalid argument" FLOOR_OR_SERVICES },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);

        fake_kvm_register(fake, cases[i].id)->set_errno = cases[i].errnum;
        check_pin(fake, &linux_6_18, cases[i].refusal);
    }
}

/* A VM that has run can be told once more what it was told. */
static void test_has_run(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);

    check_pin(fake, &linux_6_1, NULL);
    fake->has_run = true;
    check_pin(fake, &linux_6_1, NULL);
    check_pin(fake, &none, OPTIONS ": this host's kernel does not take 0x0 "
              "for its std register [0x6030000000160000], which is 0x1: Device "
              "or resource busy" FLOOR_OR_SERVICES);
    assert_pinned(fake, &linux_6_1, &(HvcShare) { .kernel = linux_6_1 });
}

/* Before a VM is sent: does the kernel still keep what it was given? */

static void check_pinned(const FakeKvm *fake, const HvcSet *set,
                         const char *refusal)
{
    const HvcShare share = { .kernel = *set };
    Error *err = NULL;
    bool ok = hvc_kvm_check_pinned(&fake->kvm, &share, &err);

    g_assert_cmpstr(err ? error_get_pretty(err) : NULL, ==, refusal);
    g_assert_true(ok == !refusal);
    error_free(err);
}

#define NOT_KEPT(name, promised, id, now) \
    "guest-abi: this VM's guest was promised " name " = " promised " [" id \
    "], this host's kernel now has " now "; the VM's contract cannot be " \
    "kept, so it cannot be sent"

static void test_pinned(void)
{
    for (FakeKernel kernel = FAKE_6_1; kernel < FAKE_KERNELS; kernel++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(kernel);

        check_pin(fake, &linux_6_1, NULL);
        fake->has_run = true;
        check_pinned(fake, &linux_6_1, NULL);
        fake_kvm_register(fake, FAKE_VENDOR_HYP)->value = 1;
        check_pinned(fake, &linux_6_1,
                     NOT_KEPT("vendor-hyp", "0x3", "0x6030000000160002",
                              "0x1"));
        fake_kvm_register(fake, FAKE_VENDOR_HYP)->value = 3;
        fake_kvm_register(fake, FAKE_PSCI_VERSION)->value = 0x10000;
        check_pinned(fake, &linux_6_1,
                     NOT_KEPT("PSCI version", "0x10001", "0x6030000000140000",
                              "0x10000"));
        fake_kvm_register(fake, FAKE_PSCI_VERSION)->get_errno = EIO;
        check_pinned(fake, &linux_6_1,
                     NOT_KEPT("PSCI version", "0x10001", "0x6030000000140000",
                              "0x0: Input/output error"));
    }
}

/* What is QEMU's is no concern of the kernel's register. */
static void test_pinned_by_qemu(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    HvcShare share;
    Error *err = NULL;

    hvc_kvm_pin(&fake->kvm, &linux_6_18, OPTIONS, &share, &error_abort);
    fake->has_run = true;
    g_assert_true(hvc_kvm_check_pinned(&fake->kvm, &share, &error_abort));
    fake_kvm_register(fake, FAKE_PSCI_VERSION)->value = 0x10000;
    g_assert_false(hvc_kvm_check_pinned(&fake->kvm, &share, &err));
    error_free(err);
}

/* Lists */

static void test_list_errors(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);
    g_autoptr(FakeKvm) before = fake_kvm_new(FAKE_7_3);

    fake->list_errno = ENOEXEC;
    check_pin(fake, &none, OPTIONS ": cannot read this kernel's list of "
              "registers: Exec format error");
    fake_kvm_assert_same(fake, before, true);
}

static void test_empty_list(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new_empty();

    check_pin(fake, &none, NO_PSCI_VERSION("No such file or directory"));
    check_pin(fake, &linux_6_1, NO_SERVICE("none"));
}

/*
 * What the first list has is what is pinned; a register that only a second
 * list shows, or hides, must not make a difference.
 */
static void test_list_changes(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(bitmaps); i++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);

        fake_kvm_add(fake, &fifth);
        fake_kvm_register(fake, bitmaps[i])->hidden_in = ~1U;
        fake_kvm_register(fake, FAKE_BITMAP_5)->hidden_in = ~1U;
        check_pin(fake, &none, NULL);
        g_assert_cmphex(fake_kvm_value(fake, FAKE_BITMAP_5), ==, 0);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(bitmaps); i++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);
        HvcSet set = none;

        /* It comes late: as a register that the kernel does not have. */
        fake_kvm_register(fake, bitmaps[i])->hidden_in = 1;
        fake->kvm.ptp = false;
        set.bmap[i] = 1;
        g_free(refusal_of(fake, &set));
        /* Asked again, it is there. */
        check_pin(fake, &set, NULL);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    g_test_add_func("/hvc-kvm/firmware-ids", test_firmware_ids);
    g_test_add_func("/hvc-kvm/kernels", test_kernels);
    g_test_add_func("/hvc-kvm/again", test_again);
    g_test_add_func("/hvc-kvm/combinations", test_combinations);
    g_test_add_func("/hvc-kvm/future-bits", test_future_bits);
    g_test_add_func("/hvc-kvm/all-bits", test_all_bits);
    g_test_add_func("/hvc-kvm/vendor-hyp-2-on", test_vendor_hyp_2_on);
    g_test_add_func("/hvc-kvm/stuck-bit", test_stuck_bit);
    g_test_add_func("/hvc-kvm/stuck-bit-beside-wanted",
                    test_stuck_bit_beside_wanted);
    g_test_add_func("/hvc-kvm/fifth-bitmap", test_fifth_bitmap);
    g_test_add_func("/hvc-kvm/many-unknown", test_many_unknown);
    g_test_add_func("/hvc-kvm/unknown-refused", test_unknown_refused);
    g_test_add_func("/hvc-kvm/missing-registers", test_missing_registers);
    g_test_add_func("/hvc-kvm/cannot-hide", test_cannot_hide);
    g_test_add_func("/hvc-kvm/bits-not-offered", test_bits_not_offered);
    g_test_add_func("/hvc-kvm/bits-off", test_bits_off);
    g_test_add_func("/hvc-kvm/by-qemu", test_by_qemu);
    g_test_add_func("/hvc-kvm/by-qemu-in-kernels-register",
                    test_by_qemu_in_kernels_register);
    g_test_add_func("/hvc-kvm/by-qemu-in-kernels-register-refused",
                    test_by_qemu_in_kernels_register_refused);
    g_test_add_func("/hvc-kvm/by-qemu-with-bits", test_by_qemu_with_bits);
    g_test_add_func("/hvc-kvm/by-qemu-alone", test_by_qemu_alone);
    g_test_add_func("/hvc-kvm/by-qemu-refused", test_by_qemu_refused);
    g_test_add_func("/hvc-kvm/psci", test_psci);
    g_test_add_func("/hvc-kvm/psci-not-handed-over",
                    test_psci_not_handed_over);
    g_test_add_func("/hvc-kvm/psci-refuses-to-hand-over",
                    test_psci_refuses_to_hand_over);
    g_test_add_func("/hvc-kvm/psci-of-kernel", test_psci_of_kernel);
    g_test_add_func("/hvc-kvm/psci-too-old", test_psci_too_old);
    g_test_add_func("/hvc-kvm/psci-broken", test_psci_broken);
    g_test_add_func("/hvc-kvm/psci-unreadable", test_psci_unreadable);
    g_test_add_func("/hvc-kvm/read-errors", test_read_errors);
    g_test_add_func("/hvc-kvm/write-errors", test_write_errors);
    g_test_add_func("/hvc-kvm/has-run", test_has_run);
    g_test_add_func("/hvc-kvm/pinned", test_pinned);
    g_test_add_func("/hvc-kvm/pinned-by-qemu", test_pinned_by_qemu);
    g_test_add_func("/hvc-kvm/list-errors", test_list_errors);
    g_test_add_func("/hvc-kvm/empty-list", test_empty_list);
    g_test_add_func("/hvc-kvm/list-changes", test_list_changes);
    return g_test_run();
}
