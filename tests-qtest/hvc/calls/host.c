/*
 * The host that a test shares with its VMs: its CPUs, and who waits for them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "host.h"

static void hang(int signal)
{
    static const char text[] = "# a test hangs\n";

    /* abort() has libqtest end QEMU, whether the text was written or not. */
    if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0) {
        abort();
    }
    abort();
}

void host_end_on_alarm(void)
{
    const struct sigaction on_alarm = { .sa_handler = hang };

    sigaction(SIGALRM, &on_alarm, NULL);
}

HostCpus host_use_one_cpu(void)
{
    HostCpus cpus = { };
    cpu_set_t one;
    int cpu = 0;

    if (sched_getaffinity(0, sizeof(cpus.before), &cpus.before)) {
        return cpus;
    }
    while (!CPU_ISSET(cpu, &cpus.before)) {
        cpu++;
    }
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    cpus.changed = !sched_setaffinity(0, sizeof(one), &one);
    return cpus;
}

void host_use_all_cpus(const HostCpus *cpus)
{
    if (cpus->changed) {
        sched_setaffinity(0, sizeof(cpus->before), &cpus->before);
    }
}

bool host_counts_run_delay(void)
{
    g_autofree char *text = NULL;

    /* A kernel without CONFIG_SCHED_INFO has the file, with zeros in it. */
    return g_file_get_contents("/proc/self/schedstat", &text, NULL, NULL) &&
           !g_str_has_prefix(text, "0 0 ");
}
