/*
 * True Random Number Generator firmware interface 1.0 (Arm DEN 0098)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Backed by QEMU's guest randomness, which honours -seed and record/replay.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/guest-random.h"
#include "dispatch.h"
#include "trace.h"

/* TRNG has error codes of its own (DEN 0098, table 2). */
#define TRNG_INVALID_PARAMETERS (-2)
#define TRNG_NO_ENTROPY         (-3)

/**
 * hvc_trng_version: TRNG_VERSION
 * @call: no arguments
 */
void hvc_trng_version(HvcCall *call)
{
    call->result[0] = 0x10000;
}

/**
 * hvc_trng_features: TRNG_FEATURES
 * @call: X1: a function id, of which KVM compares all 64 bits
 */
void hvc_trng_features(HvcCall *call)
{
    uint64_t id = hvc_call_arg(call, 1);
    bool known = hvc_service_has_function(hvc_service_by_name("trng"), id);

    call->result[0] = known && hvc_call_can_use(call, id) ?
        HVC_SUCCESS : HVC_NOT_SUPPORTED;
}

/**
 * hvc_trng_get_uuid: TRNG_GET_UUID
 * @call: no arguments
 *
 * KVM's, 0d21e000-4384-11eb-8070-5244554e5a4c, as four little-endian words:
 * a guest may know a source of randomness by it.
 */
void hvc_trng_get_uuid(HvcCall *call)
{
    call->result[0] = 0x00e0210d;
    call->result[1] = 0xeb118443;
    call->result[2] = 0x44527080;
    call->result[3] = 0x4c5a4e55;
}

/**
 * hvc_trng_rnd: TRNG_RND32 and TRNG_RND64
 * @call: W1: number of bits, up to 96 (RND32) or 192 (RND64)
 *
 * The bits fill X3, then X2, then X1, from bit 0 up; the rest is zero. As KVM
 * does, 0 bits succeed, which DEN 0098 calls invalid.
 */
void hvc_trng_rnd(HvcCall *call)
{
    unsigned width = call->function & HVC_FUNCTION_64BIT ? 64 : 32;
    uint32_t bits = hvc_call_arg(call, 1);
    uint64_t random[3];

    if (bits > 3 * width) {
        call->result[0] = (int64_t)TRNG_INVALID_PARAMETERS;
        return;
    }
    if (qemu_guest_getrandom(random, sizeof(random), NULL) < 0) {
        trace_hvc_trng_no_entropy();
        call->result[0] = (int64_t)TRNG_NO_ENTROPY;
        return;
    }
    call->result[0] = HVC_SUCCESS;
    for (int i = 0; i < 3 && bits; i++) {
        unsigned n = MIN(bits, width);

        call->result[3 - i] = random[i] & MAKE_64BIT_MASK(0, n);
        bits -= n;
    }
}
