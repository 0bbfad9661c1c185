/*
 * Lists of registers: what tests of them share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "list-util.h"

void add(List *list, uint64_t id, uint64_t value)
{
    g_assert_cmpuint(list->count, <, MAX_REGISTERS);
    list->ids[list->count] = id;
    list->values[list->count++] = value;
}

void add_sorted(List *list, uint64_t id, uint64_t value)
{
    size_t i = list->count;

    add(list, id, value);
    for (; i && list->ids[i - 1] > id; i--) {
        list->ids[i] = list->ids[i - 1];
        list->values[i] = list->values[i - 1];
    }
    list->ids[i] = id;
    list->values[i] = value;
}

List list_of(const FakeKvm *fake)
{
    List list = { };

    for (unsigned i = 0; i < fake->registers->len; i++) {
        FakeRegister *reg = &g_array_index(fake->registers, FakeRegister, i);

        if (!fake_kvm_is_firmware(reg->id)) {
            add(&list, reg->id, reg->value);
        }
    }
    return list;
}

uint64_t value_in(const List *list, uint64_t id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->ids[i] == id) {
            return list->values[i];
        }
    }
    g_assert_not_reached();
}

HvcListWarnings warned;

void check_match_on(const FakeKvm *fake, const List *incoming,
                           List *local, const char *refusal)
{
    const HvcRegisterList list = { incoming->ids, incoming->values,
                                   incoming->count };
    List before = *local;
    Error *err = NULL;
    bool ok;

    for (size_t i = 0; i < MAX_REGISTERS; i++) {
        local->values[i] = POISON;
    }
    ok = hvc_list_match(HVC_LISTER_KERNEL, &fake->kvm, &list, local->ids,
                        local->values, local->count, &warned, &err);
    if (err) {
        g_test_message("%s", error_get_pretty(err));
    }
    g_assert_cmpstr(err ? error_get_pretty(err) : NULL, ==, refusal);
    g_assert_true(ok == !refusal);
    error_free(err);
    /* Neither the ids nor what lies behind the values */
    g_assert_cmpmem(local->ids, sizeof(local->ids), before.ids,
                    sizeof(before.ids));
    for (size_t i = local->count; i < MAX_REGISTERS; i++) {
        g_assert_cmphex(local->values[i], ==, POISON);
    }
}

void check_match(const List *incoming, List *local, const char *refusal)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);

    check_match_on(fake, incoming, local, refusal);
}
