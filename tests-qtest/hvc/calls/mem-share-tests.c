/*
 * Tests of guests that share pages with their host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "case.h"
#include "pages-model.h"

#define PAGE       PAGES_SIZE
#define FREE_PAGES PAGES_FREE
#define RAM_END    (CALLS_RAM + CALLS_RAM_SIZE)

/* Where DIMMs begin behind a GiB of RAM, and ACPI's registers for them */
#define DIMM       0x80000000
#define DIMM_SLOT  0x09070000
#define DIMM_FLAGS 0x09070014
#define DIMM_EJECT 0x8

/* What each page of a guest with 64 KiB pages is made of */
static void test_granules(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;

    if (case_missing(&c->setup)) {
        return;
    }
    for (unsigned i = 0; i < 16; i++) {
        calls_call(calls, MEM_SHARE, FREE_PAGES + i * PAGE);
    }
    calls_call(calls, MEM_UNSHARE, FREE_PAGES + 3 * PAGE);
    calls_call(calls, MEM_SHARE, CALLS_RAM);
    calls_call(calls, MEM_SHARE, RAM_END - PAGE);
    /* Those that the guest is running in, too */
    calls_call(calls, MEM_SHARE, CALLS_GUEST);
    calls_call(calls, MEM_SHARE, CALLS_LIST);
    vm = vm_run(&c->setup, calls);
    for (unsigned i = 0; i < calls->steps->len; i++) {
        vm_expect(vm, 0, i, 0, 0, 0, 0);
    }
    pages_assert_shared(vm->qts, "0x40000000+0x1000 0x40200000+0x1000 "
                        "0x41000000+0x1000 0x43000000+0x3000 "
                        "0x43004000+0xc000 0x43fff000+0x1000 ");
}

/* What was shared by one vCPU is shared for all of them. */
static void test_vcpus(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(2);
    g_autoptr(Vm) vm = NULL;
    unsigned share, again, unshare, once_more;

    if (case_missing(&c->setup)) {
        return;
    }
    calls_start_all(calls);
    share = calls_add(calls, VCPU(0), CALL_PLAIN, MEM_SHARE, FREE_PAGES, 0, 0);
    calls_barrier(calls, calls->all);
    again = calls_add(calls, VCPU(1), CALL_PLAIN, MEM_SHARE, FREE_PAGES, 0, 0);
    unshare = calls_add(calls, VCPU(1), CALL_PLAIN, MEM_UNSHARE, FREE_PAGES, 0,
                        0);
    calls_barrier(calls, calls->all);
    once_more = calls_add(calls, VCPU(0), CALL_PLAIN, MEM_UNSHARE, FREE_PAGES,
                          0, 0);
    calls_barrier(calls, calls->all);
    vm = vm_run(&c->setup, calls);
    vm_expect(vm, 0, share, 0, 0, 0, 0);
    vm_expect(vm, 1, again, DENIED, 0, 0, 0);
    vm_expect(vm, 1, unshare, 0, 0, 0, 0);
    vm_expect(vm, 0, once_more, DENIED, 0, 0, 0);
    pages_assert_shared(vm->qts, "");
}

/* A guest that boots shares nothing. */
static void test_reset(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;
    unsigned share, taken_back, again;

    if (case_missing(&c->setup)) {
        return;
    }
    calls->boot = 1;
    share = calls_call(calls, MEM_SHARE, FREE_PAGES);
    calls_call(calls, MEM_SHARE, FREE_PAGES + 4 * PAGE);
    calls_call(calls, SYSTEM_RESET);
    calls->boot = 2;
    taken_back = calls_call(calls, MEM_UNSHARE, FREE_PAGES);
    again = calls_call(calls, MEM_SHARE, FREE_PAGES);
    vm = vm_start(&c->setup, calls);
    vm_wait(vm, 2);
    vm_expect(vm, 0, taken_back, DENIED, 0, 0, 0);
    vm_expect(vm, 0, again, 0, 0, 0, 0);
    pages_assert_shared(vm->qts, "0x43000000+0x1000 ");
    vm->boot = 1;
    vm_expect(vm, 0, share, 0, 0, 0, 0);
}

