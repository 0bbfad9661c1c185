/*
 * The hypercall services that a guest can be given
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Function ids are those of Arm DEN 0028 (SMCCC), DEN 0022 (PSCI), DEN 0098
 * (TRNG), DEN 0057 (PV time) and, for owner 6, of Linux'
 * Documentation/virt/kvm/arm/{hypercalls,ptp_kvm}.rst. What KVM answers, these
 * rows answer: Linux arch/arm64/kvm/hypercalls.c, kvm_smccc_call_handler().
 */

#include "qemu/osdep.h"
#include "services.h"

const HvcService hvc_services[] = {
    {
        .name = "trng",
        .reg = HVC_STD_BMAP, .bit = 0, .kernel = "5.19",
        .help = "random numbers from the host (Arm DEN 0098 v1.0)",
        .functions = (const HvcFunction[]) {
            { 0x84000050, hvc_trng_version },
            { 0x84000051, hvc_trng_features },
            { 0x84000052, hvc_trng_get_uuid },
            { 0x84000053, hvc_trng_rnd },
            { 0xc4000053, hvc_trng_rnd },
            { }
        },
    }, {
        .name = "pv-time",
        .reg = HVC_STD_HYP_BMAP, .bit = 0, .kernel = "5.19",
        .help = "stolen time: how long a vCPU waited for a host CPU "
                "(Arm DEN 0057)",
        .functions = (const HvcFunction[]) {
            { 0xc5000020, hvc_pv_time_features,
              .discovery = HVC_DISCOVERY_ARCH_FEATURES },
            { 0xc5000021, hvc_pv_time_st },
            { }
        },
    }, {
        .name = "vendor-features",
        .reg = HVC_VENDOR_HYP_BMAP, .bit = 0, .kernel = "5.19",
        .help = "KVM's UID and list of vendor calls; Linux finds ptp "
                "only with it",
        .functions = (const HvcFunction[]) {
            { 0x8600ff01, hvc_vendor_uid },
            { 0x86000000, hvc_vendor_features, .by_qemu = true,
              .shows = BIT(HVC_VENDOR_HYP_BMAP) |
                       BIT(HVC_VENDOR_HYP_BMAP_2) },
            { }
        },
    }, {
        .name = "ptp",
        .reg = HVC_VENDOR_HYP_BMAP, .bit = 1, .kernel = "5.19",
        .help = "the host's wall clock, paired with the guest's counter",
        .functions = (const HvcFunction[]) {
            { 0x86000001, hvc_ptp },
            { }
        },
    }, {
        .name = "implementation-cpus",
        .reg = HVC_VENDOR_HYP_BMAP_2, .bit = 0, .bits = 2,
        .kernel = HVC_HAND_OVER_KERNEL, .by_qemu = true, .bits_kernel = "6.15",
        .help = "the CPUs that the guest may run on, for its errata",
        .functions = (const HvcFunction[]) {
            { 0xc6000040, hvc_implementations_version, .by_qemu = true },
            { 0xc6000041, hvc_implementations_cpu, .by_qemu = true },
            { }
        },
    }, {
        .name = "mem-share",
        .reg = HVC_VENDOR_HYP_BMAP, .bit = 2, .bits = 3,
        .kernel = HVC_HAND_OVER_KERNEL, .by_qemu = true,
        .help = "pages that the guest shares with its host, as pKVM's guests "
                "do",
        .functions = (const HvcFunction[]) {
            { 0xc6000002, hvc_mem_share_info, .by_qemu = true },
            { 0xc6000003, hvc_mem_share, .by_qemu = true },
            { 0xc6000004, hvc_mem_unshare, .by_qemu = true },
            { }
        },
    },
};

const size_t hvc_services_count = ARRAY_SIZE(hvc_services);

/*
 * Nothing is left to work around on an emulated CPU, so a guest is told that
 * the workarounds are not required: 1 (the CPU is not affected) for
 * WORKAROUND_1 and _3, NOT_REQUIRED for WORKAROUND_2, whose convention is an
 * older one (DEN 0028, sections 7.5 to 7.7), but see hvc_arch_features() for a
 * CPU with FEAT_SSBS. An answer of 0 would make Linux issue the call on every
 * context switch.
 */
