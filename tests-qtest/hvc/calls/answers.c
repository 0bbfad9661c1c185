/*
 * Answers: calls, and what their callers find in X0 to X3
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "answers.h"

#define SMC64 0x40000000

/* A mask of the low n bits. */
#define BITS(n) (UINT64_MAX >> (64 - (n)))

#define NO .result = { NOT_SUPPORTED }
#define BAD .result = { INVALID }

/*
 * SMCCC's own functions, which need no service. ARCH_FEATURES knows the
 * workarounds and PV_TIME_FEATURES, and by KVM's example nothing else, not
 * even itself. An emulated CPU needs no workaround: 1, -2, 1.
 */
static const Row arch_rows[] = {
    { { 0x80000000 }, { 0x10001 } },
    { { 0x80000000, 1, 2, 3 }, { 0x10001 } },
    { { 0x80000001, 0x80008000 }, { 1 } },
    { { 0x80000001, 0x80007fff }, { INVALID } },
    { { 0x80000001, 0x80003fff }, { 1 } },
    { { 0x80000001, 0xffffffff80008000 }, { 1 } },
    { { 0x80000001, 0x80000000 }, NO },
    { { 0x80000001, 0x80000001 }, NO },
    { { 0x80000001, 0x80000002 }, NO },
    { { 0x80000001, 0x80000003 }, NO },
    { { 0x80000001, 0x80000004 }, NO },
    { { 0x80000001, 0xc0000002 }, NO },
    { { 0x80000001, 0x81000010 }, NO },
    { { 0x80000001, 0x84000000 }, NO },
    { { 0x80000001, 0x8400000a }, NO },
    { { 0x80000001, 0x84000050 }, NO },
    { { 0x80000001, 0x84000053 }, NO },
    { { 0x80000001, 0xc4000053 }, NO },
    { { 0x80000001, 0xc5000021 }, NO },
    { { 0x80000001, 0x85000020 }, NO },
    { { 0x80000001, 0x86000000 }, NO },
    { { 0x80000001, 0x86000001 }, NO },
    { { 0x80000001, 0x8600ff01 }, NO },
    { { 0x80000001, 0 }, NO },
    { { 0x80000001, UINT64_MAX }, NO },
    { { 0xc0000000 }, NO },
    { { 0xc0000001, 0x80008000 }, NO },
    { { 0x80000002, 0 }, NO },
    { { 0x80000002, 1 }, NO },
    { { 0x80000002, 2 }, NO },
    { { 0xc0000002, 2 }, NO },
    { { 0x80000003 }, NO },
    { { 0xc0000003 }, NO },
    { { 0x80000004 }, NO },
    { { 0x81000010 }, NO },
    { { 0x80008000 }, .kind = WORKAROUND },
    { { 0x80007fff, 0 }, .kind = WORKAROUND },
    { { 0x80007fff, 1 }, .kind = WORKAROUND },
    { { 0x80003fff }, .kind = WORKAROUND },
    { { 0xc0008000 }, NO },
};

