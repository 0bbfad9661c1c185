/*
 * Hypercall services as properties of the virt machine
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/accel.h"
#include "qemu/error-report.h"
#include "cpu.h"
#include "hw/arm/virt.h"
#include "hw/qdev-core.h"
#include "migration/kernel-floor-machine.h"
#include "migration/qemu-compat.h"
#include "migration/shared-pages-machine.h"
#include "migration/shared-pages.h"
#include "target/arm/hvc/abi.h"
#include "target/arm/hvc/kvm-psci.h"
#include "target/arm/hvc/kvm-vcpu.h"
#include "target/arm/hvc/services.h"
#include "target/arm/hvc/tcg.h"
#include "machine.h"
#include "recipe.h"
#include "spec.h"

static void (*virt_init)(MachineState *machine);

/*
 * Read-only once the machine exists: the services have been promised to the
 * guest, and to whoever it is migrated from.
 */
static bool can_change(const char *property, Error **errp)
{
    if (phase_check(PHASE_MACHINE_CREATED)) {
        error_setg(errp, "%s cannot be changed after the machine was created; "
                   "give it on the command line: -machine %s=...",
                   property, property);
        return false;
    }
    return true;
}

static char *get_services(Object *obj, Error **errp)
{
    VirtHvc *hvc = &VIRT_MACHINE(obj)->hvc;

    return g_strdup(hvc->services ?: "host");
}

static void set_services(Object *obj, const char *value, Error **errp)
{
    VirtHvc *hvc = &VIRT_MACHINE(obj)->hvc;

    if (!can_change("hvc-services", errp)) {
        return;
    }
    if (!strcmp(value, "help")) {
        g_autofree char *help = hvc_spec_help();

        /* Only the command line comes here: can_change() refuses QMP. */
        printf("%s", help);
        exit(EXIT_SUCCESS);
    }
    if (hvc_spec_parse(value, &hvc->pinned, &hvc->set, errp)) {
        g_free(hvc->services);
        hvc->services = g_strdup(value);
        hvc->from_type = false;
    }
}

/* kernel-floor names a kernel, and hvc-services names none. */
static bool psci_version_is_of_floor(const VirtHvc *hvc)
{
    const KernelFloor *floor = kernel_floor_given();

    return floor && floor->version &&
           (hvc->from_floor || !hvc_spec_has_kernel(hvc->services));
}

/*
 * By psci-version, by the kernel that a SPEC begins with, by kernel-floor, or
 * by the row of a machine type. Otherwise nobody asked for a version.
 */
static bool psci_version_is_chosen(const VirtHvc *hvc)
{
    return hvc->psci_version || hvc->from_type ||
           psci_version_is_of_floor(hvc) || hvc_spec_has_kernel(hvc->services);
}

/* The pinned set with the user's PSCI version, which goes before the floor's */
static HvcSet pinned_set(const VirtHvc *hvc)
{
    HvcSet set = hvc->set;

    if (hvc->psci_version) {
        set.psci_version = hvc->psci_version;
    }
    return set;
}

static char *get_services_list(Object *obj, Error **errp)
{
    VirtHvc *hvc = &VIRT_MACHINE(obj)->hvc;

    return hvc->pinned ? hvc_set_services(&hvc->set) : g_strdup("host");
}

static char *get_psci_version(Object *obj, Error **errp)
{
    VirtHvc *hvc = &VIRT_MACHINE(obj)->hvc;

    return hvc->pinned ? hvc_psci_version_format(pinned_set(hvc).psci_version)
                       : g_strdup("host");
}

static void set_psci_version(Object *obj, const char *value, Error **errp)
{
    if (can_change("psci-version", errp)) {
        hvc_psci_version_parse(value, &VIRT_MACHINE(obj)->hvc.psci_version,
                               errp);
    }
}

static char *get_profile(Object *obj, Error **errp)
{
    return g_strdup(VIRT_MACHINE(obj)->hvc.profile);
}

static void set_profile(Object *obj, const char *value, Error **errp)
{
    VirtHvc *hvc = &VIRT_MACHINE(obj)->hvc;

    if (can_change("guest-abi-profile", errp)) {
        g_free(hvc->profile);
        hvc->profile = g_strdup(value);
    }
}

