/*
 * The hypercall services that a guest can be given
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * One table for everything that has to know them: the option's parser and its
 * help, the firmware registers, the TCG dispatcher, messages and the manual.
 * Adding a service takes one row in services.c and one file with its handlers.
 */

#ifndef TARGET_ARM_HVC_SERVICES_H
#define TARGET_ARM_HVC_SERVICES_H

#include "qemu/bitops.h"
#include "set.h"
#include "target/arm/cpu-qom.h"

/*
 * Return codes of the SMC Calling Convention (Arm DEN 0028, section 7.1).
 * PSCI and TRNG have code spaces of their own, which agree on the first two.
 */
#define HVC_SUCCESS           0
#define HVC_NOT_SUPPORTED     (-1)
#define HVC_INVALID_PARAMETER (-3)

/* Discovered in a way of its own (section 7.6). */
#define HVC_ARCH_WORKAROUND_2 0x80007fffu

/* Bit 30 of a function id: the caller passes 64-bit arguments (section 2.5). */
#define HVC_FUNCTION_64BIT (1U << 30)

/**
 * HvcEvent: what a call asks of the whole machine
 */
typedef enum HvcEvent {
    HVC_EVENT_NONE,
    HVC_EVENT_OFF,
    HVC_EVENT_RESET,
} HvcEvent;

typedef struct HvcCall HvcCall;

/**
 * HvcCall: one hypercall on its way through a handler
 * @cpu: the calling vCPU
 * @function: the function id, W0 (Arm DEN 0028, section 2.5)
 * @smc: the conduit was SMC rather than HVC
 * @aarch64: the caller's execution state
 * @read: the accelerator's way to the caller's registers, see hvc_call_arg()
 * @result: X0 to X3 on return, zero unless the handler writes them; of a
 *          32-bit caller the low words are returned. Error codes are
 *          sign-extended, 32-bit data words are zero-extended.
 * @event: what the accelerator does after it has returned the result. The
 *         caller is then off.
 */
struct HvcCall {
    ARMCPU *cpu;
    uint32_t function;
    bool smc;
    bool aarch64;
    uint64_t (*read)(HvcCall *call, unsigned n);
    uint64_t result[4];
    HvcEvent event;
};

/**
 * hvc_call_arg: an argument of a call
 * @call: the call
 * @n: the number of the register, 1 to 3
 *
 * Under KVM each argument costs a system call: to be called once for each
 * argument that a function has, and for no other.
 *
 * Returns: Xn, or Rn zero-extended.
 */
static inline uint64_t hvc_call_arg(HvcCall *call, unsigned n)
{
    return call->read(call, n);
}

/**
 * hvc_call_can_use: is a function id for callers of this width?
 * @call: the call
 * @id: the id of the called function, or of one that it asks about
 *
 * Returns: false for a 64-bit id and an AArch32 caller (Arm DEN 0028, section
 * 2.7). KVM looks at it for PSCI only.
 */
static inline bool hvc_call_can_use(const HvcCall *call, uint32_t id)
{
    return call->aarch64 || !(id & HVC_FUNCTION_64BIT);
}

/**
 * hvc_psci_arg: an argument of a PSCI function
 * @call: a call of a PSCI function
 * @n: the number of the register, 1 to 3
 *
 * Returns: what hvc_call_arg() does; of a function with a 32-bit id its low
 * word.
 */
static inline uint64_t hvc_psci_arg(HvcCall *call, unsigned n)
{
    uint64_t value = hvc_call_arg(call, n);

    return call->function & HVC_FUNCTION_64BIT ? value : (uint32_t)value;
}

/**
 * HvcHandler: answer one call
 * @call: the call; the handler fills in its result
 *
 * Runs in the vCPU's thread. Under TCG the BQL is held, and a handler has to
 * let go of it while it waits for anything.
 */
typedef void HvcHandler(HvcCall *call);

/**
 * HvcDiscovery: the call by which a guest asks whether a function is there
 */
typedef enum HvcDiscovery {
    HVC_DISCOVERY_OWN,           /* the service has its own, or none */
    HVC_DISCOVERY_ARCH_FEATURES, /* SMCCC_ARCH_FEATURES */
    HVC_DISCOVERY_PSCI_FEATURES, /* PSCI_FEATURES */
} HvcDiscovery;

/**
 * HvcFunction: one function id
 * @id: the SMCCC function id
 * @handler: answers it, always under TCG
 * @psci_version: the first PSCI version that has it, 0 outside PSCI
 * @discovery: which call says that the function is there
 * @feature: what that call then says
 * @by_qemu: @handler can answer it under KVM, too: of the vCPU it looks at
 *           nothing but its arguments. Of PSCI, what differs between the
 *           versions from 1.1 on.
 * @shows: the answer has the bits of these registers, a mask of
 *         BIT(HvcRegister): a kernel that does not take all of them for a
 *         register would leave the others out
 */
typedef struct HvcFunction {
    uint32_t id;
    HvcHandler *handler;
    uint32_t psci_version;
    HvcDiscovery discovery;
    int32_t feature;
    bool by_qemu;
    uint32_t shows;
} HvcFunction;