/* query-shared-pages of a part, and of a guest that shares a lot */
static void test_query(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;
    QDict *response, *info;
    g_autofree char *hmp = NULL;

    if (case_missing(&c->setup)) {
        return;
    }
    for (unsigned i = 0; i < 600; i += 2) {
        calls_call(calls, MEM_SHARE, FREE_PAGES + i * PAGE);
    }
    vm = vm_run(&c->setup, calls);
    response = qtest_qmp(vm->qts, "{ 'execute': 'query-shared-pages' }");
    info = qdict_get_qdict(response, "return");
    g_assert_cmpint(qdict_get_int(info, "pages"), ==, 300);
    g_assert_cmpint(qdict_get_int(info, "changes"), ==, 300);
    g_assert_cmpuint(qlist_size(qdict_get_qlist(info, "ranges")), ==, 256);
    g_assert_cmphex(qdict_get_int(info, "next"), ==, FREE_PAGES + 512 * PAGE);
    qobject_unref(response);
    response = qtest_qmp(vm->qts, "{ 'execute': 'query-shared-pages', "
                         "'arguments': { 'address': %" PRIu64 ","
                         " 'max-ranges': 1 } }",
                         (uint64_t)FREE_PAGES + 597 * PAGE);
    info = qdict_get_qdict(response, "return");
    g_assert_cmpuint(qlist_size(qdict_get_qlist(info, "ranges")), ==, 1);
    g_assert_false(qdict_haskey(info, "next"));
    qobject_unref(response);
    response = qtest_qmp(vm->qts, "{ 'execute': 'query-shared-pages', "
                         "'arguments': { 'max-ranges': 65537 } }");
    g_assert_cmpstr(qdict_get_str(qdict_get_qdict(response, "error"), "desc"),
                    ==, "query-shared-pages: max-ranges is 65537, the most is "
                    "65536; ask for the rest with address");
    qobject_unref(response);
    hmp = qtest_hmp(vm->qts, "info shared-pages");
    g_assert_nonnull(strstr(hmp, "300 pages of 4096 bytes are shared; 300 "
                            "changes\r\n0x0000000043000000 size 0x1000\r\n"));
    g_assert_nonnull(strstr(hmp, "and more from 0x0000000043200000 on"));
}

static void plug_dimm(Vm *vm)
{
    qtest_qmp_assert_success(vm->qts, "{ 'execute': 'device_add', "
                             "'arguments': { 'driver': 'pc-dimm', 'id': 'd', "
                             "'memdev': 'm', 'addr': %" PRIu64 " } }",
                             (uint64_t)DIMM);
}

/* A DIMM is unplugged, as its guest says by ACPI, and plugged in again. */
static void test_unplug(const void *opaque)
{
    g_autofree char *firmware = vm_scratch("firmware");
    const Setup setup = {
        .services = "linux-6.12:+mem-share", .firmware = firmware,
        .extra = "-m size=64M,slots=1,maxmem=1G "
                 "-object memory-backend-ram,id=m,size=128M",
    };
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(PagesScript) script = pages_script_new(calls);
    g_autoptr(Vm) vm = NULL;

    if (case_missing(&setup)) {
        return;
    }
    g_assert_true(g_file_set_contents(firmware, "none", 4, NULL));
    pages_script_add(script, MEM_SHARE, DIMM + PAGE);
    pages_script_add(script, MEM_SHARE, DIMM + PAGE);
    pages_script_add(script, MEM_UNSHARE, DIMM + PAGE);
    pages_script_add(script, MEM_SHARE, DIMM + 2 * PAGE);
    vm = pages_script_start(script, &setup);
    plug_dimm(vm);
    g_assert_cmphex(pages_script_next(script, vm), ==, 0);
    pages_assert_shared(vm->qts, "0x80001000+0x1000 ");
    qtest_qmp_device_del_send(vm->qts, "d");
    qtest_writel(vm->qts, DIMM_SLOT, 0);
    qtest_writeb(vm->qts, DIMM_FLAGS, DIMM_EJECT);
    qtest_qmp_eventwait(vm->qts, "DEVICE_DELETED");
    pages_assert_shared(vm->qts, "");
    g_assert_cmphex(pages_script_next(script, vm), ==, DENIED);
    plug_dimm(vm);
    g_assert_cmphex(pages_script_next(script, vm), ==, DENIED);
    g_assert_cmphex(pages_script_next(script, vm), ==, 0);
    pages_assert_shared(vm->qts, "0x80002000+0x1000 ");
}

