/*
 * A guest's registers as entries of guest-abi's contract
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "migration/qemu-compat.h"
#include "contract-entries.h"
#include "kvm-access.h"
#include "sysregs.h"

#define DEVICE_REMEDY "use a host with the source's GIC and a kernel that " \
                      "shows it in the same way"

static strList *decode_level_1_3(const GuestAbiDefinition *definition,
                                 uint64_t value);
static strList *decode_level_2(const GuestAbiDefinition *definition,
                               uint64_t value);
static strList *decode_frequency(const GuestAbiDefinition *definition,
                                 uint64_t value);
static strList *decode_vector_lengths(const GuestAbiDefinition *definition,
                                      uint64_t value);
static strList *decode_revision(const GuestAbiDefinition *definition,
                                uint64_t value);
static void refuse_level(const GuestAbiDefinition *definition,
                         uint64_t incoming, uint64_t here, Error **errp);
static void refuse_frequency(const GuestAbiDefinition *definition,
                             uint64_t incoming, uint64_t here, Error **errp);
static void refuse_vector_lengths(const GuestAbiDefinition *definition,
                                  uint64_t incoming, uint64_t here,
                                  Error **errp);
static void refuse_revision(const GuestAbiDefinition *definition,
                            uint64_t incoming, uint64_t here, Error **errp);
static void refuse_device(const GuestAbiDefinition *definition,
                          uint64_t incoming, uint64_t here, Error **errp);
static void refuse_counters(const GuestAbiDefinition *definition,
                            uint64_t incoming, uint64_t here, Error **errp);
static bool is_same_number(const GuestAbiDefinition *definition,
                           uint64_t incoming, uint64_t here);
static void refuse_register(const GuestAbiDefinition *definition,
                            uint64_t incoming, uint64_t here, Error **errp);

/**
 * Row: a register that is none of the CPU's description
 * @id: the register
 * @entry: its name in the stream, which never changes
 * @rule: how an incoming value is compared
 * @decode, @refuse, @same: as GuestAbiDefinition has them
 * @zero_is_absent: see there
 */
typedef struct Row {
    uint64_t id;
    const char *entry;
    GuestAbiRule rule;
    strList *(*decode)(const GuestAbiDefinition *definition, uint64_t value);
    void (*refuse)(const GuestAbiDefinition *definition, uint64_t incoming,
                   uint64_t here, Error **errp);
    bool (*same)(const GuestAbiDefinition *definition, uint64_t a, uint64_t b);
    bool zero_is_absent;
} Row;

