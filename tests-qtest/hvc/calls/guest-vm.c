/*
 * A VM that runs the call engine, for tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * The guest's RAM is a file that the test program has mapped as well, and so
 * reads the report while the guest runs, and after QEMU has ended.
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include <sys/wait.h>
#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "function-ids.h"
#include "guest-vm.h"

/* A guest gives a step up after CALLS_PATIENCE, and then goes on. */
#define PATIENCE_S (2 * CALLS_PATIENCE)
#define POLL_US 500

static char *scratch;

char *vm_scratch(const char *name)
{
    if (!scratch) {
        g_autoptr(GError) err = NULL;

        scratch = g_dir_make_tmp("hvc-guest-XXXXXX", &err);
        g_assert_no_error(err);
    }
    return g_build_filename(scratch, name, NULL);
}

void vm_cleanup(void)
{
    GDir *dir = scratch ? g_dir_open(scratch, 0, NULL) : NULL;
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(scratch, name, NULL);

        g_unlink(path);
    }
    if (dir) {
        g_dir_close(dir);
        g_rmdir(scratch);
    }
}

Calls *calls_new(unsigned vcpus)
{
    Calls *calls = g_new0(Calls, 1);

    g_assert_cmpuint(vcpus, >=, 1);
    g_assert_cmpuint(vcpus, <=, CALLS_VCPUS);
    calls->vcpus = vcpus;
    calls->all = (1u << vcpus) - 1;
    calls->steps = g_array_new(false, true, sizeof(struct CallStep));
    return calls;
}

void calls_free(Calls *calls)
{
    if (calls) {
        g_array_free(calls->steps, true);
        g_free(calls);
    }
}

unsigned calls_add(Calls *calls, uint32_t vcpus, enum CallOp op,
                   uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
    unsigned number = calls->steps->len;
    struct CallStep step = {
        .op = op,
        .conduit = calls->conduit,
        .immediate = calls->immediate,
        .vcpus = vcpus,
        .boot = calls->boot,
        .x = { x0, x1, x2, x3 },
    };

    for (unsigned i = 4; i < ARRAY_SIZE(step.x); i++) {
        step.x[i] = 0xa5a5000000005a5aULL | (uint64_t)(number * 8 + i) << 16;
    }
    g_array_append_val(calls->steps, step);
    return number;
}

unsigned calls_call_(Calls *calls, const uint64_t x[4])
{
    return calls_add(calls, calls->all, CALL_PLAIN, x[0], x[1], x[2], x[3]);
}

struct CallStep *calls_step(Calls *calls)
{
    return &g_array_index(calls->steps, struct CallStep,
                          calls->steps->len - 1);
}

void calls_barrier(Calls *calls, uint32_t vcpus)
{
    calls_add(calls, vcpus, CALL_BARRIER, 0, 0, 0, 0);
}

void calls_start_all(Calls *calls)
{
    g_assert_cmpuint(calls->steps->len, ==, 0);
    for (unsigned i = 1; i < calls->vcpus; i++) {
        calls_add(calls, VCPU(0), CALL_CPU_ON, CPU_ON_32, i, 0, 0);
        calls_step(calls)->x[4] = i;
        calls_step(calls)->x[5] = calls->vcpus - 1;
    }
    if (calls->vcpus > 1) {
        calls_barrier(calls, calls->all);
    }
}

static char *guest_path(const Setup *setup)
{
    const char *dir = getenv("HVC_GUEST_DIR");

    return dir ? g_build_filename(dir, setup->aarch32 ? "hvc-guest-a32.elf"
                                                      : "hvc-guest-a64.elf",
                                  NULL) : NULL;
}

char *vm_missing(const Setup *setup)
{
    g_autofree char *guest = guest_path(setup);

    if (!guest) {
        return g_strdup("HVC_GUEST_DIR does not say where the guests are");
    }
    if (!g_file_test(guest, G_FILE_TEST_IS_REGULAR)) {
        return g_strdup_printf("no %s; tests-qtest/hvc/guest/build.sh makes it",
                               guest);
    }
    if (setup->stock &&
        !g_file_test(getenv("HVC_STOCK_QEMU") ?: "",
                     G_FILE_TEST_IS_EXECUTABLE)) {
        return g_strdup("HVC_STOCK_QEMU does not name an unpatched QEMU");
    }
    if (!qtest_has_accel("tcg")) {
        return g_strdup("this QEMU has no TCG");
    }
    if (setup->type && !qtest_has_machine(setup->type)) {
        return g_strdup_printf("this QEMU has no machine %s", setup->type);
    }
    return NULL;
}

