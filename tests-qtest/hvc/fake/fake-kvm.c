/*
 * A fake kernel: the registers of one vCPU, for tests of target/arm/hvc/kvm*
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bitops.h"
#include "fake-kvm.h"

#define SIZE_MASK 0x00f0000000000000ULL
#define SIZE_U32  0x0020000000000000ULL
#define SIZE_U64  0x0030000000000000ULL

/**
 * ModelRow: a register of the kernels @first to @last
 *
 * Values are those that the kernels of Debian show on an emulated Neoverse N1.
 */
typedef struct ModelRow {
    FakeKernel first, last;
    FakeRegister reg;
} ModelRow;

#define ROW(first_, last_, id_, kind_, value_, limit_)                  \
    { FAKE_ ## first_, FAKE_ ## last_,                                  \
      { .id = id_, .kind = FAKE_ ## kind_, .value = value_, .limit = limit_ } }

static const ModelRow model[] = {
    ROW(5_10, 7_3, FAKE_X0, STATE, 0x1234, 0),
    ROW(5_10, 7_3, FAKE_MPIDR, STATE, 0x80000000, 0),
    ROW(5_10, 7_3, FAKE_MIDR, FIXED, 0x414fd0c1, 0),
    ROW(5_10, 7_3, FAKE_CTR, FIXED, 0x9444c004, 0),
    ROW(5_10, 6_1, FAKE_PFR0, FIXED, 0x1100000011110112, 0),
    ROW(6_12, 7_3, FAKE_PFR0, ID, 0x1100000011110112, 0x1100000011110112),
    ROW(5_10, 5_15, FAKE_DFR0, FIXED, 0x10305408, 0),
    ROW(6_1, 6_1, FAKE_DFR0, FIXED, 0x10305406, 0),
    ROW(6_12, 7_3, FAKE_DFR0, ID, 0x10305408, 0x10305408),
    ROW(5_10, 6_1, FAKE_MMFR3, FIXED, 0, 0),
    ROW(6_12, 7_3, FAKE_MMFR3, ID, 0, 0),

    /* The host's caches, from 6.3 on invented ones */
    ROW(5_10, 6_1, FAKE_CLIDR, FIXED, 0x82000023, 0),
    ROW(6_12, 7_3, FAKE_CLIDR, STATE, 0x02000021, 0),
    ROW(5_10, 6_1, FAKE_CCSIDR(0), FIXED, 0x701fe01a, 0),
    ROW(5_10, 6_1, FAKE_CCSIDR(1), FIXED, 0x201fe01a, 0),
    ROW(5_10, 6_1, FAKE_CCSIDR(2), FIXED, 0x70ffe03a, 0),
    ROW(6_12, 7_3, FAKE_CCSIDR(0), CACHE, 2, 2),
    ROW(6_12, 7_3, FAKE_CCSIDR(1), CACHE, 2, 2),
    ROW(6_12, 7_3, FAKE_CCSIDR(2), CACHE, 2, 2),
    ROW(6_12, 7_3, FAKE_CCSIDR(3), CACHE, 2, 2),
    ROW(6_12, 7_3, FAKE_CCSIDR(4), CACHE, 2, 2),
    ROW(6_12, 7_3, FAKE_CCSIDR(5), CACHE, 2, 2),
    ROW(6_12, 7_3, FAKE_CCSIDR(6), CACHE, 2, 2),
    ROW(6_12, 7_3, FAKE_CCSIDR(7), CACHE, 2, 2),
    ROW(6_12, 7_3, FAKE_CCSIDR(8), CACHE, 2, 2),
    ROW(6_12, 7_3, FAKE_CCSIDR(9), CACHE, 2, 2),
    ROW(6_12, 7_3, FAKE_CCSIDR(10), CACHE, 2, 2),
    ROW(6_12, 7_3, FAKE_CCSIDR(11), CACHE, 2, 2),
    ROW(6_12, 7_3, FAKE_CCSIDR(12), CACHE, 2, 2),
    ROW(6_12, 7_3, FAKE_CCSIDR(13), CACHE, 2, 2),

    ROW(6_1, 7_3, FAKE_OSLSR, STATE, 0x8, 0),
    ROW(6_12, 6_12, FAKE_TCR2, STATE, 0, 0),
    ROW(6_12, 6_12, FAKE_PIRE0, STATE, FAKE_RESET_PATTERN, 0),
    ROW(6_12, 6_12, FAKE_PIR, STATE, FAKE_RESET_PATTERN, 0),
    ROW(6_12, 7_3, FAKE_CNTPCT, COUNTER, 0x0cbf5b21, 0),
    ROW(6_12, 7_3, FAKE_CNTP_CTL, STATE, 0x4, 0),
    ROW(6_12, 7_3, FAKE_CNTP_CVAL, STATE, 0, 0),
    ROW(7_3, 7_3, FAKE_PMMIR, ID, 0, 0),

    ROW(5_10, 5_15, FAKE_PSCI_VERSION, PSCI, 0x10000, 0x10000),
    ROW(6_1, 6_12, FAKE_PSCI_VERSION, PSCI, 0x10001, 0x10001),
    ROW(6_16, 7_3, FAKE_PSCI_VERSION, PSCI, 0x10003, 0x10003),
    ROW(5_10, 7_3, FAKE_WORKAROUND_1, LEVEL, 2, 0),
    ROW(5_10, 7_3, FAKE_WORKAROUND_2, LEVEL, 0, 0),
    ROW(5_10, 7_3, FAKE_WORKAROUND_3, LEVEL, 1, 0),
    ROW(6_1, 7_3, FAKE_STD, BITMAP, 0x1, 0x1),
    ROW(6_1, 7_3, FAKE_STD_HYP, BITMAP, 0x1, 0x1),
    ROW(6_1, 7_3, FAKE_VENDOR_HYP, BITMAP, 0x3, 0x3),
    ROW(6_16, 7_3, FAKE_VENDOR_HYP_2, BITMAP, 0, 0x3),
};

/* What the first run of a VM takes away, by kernel; see FakeEdit */
static const struct {
    FakeKernel first, last;
    FakeEdit edit;
} edits[] = {
    { FAKE_6_12, FAKE_7_3, { FAKE_PFR0, 24, .unless_gic = 3 } },
    { FAKE_7_3, FAKE_7_3,
      { FAKE_MMFR3, 8, .unless = FAKE_ISAR2, .unless_field = 60 } },
};

static uint64_t field_of(const FakeKvm *fake, uint64_t id, unsigned lsb)
{
    const FakeRegister *reg = NULL;

    for (unsigned i = 0; i < fake->registers->len; i++) {
        reg = &g_array_index(fake->registers, FakeRegister, i);
        if (reg->id == id) {
            return extract64(reg->value, lsb, 4);
        }
    }
    return 0;
}

static bool is_there(const FakeKvm *fake, const FakeRegister *reg)
{
    return !reg->by || field_of(fake, reg->by, reg->by_field);
}

static int fake_list(const HvcKvm *kvm, uint64_t **ids)
{
    FakeKvm *fake = kvm->opaque;
    unsigned call = fake->lists++;
    int count = 0;

    if (fake->list_errno) {
        return -fake->list_errno;
    }
    *ids = g_new(uint64_t, fake->registers->len + 1);
    for (unsigned i = 0; i < fake->registers->len; i++) {
        FakeRegister *reg = &g_array_index(fake->registers, FakeRegister, i);

        if ((call >= 32 || !(reg->hidden_in >> call & 1)) &&
            !reg->unlisted && is_there(fake, reg)) {
            (*ids)[count++] = reg->id;
        }
    }
    return count;
}

/* PMCR_EL0.N */
#define PMCR_N 0xf800ULL

static bool size_is_known(uint64_t id)
{
    return (id & SIZE_MASK) == SIZE_U32 || (id & SIZE_MASK) == SIZE_U64 ||
           id == FAKE_SVE_VLS || HVC_KVM_IS_DEVICE(id);
}

static int fake_get(const HvcKvm *kvm, uint64_t id, uint64_t *value)
{
    FakeKvm *fake = kvm->opaque;
    FakeRegister *reg = fake_kvm_register(fake, id);

    if (id == FAKE_PMU_COUNTERS) {
        return hvc_kvm_get_counters(kvm, value);
    }
    fake->gets++;
    if (!size_is_known(id)) {
        return -EINVAL;
    }
    if (!reg || reg->get_errno || !is_there(fake, reg)) {
        return reg && reg->get_errno ? -reg->get_errno : -ENOENT;
    }
    if (reg->kind == FAKE_CLEAR || reg->kind == FAKE_ALIAS) {
        reg = fake_kvm_register(fake, id - 1);
    }
    *value = reg->value;
    if (reg->kind == FAKE_COUNTER) {
        reg->value++;
    }
    return 0;
}

static bool fields_fit(uint64_t value, uint64_t limit)
{
    for (unsigned lsb = 0; lsb < 64; lsb += 4) {
        if ((value >> lsb & 0xf) > (limit >> lsb & 0xf)) {
            return false;
        }
    }
    return true;
}

static bool psci_exists(uint64_t version)
{
    return version == 0x2 || (version >= 0x10000 && version <= 0x10003);
}

static int check_value(const FakeKvm *fake, const FakeRegister *reg,
                       uint64_t value)
{
    bool fits = true, sealed = false;

    switch (reg->kind) {
    case FAKE_BITMAP:
        fits = !(value & ~reg->limit) && !(~value & reg->stuck);
        sealed = true;
        break;
    case FAKE_ID:
        fits = fields_fit(value, reg->limit);
        sealed = true;
        break;
    case FAKE_FIXED:
        fits = value == reg->value;
        break;
    case FAKE_PSCI:
        fits = psci_exists(value) && value <= reg->limit;
        break;
    case FAKE_LEVEL:
        fits = value <= reg->value;
        break;
    case FAKE_CACHE:
        /* As arch/arm64/kvm/sys_regs.c, set_ccsidr(): bits [31:28] too */
        fits = value <= UINT32_MAX && (value & 7) >= reg->limit;
        break;
    case FAKE_REVISION:
        fits = !((value ^ reg->value) & ~0xf000ULL) && value <= reg->limit &&
               extract64(value, 12, 4) >= 2;
        break;
    case FAKE_STATE:
    case FAKE_COUNTER:
    case FAKE_PMU:
    case FAKE_SET:
    case FAKE_CLEAR:
    case FAKE_ALIAS:
        break;
    }
    if (!fits) {
        return -EINVAL;
    }
    return sealed && fake->has_run && value != reg->value ? -EBUSY : 0;
}

static int fake_set(const HvcKvm *kvm, uint64_t id, uint64_t value)
{
    FakeKvm *fake = kvm->opaque;
    FakeRegister *reg = fake_kvm_register(fake, id);
    int ret;

    if (id == FAKE_PMU_COUNTERS) {
        return hvc_kvm_set_counters(kvm, value);
    }
    fake->sets++;
    if (!size_is_known(id) ||
        ((id & SIZE_MASK) == SIZE_U32 && value > UINT32_MAX)) {
        return -EINVAL;
    }
    if (!reg || reg->set_errno || !is_there(fake, reg)) {
        return reg && reg->set_errno ? -reg->set_errno : -ENOENT;
    }
    if (reg->kind == FAKE_CLEAR) {
        fake_kvm_register(fake, id - 1)->value &= ~value;
        return 0;
    }
    if (reg->kind == FAKE_ALIAS) {
        reg = fake_kvm_register(fake, id - 1);
    }
    if (reg->kind == FAKE_SET) {
        value |= reg->value;
    }
    if (reg->kind == FAKE_PMU &&
        (fake->has_run || (value & PMCR_N) > (reg->limit & PMCR_N))) {
        value = (value & ~PMCR_N) | (reg->value & PMCR_N);
    }
    ret = check_value(fake, reg, value);
    if (!ret && reg->kind != FAKE_LEVEL) {
        reg->value = (value & ~reg->ignores) | (reg->value & reg->ignores);
    }
    if (!ret && reg->reread_errno) {
        reg->get_errno = reg->reread_errno;
    }
    return ret;
}

/* As KVM_CAP_ARM_WRITABLE_IMP_ID_REGS does */
static void choose_identity(FakeKvm *fake)
{
    static const uint64_t ids[] = { FAKE_MIDR, FAKE_REVIDR, FAKE_AIDR };

    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        FakeRegister *reg = fake_kvm_register(fake, ids[i]);

        if (reg) {
            reg->kind = FAKE_ID;
            reg->limit = ids[i] == FAKE_MIDR ? UINT32_MAX : UINT64_MAX;
        }
    }
}

static HvcKvm *fake_create(const HvcKvm *kvm, const HvcVmRecipe *recipe,
                           Error **errp)
{
    FakeKvm *maker = kvm->opaque, *fake;

    if (maker->create_errno) {
        error_setg_errno(errp, maker->create_errno, "no VM");
        return NULL;
    }
    fake = fake_kvm_clone(maker);
    fake->recipe = *recipe;
    fake->maker = maker;
    if (recipe->chooses_identity) {
        choose_identity(fake);
    }
    maker->made++;
    maker->there++;
    return &fake->kvm;
}

static void edit(FakeKvm *fake, const FakeEdit *change)
{
    FakeRegister *reg = fake_kvm_register(fake, change->id);
    bool spared = (change->unless_gic &&
                   change->unless_gic == fake->recipe.gic) ||
                  (change->unless &&
                   field_of(fake, change->unless, change->unless_field));

    if (reg && !spared) {
        reg->value = deposit64(reg->value, change->field, 4, 0);
    }
}

static int fake_run(const HvcKvm *kvm)
{
    FakeKvm *fake = kvm->opaque;

    if (fake->run_errno) {
        return -fake->run_errno;
    }
    for (unsigned i = 0; i < fake->edits->len && !fake->has_run; i++) {
        edit(fake, &g_array_index(fake->edits, FakeEdit, i));
    }
    fake->has_run = true;
    return 0;
}

static int fake_reset(const HvcKvm *kvm)
{
    FakeKvm *fake = kvm->opaque;

    if (fake->reset_errno) {
        return -fake->reset_errno;
    }
    if (fake->forgets) {
        fake_kvm_register(fake, fake->forgets)->value = fake->forgotten;
    }
    return 0;
}

bool fake_kvm_hands_over(const FakeKvm *fake, uint32_t function)
{
    for (unsigned i = 0; i < fake->handed_over->len; i++) {
        if (g_array_index(fake->handed_over, uint32_t, i) == function) {
            return true;
        }
    }
    return false;
}

/* As arch/arm64/kvm/hypercalls.c, kvm_smccc_set_filter() */
static int fake_hand_over(const HvcKvm *kvm, uint32_t function)
{
    FakeKvm *fake = kvm->opaque;

    if (!fake->hands_over) {
        return -ENXIO;
    }
    if (fake->hand_over_errno && function == fake->hand_over_fails) {
        return -fake->hand_over_errno;
    }
    if (fake->has_run) {
        return -EBUSY;
    }
    if ((function & 0xbfff0000) == 0x80000000 ||
        fake_kvm_hands_over(fake, function)) {
        return -EEXIST;
    }
    g_array_append_val(fake->handed_over, function);
    return 0;
}

static void fake_destroy(HvcKvm *kvm)
{
    FakeKvm *fake = kvm->opaque, *maker = fake->maker;

    maker->there--;
    maker->made_gets += fake->gets;
    maker->made_sets += fake->sets;
    fake_kvm_free(fake);
}

const char *fake_kvm_name(FakeKernel kernel)
{
    static const char *const names[FAKE_KERNELS] = {
        [FAKE_5_10] = "5.10",
        [FAKE_5_15] = "5.15",
        [FAKE_6_1]  = "6.1",
        [FAKE_6_12] = "6.12",
        [FAKE_6_16] = "6.16",
        [FAKE_7_3]  = "7.3",
    };

    g_assert_cmpuint(kernel, <, FAKE_KERNELS);
    return names[kernel];
}

FakeKvm *fake_kvm_new_empty(void)
{
    FakeKvm *fake = g_new0(FakeKvm, 1);

    fake->kvm = (HvcKvm) {
        .list = fake_list,
        .get = fake_get,
        .set = fake_set,
        .create = fake_create,
        .run = fake_run,
        .reset = fake_reset,
        .destroy = fake_destroy,
        .hand_over = fake_hand_over,
        .opaque = fake,
    };
    fake->registers = g_array_new(false, false, sizeof(FakeRegister));
    fake->edits = g_array_new(false, false, sizeof(FakeEdit));
    fake->handed_over = g_array_new(false, false, sizeof(uint32_t));
    return fake;
}

FakeKvm *fake_kvm_clone(const FakeKvm *fake)
{
    FakeKvm *clone = fake_kvm_new_empty();
    const FakeRegister *forgotten = fake_kvm_register(fake, fake->forgets);

    g_array_append_vals(clone->registers, fake->registers->data,
                        fake->registers->len);
    g_array_append_vals(clone->edits, fake->edits->data, fake->edits->len);
    clone->kvm.ptp = fake->kvm.ptp;
    clone->hands_over = fake->hands_over;
    clone->hand_over_errno = fake->hand_over_errno;
    clone->hand_over_fails = fake->hand_over_fails;
    clone->recipe = fake->recipe;
    clone->forgets = fake->forgets;
    clone->forgotten = forgotten ? forgotten->value : 0;
    clone->list_errno = fake->list_errno;
    clone->run_errno = fake->run_errno;
    clone->reset_errno = fake->reset_errno;
    return clone;
}

FakeKvm *fake_kvm_new(FakeKernel kernel)
{
    FakeKvm *fake = fake_kvm_new_empty();

    for (size_t i = 0; i < ARRAY_SIZE(model); i++) {
        if (kernel >= model[i].first && kernel <= model[i].last) {
            g_assert_null(fake_kvm_register(fake, model[i].reg.id));
            fake_kvm_add(fake, &model[i].reg);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
        if (kernel >= edits[i].first && kernel <= edits[i].last) {
            g_array_append_val(fake->edits, edits[i].edit);
        }
    }
    fake->kvm.ptp = kernel >= FAKE_5_15;
    fake->hands_over = kernel >= FAKE_6_12;
    fake->recipe.gic = 3;
    return fake;
}

void fake_kvm_add_gic(FakeKvm *fake, FakeKernel kernel)
{
    bool is_3 = kernel >= FAKE_6_1;
    const FakeRegister gic[] = {
        { FAKE_GICD_IIDR, is_3 ? FAKE_REVISION : FAKE_FIXED,
          is_3 ? 0x4b00343b : 0x4b00243b, 0x4b00343b, .unlisted = true },
        { FAKE_GICD_TYPER2, FAKE_FIXED, .unlisted = true },
        { FAKE_ICC_CTLR, FAKE_FIXED, 0x8c00, .unlisted = true },
    };

    for (size_t i = 0; i < ARRAY_SIZE(gic); i++) {
        fake_kvm_add(fake, &gic[i]);
    }
}

void fake_kvm_free(FakeKvm *fake)
{
    if (fake) {
        g_array_free(fake->registers, true);
        g_array_free(fake->edits, true);
        g_array_free(fake->handed_over, true);
        g_free(fake);
    }
}

bool fake_kvm_is_firmware(uint64_t id)
{
    uint64_t class = id & 0xfff0000;

    return class == 0x140000 || class == 0x160000;
}

FakeRegister *fake_kvm_register(const FakeKvm *fake, uint64_t id)
{
    for (unsigned i = 0; i < fake->registers->len; i++) {
        FakeRegister *reg = &g_array_index(fake->registers, FakeRegister, i);

        if (reg->id == id) {
            return reg;
        }
    }
    return NULL;
}

uint64_t fake_kvm_value(const FakeKvm *fake, uint64_t id)
{
    const FakeRegister *reg = fake_kvm_register(fake, id);

    g_assert_nonnull(reg);
    return reg->value;
}

void fake_kvm_add(FakeKvm *fake, const FakeRegister *reg)
{
    FakeRegister *old = fake_kvm_register(fake, reg->id);
    unsigned i = 0;

    if (old) {
        *old = *reg;
        return;
    }
    while (i < fake->registers->len &&
           g_array_index(fake->registers, FakeRegister, i).id < reg->id) {
        i++;
    }
    g_array_insert_val(fake->registers, i, *reg);
}

void fake_kvm_remove(FakeKvm *fake, uint64_t id)
{
    FakeRegister *reg = fake_kvm_register(fake, id);

    g_assert_nonnull(reg);
    g_array_remove_index(fake->registers,
                         reg - (FakeRegister *)fake->registers->data);
}

void fake_kvm_assert_same(const FakeKvm *a, const FakeKvm *b, bool firmware)
{
    g_assert_cmpuint(a->registers->len, ==, b->registers->len);
    for (unsigned i = 0; i < a->registers->len; i++) {
        FakeRegister *reg_a = &g_array_index(a->registers, FakeRegister, i);
        FakeRegister *reg_b = &g_array_index(b->registers, FakeRegister, i);

        g_assert_cmphex(reg_a->id, ==, reg_b->id);
        if (firmware || !fake_kvm_is_firmware(reg_a->id)) {
            g_test_message("register 0x%" PRIx64, reg_a->id);
            g_assert_cmphex(reg_a->value, ==, reg_b->value);
        }
    }
}