static const Row rows[] = {
    { HVC_KVM_WORKAROUND(1), "arm.smccc-arch-workaround-1",
      GUEST_ABI_RULE_AT_LEAST, decode_level_1_3, refuse_level },
    { HVC_KVM_WORKAROUND(2), "arm.smccc-arch-workaround-2",
      GUEST_ABI_RULE_AT_LEAST, decode_level_2, refuse_level },
    { HVC_KVM_WORKAROUND(3), "arm.smccc-arch-workaround-3",
      GUEST_ABI_RULE_AT_LEAST, decode_level_1_3, refuse_level },
    { HVC_CNTFRQ_EL0, "arm.cntfrq-el0",
      GUEST_ABI_RULE_EXACT, decode_frequency, refuse_frequency },
    { HVC_KVM_SVE_VLS, "arm.sve-vector-lengths",
      GUEST_ABI_RULE_EXACT, decode_vector_lengths, refuse_vector_lengths },
    { HVC_KVM_PMU_COUNTERS, "arm.pmcr-el0.n",
      GUEST_ABI_RULE_ACCEPTED, NULL, refuse_counters, is_same_number,
      .zero_is_absent = true },
    { HVC_TCG_SME_VLS, "arm.sme-vector-lengths",
      GUEST_ABI_RULE_EXACT, decode_vector_lengths, refuse_vector_lengths },
    { HVC_TCG_EL2, "arm.el2", GUEST_ABI_RULE_EXACT, NULL, refuse_register },
    { HVC_TCG_EL3, "arm.el3", GUEST_ABI_RULE_EXACT, NULL, refuse_register },
    { HVC_KVM_GICD_IIDR, "arm.gicd-iidr",
      GUEST_ABI_RULE_ACCEPTED, decode_revision, refuse_revision },
    { HVC_KVM_GICD_TYPER2, "arm.gicd-typer2",
      GUEST_ABI_RULE_ACCEPTED, NULL, refuse_device },
    { HVC_KVM_ICC_CTLR_EL1, "arm.icc-ctlr-el1",
      GUEST_ABI_RULE_ACCEPTED, NULL, refuse_device },
    { HVC_KVM_GITS_IIDR, "arm.gits-iidr",
      GUEST_ABI_RULE_ACCEPTED, NULL, refuse_device },
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

static bool is_unknown_firmware(uint64_t id)
{
    return id > HVC_KVM_WORKAROUND(3) && id <= HVC_KVM_FW(0xffff);
}

bool hvc_contract_covers(uint64_t id)
{
    return hvc_sysreg_describes_cpu(id) || row_of(id) ||
           is_unknown_firmware(id);
}

char *hvc_contract_entry_name(uint64_t id)
{
    const Row *row = row_of(id);

    if (row) {
        return g_strdup(row->entry);
    }
    if (is_unknown_firmware(id)) {
        return g_strdup_printf(HVC_UNKNOWN_FIRMWARE_ENTRY "%" PRIu64,
                               (uint64_t)(id & ~HVC_KVM_FW(0)));
    }
    return hvc_sysreg_entry_name(id);
}

static strList *one_word(char *word)
{
    strList *list = NULL;

    QAPI_LIST_PREPEND(list, word);
    return list;
}

/* Words of Linux' KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_n levels */
static const char *level_name(uint64_t id, uint64_t level)
{
    static const char *const levels_1_3[] = {
        "not available", "available", "not required",
    };
    static const char *const levels_2[] = {
        "not available", "unknown", "available", "not required",
    };
    bool is_2 = id == HVC_KVM_WORKAROUND(2);
    const char *const *names = is_2 ? levels_2 : levels_1_3;
    unsigned count = is_2 ? ARRAY_SIZE(levels_2) : ARRAY_SIZE(levels_1_3);

    return level < count ? names[level] : "unknown to this QEMU";
}

static strList *decode_level_1_3(const GuestAbiDefinition *definition,
                                 uint64_t value)
{
    return one_word(g_strdup(level_name(HVC_KVM_WORKAROUND(1), value)));
}

static strList *decode_level_2(const GuestAbiDefinition *definition,
                               uint64_t value)
{
    return one_word(g_strdup(level_name(HVC_KVM_WORKAROUND(2), value)));
}

static void refuse_level(const GuestAbiDefinition *definition,
                         uint64_t incoming, uint64_t here, Error **errp)
{
    uint64_t id = hvc_contract_id(definition);
    g_autofree char *name = hvc_sysreg_name(id);

    error_setg(errp, "guest-abi: incoming VM was told that %s is '%s' [%"
               PRIu64 "], on this host it is '%s' [%" PRIu64 "]; use a host "
               "whose CPU and kernel are as safe as the source's",
               name, level_name(id, incoming), incoming,
               level_name(id, here), here);
}

/* A host may have more of what nobody here has heard of, not less. */
static void refuse_unknown(const GuestAbiDefinition *definition,
                           uint64_t incoming, uint64_t here, Error **errp)
{
    error_setg(errp, "guest-abi: incoming VM has '%s' = %" PRIu64 ", on this "
               "host it is %" PRIu64 "; use a host whose CPU and kernel give "
               "as much as the source's", definition->name, incoming, here);
}

static strList *decode_frequency(const GuestAbiDefinition *definition,
                                 uint64_t value)
{
    return one_word(g_strdup_printf("%" PRIu64 " Hz", value));
}

static void refuse_frequency(const GuestAbiDefinition *definition,
                             uint64_t incoming, uint64_t here, Error **errp)
{
    error_setg(errp, "guest-abi: the counter of the incoming VM runs at %"
               PRIu64 " Hz (CNTFRQ_EL0), on this host it runs at %" PRIu64
               " Hz, and the guest would take its time from it; use a host "
               "whose counter has the source's frequency", incoming, here);
}

char *hvc_contract_vector_lengths(uint64_t map)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned vq = 0; vq < 64; vq++) {
        if (map >> vq & 1) {
            g_string_append_printf(text, "%s%u", text->len ? " " : "",
                                   (vq + 1) * 128);
        }
    }
    return g_strdup(text->len ? text->str : "none");
}

char *hvc_contract_came_with_lengths(const char *feature, uint64_t map)
{
    g_autofree char *lengths = hvc_contract_vector_lengths(map);

    return map ? g_strdup_printf("%s vector lengths of %s bits", feature,
                                 lengths)
               : g_strdup_printf("no %s vector lengths", feature);
}

