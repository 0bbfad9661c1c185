/*
 * The contract of a VM under TCG: what its guest reads of the CPU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * The same registers under the same names as under KVM, but that here they
 * follow from the options: a value that differs is mended by -cpu or -machine.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "cpu.h"
#include "cpregs.h"
#include "cpu-features.h"
#include "hw/intc/arm_gic_common.h"
#include "hw/intc/arm_gicv3_common.h"
#include "hw/intc/arm_gicv3_its_common.h"
#include "migration/qemu-compat.h"
#include "contract-entries.h"
#include "kvm-access.h"
#include "kvm-contract.h"
#include "sysregs.h"
#include "tcg-lists.h"
#include "tcg-remedy.h"

/* The vCPU that the contract is of, and what it shows */
static ARMCPU *promised_cpu;
static HvcContract promised;

typedef void Refuse(uint64_t id, uint64_t incoming, uint64_t here,
                    const char *what_to_do, Error **errp);

static uint64_t read_midr(ARMCPU *cpu)
{
    return cpu->midr;
}

static uint64_t read_ctr(ARMCPU *cpu)
{
    return cpu->ctr;
}

static uint64_t read_clidr(ARMCPU *cpu)
{
    return arm_cpu_clidr(cpu);
}

static uint64_t read_frequency(ARMCPU *cpu)
{
    return arm_feature(&cpu->env, ARM_FEATURE_GENERIC_TIMER) ?
           cpu->gt_cntfrq_hz : 0;
}

static uint64_t read_sve_lengths(ARMCPU *cpu)
{
    return cpu_isar_feature(aa64_sve, cpu) ? cpu->sve_vq.map : 0;
}

static uint64_t read_sme_lengths(ARMCPU *cpu)
{
    return cpu_isar_feature(aa64_sme, cpu) ? cpu->sme_vq.map : 0;
}

static uint64_t read_el2(ARMCPU *cpu)
{
    return arm_feature(&cpu->env, ARM_FEATURE_EL2);
}

static uint64_t read_el3(ARMCPU *cpu)
{
    return arm_feature(&cpu->env, ARM_FEATURE_EL3);
}

static void refuse_frequency(uint64_t id, uint64_t incoming, uint64_t here,
                             const char *what_to_do, Error **errp)
{
    error_setg(errp, "guest-abi: the counter of the incoming VM runs at %"
               PRIu64 " Hz (CNTFRQ_EL0), that of this VM at %" PRIu64
               " Hz, and the guest would take its time from it; %s",
               incoming, here, what_to_do);
}

static void refuse_lengths(uint64_t id, uint64_t incoming, uint64_t here,
                           const char *what_to_do, Error **errp)
{
    g_autofree char *came = hvc_contract_came_with_lengths(
        id == HVC_TCG_SME_VLS ? "SME" : "SVE", incoming);
    g_autofree char *have = hvc_contract_vector_lengths(here);

    error_setg(errp, "guest-abi: incoming VM has %s, this VM has %s; %s", came,
               have, what_to_do);
}

static void refuse_exception_level(uint64_t id, uint64_t incoming,
                                   uint64_t here, const char *what_to_do,
                                   Error **errp)
{
    error_setg(errp, "guest-abi: the CPUs of the incoming VM %s EL%u, those of "
               "this VM %s; %s", incoming ? "have" : "do not have",
               id == HVC_TCG_EL2 ? 2 : 3, here ? "do" : "do not", what_to_do);
}

static void refuse_register(uint64_t id, uint64_t incoming, uint64_t here,
                            const char *what_to_do, Error **errp)
{
    g_autofree char *name = hvc_sysreg_name(id);
    g_autofree char *fields = hvc_sysreg_differences(id, incoming, here);

    error_setg(errp, "guest-abi: incoming VM has %s = 0x%" PRIx64 ", this VM "
               "has 0x%" PRIx64 " (%s); %s", name, incoming, here, fields,
               what_to_do);
}

/**
 * Row: what a guest reads, and is not read by way of the vCPU's cp_regs
 * @id: the register
 * @read: its value; 0 if the CPU has none
 * @refuse: says what differs
 */
typedef struct Row {
    uint64_t id;
    uint64_t (*read)(ARMCPU *cpu);
    Refuse *refuse;
} Row;