/* Arm DEN 0098. KVM compares all of X1, and lets 0 random bits succeed. */
static const Row trng_rows[] = {
    { { 0x84000050 }, { 0x10000 }, .service = TRNG },
    { { 0x84000051, 0x84000050 }, { 0 }, .service = TRNG },
    { { 0x84000051, 0x84000051 }, { 0 }, .service = TRNG },
    { { 0x84000051, 0x84000052 }, { 0 }, .service = TRNG },
    { { 0x84000051, 0x84000053 }, { 0 }, .service = TRNG },
    { { 0x84000051, 0xc4000053 }, { 0 }, .service = TRNG },
    { { 0x84000051, 0x84000054 }, NO },
    { { 0x84000051, 0xc4000050 }, NO },
    { { 0x84000051, 0x84000000 }, NO },
    { { 0x84000051, 0x80000000 }, NO },
    { { 0x84000051, 0x86000001 }, NO },
    { { 0x84000051, 0xc5000020 }, NO },
    { { 0x84000051, 0x100000000 | 0x84000053 }, NO },
    { { 0x84000051, 0 }, NO },
    { { 0x84000051, UINT64_MAX }, NO },
    { { 0x84000052 }, { 0x00e0210d, 0xeb118443, 0x44527080, 0x4c5a4e55 },
      .service = TRNG },
#define RND32(n, ...)                                                   \
    { { 0x84000053, n }, { 0, __VA_ARGS__ }, RANDOM, TRNG }
    RND32(0),
    RND32(1, 0, 0, 1),
    RND32(8, 0, 0, 0xff),
    RND32(31, 0, 0, BITS(31)),
    RND32(32, 0, 0, BITS(32)),
    RND32(33, 0, 1, BITS(32)),
    RND32(63, 0, BITS(31), BITS(32)),
    RND32(64, 0, BITS(32), BITS(32)),
    RND32(65, 1, BITS(32), BITS(32)),
    RND32(95, BITS(31), BITS(32), BITS(32)),
    RND32(96, BITS(32), BITS(32), BITS(32)),
    RND32(0xabcd00000000 | 32, 0, 0, BITS(32)),
    { { 0x84000053, 97 }, BAD, .service = TRNG },
    { { 0x84000053, 192 }, BAD, .service = TRNG },
    { { 0x84000053, 0x80000000 }, BAD, .service = TRNG },
    { { 0x84000053, 0xffffffff }, BAD, .service = TRNG },
    { { 0x84000053, UINT64_MAX }, BAD, .service = TRNG },
#define RND64(n, ...)                                                   \
    { { 0xc4000053, n }, { 0, __VA_ARGS__ }, RANDOM, TRNG }
    RND64(0),
    RND64(1, 0, 0, 1),
    RND64(32, 0, 0, BITS(32)),
    RND64(63, 0, 0, BITS(63)),
    RND64(64, 0, 0, BITS(64)),
    RND64(65, 0, 1, BITS(64)),
    RND64(97, 0, BITS(33), BITS(64)),
    RND64(127, 0, BITS(63), BITS(64)),
    RND64(128, 0, BITS(64), BITS(64)),
    RND64(129, 1, BITS(64), BITS(64)),
    RND64(191, BITS(63), BITS(64), BITS(64)),
    RND64(192, BITS(64), BITS(64), BITS(64)),
    RND64(0x100000000 | 64, 0, 0, BITS(64)),
    { { 0xc4000053, 193 }, BAD, .service = TRNG },
    { { 0xc4000053, 256 }, BAD, .service = TRNG },
    { { 0xc4000053, 0x80000000 }, BAD, .service = TRNG },
    { { 0xc4000053, UINT64_MAX }, BAD, .service = TRNG },
    { { 0x84000054 }, NO },
    { { 0x8400005f }, NO },
    { { 0xc4000050 }, NO },
    { { 0xc4000051, 0x84000053 }, NO },
    { { 0xc4000052 }, NO },
    { { 0xc4000054 }, NO },
};

/* Arm DEN 0057; SMC64 only. Discovered through ARCH_FEATURES. */
static const Row pv_time_rows[] = {
    { { 0x80000001, 0xc5000020 }, { 0 }, .service = PV_TIME },
    { { 0x80000001, 0xabcd00000000 | 0xc5000020 }, { 0 },
      .service = PV_TIME },
    { { 0xc5000020, 0xc5000020 }, { 0 }, .service = PV_TIME },
    { { 0xc5000020, 0xc5000021 }, { 0 }, .service = PV_TIME },
    { { 0xc5000020, 0xabcd00000000 | 0xc5000021 }, { 0 },
      .service = PV_TIME },
    { { 0xc5000020, 0xc5000022 }, NO },
    { { 0xc5000020, 0x85000020 }, NO },
    { { 0xc5000020, 0x85000021 }, NO },
    { { 0xc5000020, 0xc4000053 }, NO },
    { { 0xc5000020, 0x84000050 }, NO },
    { { 0xc5000020, 0x86000001 }, NO },
    { { 0xc5000020, 0 }, NO },
    { { 0xc5000020, UINT64_MAX }, NO },
    { { 0xc5000021 }, .kind = RECORD, .service = PV_TIME },
    { { 0xc5000021, 1, 2, 3 }, .kind = RECORD, .service = PV_TIME },
    { { 0x85000020, 0xc5000021 }, NO },
    { { 0x85000021 }, NO },
    { { 0xc500001f }, NO },
    { { 0xc5000022 }, NO },
    { { 0x8500ff01 }, NO },
};

