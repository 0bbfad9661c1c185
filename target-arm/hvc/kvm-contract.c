/*
 * The contract of a VM under KVM: what the kernel makes of it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "migration/guest-abi.h"
#include "migration/misc.h"
#include "migration/qemu-compat.h"
#include "contract-entries.h"
#include "kvm-contract.h"
#include "kvm-scratch.h"
#include "sysregs.h"

/* The list of a vCPU, of what a kernel lists */
static void keep_list(HvcVm *vm, const uint64_t *ids, size_t count)
{
    uint64_t *kept = g_new(uint64_t, count);

    vm->ids_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (hvc_list_has(ids[i])) {
            kept[vm->ids_count++] = ids[i];
        }
    }
    g_free(vm->ids);
    vm->ids = kept;
}

/* What would the guest of this VM read that was promised @wanted? */
static bool try_contract(HvcVm *vm, const HvcContract *wanted, Error **errp)
{
    vm->tried = *wanted;
    hvc_truth_clear(&vm->truth);
    return hvc_scratch_try(vm, wanted, &vm->truth, errp);
}

static bool trial(const GuestAbiValue *wanted, unsigned count, uint64_t *truth,
                  Error **errp)
{
    HvcContract contract = { };
    g_autofree uint64_t *ids = g_new(uint64_t, count);

    for (unsigned i = 0; i < count; i++) {
        ids[i] = hvc_contract_id(guest_abi_definition_by_name(wanted[i].name));
        if (!hvc_contract_set(&contract, ids[i], wanted[i].value, errp)) {
            return false;
        }
    }
    if (!try_contract(hvc_vm, &contract, errp)) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        truth[i] = hvc_contract_value(&hvc_vm->truth.contract, ids[i]);
    }
    return true;
}

static bool save_list(GByteArray *data, Error **errp)
{
    hvc_list_pack(hvc_vm->ids, hvc_vm->ids_count, data);
    return true;
}

static bool check_list(const uint8_t *data, size_t size, Error **errp)
{
    HvcVm *vm = hvc_vm;
    g_autofree uint64_t *ids = NULL;
    g_autoptr(GString) late = g_string_new(NULL);
    size_t count;

    g_clear_pointer(&vm->late, g_free);
    if (!data || !vm->truth.ids) {
        /* Nothing to compare: no list came, or the trial has failed. */
        return true;
    }
    ids = hvc_list_unpack(data, size, &count, errp);
    if (!ids || !hvc_list_check(&vm->tried, ids, count, vm->truth.ids,
                                vm->truth.count, late, errp)) {
        return false;
    }
    if (late->len && migration_incoming_postcopy_advised()) {
        error_setg(errp, "guest-abi: this host's kernel does not list "
                   "registers of the incoming VM, of which only their values "
                   "will tell whether the guest needs them: %s; with postcopy "
                   "that is too late to go back; migrate without "
                   "postcopy-ram, or to a host whose kernel lists them",
                   late->str);
        return false;
    }
    vm->late = g_strdup(late->str);
    return true;
}

static void load_list(const uint8_t *data, size_t size)
{
    if (hvc_vm->late && *hvc_vm->late) {
        warn_report("guest-abi: this host's kernel does not list registers of "
                    "the incoming VM: %s; if the guest uses one of them when "
                    "it is stopped, the migration will be refused then",
                    hvc_vm->late);
    }
}

static const GuestAbiPart list_part = {
    .name = HVC_LIST_PART,
    .save = save_list,
    .check = check_list,
    .load = load_list,
    .decode = hvc_list_names,
};

static void refuse_pv_time_discovery(const GuestAbiDefinition *definition,
                                     uint64_t incoming, uint64_t here,
                                     Error **errp)
{
    error_setg(errp, "guest-abi: incoming VM %s, on this host it %s "
               "(SMCCC_ARCH_FEATURES of PV_TIME_FEATURES, which kernels before "
               "Linux 5.19 always answer); use a host with a kernel like the "
               "source's, or restart the VM on this host",
               incoming ? "discovers hvc service 'pv-time' but cannot use it"
                        : "does not discover hvc service 'pv-time'",
               here ? "would" : "would not");
}

/*
 * A kernel without the register says that PV_TIME_FEATURES can be called, even
 * where no vCPU was given a record. Nothing hides that; but it must not change.
 */
static bool discovers_pv_time(const HvcTruth *truth)
{
    return !hvc_has_id(truth->ids, truth->count,
                       HVC_KVM_FW_FEAT(HVC_STD_HYP_BMAP));
}