static strList *decode_vector_lengths(const GuestAbiDefinition *definition,
                                      uint64_t value)
{
    strList *list = NULL, **tail = &list;

    for (unsigned vq = 0; vq < 64; vq++) {
        if (value >> vq & 1) {
            QAPI_LIST_APPEND(tail, g_strdup_printf("%u", (vq + 1) * 128));
        }
    }
    return list;
}

/* -cpu options that leave only the lengths that both have */
static char *vector_length_options(uint64_t map, uint64_t other)
{
    g_autoptr(GString) text = g_string_new("-cpu host");

    if (!(map & other)) {
        g_string_append(text, ",sve=off");
        return g_strdup(text->str);
    }
    for (unsigned vq = 0; vq < 64; vq++) {
        if ((map & ~other) >> vq & 1) {
            g_string_append_printf(text, ",sve%u=off", (vq + 1) * 128);
        }
    }
    return g_strdup(text->str);
}

static void refuse_vector_lengths(const GuestAbiDefinition *definition,
                                  uint64_t incoming, uint64_t here,
                                  Error **errp)
{
    g_autofree char *came = hvc_contract_came_with_lengths("SVE", incoming);
    g_autofree char *have = hvc_contract_vector_lengths(here);
    /* What the source has too much, nothing here can mend. */
    bool at_source = incoming & ~here || !here;
    g_autofree char *options = at_source
        ? vector_length_options(incoming, here)
        : vector_length_options(here, incoming);

    error_setg(errp, "guest-abi: incoming VM has %s, this VM has %s; start %s "
               "VM with %s", came, have, at_source ? "the source" : "this",
               options);
}

static strList *decode_revision(const GuestAbiDefinition *definition,
                                uint64_t value)
{
    return one_word(g_strdup_printf("revision %u",
                                    (unsigned)(value >> 12) & 0xf));
}

static void refuse_revision(const GuestAbiDefinition *definition,
                            uint64_t incoming, uint64_t here, Error **errp)
{
    error_setg(errp, "guest-abi: incoming VM has a GIC of revision %u "
               "(GICD_IIDR = 0x%" PRIx64 "), this VM has revision %u (0x%"
               PRIx64 ") and its kernel does not take the other one; use a "
               "host with a kernel like the source's, or start the source VM "
               "with the floor of the fleet's oldest kernel",
               (unsigned)(incoming >> 12) & 0xf, incoming,
               (unsigned)(here >> 12) & 0xf, here);
}

static void refuse_device(const GuestAbiDefinition *definition,
                          uint64_t incoming, uint64_t here, Error **errp)
{
    g_autofree char *name = hvc_sysreg_name(hvc_contract_id(definition));

    error_setg(errp, "guest-abi: the GIC of the incoming VM has %s = 0x%"
               PRIx64 ", here it has 0x%" PRIx64 " and takes no other value; "
               DEVICE_REMEDY, name, incoming, here);
}

static void refuse_counters(const GuestAbiDefinition *definition,
                            uint64_t incoming, uint64_t here, Error **errp)
{
    error_setg(errp, "guest-abi: the PMU of the incoming VM has %" PRIu64
               " event counters (PMCR_EL0.N), that of this VM has %" PRIu64
               " and its kernel and CPU give it no other number; %s", incoming,
               here, incoming > here ? "start the source VM with "
               "guest-abi-profile=FILE, FILE being query-guest-abi of a VM on "
               "this host, or use a host like the source" : "use a host with "
               "Linux 6.7 or later, which can take some away, or a host like "
               "the source");
}

/* A contract without the entry says nothing of it. */
static bool is_same_number(const GuestAbiDefinition *definition,
                           uint64_t incoming, uint64_t here)
{
    return !incoming;
}

/* What else differs than the GIC that the kernel shows */
static bool differs_in_more(uint64_t id, uint64_t incoming, uint64_t here)
{
    uint64_t gic = hvc_sysreg_gic_field(id);

    return !hvc_same_register(id, incoming & ~gic, here & ~gic);
}

static void refuse_register(const GuestAbiDefinition *definition,
                            uint64_t incoming, uint64_t here, Error **errp)
{
    uint64_t id = hvc_contract_id(definition);
    g_autofree char *name = hvc_sysreg_name(id);
    g_autofree char *fields = hvc_sysreg_differences(id, incoming, here);

    if (!differs_in_more(id, incoming, here)) {
        error_setg(errp, "guest-abi: incoming VM has %s = 0x%" PRIx64 ", this "
                   "VM has 0x%" PRIx64 " and its kernel takes no other value "
                   "(%s): " HVC_GIC_FIELD_WHY "; start the VM with "
                   HVC_GIC_FIELD_REMEDY " on both sides, or use a host with a "
                   "kernel like the source's", name, incoming, here, fields);
        return;
    }
    error_setg(errp, "guest-abi: incoming VM has %s = 0x%" PRIx64 ", this VM "
               "has 0x%" PRIx64 " and its kernel and CPU take no other value "
               "(%s); %s", name, incoming, here, fields,
               hvc_sysreg_is_hardware(id) ?
               "use a host with the source's CPU" :
               "start the source VM with guest-abi-profile=FILE, FILE being "
               "query-guest-abi of a VM on this host, or use a host like the "
               "source");
}