static char *get_implementations(Object *obj, Error **errp)
{
    return hvc_implementations_format(&VIRT_MACHINE(obj)->hvc.implementations);
}

static void set_implementations(Object *obj, const char *value, Error **errp)
{
    if (can_change("implementation-cpus", errp)) {
        hvc_implementations_parse(value,
                                  &VIRT_MACHINE(obj)->hvc.implementations,
                                  errp);
    }
}

static bool tells_implementations(const HvcSet *set)
{
    return hvc_service_in(hvc_service_by_name(HVC_IMPLEMENTATIONS_SERVICE),
                          set);
}

/* For refusals: the options, or the machine type, that chose the services */
static char *describe_options(const MachineState *machine)
{
    const VirtHvc *hvc = &VIRT_MACHINE(machine)->hvc;
    g_autoptr(GString) options = g_string_new(NULL);

    if (hvc->from_type) {
        g_string_append_printf(options, "machine type %s: ",
                               MACHINE_GET_CLASS(machine)->name);
    }
    if (hvc->from_floor) {
        g_string_append_printf(options, "kernel-floor=%s: ", hvc->services);
    }
    g_string_append_printf(options, "hvc-services=%s", hvc->services);
    if (hvc->psci_version) {
        g_autofree char *version = hvc_psci_version_format(hvc->psci_version);

        g_string_append_printf(options, ",psci-version=%s", version);
    }
    return g_strdup(options->str);
}

/*
 * For remedies: the user's SPEC with one service more, or one less; and another
 * kernel-floor, if no host with the kernel of the user's can give the service
 */
static char *services_with(const VirtHvc *hvc, const char *name, bool wanted)
{
    const HvcService *service = hvc_service_by_name(name);
    const KernelFloor *given = kernel_floor_given();
    const KernelFloor *needed = hvc_spec_floor_for(service);
    g_autofree char *spec = NULL;
    HvcSet set = hvc->set;
    uint64_t mask = hvc_service_mask(service);

    if (wanted) {
        set.bmap[service->reg] |= mask;
    } else {
        set.bmap[service->reg] &= ~mask;
    }
    spec = hvc_spec_format_like(hvc->services, &set);
    if (!wanted || !given || !given->version ||
        (needed && needed->version <= given->version)) {
        return g_strdup_printf("hvc-services=%s", spec);
    }
    return g_strdup_printf("hvc-services=%s and kernel-floor=%s", spec,
                           needed ? needed->name : HVC_FLOOR_NONE);
}

static bool check_profile(const VirtHvc *hvc, Error **errp)
{
    if (!hvc->profile || (hvc->pinned && kvm_enabled())) {
        return true;
    }
    error_setg(errp, "guest-abi-profile=%s needs -accel kvm and a choice of "
               "hvc-services, this VM has '%s' and hvc-services=%s; leave it "
               "out, or use %s%s%s", hvc->profile, current_accel_name(),
               hvc->services ?: "host", kvm_enabled() ? "" : "-accel kvm",
               kvm_enabled() || hvc->pinned ? "" : " and ",
               hvc->pinned ? "" : "a floor, as in hvc-services=linux-6.1");
    return false;
}

static void take_floor(VirtHvc *hvc, const KernelFloor *floor)
{
    g_free(hvc->services);
    hvc->services = g_strdup(floor->name);
    hvc->set = hvc_floor_by_name(floor->name)->set;
    hvc->pinned = true;
    hvc->from_type = false;
    hvc->from_floor = true;
}

static bool check_named_services(const VirtHvc *hvc, const KernelFloor *floor,
                                 Error **errp)
{
    const HvcFloor *chosen;

    if (!hvc->pinned) {
        error_setg(errp, "hvc-services=%s contradicts kernel-floor=%s: "
                   "services of any kernel are not those of the oldest one; "
                   "leave out hvc-services, or kernel-floor", hvc->services,
                   floor->name);
        return false;
    }
    chosen = hvc_spec_floor(hvc->services);
    if (chosen && kernel_floor_by_name(chosen->name)->version >
                  floor->version) {
        error_setg(errp, "hvc-services=%s contradicts kernel-floor=%s: its "
                   "floor is that of a newer kernel; leave out hvc-services, "
                   "or use kernel-floor=%s", hvc->services, floor->name,
                   chosen->name);
        return false;
    }
    return true;
}