static void promise_pv_time_discovery(bool discovered)
{
    guest_abi_add(&(GuestAbiDefinition) {
        .name = "arm.pv-time-discovery",
        .rule = GUEST_ABI_RULE_EXACT,
        .value = discovered,
        .origin = GUEST_ABI_ORIGIN_DEFAULT,
        .refuse = refuse_pv_time_discovery,
    });
}

/* CLIDR_EL1 says more clearly than a cache's register what is wrong. */
static int rank_of(uint64_t id)
{
    if (hvc_contract_is_level(id)) {
        return 0;
    }
    if (hvc_sysreg_describes_cpu(id)) {
        return hvc_is_ccsidr(id) ? 2 : 1;
    }
    return 3;
}

static void promise_all(const HvcVm *vm, const HvcTruth *truth)
{
    GuestAbiOrigin origin = vm->profile ? GUEST_ABI_ORIGIN_OPTION
                                        : GUEST_ABI_ORIGIN_DEFAULT;

    if (vm->tells_implementations) {
        hvc_implementations_promise(&vm->implementations,
                                    vm->chose_implementations);
    }
    promise_pv_time_discovery(discovers_pv_time(truth));
    hvc_contract_promise_gic(vm->recipe.gic_version, vm->recipe.gic,
                             vm->recipe.has_its);
    for (int rank = 0; rank <= 3; rank++) {
        for (unsigned i = 0; i < vm->contract.count; i++) {
            const HvcPromise *promise = &vm->contract.promises[i];

            if (rank_of(promise->id) == rank) {
                GuestAbiDefinition definition =
                    hvc_contract_definition(promise, origin);

                guest_abi_add(&definition);
            }
        }
    }
    guest_abi_add_part(&list_part);
    guest_abi_set_trial(trial);
}

#define IIDR_REVISION(iidr) ((unsigned)((iidr) >> 12) & 0xf)

/*
 * Linux 5.19 gave its GIC revision 3. A guest of it looks for what that brings
 * (GICR_CTLR.IR), and would miss it on an older kernel.
 */
static bool want_gic_revision(const HvcVm *vm, const HvcContract *here,
                              HvcContract *wanted, Error **errp)
{
    uint64_t iidr = hvc_contract_value(here, HVC_KVM_GICD_IIDR);

    if (!iidr || !vm->gic_revision ||
        hvc_contract_find(wanted, HVC_KVM_GICD_IIDR)) {
        return true;
    }
    iidr = (iidr & ~0xf000ULL) | vm->gic_revision << 12;
    return hvc_contract_set(wanted, HVC_KVM_GICD_IIDR, iidr, errp);
}

static bool check_gic_revision(const HvcVm *vm, const HvcContract *wanted,
                               const HvcContract *truth, Error **errp)
{
    uint64_t asked = hvc_contract_value(wanted, HVC_KVM_GICD_IIDR);
    uint64_t given = hvc_contract_value(truth, HVC_KVM_GICD_IIDR);

    if (asked == given || !hvc_contract_find(wanted, HVC_KVM_GICD_IIDR)) {
        return true;
    }
    error_setg(errp, "%s: this host's kernel cannot give a guest a GIC of "
               "revision %u (GICD_IIDR = 0x%" PRIx64 "), it has revision %u "
               "(0x%" PRIx64 "); needed: for revision 2 Linux 5.18 or earlier, "
               "or one that takes the write (6.1, 6.12 and 7.1 of 2026 do), "
               "for revision 3 Linux 5.19 or later; use another floor",
               vm->options, IIDR_REVISION(asked), asked, IIDR_REVISION(given),
               given);
    return false;
}

static HvcImplementation identity_of(const HvcContract *contract)
{
    return (HvcImplementation) {
        .midr = hvc_contract_value(contract, HVC_MIDR_EL1),
        .revidr = hvc_contract_value(contract, HVC_REVIDR_EL1),
        .aidr = hvc_contract_value(contract, HVC_AIDR_EL1),
    };
}

static bool tells_of(const HvcImplementations *list,
                     const HvcImplementation *cpu)
{
    for (unsigned i = 0; i < list->count; i++) {
        if (hvc_implementation_equal(&list->cpu[i], cpu)) {
            return true;
        }
    }
    return false;
}