/* Write a list to a file as the guest reads it. */
static void write_list(const Calls *calls, const char *path)
{
    size_t size = sizeof(struct CallList) +
                  calls->steps->len * sizeof(struct CallStep);
    g_autofree struct CallList *list = g_malloc0(size);
    g_autoptr(GError) err = NULL;

    g_assert_cmpuint(size, <=, CALLS_REPORT - CALLS_LIST);
    list->magic = cpu_to_le32(CALLS_MAGIC);
    list->flags = cpu_to_le32(calls->flags);
    list->steps = cpu_to_le32(calls->steps->len);
    for (unsigned i = 0; i < calls->steps->len; i++) {
        const struct CallStep *from = &g_array_index(calls->steps,
                                                     struct CallStep, i);
        struct CallStep *to = &list->step[i];

        to->op = cpu_to_le32(from->op);
        to->conduit = cpu_to_le32(from->conduit);
        to->immediate = cpu_to_le32(from->immediate);
        to->vcpus = cpu_to_le32(from->vcpus);
        to->boot = cpu_to_le32(from->boot);
        to->base = cpu_to_le32(from->base);
        for (unsigned j = 0; j < ARRAY_SIZE(to->x); j++) {
            to->x[j] = cpu_to_le64(from->x[j]);
        }
    }
    g_file_set_contents(path, (const char *)list, size, &err);
    g_assert_no_error(err);
}

/* Make the file of the guest's RAM, and map the report in it. */
static struct CallReport *make_ram(const Calls *calls, const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    unsigned steps = calls ? calls->steps->len : 0;
    void *report;

    g_assert_cmpuint(sizeof(struct CallReport) + CALLS_BOOTS * CALLS_VCPUS *
                     steps * sizeof(struct CallResult), <=,
                     CALLS_RAM + CALLS_RAM_SIZE - CALLS_REPORT);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, CALLS_RAM_SIZE), ==, 0);
    report = mmap(NULL, CALLS_RAM + CALLS_RAM_SIZE - CALLS_REPORT, PROT_READ,
                  MAP_SHARED, fd, CALLS_REPORT - CALLS_RAM);
    g_assert(report != MAP_FAILED);
    close(fd);
    return report;
}

static char *arguments(const Setup *setup, const Calls *calls,
                       const char *ram, const char *list)
{
    g_autofree char *guest = guest_path(setup);
    g_autofree char *boot = setup->firmware ?
        g_strdup_printf("-bios %s -device loader,file=%s,cpu-num=0",
                        setup->firmware, guest) :
        g_strdup_printf("-kernel %s", guest);
    g_autofree char *services = setup->services ?
        g_strdup_printf(",hvc-services=%s", setup->services) : g_strdup("");
    g_autofree char *psci = setup->psci ?
        g_strdup_printf(",psci-version=%s", setup->psci) : g_strdup("");
    g_autofree char *loader = calls ?
        g_strdup_printf("-device loader,file=%s,addr=0x%x,force-raw=on", list,
                        CALLS_LIST) : g_strdup("");

    return g_strdup_printf("-machine %s,memory-backend=ram%s%s%s "
                           "-accel %s -cpu %s -smp %u -m %uM "
                           "-object memory-backend-file,id=ram,size=%uM,"
                           "mem-path=%s,share=on "
                           "-nodefaults %s %s %s",
                           setup->type ?: "virt", services, psci,
                           setup->machine ?: "",
                           setup->accel ?: "tcg",
                           setup->cpu ?: setup->aarch32 ? "cortex-a15"
                                                        : "cortex-a72",
                           calls ? calls->vcpus : 1,
                           CALLS_RAM_SIZE >> 20, CALLS_RAM_SIZE >> 20, ram,
                           boot, loader, setup->extra ?: "");
}