/*
 * kernel-floor is the default of the services and of the PSCI version, and goes
 * before the floor of a machine type. Services that the user names stay;
 * those that only a newer kernel can give are refused.
 */
static bool apply_floor(VirtHvc *hvc, Error **errp)
{
    const KernelFloor *floor = kernel_floor_given();
    HvcSet set;

    if (!floor) {
        return true;
    }
    if (!hvc->services || hvc->from_type) {
        take_floor(hvc, floor);
    } else if (!check_named_services(hvc, floor, errp)) {
        return false;
    }
    if (psci_version_is_of_floor(hvc)) {
        hvc->set.psci_version =
            hvc_floor_by_name(floor->name)->set.psci_version;
    }
    set = pinned_set(hvc);
    return hvc_spec_check_kernel(hvc->services, &set, floor, errp);
}

/* For remedies: what leaves the services to the accelerator */
static const char *stock_services(void)
{
    return kernel_floor_given() ? "hvc-services=host without kernel-floor"
                                : "hvc-services=host";
}

static bool check_implementations(const VirtHvc *hvc, Error **errp)
{
    g_autofree char *remedy = NULL;

    if (!hvc->implementations.count ||
        (hvc->pinned && tells_implementations(&hvc->set))) {
        return true;
    }
    remedy = hvc->pinned ?
        services_with(hvc, HVC_IMPLEMENTATIONS_SERVICE, true) :
        g_strdup("hvc-services=linux-6.12:+" HVC_IMPLEMENTATIONS_SERVICE);
    error_setg(errp, "implementation-cpus needs the hvc service '"
               HVC_IMPLEMENTATIONS_SERVICE "', this VM has hvc-services=%s; "
               "leave it out, or use %s", hvc->services ?: "host", remedy);
    return false;
}

static bool shares_pages(const HvcSet *set)
{
    return hvc_service_in(hvc_service_by_name("mem-share"), set);
}

/* The service is "on", also where the user does not say so. */
static bool check_shared_pages(const VirtHvc *hvc, Error **errp)
{
    SharedPagesMode mode = shared_pages_mode();
    bool wanted = mode != SHARED_PAGES_MODE_OFF;
    bool served = hvc->pinned && shares_pages(&hvc->set);
    g_autofree char *remedy = NULL;

    if (!shared_pages_mode_is_given() || wanted == served) {
        return true;
    }
    remedy = hvc->pinned ? services_with(hvc, "mem-share", wanted)
                         : g_strdup("hvc-services=linux-6.12:+mem-share");
    if (wanted) {
        error_setg(errp, "shared-pages=%s needs the hvc service 'mem-share', "
                   "this VM has hvc-services=%s; leave it out, or use %s",
                   SharedPagesMode_str(mode), hvc->services ?: "host", remedy);
    } else {
        error_setg(errp, "shared-pages=off contradicts hvc-services=%s, which "
                   "gives the guest the hvc service 'mem-share'; leave out "
                   "shared-pages=off, or use %s", hvc->services, remedy);
    }
    return false;
}

/* Options that are refused before the machine is made */
static bool check_options(const MachineState *machine, Error **errp)
{
    const VirtHvc *hvc = &VIRT_MACHINE(machine)->hvc;

    if (hvc->psci_version && !hvc->pinned) {
        g_autofree char *version = hvc_psci_version_format(hvc->psci_version);

        error_setg(errp, "psci-version=%s needs a choice of hvc-services, "
                   "which is '%s'; use hvc-services=none,psci-version=%s, or "
                   "a floor instead of none", version, hvc->services ?: "host",
                   version);
        return false;
    }
    if (!check_profile(hvc, errp) || !check_implementations(hvc, errp) ||
        !check_shared_pages(hvc, errp)) {
        return false;
    }
    if (hvc->pinned && guest_abi_is_declined()) {
        g_autofree char *options = describe_options(machine);

        error_setg(errp, "guest-abi=off contradicts %s: what a guest was "
                   "promised has to be in its migration stream; leave out "
                   "guest-abi=off, or use hvc-services=host", options);
        return false;
    }
    if (hvc->pinned && !tcg_enabled() && !kvm_enabled() && !qtest_enabled()) {
        error_setg(errp, "hvc-services=%s is not supported with the '%s' "
                   "accelerator; use -accel kvm or tcg, or %s",
                   hvc->services, current_accel_name(), stock_services());
        return false;
    }
    return true;
}