/* Who has chosen no list: the profile, or else this host */
static bool settle_implementations(HvcVm *vm, const HvcContract *here,
                                   Error **errp)
{
    HvcImplementations *list = &vm->implementations;
    const HvcImplementation host = identity_of(here);
    g_autofree char *cpu = hvc_implementation_describe(&host);
    g_autofree char *all = NULL;

    if (!list->count && vm->profile) {
        *list = vm->profile->implementations;
    }
    vm->chose_implementations = list->count;
    if (!list->count) {
        *list = (HvcImplementations) { .count = 1, .cpu = { host } };
    }
    if (tells_of(list, &host)) {
        return true;
    }
    all = hvc_implementations_format(list);
    error_setg(errp, "%s: this host's CPU (%s) is not one that the guest is "
               "told of, which are implementation-cpus=%s; run the VM on a "
               "host with one of these, or add this host's to the list, on all "
               "hosts of the fleet", vm->options, cpu, all);
    return false;
}

/* The guest's own is the first, wherever it runs. */
static bool want_identity(const HvcVm *vm, HvcContract *wanted, Error **errp)
{
    const HvcImplementation *own = &vm->implementations.cpu[0];
    const HvcImplementation of_profile = identity_of(wanted);
    g_autofree char *first = hvc_implementation_describe(own);
    g_autofree char *cpu = hvc_implementation_describe(&of_profile);

    if (!vm->tells_implementations) {
        return true;
    }
    if (vm->profile && !hvc_implementation_equal(own, &of_profile)) {
        error_setg(errp, "guest-abi-profile=%s is of a VM whose CPU is %s, "
                   "implementation-cpus begins with %s; put the profile's CPU "
                   "first, or make the profile with this list",
                   vm->profile->file, cpu, first);
        return false;
    }
    return hvc_contract_set(wanted, HVC_MIDR_EL1, own->midr, errp) &&
           hvc_contract_set(wanted, HVC_REVIDR_EL1, own->revidr, errp) &&
           hvc_contract_set(wanted, HVC_AIDR_EL1, own->aidr, errp);
}

static bool check_identity(const HvcVm *vm, const HvcContract *truth,
                           Error **errp)
{
    const HvcImplementation *own = &vm->implementations.cpu[0];
    const HvcImplementation given = identity_of(truth);
    g_autofree char *wanted = hvc_implementation_describe(own);
    g_autofree char *cpu = hvc_implementation_describe(&given);

    if (!vm->tells_implementations || hvc_implementation_equal(own, &given)) {
        return true;
    }
    error_setg(errp, "%s: this host's kernel cannot give a guest the CPU that "
               "is first in implementation-cpus (%s), it gives its own (%s); "
               "needed: Linux 6.15 or later; run the VM on such a host, or on "
               "one with that CPU", vm->options, wanted, cpu);
    return false;
}

static bool check_profile(const HvcVm *vm, const HvcContract *wanted,
                          const HvcTruth *truth, Error **errp)
{
    return hvc_kvm_profile_check(vm->profile, wanted, truth, errp) &&
           hvc_kvm_profile_check_levels(vm->profile, &truth->contract,
                                        runstate_check(RUN_STATE_INMIGRATE),
                                        errp) &&
           hvc_kvm_profile_check_discovery(vm->profile,
                                           discovers_pv_time(truth), errp);
}

bool hvc_kvm_promise(HvcVm *vm, Error **errp)
{
    g_auto(HvcTruth) here = { }, truth = { };
    HvcContract wanted = { };

    if (!hvc_scratch_try(vm, NULL, &here, errp)) {
        return false;
    }
    if (vm->tells_implementations &&
        !settle_implementations(vm, &here.contract, errp)) {
        return false;
    }
    if (vm->profile && !hvc_kvm_profile_wanted(vm->profile, &here.contract,
                                               vm->implementations.count > 1,
                                               &wanted, errp)) {
        return false;
    }
    if (!want_identity(vm, &wanted, errp) ||
        !want_gic_revision(vm, &here.contract, &wanted, errp) ||
        !hvc_scratch_try(vm, &wanted, &truth, errp) ||
        !check_identity(vm, &truth.contract, errp) ||
        !check_gic_revision(vm, &wanted, &truth.contract, errp) ||
        (vm->profile && !check_profile(vm, &wanted, &truth, errp))) {
        return false;
    }
    hvc_vm = vm;
    vm->contract = truth.contract;
    keep_list(vm, truth.ids, truth.count);
    promise_all(vm, &truth);
    return true;
}

void hvc_kvm_adopt(HvcVm *vm)
{
    for (unsigned i = 0; guest_abi_definition(i); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);
        uint64_t id = hvc_contract_id(definition);

        if (id) {
            /* It has a place: the definition came from this contract. */
            hvc_contract_set(&vm->contract, id,
                             guest_abi_promised(definition), &error_abort);
        }
    }
    keep_list(vm, vm->truth.ids, vm->truth.count);
}