/* KVM's own calls; ptp is one of them, but is switched by a bit of its own. */
static const Row vendor_rows[] = {
    { { 0x8600ff01 }, { 0xb66fb428, 0xe911c52e, 0x564bcaa9, 0x743a004d },
      .service = VENDOR_FEATURES },
    { { 0x86000000 }, .kind = FEATURES, .service = VENDOR_FEATURES },
    { { 0x86000000, 1, 2, 3 }, .kind = FEATURES, .service = VENDOR_FEATURES },
    { { 0xc6000000 }, NO },
    { { 0xc600ff01 }, NO },
    { { 0x8600ff00 }, NO },
    { { 0x8600ff03 }, NO },
    { { 0x86000002 }, NO },
    { { 0x8600003f }, NO },
    { { 0x86000040 }, NO },
    { { 0x86000041 }, NO },
    { { 0x8600007f }, NO },
    /* Calls of a protected VM: MMIO_GUARD, MEM_RELINQUISH */
    { { 0xc6000005 }, NO },
    { { 0xc6000006 }, NO },
    { { 0xc6000007, 0x09000000 }, NO },
    { { 0xc6000008, 0x09000000 }, NO },
    { { 0xc6000009, 0x40000000 }, NO },
    { { 0xc600000a, 0x40000000 }, NO },
};

/*
 * HYP_MEMINFO, MEM_SHARE and MEM_UNSHARE; SMC64 only. Nothing is shared here:
 * these are what cannot be, MMIO, flash, the record of stolen time among it.
 */
static const Row mem_share_rows[] = {
    { { 0xc6000002 }, { 4096 }, .service = MEM_SHARING },
    { { 0xc6000002, 1 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000002, 0, 1 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000002, 0, 0, 1ULL << 63 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000003, 0x43000000, 1 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000003, 0x43000000, 0, 1 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000003, 0x43000000, 1ULL << 32 }, { DENIED },
      .service = MEM_SHARING },
    { { 0xc6000003, 0x43000001 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000003, 0x43000800 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000003, 0 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000003, 0x04000000 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000003, 0x09000000 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000003, 0x090a0000 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000003, 0x3ffff000 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000003, 0x44000000 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000003, 0x143000000 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000003, 0x8000000043000000 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000003, 0xfffffffffffff000 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000003, UINT64_MAX }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000004, 0x43000000 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000004, 0x43000000, 1 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000004, 0x43000001 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000004, 0x09000000 }, { DENIED }, .service = MEM_SHARING },
    { { 0xc6000004, 0xfffffffffffff000 }, { DENIED }, .service = MEM_SHARING },
    { { 0x86000003, 0x43000000 }, NO },
    { { 0x86000004, 0x43000000 }, NO },
};

/* DISCOVER_IMPL_VER and DISCOVER_IMPL_CPUS; SMC64 only */
static const Row implementation_rows[] = {
    { { 0xc6000040 }, { 0, 0x10000, 2 }, .service = IMPLEMENTATIONS },
    { { 0xc6000040, 7, 7, 7 }, { 0, 0x10000, 2 }, .service = IMPLEMENTATIONS },
    { { 0xc6000041, 0 }, { 0, 0x410fd083 }, .service = IMPLEMENTATIONS },
    { { 0xc6000041, 1 }, { 0, 0x414fd0c1, 0x11, 0x123456789abcdef0 },
      .service = IMPLEMENTATIONS },
    { { 0xc6000041, 1, 7, 7 }, { 0, 0x414fd0c1, 0x11, 0x123456789abcdef0 },
      .service = IMPLEMENTATIONS },
    { { 0xc6000041, 2 }, { DENIED }, .service = IMPLEMENTATIONS },
    { { 0xc6000041, 0x100000000 }, { DENIED }, .service = IMPLEMENTATIONS },
    { { 0xc6000041, UINT64_MAX }, { DENIED }, .service = IMPLEMENTATIONS },
    { { 0x86000040 }, NO },
    { { 0x86000041, 0 }, NO },
    { { 0xc6000042 }, NO },
    { { 0xc600007f }, NO },
};