static int64_t now_ns(void)
{
    return g_get_real_time() * 1000;
}

Vm *vm_start(const Setup *setup, const Calls *calls)
{
    g_autofree char *ram = vm_scratch("ram");
    g_autofree char *list = vm_scratch("list");
    g_autofree char *args = arguments(setup, calls, ram, list);
    g_autofree char *own = g_strdup(getenv("QTEST_QEMU_BINARY"));
    Vm *vm = g_new0(Vm, 1);

    vm->setup = *setup;
    vm->boot = 1;
    vm->report = make_ram(calls, ram);
    write_list(calls, list);
    vm->started_ns = now_ns();
    /* libqtest's way to another QEMU has another name in QEMU 10.2. */
    if (setup->stock) {
        g_setenv("QTEST_QEMU_BINARY", getenv("HVC_STOCK_QEMU"), true);
    }
    vm->qts = qtest_init(args);
    g_setenv("QTEST_QEMU_BINARY", own, true);
    /* QEMU has read the list and mapped the RAM. */
    g_unlink(list);
    g_unlink(ram);
    return vm;
}

static void vm_hangs(const Vm *vm)
{
    const struct CallReport *report = vm->report;
    g_autoptr(GString) text = g_string_new("");

    for (unsigned i = 0; i < CALLS_VCPUS; i++) {
        g_string_append_printf(text, " %u", le32_to_cpu(report->progress[i]));
    }
    g_error("the guest hangs: boot %u of %u done; steps started by each vCPU, "
            "of %u:%s", le32_to_cpu(report->done), le32_to_cpu(report->boots),
            le32_to_cpu(report->steps), text->str);
}

void vm_wait(Vm *vm, unsigned boot)
{
    const uint32_t *done = &vm->report->done;

    for (int64_t i = 0; le32_to_cpu(qatomic_load_acquire(done)) < boot; i++) {
        if (vm->qts && !qtest_probe_child(vm->qts)) {
            g_error("QEMU has ended before the guest was done");
        }
        if (i > (int64_t)PATIENCE_S * G_USEC_PER_SEC / POLL_US) {
            vm_hangs(vm);
        }
        g_usleep(POLL_US);
    }
    vm->boot = boot;
    /* now_ns() counts microseconds: the guest may be ahead by almost one. */
    vm->done_ns = now_ns() + 1000;
}

void vm_check_started(const Vm *vm, const Calls *calls)
{
    for (unsigned i = 1; i < calls->vcpus; i++) {
        uint64_t context = CALLS_CONTEXT | (calls->vcpus - 1) << 4 | i;
        uint64_t got = le64_to_cpu(vm->report->context[i]);
        struct CallResult result = vm_result(vm, 0, i - 1);

        if (result.state != CALL_DONE || result.x[0]) {
            g_autofree char *text = vm_result_text(&result);

            vm_fail("CPU_ON of vCPU %u: %s", i, text);
        }
        if (got != context) {
            vm_fail("vCPU %u was started with context id 0x%" PRIx64
                    ", not 0x%" PRIx64, i, got, context);
        }
    }
}

Vm *vm_run(const Setup *setup, const Calls *calls)
{
    Vm *vm = vm_start(setup, calls);

    vm_wait(vm, 1);
    vm_check_started(vm, calls);
    return vm;
}

