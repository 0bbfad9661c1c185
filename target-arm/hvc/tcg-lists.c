/*
 * The registers with which the vCPUs of TCG migrate
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "cpu.h"
#include "cpregs.h"
#include "migration/guest-abi.h"
#include "kvm-contract.h"
#include "kvm-lists.h"
#include "sysregs.h"
#include "tcg-lists.h"

/* Names of registers that a refusal of a list has */
#define MAX_NAMES 8

static ARMCPU *model;
static const HvcContract *promised;

static bool save_list(GByteArray *data, Error **errp)
{
    hvc_list_pack(model->cpreg_indexes, model->cpreg_array_len, data);
    return true;
}

/*
 * A contract that fits has the same CPU, so that this VM's says what the guest
 * can do without. Whatever hangs on a value is refused here, and not when the
 * value has come: that is too late to go on at the source.
 */
static bool check_list(const uint8_t *data, size_t size, Error **errp)
{
    GuestAbiNames unknown = { .most = MAX_NAMES };
    g_autofree uint64_t *ids = NULL;
    g_autofree char *names = NULL;
    size_t count;

    ids = data ? hvc_list_unpack(data, size, &count, errp) : NULL;
    if (!ids) {
        return !data;
    }
    for (size_t i = 0; i < count; i++) {
        g_autofree char *name = NULL;

        if (!hvc_has_id(model->cpreg_indexes, model->cpreg_array_len,
                        ids[i]) &&
            !hvc_list_can_stay(promised, ids[i])) {
            name = hvc_sysreg_name(ids[i]);
            guest_abi_names_add(&unknown, "%s", name);
        }
    }
    names = guest_abi_names_end(&unknown);
    if (names) {
        error_setg(errp, "guest-abi: the vCPUs of the incoming VM come with "
                   "registers that those of this VM do not have: %s; start "
                   "this QEMU with the source's -accel, -cpu and -machine "
                   "options, and use its version of QEMU", names);
    }
    return !names;
}

static const GuestAbiPart list_part = {
    .name = HVC_LIST_PART,
    .save = save_list,
    .check = check_list,
};

void hvc_tcg_lists_init(ARMCPU *cpu, const HvcContract *contract)
{
    model = cpu;
    promised = contract;
    guest_abi_add_part(&list_part);
}

bool hvc_tcg_has_lists(void)
{
    return model;
}

static int get(const HvcKvm *kvm, uint64_t id, uint64_t *value)
{
    ARMCPU *cpu = kvm->opaque;
    const ARMCPRegInfo *ri = get_arm_cp_reginfo(cpu->cp_regs,
                                                kvm_to_cpreg_id(id));

    if (!ri) {
        return -ENOENT;
    }
    *value = read_raw_cp_reg(&cpu->env, ri);
    return 0;
}

bool hvc_tcg_load(ARMCPU *cpu, uint64_t *values, Error **errp)
{
    const HvcKvm vcpu = { .get = get, .opaque = cpu };
    const HvcRegisterList incoming = {
        .ids = cpu->cpreg_vmstate_indexes,
        .values = cpu->cpreg_vmstate_values,
        .count = cpu->cpreg_vmstate_array_len,
    };

    /* check_list() has seen to it that nothing is lost. */
    return hvc_list_match(HVC_LISTER_QEMU, &vcpu, &incoming,
                          cpu->cpreg_indexes, values, cpu->cpreg_array_len,
                          NULL, errp);
}