const HvcFunction hvc_arch_functions[] = {
    { 0x80000000, hvc_arch_version,
      .discovery = HVC_DISCOVERY_PSCI_FEATURES },
    { 0x80000001, hvc_arch_features },
    { 0x80003fff, hvc_arch_workaround,
      .discovery = HVC_DISCOVERY_ARCH_FEATURES, .feature = 1 },
    { HVC_ARCH_WORKAROUND_2, hvc_arch_workaround,
      .discovery = HVC_DISCOVERY_ARCH_FEATURES, .feature = -2 },
    { 0x80008000, hvc_arch_workaround,
      .discovery = HVC_DISCOVERY_ARCH_FEATURES, .feature = 1 },
    { }
};

#define PSCI(id_, version_, handler_, ...)              \
    { .id = id_, .psci_version = version_,              \
      .handler = handler_,                              \
      .discovery = HVC_DISCOVERY_PSCI_FEATURES, __VA_ARGS__ }
#define PSCI_0_2 HVC_PSCI_VERSION(0, 2)
#define PSCI_1_0 HVC_PSCI_VERSION(1, 0)
#define PSCI_1_1 HVC_PSCI_VERSION(1, 1)
#define PSCI_1_2 HVC_PSCI_VERSION(1, 2)
#define PSCI_1_3 HVC_PSCI_VERSION(1, 3)

/* SYSTEM_OFF2's feature is a bitmap: bit 0 says HIBERNATE_OFF (DEN 0022). */
const HvcFunction hvc_psci_functions[] = {
    PSCI(0x84000000, PSCI_0_2, hvc_psci_version, .by_qemu = true),
    PSCI(0x84000001, PSCI_0_2, hvc_psci_cpu_suspend),
    PSCI(0xc4000001, PSCI_0_2, hvc_psci_cpu_suspend),
    PSCI(0x84000002, PSCI_0_2, hvc_psci_cpu_off),
    PSCI(0x84000003, PSCI_0_2, hvc_psci_cpu_on),
    PSCI(0xc4000003, PSCI_0_2, hvc_psci_cpu_on),
    PSCI(0x84000004, PSCI_0_2, hvc_psci_affinity_info),
    PSCI(0xc4000004, PSCI_0_2, hvc_psci_affinity_info),
    PSCI(0x84000006, PSCI_0_2, hvc_psci_migrate_info_type),
    PSCI(0x84000008, PSCI_0_2, hvc_psci_system_off),
    PSCI(0x84000009, PSCI_0_2, hvc_psci_system_reset),
    PSCI(0x8400000a, PSCI_1_0, hvc_psci_features, .by_qemu = true),
    PSCI(0x84000012, PSCI_1_1, hvc_psci_system_reset2),
    PSCI(0xc4000012, PSCI_1_1, hvc_psci_system_reset2),
    PSCI(0x84000015, PSCI_1_3, hvc_psci_system_off2, .feature = 1,
         .by_qemu = true),
    PSCI(0xc4000015, PSCI_1_3, hvc_psci_system_off2, .feature = 1,
         .by_qemu = true),
    { }
};

const HvcPsciVersion hvc_psci_versions[] = {
    { PSCI_0_2, "3.18" },
    { PSCI_1_0, "4.16" },
    { PSCI_1_1, "5.18" },
    { PSCI_1_2, "6.13", .by_qemu = true },
    { PSCI_1_3, "6.13", .by_qemu = true },
    { }
};

const HvcPsciVersion *hvc_psci_version_row(uint32_t version)
{
    for (const HvcPsciVersion *row = hvc_psci_versions; row->version; row++) {
        if (row->version == version) {
            return row;
        }
    }
    return NULL;
}

const HvcService *hvc_service_by_name(const char *name)
{
    for (size_t i = 0; i < hvc_services_count; i++) {
        if (!strcmp(name, hvc_services[i].name)) {
            return &hvc_services[i];
        }
    }
    return NULL;
}

const HvcService *hvc_service_by_bit(HvcRegister reg, unsigned bit)
{
    for (size_t i = 0; i < hvc_services_count; i++) {
        if (hvc_services[i].reg == reg &&
            hvc_service_mask(&hvc_services[i]) >> bit & 1) {
            return &hvc_services[i];
        }
    }
    return NULL;
}

bool hvc_service_has_function(const HvcService *service, uint64_t id)
{
    for (const HvcFunction *function = service->functions; function->id;
         function++) {
        if (function->id == id) {
            return true;
        }
    }
    return false;
}