/*
 * The conduit is settled while the machine is made: arm_load_kernel() takes it
 * away again where the guest starts at the level that would serve its calls.
 */
static bool check_conduit(const VirtHvc *hvc, Error **errp)
{
    if (ARM_CPU(first_cpu)->psci_conduit != QEMU_PSCI_CONDUIT_DISABLED) {
        return true;
    }
    error_setg(errp, "hvc-services=%s: this guest has no conduit to call a "
               "service through, as it starts at the exception level that "
               "would serve the calls; use secure=off, or %s", hvc->services,
               stock_services());
    return false;
}

/* The services are the accelerator's, and so the options read. */
static void leave_services(VirtHvc *hvc)
{
    g_clear_pointer(&hvc->services, g_free);
    hvc->from_floor = false;
    hvc->pinned = false;
    hvc_abi_promise_nothing();
}

/*
 * Of services that only kernel-floor asks for, a guest without a conduit has
 * none to promise.
 */
static bool has_no_calls(const VirtHvc *hvc)
{
    return hvc->from_floor &&
           ARM_CPU(first_cpu)->psci_conduit == QEMU_PSCI_CONDUIT_DISABLED;
}

/* A version that the user names is not left out with the floor's services. */
static bool check_no_version(const VirtHvc *hvc, Error **errp)
{
    g_autofree char *version = NULL;

    if (!hvc->psci_version) {
        return true;
    }
    version = hvc_psci_version_format(hvc->psci_version);
    error_setg(errp, "psci-version=%s: this guest has no conduit to call PSCI "
               "through, as it starts at the exception level that would serve "
               "the calls; use secure=off, or leave out psci-version",
               version);
    return false;
}

static void create_pv_time_records(VirtMachineState *vms, MemoryRegion *sysmem)
{
    const MemMapEntry *map = &vms->memmap[VIRT_PVTIME];
    MemoryRegion *records = g_new(MemoryRegion, 1);

    /* The window's size: no host's page size may be in the stream. */
    memory_region_init_ram(records, NULL, "pvtime", map->size, &error_fatal);
    memory_region_add_subregion(sysmem, map->base, records);
    hvc_pv_time_init(records, map->base);
}

static void offer_services(VirtMachineState *vms, const HvcSet *set)
{
    const HvcService *pv_time = hvc_service_by_name("pv-time");
    CPUState *cs;

    hvc_tcg_init(set);
    CPU_FOREACH(cs) {
        /* The device tree names the version that PSCI_VERSION returns. */
        ARM_CPU(cs)->psci_version = set->psci_version;
    }
    if (hvc_service_in(pv_time, set)) {
        create_pv_time_records(vms, get_system_memory());
    }
}

static void promise_services(const MachineState *machine, const HvcSet *set)
{
    const VirtHvc *hvc = &VIRT_MACHINE(machine)->hvc;
    g_autofree char *options = describe_options(machine);
    GuestAbiOrigin services = hvc->from_type ? GUEST_ABI_ORIGIN_TYPE :
                              hvc->from_floor ? GUEST_ABI_ORIGIN_FLOOR :
                              GUEST_ABI_ORIGIN_OPTION;
    GuestAbiOrigin psci_version = services;

    if (hvc->psci_version) {
        psci_version = GUEST_ABI_ORIGIN_OPTION;
    } else if (psci_version_is_of_floor(hvc)) {
        psci_version = GUEST_ABI_ORIGIN_FLOOR;
    } else if (!psci_version_is_chosen(hvc)) {
        psci_version = GUEST_ABI_ORIGIN_DEFAULT;
    }
    hvc_abi_promise(set, options, services, psci_version);
}

/*
 * KVM's stolen time has an option of its own, kvm-steal-time, which decides
 * whether vCPUs get their records. Its default is to give them; for services
 * without pv-time a compat property changes that, which comes before what the
 * user says with -cpu or -global.
 */