/**
 * HvcService: a service that can be chosen by name
 * @name: as in -machine hvc-services=
 * @reg: the firmware pseudo-register that switches it under KVM
 * @bit: its bit in @reg, the lowest one if there are several
 * @bits: the number of its bits if there are several, else 0
 * @kernel: the first Linux release whose KVM lets it be chosen
 * @by_qemu: under KVM, QEMU answers all of its functions: the kernel has no
 *           more of it than the bits, if it has those
 * @bits_kernel: of a service with @by_qemu, the first Linux release whose KVM
 *               has its bits in @reg, and says them to a guest that asks; NULL:
 *               none has. The bits of the others came with @kernel.
 * @help: what it gives the guest, one line
 * @functions: its function ids, up to a row whose id is 0
 */
typedef struct HvcService {
    const char *name;
    HvcRegister reg;
    unsigned bit;
    unsigned bits;
    const char *kernel;
    bool by_qemu;
    const char *bits_kernel;
    const char *help;
    const HvcFunction *functions;
} HvcService;

extern const HvcService hvc_services[];
extern const size_t hvc_services_count;

/* What every guest of a pinned VM has; PSCI up to the pinned version. */
extern const HvcFunction hvc_arch_functions[];
extern const HvcFunction hvc_psci_functions[];

/* The first Linux release whose KVM lets QEMU answer calls */
#define HVC_HAND_OVER_KERNEL "6.4"

/**
 * HvcPsciVersion: a PSCI version that a VM can be pinned to
 * @version: as PSCI_VERSION returns it
 * @kernel: the first Linux release whose KVM has it
 * @by_qemu: under KVM, QEMU can serve it where the kernel has only 1.1 and is
 *           not older than HVC_HAND_OVER_KERNEL
 */
typedef struct HvcPsciVersion {
    uint32_t version;
    const char *kernel;
    bool by_qemu;
} HvcPsciVersion;

/* Oldest first, up to a row whose version is 0. */
extern const HvcPsciVersion hvc_psci_versions[];

/**
 * hvc_psci_version_row: find a row of the table of PSCI versions
 * @version: as PSCI_VERSION returns it
 *
 * Returns: the row, or NULL if there is no such version.
 */
const HvcPsciVersion *hvc_psci_version_row(uint32_t version);

/**
 * hvc_service_mask: all bits of a service in its register
 * @service: a row of hvc_services
 */
static inline uint64_t hvc_service_mask(const HvcService *service)
{
    return MAKE_64BIT_MASK(service->bit, service->bits ?: 1);
}

/**
 * hvc_service_in: is a service offered by a set?
 * @service: a row of hvc_services
 * @set: the set
 */
static inline bool hvc_service_in(const HvcService *service, const HvcSet *set)
{
    return !(hvc_service_mask(service) & ~set->bmap[service->reg]);
}

/**
 * hvc_function_shows: does an answer have bits of a service of QEMU's?
 * @function: a function of any service
 * @service: a row of hvc_services
 *
 * Returns: true if a kernel that does not have the bits of @service would leave
 * them out, so that QEMU answers @function, too, in a VM with @service.
 */
static inline bool hvc_function_shows(const HvcFunction *function,
                                      const HvcService *service)
{
    return service->by_qemu && function->by_qemu &&
           function->shows & BIT(service->reg);
}

/**
 * hvc_service_by_name: find a row of the service table
 * @name: a service's name, in lower case, without a sign
 *
 * Returns: the row, or NULL if no service has that name.
 */
const HvcService *hvc_service_by_name(const char *name);

/**
 * hvc_service_by_bit: find the row of a bit in a firmware register
 * @reg: a register below HVC_REGISTERS
 * @bit: 0 to 63
 *
 * Returns: the row, or NULL if the bit has none.
 */
const HvcService *hvc_service_by_bit(HvcRegister reg, unsigned bit);

/**
 * hvc_service_has_function: is a function id one of a service's?
 * @service: a row of hvc_services
 * @id: a function id; of a 64-bit value all bits count
 */
bool hvc_service_has_function(const HvcService *service, uint64_t id);

/* The handlers, each documented in the file of its service. */
HvcHandler hvc_arch_version, hvc_arch_features, hvc_arch_workaround;
HvcHandler hvc_psci_version, hvc_psci_features, hvc_psci_migrate_info_type;
HvcHandler hvc_psci_cpu_suspend, hvc_psci_cpu_off, hvc_psci_cpu_on;
HvcHandler hvc_psci_affinity_info, hvc_psci_system_off, hvc_psci_system_reset;
HvcHandler hvc_psci_system_reset2, hvc_psci_system_off2;
HvcHandler hvc_trng_version, hvc_trng_features, hvc_trng_get_uuid;
HvcHandler hvc_trng_rnd;
HvcHandler hvc_pv_time_features, hvc_pv_time_st;
HvcHandler hvc_vendor_uid, hvc_vendor_features;
HvcHandler hvc_ptp;
HvcHandler hvc_implementations_version, hvc_implementations_cpu;
HvcHandler hvc_mem_share_info, hvc_mem_share, hvc_mem_unshare;

#endif