static bool is_same(const GuestAbiDefinition *definition, uint64_t a,
                    uint64_t b)
{
    return hvc_same_register(hvc_contract_id(definition), a, b);
}

/* Of the caches' registers those count whose cache exists. */
static bool is_cache_there(const GuestAbiDefinition *definition)
{
    g_autofree char *name = hvc_contract_entry_name(HVC_CLIDR_EL1);
    const GuestAbiDefinition *clidr = guest_abi_definition_by_name(name);

    return clidr && hvc_clidr_has_cache(guest_abi_promised(clidr),
                                        hvc_contract_id(definition));
}

GuestAbiDefinition hvc_contract_definition(const HvcPromise *promise,
                                           GuestAbiOrigin origin)
{
    const Row *row = row_of(promise->id);
    GuestAbiDefinition definition = {
        .name = hvc_contract_entry_name(promise->id),
        .value = promise->value,
        .origin = GUEST_ABI_ORIGIN_DEFAULT,
        .opaque = g_memdup2(promise, sizeof(*promise)),
    };

    if (row) {
        definition.rule = row->rule;
        definition.decode = row->decode;
        definition.refuse = row->refuse;
        definition.same = row->same;
        definition.zero_is_absent = row->zero_is_absent;
    } else if (is_unknown_firmware(promise->id)) {
        definition.rule = GUEST_ABI_RULE_AT_LEAST;
        definition.refuse = refuse_unknown;
    } else {
        definition.rule = GUEST_ABI_RULE_ACCEPTED;
        definition.origin = origin;
        definition.same = is_same;
        definition.needed = hvc_is_ccsidr(promise->id) ? is_cache_there : NULL;
        definition.refuse = refuse_register;
    }
    return definition;
}

/* Entries of others have something else in @opaque. */
static bool is_of_register(const GuestAbiDefinition *definition)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].refuse == definition->refuse) {
            return true;
        }
    }
    return definition->refuse == refuse_unknown ||
           definition->refuse == refuse_register;
}

uint64_t hvc_contract_id(const GuestAbiDefinition *definition)
{
    const HvcPromise *promise = definition->opaque;

    return is_of_register(definition) ? promise->id : 0;
}

static void refuse_gic(const GuestAbiDefinition *definition,
                       uint64_t incoming, uint64_t here, Error **errp)
{
    error_setg(errp, "guest-abi: incoming VM has %s GICv%u, this VM has %s "
               "GICv%u; start this QEMU with the source's gic-version and "
               "kernel-irqchip", incoming >> 8 ? "the kernel's" : "QEMU's",
               (unsigned)incoming & 0xff, here >> 8 ? "the kernel's" : "QEMU's",
               (unsigned)here & 0xff);
}

static strList *decode_gic(const GuestAbiDefinition *definition,
                           uint64_t value)
{
    return one_word(g_strdup_printf("%s GICv%u",
                                    value >> 8 ? "the kernel's" : "QEMU's",
                                    (unsigned)value & 0xff));
}

static void refuse_its(const GuestAbiDefinition *definition,
                       uint64_t incoming, uint64_t here, Error **errp)
{
    error_setg(errp, "guest-abi: incoming VM has %s ITS, this VM has %s; start "
               "this QEMU with the source's -machine its=%s",
               incoming ? "an" : "no", here ? "one" : "none",
               incoming ? "on" : "off");
}

void hvc_contract_promise_gic(unsigned version, bool in_kernel, bool has_its)
{
    guest_abi_add(&(GuestAbiDefinition) {
        .name = "arm.gic",
        .rule = GUEST_ABI_RULE_EXACT,
        .value = version | in_kernel << 8,
        .origin = GUEST_ABI_ORIGIN_OPTION,
        .decode = decode_gic,
        .refuse = refuse_gic,
    });
    guest_abi_add(&(GuestAbiDefinition) {
        .name = "arm.its",
        .rule = GUEST_ABI_RULE_EXACT,
        .value = has_its,
        .origin = GUEST_ABI_ORIGIN_OPTION,
        .refuse = refuse_its,
    });
}