static const Row ptp_rows[] = {
    { { 0x86000001, 0 }, .kind = CLOCKS, .service = PTP },
    { { 0x86000001, 1 }, .kind = CLOCKS, .service = PTP },
    { { 0x86000001, 0, 7, 7 }, .kind = CLOCKS, .service = PTP },
    { { 0x86000001, 0xabcd00000000 }, .kind = CLOCKS, .service = PTP },
    { { 0x86000001, 0xabcd00000001 }, .kind = CLOCKS, .service = PTP },
    { { 0x86000001, 2 }, NO },
    { { 0x86000001, 0x80000000 }, NO },
    { { 0x86000001, 0xffffffff }, NO },
    { { 0x86000001, UINT64_MAX }, NO },
    { { 0xc6000001, 0 }, NO },
    { { 0xc6000001, 1 }, NO },
};

/* Function ids that no service has */
static const Row unknown_rows[] = {
    { { 0 }, NO },
    { { 1 }, NO },
    { { UINT64_MAX }, NO },
    { { 0xffffffff }, NO },
    { { 0x80000000 | 0xffff }, NO },
    { { 0x80010000 }, NO },
    { { 0x80020000 }, NO },
    { { 0x00000000ffffff01 }, NO },
    { { 0x4b000000 }, NO },
    { { 0x8000ff01 }, NO },
    { { 0x81000000 }, NO },
    { { 0x82000000 }, NO },
    { { 0x8200ff01 }, NO },
    { { 0x83000000 }, NO },
    { { 0x8300ff01 }, NO },
    { { 0x84000020 }, NO },
    { { 0x8400ff00 }, NO },
    { { 0x8400ff01 }, NO },
    { { 0xc400ff00 }, NO },
    { { 0x85000000 }, NO },
    { { 0x87000000 }, NO },
    { { 0x8700ff01 }, NO },
    { { 0xb0000000 }, NO },
    { { 0xb200ff01 }, NO },
    { { 0xbf00ff01 }, NO },
    /* PSCI 0.1 as KVM numbers it: not for a guest that was told of 0.2 */
    { { 0x95c1ba5e }, NO },
    { { 0x95c1ba5f }, NO },
    { { 0x95c1ba60, 1, 0x40200000 }, NO },
    { { 0x95c1ba61 }, NO },
};

/*
 * Arm DEN 0022: what can be asked of each version, without the calls that
 * change a vCPU's or the machine's state.
 */