static const Row rows[] = {
    { HVC_MIDR_EL1, read_midr, refuse_register },
    { HVC_CTR_EL0, read_ctr, refuse_register },
    { HVC_CLIDR_EL1, read_clidr, refuse_register },
    { HVC_CNTFRQ_EL0, read_frequency, refuse_frequency },
    { HVC_KVM_SVE_VLS, read_sve_lengths, refuse_lengths },
    { HVC_TCG_SME_VLS, read_sme_lengths, refuse_lengths },
    { HVC_TCG_EL2, read_el2, refuse_exception_level },
    { HVC_TCG_EL3, read_el3, refuse_exception_level },
};

static const Row *row_of(uint64_t id)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].id == id) {
            return &rows[i];
        }
    }
    return NULL;
}

/* Reserved registers, and those of an AArch32 CPU, need not exist. */
static uint64_t read_cp_register(ARMCPU *cpu, uint64_t id)
{
    const ARMCPRegInfo *ri = get_arm_cp_reginfo(cpu->cp_regs,
                                                kvm_to_cpreg_id(id));

    return ri && (ri->type & ARM_CP_CONST || ri->readfn || ri->fieldoffset) ?
           read_raw_cp_reg(&cpu->env, ri) : 0;
}

/* A register as a guest reads it; 0 if it has none */
static uint64_t read_register(ARMCPU *cpu, uint64_t id)
{
    const Row *row = row_of(id);

    if (row) {
        return row->read(cpu);
    }
    if (hvc_is_ccsidr(id)) {
        return hvc_clidr_has_cache(arm_cpu_clidr(cpu), id) ?
               cpu->ccsidr[id - HVC_SYSREG_CCSIDR_ID(0)] : 0;
    }
    return read_cp_register(cpu, id);
}

static void refuse(const GuestAbiDefinition *definition, uint64_t incoming,
                   uint64_t here, Error **errp)
{
    const HvcPromise *promise = definition->opaque;
    const Row *row = row_of(promise->id);
    g_autofree char *what_to_do = hvc_tcg_remedy(promised_cpu, read_register);

    (row ? row->refuse : refuse_register)(promise->id, incoming, here,
                                          what_to_do, errp);
}

static void promise(uint64_t id)
{
    const HvcPromise promise = { id, read_register(promised_cpu, id) };
    GuestAbiDefinition definition =
        hvc_contract_definition(&promise, GUEST_ABI_ORIGIN_OPTION);

    definition.rule = GUEST_ABI_RULE_EXACT;
    definition.origin = GUEST_ABI_ORIGIN_OPTION;
    definition.zero_is_absent = true;
    definition.same = NULL;
    definition.needed = NULL;
    definition.refuse = refuse;
    guest_abi_add(&definition);
    hvc_contract_set(&promised, id, promise.value, &error_abort);
}

static void promise_registers(void)
{
    static const uint64_t others[] = {
        HVC_CLIDR_EL1, HVC_AIDR_EL1, HVC_CTR_EL0, HVC_PMMIR_EL1,
        HVC_CNTFRQ_EL0, HVC_KVM_SVE_VLS, HVC_TCG_SME_VLS, HVC_TCG_EL2,
        HVC_TCG_EL3,
    };

    for (uint64_t id = HVC_MIDR_EL1; id <= HVC_SYSREG_ID(3, 0, 0, 7, 7);
         id++) {
        if (hvc_sysreg_describes_cpu(id)) {
            promise(id);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        promise(others[i]);
    }
    for (uint64_t id = HVC_SYSREG_CCSIDR_ID(0); hvc_is_ccsidr(id); id++) {
        promise(id);
    }
}

static unsigned gic_version(void)
{
    Object *v3 = object_resolve_path_type("", TYPE_ARM_GICV3_COMMON, NULL);
    Object *v2 = object_resolve_path_type("", TYPE_ARM_GIC_COMMON, NULL);

    return v3 ? ARM_GICV3_COMMON(v3)->revision :
           v2 ? ARM_GIC_COMMON(v2)->revision : 0;
}

/* When the machine is complete, so are its vCPUs, and nothing was loaded. */
static void machine_is_done(Notifier *notifier, void *data)
{
    if (!tcg_enabled() || !guest_abi_is_migrated() || !first_cpu) {
        return;
    }
    promised_cpu = ARM_CPU(first_cpu);
    hvc_contract_promise_gic(gic_version(), false, object_resolve_path_type(
                                 "", TYPE_ARM_GICV3_ITS_COMMON, NULL));
    promise_registers();
    hvc_tcg_lists_init(promised_cpu, &promised);
}

static void tcg_contract_register(void)
{
    static Notifier machine_done = { .notify = machine_is_done };

    qemu_add_machine_init_done_notifier(&machine_done);
}

migration_init(tcg_contract_register)