static bool prepare_steal_time(MachineState *machine, const HvcSet *set,
                               Error **errp)
{
    static GlobalProperty steal_time = {
        .driver = TYPE_ARM_CPU,
        .property = "kvm-steal-time",
        .value = "off",
        .optional = true,
    };
    bool wanted = hvc_service_in(hvc_service_by_name("pv-time"), set);

    if (wanted && !hvc_kvm_has_steal_time()) {
        g_autofree char *options = describe_options(machine);
        g_autofree char *remedy = services_with(&VIRT_MACHINE(machine)->hvc,
                                                "pv-time", false);

        error_setg(errp, "%s: this host's kernel cannot give a guest hvc "
                   "service 'pv-time', as it does not account for stolen time; "
                   "needed: a kernel with CONFIG_SCHED_INFO; use "
                   "%s", options, remedy);
        return false;
    }
    if (!wanted) {
        g_ptr_array_add(MACHINE_GET_CLASS(machine)->compat_props, &steal_time);
    }
    return true;
}

/* Of the SPEC's floor, or else of the VM's */
static unsigned gic_revision(const VirtHvc *hvc)
{
    const KernelFloor *floor = kernel_floor_given();
    unsigned revision = hvc_spec_gic_revision(hvc->services);

    return revision || !floor ? revision
                              : hvc_floor_by_name(floor->name)->gic_revision;
}

/* What is wrong with a profile is said before the VM is made. */
static bool prepare_kvm(MachineState *machine, const HvcSet *set, Error **errp)
{
    VirtHvc *hvc = &VIRT_MACHINE(machine)->hvc;
    g_autofree char *options = describe_options(machine);

    hvc->vm = hvc_vm_new(set, options);
    hvc->vm->gic_revision = gic_revision(hvc);
    if (tells_implementations(set)) {
        hvc->vm->tells_implementations = true;
        hvc->vm->implementations = hvc->implementations;
        hvc->vm->recipe.chooses_identity = hvc_kvm_choose_identity();
    }
    if (hvc->profile) {
        g_autofree char *remedy =
            services_with(hvc, HVC_IMPLEMENTATIONS_SERVICE, true);

        hvc->vm->profile = hvc_kvm_profile_load(hvc->profile, errp);
        if (!hvc->vm->profile ||
            !hvc_kvm_profile_check_told(hvc->vm->profile,
                                        hvc->vm->tells_implementations,
                                        hvc->services, remedy, errp)) {
            return false;
        }
    }
    return prepare_steal_time(machine, set, errp);
}

static bool check_steal_time(const VirtHvc *hvc, const HvcSet *set,
                             Error **errp)
{
    bool wanted = hvc_service_in(hvc_service_by_name("pv-time"), set);
    bool given = hvc_kvm_gives_steal_time(ARM_CPU(first_cpu));
    g_autofree char *remedy = services_with(hvc, "pv-time", !wanted);

    if (wanted == given) {
        return true;
    }
    if (!arm_feature(&ARM_CPU(first_cpu)->env, ARM_FEATURE_AARCH64)) {
        error_setg(errp, "hvc-services=%s: KVM cannot give an AArch32 guest "
                   "hvc service 'pv-time', which is for AArch64; use %s",
                   hvc->services, remedy);
        return false;
    }
    error_setg(errp, "kvm-steal-time=%s contradicts hvc-services=%s, which "
               "%s hvc service 'pv-time'; leave out kvm-steal-time, or use %s",
               given ? "on" : "off", hvc->services,
               wanted ? "gives the guest" : "does not give the guest", remedy);
    return false;
}

/*
 * Under TCG the guest's CPU is that of -cpu, on every host: a guest that is
 * told of several is one whose workarounds can be looked at.
 */
static bool tell_implementations(VirtHvc *hvc, const HvcSet *set, Error **errp)
{
    const ARMCPU *cpu = ARM_CPU(first_cpu);
    const HvcImplementation own = { .midr = cpu->midr, .revidr = cpu->revidr };
    HvcImplementations list = hvc->implementations;
    g_autofree char *here = hvc_implementation_describe(&own);
    g_autofree char *first = NULL;

    if (!tells_implementations(set)) {
        return true;
    }
    if (!list.count) {
        list = (HvcImplementations) { .count = 1, .cpu = { own } };
    }
    first = hvc_implementation_describe(&list.cpu[0]);
    if (!hvc_implementation_equal(&own, &list.cpu[0])) {
        error_setg(errp, "implementation-cpus begins with %s, the CPU of this "
                   "VM is %s; needed: the same; put it first, or use another "
                   "-cpu", first, here);
        return false;
    }
    hvc_implementations_init(&list);
    hvc_implementations_promise(&list, hvc->implementations.count);
    return true;
}