static const Row psci_rows[] = {
    { { 0x84000000 }, .kind = VERSION },
    { { 0x84000000, 1, 2, 3 }, .kind = VERSION },
    { { 0x84000006 }, { 2 } },
    { { 0x8400000a, 0x80000000 }, { 0 }, .psci = PSCI(1, 0) },
    { { 0x8400000a, 0x84000000 }, { 0 }, .psci = PSCI(1, 0) },
    { { 0x8400000a, 0x84000001 }, { 0 }, .psci = PSCI(1, 0) },
    { { 0x8400000a, 0xc4000001 }, { 0 }, .psci = PSCI(1, 0) },
    { { 0x8400000a, 0x84000002 }, { 0 }, .psci = PSCI(1, 0) },
    { { 0x8400000a, 0x84000003 }, { 0 }, .psci = PSCI(1, 0) },
    { { 0x8400000a, 0xc4000003 }, { 0 }, .psci = PSCI(1, 0) },
    { { 0x8400000a, 0x84000004 }, { 0 }, .psci = PSCI(1, 0) },
    { { 0x8400000a, 0xc4000004 }, { 0 }, .psci = PSCI(1, 0) },
    { { 0x8400000a, 0x84000006 }, { 0 }, .psci = PSCI(1, 0) },
    { { 0x8400000a, 0x84000008 }, { 0 }, .psci = PSCI(1, 0) },
    { { 0x8400000a, 0x84000009 }, { 0 }, .psci = PSCI(1, 0) },
    { { 0x8400000a, 0x8400000a }, { 0 }, .psci = PSCI(1, 0) },
    { { 0x8400000a, 0xabcd00000000 | 0x84000000 }, { 0 },
      .psci = PSCI(1, 0) },
    /* SYSTEM_RESET2 and, with the bit of HIBERNATE_OFF, SYSTEM_OFF2 */
    { { 0x8400000a, 0x84000012 }, { 0 }, .psci = PSCI(1, 1) },
    { { 0x8400000a, 0xc4000012 }, { 0 }, .psci = PSCI(1, 1) },
    { { 0x8400000a, 0x84000015 }, { 1 }, .psci = PSCI(1, 3) },
    { { 0x8400000a, 0xc4000015 }, { 1 }, .psci = PSCI(1, 3) },
    { { 0x8400000a, 0x84000005 }, NO },
    { { 0x8400000a, 0xc4000005 }, NO },
    { { 0x8400000a, 0x84000007 }, NO },
    { { 0x8400000a, 0x8400000b }, NO },
    { { 0x8400000a, 0x8400000c }, NO },
    { { 0x8400000a, 0x8400000d }, NO },
    { { 0x8400000a, 0x8400000e }, NO },
    { { 0x8400000a, 0xc400000e }, NO },
    { { 0x8400000a, 0x8400000f }, NO },
    { { 0x8400000a, 0x84000010 }, NO },
    { { 0x8400000a, 0x84000011 }, NO },
    { { 0x8400000a, 0x84000013 }, NO },
    { { 0x8400000a, 0x84000014 }, NO },
    { { 0x8400000a, 0x84000016 }, NO },
    { { 0x8400000a, 0xc4000000 }, NO },
    { { 0x8400000a, 0xc4000002 }, NO },
    { { 0x8400000a, 0xc4000008 }, NO },
    { { 0x8400000a, 0xc400000a }, NO },
    { { 0x8400000a, 0x80000001 }, NO },
    { { 0x8400000a, 0x80008000 }, NO },
    { { 0x8400000a, 0x84000050 }, NO },
    { { 0x8400000a, 0xc5000020 }, NO },
    { { 0x8400000a, 0x86000000 }, NO },
    { { 0x8400000a, 0x95c1ba5f }, NO },
    { { 0x8400000a, 0x95c1ba60 }, NO },
    { { 0x8400000a, 0 }, NO },
    { { 0x8400000a, UINT64_MAX }, NO },
    /* MIGRATE, MIGRATE_INFO_UP_CPU, CPU_FREEZE and so on */
    { { 0x84000005, 1 }, NO },
    { { 0xc4000005, 1 }, NO },
    { { 0x84000007 }, NO },
    { { 0xc4000007 }, NO },
    { { 0x8400000b }, NO },
    { { 0x8400000c }, NO },
    { { 0x8400000d }, NO },
    { { 0x8400000e, 0x40200000 }, NO },
    { { 0xc400000e, 0x40200000 }, NO },
    { { 0x8400000f }, NO },
    { { 0x84000010 }, NO },
    { { 0x84000011 }, NO },
    { { 0x84000013 }, NO },
    { { 0x84000014 }, NO },
    { { 0x84000016 }, NO },
    /* PSCI functions that have no SMC64 variant */
    { { 0xc4000000 }, NO },
    { { 0xc4000002 }, NO },
    { { 0xc4000006 }, NO },
    { { 0xc4000008 }, NO },
    { { 0xc4000009 }, NO },
    { { 0xc400000a, 0x84000000 }, NO },
    /* SYSTEM_RESET2 with a reserved reset type */
    { { 0x84000012, 1 }, BAD, .psci = PSCI(1, 1) },
    { { 0xc4000012, 1 }, BAD, .psci = PSCI(1, 1) },
    { { 0x84000012, 0x7fffffff, 9 }, BAD, .psci = PSCI(1, 1) },
    { { 0xc4000012, 0x7fffffff }, BAD, .psci = PSCI(1, 1) },
    { { 0x84000012, 0xabcd00000001 }, BAD, .psci = PSCI(1, 1) },
    { { 0xc4000012, 0xabcd00000001 }, BAD, .psci = PSCI(1, 1) },
    /* SYSTEM_OFF2 with a reserved type, and with a cookie, which must be 0 */
    { { 0x84000015, 2 }, BAD, .psci = PSCI(1, 3) },
    { { 0xc4000015, 2 }, BAD, .psci = PSCI(1, 3) },
    { { 0xc4000015, 0xabcd00000002 }, BAD, .psci = PSCI(1, 3) },
    { { 0x84000015, 0xffffffff }, BAD, .psci = PSCI(1, 3) },
    { { 0x84000015, 0, 1 }, BAD, .psci = PSCI(1, 3) },
    { { 0xc4000015, 0, 1 }, BAD, .psci = PSCI(1, 3) },
    { { 0x84000015, 1, 1 }, BAD, .psci = PSCI(1, 3) },
    { { 0xc4000015, 1, 1 }, BAD, .psci = PSCI(1, 3) },
    { { 0xc4000015, 0, 0x100000000 }, BAD, .psci = PSCI(1, 3) },
    /* AFFINITY_INFO: vCPU 0 is on in each of these tests */
    { { 0x84000004, 0, 0 }, { 0 } },
    { { 0xc4000004, 0, 0 }, { 0 } },
    { { 0x84000004, 0xabcd00000000, 0xabcd00000000 }, { 0 } },
    { { 0x84000004, 0, 1 }, { 0 } },
    { { 0x84000004, 0, 2 }, { 0 } },
    { { 0xc4000004, 0, 3 }, { 0 } },
    { { 0xc4000004, 0xff, 1 }, { 0 } },
    { { 0xc4000004, 0xffff, 2 }, { 0 } },
    { { 0xc4000004, 0xffffff, 3 }, { 0 } },
    { { 0x84000004, 0, 4 }, BAD },
    { { 0xc4000004, 0, 4 }, BAD },
    { { 0xc4000004, 0, 64 }, BAD },
    { { 0xc4000004, 0, 0x100000000 }, BAD },
    { { 0xc4000004, 0, UINT64_MAX }, BAD },
    { { 0x84000004, 0xff, 0 }, BAD },
    { { 0xc4000004, 0xff, 0 }, BAD },
    { { 0xc4000004, 0x1000, 1 }, BAD },
    { { 0xc4000004, 0x100000000, 0 }, BAD },
    { { 0xc4000004, 0x100000000, 3 }, BAD },
    /* MPIDR bits that are not affinity fields */
    { { 0x84000004, 0x80000000, 0 }, BAD },
    { { 0xc4000004, 0x1000000, 3 }, BAD },
    { { 0xc4000004, UINT64_MAX, 3 }, BAD },
    /* CPU_ON of a vCPU that does not exist, and of one that is on */
    { { 0x84000003, 0xff, 0x40200000 }, BAD },
    { { 0xc4000003, 0xff, 0x40200000 }, BAD },
    { { 0xc4000003, 0x1000, 0x40200000 }, BAD },
    { { 0xc4000003, 0x100000000, 0x40200000 }, BAD },
    { { 0x84000003, 0x80000000, 0x40200000 }, BAD },
    { { 0xc4000003, UINT64_MAX, 0x40200000 }, BAD },
    { { 0x84000003, 0, 0x40200000 }, { ALREADY_ON } },
    { { 0xc4000003, 0, 0x40200000 }, { ALREADY_ON } },
    { { 0x84000003, 0xabcd00000000, 0x40200000 }, { ALREADY_ON } },
};