static void wait_for_exit(GPid pid)
{
    int64_t deadline = g_get_monotonic_time() + PATIENCE_S * G_USEC_PER_SEC;
    int status;

    while (waitpid(pid, &status, WNOHANG) != pid) {
        if (g_get_monotonic_time() > deadline) {
            kill(pid, SIGKILL);
            g_error("QEMU does not end by itself");
        }
        g_usleep(POLL_US);
    }
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

Vm *vm_run_alone(const Setup *setup, const Calls *calls)
{
    g_autofree char *ram = vm_scratch("ram");
    g_autofree char *list = vm_scratch("list");
    g_autofree char *args = arguments(setup, calls, ram, list);
    const char *binary = getenv("QTEST_QEMU_BINARY");
    g_autofree char *command = g_strdup_printf("%s -display none %s", binary,
                                               args);
    g_auto(GStrv) argv = g_strsplit_set(command, " ", -1);
    g_autoptr(GError) err = NULL;
    Vm *vm = g_new0(Vm, 1);
    unsigned count = 0;
    GPid pid;

    /* Options that are not given leave two spaces, which make empty words. */
    for (unsigned i = 0; argv[i]; i++) {
        if (*argv[i]) {
            argv[count++] = argv[i];
        } else {
            g_free(argv[i]);
        }
    }
    argv[count] = NULL;

    vm->setup = *setup;
    vm->boot = 1;
    vm->report = make_ram(calls, ram);
    if (calls) {
        write_list(calls, list);
    }
    g_test_message("starting QEMU: %s", command);
    vm->started_ns = now_ns();
    g_spawn_async(NULL, argv, NULL,
                  G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH, NULL, NULL,
                  &pid, &err);
    g_assert_no_error(err);
    wait_for_exit(pid);
    vm_wait(vm, 1);
    return vm;
}

void vm_free(Vm *vm)
{
    if (!vm) {
        return;
    }
    if (vm->qts) {
        qtest_quit(vm->qts);
    }
    munmap(vm->report, CALLS_RAM + CALLS_RAM_SIZE - CALLS_REPORT);
    g_free(vm);
}

struct CallResult vm_result(const Vm *vm, unsigned vcpu, unsigned step)
{
    unsigned steps = le32_to_cpu(vm->report->steps);
    const struct CallResult *result = vm->report->result +
        ((vm->boot - 1) * CALLS_VCPUS + vcpu) * steps + step;

    g_assert_cmpuint(step, <, steps);
    return (struct CallResult) {
        .state = le32_to_cpu(result->state),
        .vector = le32_to_cpu(result->vector),
        .changed = le64_to_cpu(result->changed),
        .x = {
            le64_to_cpu(result->x[0]), le64_to_cpu(result->x[1]),
            le64_to_cpu(result->x[2]), le64_to_cpu(result->x[3]),
        },
        .syndrome = le64_to_cpu(result->syndrome),
        .pc = le64_to_cpu(result->pc),
        .fault = le64_to_cpu(result->fault),
    };
}

char *vm_result_text(const struct CallResult *result)
{
    g_autofree char *changed = result->changed ?
        g_strdup_printf(", and changed registers 0x%" PRIx64, result->changed)
        : g_strdup("");

    switch (result->state) {
    case CALL_NOT_RUN:
        return g_strdup("did not come back");
    case CALL_GAVE_UP:
        return g_strdup_printf("waited in vain; last: 0x%" PRIx64,
                               result->x[0]);
    case CALL_EXCEPTION:
        return g_strdup_printf("exception, vector %u, syndrome 0x%" PRIx64
                               ", PC 0x%" PRIx64 ", address 0x%" PRIx64,
                               result->vector, result->syndrome, result->pc,
                               result->fault);
    default:
        return g_strdup_printf("0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64
                               " 0x%" PRIx64 "%s", result->x[0], result->x[1],
                               result->x[2], result->x[3], changed);
    }
}

void vm_expect(const Vm *vm, unsigned vcpu, unsigned step,
               uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
    uint64_t mask = vm->setup.aarch32 ? UINT32_MAX : UINT64_MAX;
    struct CallResult result = vm_result(vm, vcpu, step);

    if (result.state != CALL_DONE || result.changed ||
        result.x[0] != (x0 & mask) || result.x[1] != (x1 & mask) ||
        result.x[2] != (x2 & mask) || result.x[3] != (x3 & mask)) {
        g_autofree char *text = vm_result_text(&result);

        vm_fail("vCPU %u, step %u: expected 0x%" PRIx64 " 0x%" PRIx64
                " 0x%" PRIx64 " 0x%" PRIx64 ", got %s", vcpu, step, x0 & mask,
                x1 & mask, x2 & mask, x3 & mask, text);
    }
}

void vm_fail(const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, format);
    text = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_test_message("%s", text);
    g_test_fail();
}
