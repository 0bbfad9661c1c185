/*
 * Unit tests of lists of registers that go from each kernel to each other one
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "list-util.h"

/**
 * Journey: what a guest did on its source, and where it can then go
 * @do_it: change the source's registers, if there is something to change
 * @goes: by source, then by destination: 'y' or the first letter of what is
 *        in the way
 */
typedef struct Journey {
    const char *what;
    void (*do_it)(FakeKvm *fake);
    const char *goes[FAKE_KERNELS];
} Journey;

static void set(FakeKvm *fake, uint64_t id, uint64_t value)
{
    FakeRegister *reg = fake_kvm_register(fake, id);

    if (reg) {
        reg->value = value;
    }
}

static void do_nothing(FakeKvm *fake)
{
}

static void start_timer(FakeKvm *fake)
{
    set(fake, FAKE_CNTP_CTL, 1);
}

static void lock_os_lock(FakeKvm *fake)
{
    set(fake, FAKE_OSLSR, 0xa);
}

/* A CPU with both; kernels before 6.12 do not give them to a guest. */
static void have_tcr2_and_s1pie(FakeKvm *fake)
{
    static const uint64_t ids[] = { FAKE_TCR2, FAKE_PIRE0, FAKE_PIR };

    if (fake_kvm_register(fake, FAKE_CNTPCT)) {
        set(fake, FAKE_MMFR3, TCRX | S1PIE);
        for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
            fake_kvm_add(fake, &(FakeRegister) { ids[i] });
        }
    }
}

static void have_slots(FakeKvm *fake)
{
    set(fake, FAKE_PMMIR, 8);
}

/* As a VM that was made with the profile of 6.1 */
static void have_caches_of_6_1(FakeKvm *fake)
{
    set(fake, FAKE_CLIDR, CLIDR_N1);
    set(fake, FAKE_CCSIDR(0), 0x701fe01a);
    set(fake, FAKE_CCSIDR(1), 0x201fe01a);
    set(fake, FAKE_CCSIDR(2), 0x70ffe03a);
}

static void use_unknown(FakeKvm *fake)
{
    if (fake_kvm_register(fake, FAKE_PMMIR)) {
        fake_kvm_add(fake, &(FakeRegister) { FAKE_UNKNOWN, .value = 1 });
    }
}

/* Columns: 5.10, 5.15, 6.1, 6.12, 6.16, 7.3 */
static const Journey journeys[] = {
    { "just started", do_nothing,
      { "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy" } },
    { "timer on", start_timer,
      { "yyyyyy", "yyyyyy", "yyyyyy", "CCCyyy", "CCCyyy", "CCCyyy" } },
    { "OS lock locked", lock_os_lock,
      { "yyyyyy", "yyyyyy", "OOyyyy", "OOyyyy", "OOyyyy", "OOyyyy" } },
    { "TCR2 and S1PIE", have_tcr2_and_s1pie,
      { "yyyyyy", "yyyyyy", "yyyyyy", "TTTyTT", "TTTyyT", "TTTyTy" } },
    { "slots", have_slots,
      { "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy", "PPPPPy" } },
    { "profile of 6.1", have_caches_of_6_1,
      { "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy" } },
    { "unknown register", use_unknown,
      { "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy", "pppppy" } },
};

/* What is in the way, by its letter */
static const struct {
    char letter;
    const char *text;
} obstacles[] = {
    { 'C', "incoming VM has CNTPCT_EL0 = " },
    { 'O', "incoming VM has OSLSR_EL1 = 0xa " },
    { 'T', "incoming VM has TCR2_EL1 = 0x0 " },
    { 'P', "incoming VM has PMMIR_EL1 = 0x8 " },
    { 'p', "incoming VM has S3_0_C10_C2_7 = 0x1 " },
};

static bool is_in(const List *list, uint64_t id)
{
    return bsearch(&id, list->ids, list->count, sizeof(id), hvc_compare_ids);
}

static void check_arrival(const List *incoming, const List *local)
{
    for (size_t i = 0; i < local->count; i++) {
        uint64_t id = local->ids[i];
        uint64_t wanted = 0;

        g_test_message("0x%" PRIx64, id);
        if (is_in(incoming, id)) {
            wanted = value_in(incoming, id);
        } else if (id == FAKE_OSLSR) {
            wanted = 0x8;
        } else if (id == FAKE_CNTPCT) {
            wanted = 0x0cbf5b21;
        } else if (id >= FAKE_CCSIDR(0) && id <= FAKE_CCSIDR(13)) {
            wanted = 2;
        }
        g_assert_cmphex(local->values[i], ==, wanted);
    }
}

static void check_journey(const Journey *journey, FakeKernel from,
                          FakeKernel to)
{
    char goes = journey->goes[from][to];
    g_autoptr(FakeKvm) source = fake_kvm_new(from);
    g_autoptr(FakeKvm) destination = fake_kvm_new(to);
    HvcRegisterList list;
    List incoming, local;
    Error *err = NULL;
    bool ok;

    g_test_message("%s: Linux %s to %s", journey->what, fake_kvm_name(from),
                   fake_kvm_name(to));
    journey->do_it(source);
    if (from == to) {
        journey->do_it(destination);
    }
    incoming = list_of(source);
    local = list_of(destination);
    list = (HvcRegisterList) { incoming.ids, incoming.values, incoming.count };
    ok = hvc_list_match(HVC_LISTER_KERNEL, &destination->kvm, &list, local.ids,
                        local.values, local.count, &warned, &err);
    g_assert_true(ok == (goes == 'y'));
    g_assert_true(ok == !err);
    if (ok) {
        check_arrival(&incoming, &local);
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(obstacles); i++) {
        if (obstacles[i].letter == goes) {
            g_test_message("%s", error_get_pretty(err));
            g_assert_nonnull(strstr(error_get_pretty(err), obstacles[i].text));
            error_free(err);
            return;
        }
    }
    g_assert_not_reached();
}

static void test_journey(gconstpointer data)
{
    for (FakeKernel from = 0; from < FAKE_KERNELS; from++) {
        for (FakeKernel to = 0; to < FAKE_KERNELS; to++) {
            check_journey(data, from, to);
        }
    }
}

void list_add_journeys(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(journeys); i++) {
        g_autofree char *path = g_strdup_printf(
            "/hvc-kvm-lists/journeys/%u", i);

        g_test_add_data_func(path, &journeys[i], test_journey);
    }
}