#define FAMILY(name_, row_) \
    { .name = name_, .row = row_, .rows = ARRAY_SIZE(row_) }
const Family families[] = {
    FAMILY("arch", arch_rows),
    FAMILY("psci", psci_rows),
    FAMILY("trng", trng_rows),
    FAMILY("pv-time", pv_time_rows),
    FAMILY("vendor-features", vendor_rows),
    FAMILY("ptp", ptp_rows),
    FAMILY("implementation-cpus", implementation_rows),
    FAMILY("mem-share", mem_share_rows),
    FAMILY("unknown", unknown_rows),
};
const unsigned families_count = ARRAY_SIZE(families);

const uint32_t known_ids[] = {
    0x80000000, 0x80000001, 0x80003fff, 0x80007fff, 0x80008000,
    0x84000000, 0x84000001, 0xc4000001, 0x84000002, 0x84000003, 0xc4000003,
    0x84000004, 0xc4000004, 0x84000006, 0x84000008, 0x84000009, 0x8400000a,
    0x84000012, 0xc4000012, 0x84000015, 0xc4000015,
    0x84000050, 0x84000051, 0x84000052, 0x84000053, 0xc4000053,
    0xc5000020, 0xc5000021,
    0x8600ff01, 0x86000000, 0x86000001,
};
const unsigned known_ids_count = ARRAY_SIZE(known_ids);