/* virtio-mem's memory comes and goes in parts, so that none of it is shared. */
static void test_virtio_mem(const void *opaque)
{
    const Setup setup = {
        .services = "linux-6.12:+mem-share",
        .extra = "-m size=64M,maxmem=1G "
                 "-object memory-backend-ram,id=m,size=128M "
                 "-device virtio-mem-pci,memdev=m,requested-size=128M,"
                 "memaddr=" stringify(DIMM),
    };
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;
    unsigned its, rams;

    if (case_missing(&setup)) {
        return;
    }
    its = calls_call(calls, MEM_SHARE, DIMM + PAGE);
    rams = calls_call(calls, MEM_SHARE, FREE_PAGES);
    vm = vm_run(&setup, calls);
    vm_expect(vm, 0, its, DENIED, 0, 0, 0);
    vm_expect(vm, 0, rams, 0, 0, 0, 0);
    pages_assert_shared(vm->qts, "0x43000000+0x1000 ");
}

static uint64_t hostile_address(GRand *rand, unsigned vcpu)
{
    static const uint64_t edges[] = {
        0, PAGE, RECORDS, 0x09000000, 0x08000000, CALLS_RAM - PAGE, RAM_END,
        RAM_END + PAGE, 1ULL << 32, 1ULL << 40, 1ULL << 47, 1ULL << 52,
        1ULL << 63, -(uint64_t)PAGE, UINT64_MAX, CALLS_RAM + (1ULL << 48),
        CALLS_RAM + (1ULL << 56), FREE_PAGES + 1, FREE_PAGES + 8,
        FREE_PAGES + PAGE / 2, FREE_PAGES + PAGE - 1,
    };

    switch (g_rand_int_range(rand, 0, 8)) {
    case 0:
        return edges[g_rand_int_range(rand, 0, ARRAY_SIZE(edges))];
    case 1:
        return (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
    default:
        /* Each vCPU has pages of its own, so that the answers are known. */
        return CALLS_RAM + PAGE * (g_rand_int_range(rand, 0, 64) *
                                   CALLS_VCPUS + vcpu);
    }
}

static void test_hostile(const void *opaque)
{
    static const uint64_t ids[] = { MEM_SHARE, MEM_UNSHARE, MEM_INFO };
    const Case *c = opaque;
    const unsigned count = 3000;
    g_autoptr(Calls) calls = calls_new(c->vcpus);
    g_autoptr(GRand) rand = g_rand_new_with_seed(20261126);
    g_autofree PagesModel *model = g_new0(PagesModel, 1);
    g_autofree uint64_t *answers = g_new(uint64_t, count);
    g_autoptr(Vm) vm = NULL;
    unsigned first;

    if (case_missing(&c->setup)) {
        return;
    }
    calls_start_all(calls);
    first = calls->steps->len;
    for (unsigned i = 0; i < count; i++) {
        unsigned vcpu = i % c->vcpus;
        uint64_t x[4] = {
            ids[g_rand_int_range(rand, 0, ARRAY_SIZE(ids))],
            hostile_address(rand, vcpu),
            g_rand_int_range(rand, 0, 32) ? 0 : UINT64_MAX,
            g_rand_int_range(rand, 0, 32) ? 0 : 1ULL << 63,
        };

        calls_add(calls, VCPU(vcpu), CALL_PLAIN, x[0], x[1], x[2], x[3]);
        answers[i] = pages_model_call(model, x);
    }
    calls_barrier(calls, calls->all);
    vm = vm_run(&c->setup, calls);
    for (unsigned i = 0; i < count; i++) {
        vm_expect(vm, i % c->vcpus, first + i, answers[i], 0, 0, 0);
    }
    pages_assert_model(vm->qts, model);
}

void guest_mem_share_tests(void)
{
    Case c = { .setup.services = "linux-6.12:+mem-share" };

    case_add(test_granules, &c, "mem-share/granules");
    case_add(test_vcpus, &c, "mem-share/vcpus");
    case_add(test_reset, &c, "mem-share/reset");
    case_add(test_query, &c, "mem-share/query");
    case_add(test_unplug, &c, "mem-share/unplug");
    case_add(test_virtio_mem, &c, "mem-share/virtio-mem");
    for (unsigned i = 0; i < case_modes_count; i++) {
        c.setup.accel = case_modes[i].accel;
        c.setup.extra = case_modes[i].extra;
        c.vcpus = case_modes[i].vcpus;
        case_add(test_hostile, &c, "mem-share/hostile/%s", case_modes[i].name);
    }
}