static bool prepare(MachineState *machine, const HvcSet *set, Error **errp)
{
    const VirtHvc *hvc = &VIRT_MACHINE(machine)->hvc;

    return check_options(machine, errp) &&
           (!hvc->pinned || !kvm_enabled() || prepare_kvm(machine, set, errp));
}

static bool complete(MachineState *machine, const HvcSet *set, Error **errp)
{
    VirtMachineState *vms = VIRT_MACHINE(machine);

    if (has_no_calls(&vms->hvc)) {
        if (!check_no_version(&vms->hvc, errp)) {
            return false;
        }
        leave_services(&vms->hvc);
        return true;
    }
    if (!check_conduit(&vms->hvc, errp)) {
        return false;
    }
    promise_services(machine, set);
    if (shares_pages(set)) {
        shared_pages_enable();
    }
    if (kvm_enabled()) {
        virt_hvc_recipe(vms, vms->hvc.vm);
        return check_steal_time(&vms->hvc, set, errp) &&
               hvc_vcpus_promise(vms->hvc.vm, errp);
    }
    if (!tell_implementations(&vms->hvc, set, errp)) {
        return false;
    }
    if (tcg_enabled()) {
        offer_services(vms, set);
    }
    return true;
}

/*
 * A version that nobody asked for is no reason to refuse: kernels before 5.18
 * have PSCI 1.0.
 */
static void fit_psci_version(VirtHvc *hvc)
{
    uint32_t newest;

    if (!hvc->pinned || !kvm_enabled() || psci_version_is_chosen(hvc)) {
        return;
    }
    newest = hvc_kvm_host_psci_version();
    if (newest) {
        hvc->set.psci_version = MIN(hvc->set.psci_version, newest);
    }
}

static void virt_hvc_init(MachineState *machine)
{
    VirtHvc *hvc = &VIRT_MACHINE(machine)->hvc;
    Error *err = NULL;
    HvcSet set;

    if (apply_floor(hvc, &err)) {
        fit_psci_version(hvc);
        set = pinned_set(hvc);
        if (prepare(machine, &set, &err)) {
            virt_init(machine);
            if (!hvc->pinned) {
                hvc_abi_promise_nothing();
                return;
            }
            if (complete(machine, &set, &err)) {
                return;
            }
        }
    }
    error_report_err(err);
    exit(EXIT_FAILURE);
}

void virt_hvc_class_init(ObjectClass *oc)
{
    MachineClass *mc = MACHINE_CLASS(oc);

    virt_init = mc->init;
    mc->init = virt_hvc_init;
    kernel_floor_set_help(oc, hvc_spec_floor_help);

    object_class_property_add_str(oc, "hvc-services", get_services,
                                  set_services);
    object_class_property_set_description(oc, "hvc-services",
        "Hypercall services that the guest may use: 'host' for the "
        "accelerator's default, or a floor and services; "
        "hvc-services=help lists them");
    object_class_property_add_str(oc, "hvc-services-list", get_services_list,
                                  NULL);
    object_class_property_set_description(oc, "hvc-services-list",
        "The services that hvc-services stands for");
    object_class_property_add_str(oc, "guest-abi-profile", get_profile,
                                  set_profile);
    object_class_property_set_description(oc, "guest-abi-profile",
        "File with what query-guest-abi returned on the fleet's oldest host: "
        "under KVM the guest's CPU and caches are as on that host");
    object_class_property_add_str(oc, "implementation-cpus",
                                  get_implementations, set_implementations);
    object_class_property_set_description(oc, "implementation-cpus",
        "MIDR[/REVIDR[/AIDR]][:...]: all CPUs that the guest of a mixed fleet "
        "may run on, its own first; with hvc service implementation-cpus");
    object_class_property_add_str(oc, "psci-version", get_psci_version,
                                  set_psci_version);
    object_class_property_set_description(oc, "psci-version",
        "PSCI version of a VM with chosen hvc-services; default: that of "
        "the floor");
}