/* A row of CLOCKS is three steps: the counters, the call, the counters. */
static unsigned row_steps(const Row *row)
{
    return row->kind == CLOCKS ? 3 : 1;
}

unsigned rows_steps(const Family *family)
{
    unsigned steps = 0;

    for (unsigned i = 0; i < family->rows; i++) {
        steps += row_steps(&family->row[i]);
    }
    return steps;
}

unsigned rows_add(Calls *calls, const Family *family)
{
    unsigned first = calls->steps->len;

    for (unsigned i = 0; i < family->rows; i++) {
        const Row *row = &family->row[i];

        if (row->kind == CLOCKS) {
            calls_add(calls, calls->all, CALL_COUNTERS, 0, 0, 0, 0);
        }
        calls_call_(calls, row->x);
        if (row->kind == CLOCKS) {
            calls_add(calls, calls->all, CALL_COUNTERS, 0, 0, 0, 0);
        }
    }
    return first;
}

/* AArch32 callers have no 64-bit registers for such a row. */
static bool needs_64bit(const Row *row)
{
    for (unsigned i = 0; i < ARRAY_SIZE(row->x); i++) {
        if (row->x[i] > UINT32_MAX) {
            return true;
        }
    }
    return false;
}

/* Does the row ask whether function x[1] exists? */
static bool is_discovery(const Row *row)
{
    return row->x[0] == 0x80000001 || row->x[0] == 0x8400000a ||
           row->x[0] == 0x84000051;
}

/* A CPU model with FEAT_SSBS; the default ones have none. */
static bool has_ssbs(const Setup *setup)
{
    return setup->cpu && (!strcmp(setup->cpu, "max") ||
                          !strcmp(setup->cpu, "neoverse-n1"));
}

/* The row as @vm's guest finds it: services, caller and conduit applied */
static Row expected_row(const Vm *vm, const Offer *offer, const Row *row,
                        unsigned vcpu, bool smc)
{
    static const uint64_t not_supported[4] = { NOT_SUPPORTED };
    bool answered = !(row->service & ~offer->services) &&
                    row->psci <= offer->psci;
    Row expected = *row;

    switch (row->kind) {
    case RECORD:
        expected.kind = EXACTLY;
        expected.result[0] = RECORDS + vcpu * RECORD_SIZE;
        break;
    case VERSION:
        expected.kind = EXACTLY;
        expected.result[0] = offer->psci;
        break;
    case FEATURES:
        expected.kind = EXACTLY;
        expected.result[0] = (offer->services & VENDOR_FEATURES ? 1 : 0) |
                             (offer->services & PTP ? 2 : 0) |
                             (offer->services & MEM_SHARING ? 0x1c : 0);
        expected.result[2] = offer->services & IMPLEMENTATIONS ? 3 : 0;
        break;
    case WORKAROUND:
        answered = !smc;
        break;
    default:
        break;
    }

    /* WORKAROUND_2 is not for a guest that has SSBS in its place. */
    if (row->x[0] == 0x80000001 && (uint32_t)row->x[1] == 0x80007fff &&
        has_ssbs(&vm->setup)) {
        answered = false;
    }
    /* For an AArch32 caller SMC64 functions do not exist. */
    if (vm->setup.aarch32 &&
        (row->x[0] & SMC64 || (is_discovery(row) && row->x[1] & SMC64))) {
        answered = false;
    }
    if (!answered) {
        expected.kind = EXACTLY;
        memcpy(expected.result, not_supported, sizeof(not_supported));
    }
    for (unsigned i = 0; vm->setup.aarch32 && i < 4; i++) {
        expected.result[i] = (uint32_t)expected.result[i];
    }
    return expected;
}

/*
 * PTP returns 32-bit words: a wall clock time between the VM's start and now,
 * and a counter value between those read before and after the call.
 */
static bool clocks_match(const Vm *vm, const Row *row, unsigned vcpu,
                         unsigned step, const struct CallResult *result)
{
    struct CallResult before = vm_result(vm, vcpu, step - 1);
    struct CallResult after = vm_result(vm, vcpu, step + 1);
    unsigned which = row->x[1] & 1;
    uint64_t wall_ns = result->x[0] << 32 | result->x[1];
    uint64_t counter = result->x[2] << 32 | result->x[3];

    for (unsigned i = 0; i < 4; i++) {
        if (result->x[i] > UINT32_MAX) {
            return false;
        }
    }
    if (counter < before.x[which] || counter > after.x[which]) {
        g_test_message("counter 0x%" PRIx64 " is not between 0x%" PRIx64
                       " and 0x%" PRIx64, counter, before.x[which],
                       after.x[which]);
        return false;
    }
    if (wall_ns < vm->started_ns || wall_ns > vm->done_ns) {
        g_test_message("time %" PRIu64 " is not between %" PRId64 " and %"
                       PRId64, wall_ns, vm->started_ns, vm->done_ns);
        return false;
    }
    return true;
}

static bool row_matches(const Vm *vm, const Row *expected, unsigned vcpu,
                        unsigned step, const struct CallResult *result)
{
    if (result->state != CALL_DONE || result->changed) {
        return false;
    }
    switch (expected->kind) {
    case CLOCKS:
        return clocks_match(vm, expected, vcpu, step, result);
    case RANDOM:
        return result->x[0] == expected->result[0] &&
               !(result->x[1] & ~expected->result[1]) &&
               !(result->x[2] & ~expected->result[2]) &&
               !(result->x[3] & ~expected->result[3]);
    case WORKAROUND:
        return result->x[0] == 0;
    default:
        return !memcmp(result->x, expected->result, sizeof(result->x));
    }
}

static void check_row(const Vm *vm, const Row *row, const Row *expected,
                      unsigned vcpu, unsigned step)
{
    struct CallResult result = vm_result(vm, vcpu, step);
    g_autofree char *text = NULL;

    if (row_matches(vm, expected, vcpu, step, &result)) {
        return;
    }
    text = vm_result_text(&result);
    vm_fail("vCPU %u: call 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64
            " 0x%" PRIx64 ": expected %s0x%" PRIx64 " 0x%" PRIx64
            " 0x%" PRIx64 " 0x%" PRIx64 ", got %s", vcpu,
            row->x[0], row->x[1], row->x[2], row->x[3],
            expected->kind == CLOCKS ? "clocks instead of " :
            expected->kind == RANDOM ? "random bits of " : "",
            expected->result[0], expected->result[1],
            expected->result[2], expected->result[3], text);
}

void rows_check(const Vm *vm, const Offer *offer, const Calls *calls,
                const Family *family, unsigned step)
{
    for (unsigned i = 0; i < family->rows; i++) {
        const Row *row = &family->row[i];
        unsigned call = row->kind == CLOCKS ? step + 1 : step;
        const struct CallStep *made = &g_array_index(calls->steps,
                                                     struct CallStep, call);
        bool smc = made->conduit == CALL_CONDUIT_SMC ||
                   (vm->setup.machine &&
                    strstr(vm->setup.machine, "virtualization=on"));

        for (unsigned vcpu = 0; vcpu < calls->vcpus; vcpu++) {
            Row expected = expected_row(vm, offer, row, vcpu, smc);

            if (!vm->setup.aarch32 || !needs_64bit(row)) {
                check_row(vm, row, &expected, vcpu, call);
            }
        }
        step += row_steps(row);
    }
}
