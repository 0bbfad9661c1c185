/*
 * The host that a test shares with its VMs: its CPUs, and who waits for them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TESTS_QTEST_HVC_CALLS_HOST_H
#define TESTS_QTEST_HVC_CALLS_HOST_H

#include <sched.h>

/*
 * For alarm(), at the beginning of a test: seconds after which SIGALRM ends the
 * test program, because libqtest waits for QEMU without a limit. Most tests
 * take a second or two, and ten times that on a busy host.
 */
#define HANG_S 150

/**
 * host_end_on_alarm: let SIGALRM end QEMU and the test program
 */
void host_end_on_alarm(void);

/**
 * HostCpus: the host CPUs that the test program may run on
 * @before: those CPUs, before host_use_one_cpu()
 * @changed: host_use_one_cpu() has had an effect
 */
typedef struct HostCpus {
    cpu_set_t before;
    bool changed;
} HostCpus;

/**
 * host_use_one_cpu: let this process, and what it starts, share one host CPU
 *
 * Busy vCPUs that share a host CPU steal each other's time.
 *
 * Returns: for host_use_all_cpus(); HostCpus.changed is false if the process
 * may not choose its CPUs.
 */
HostCpus host_use_one_cpu(void);

/**
 * host_use_all_cpus: take host_use_one_cpu() back
 * @cpus: what it returned
 */
void host_use_all_cpus(const HostCpus *cpus);

/**
 * host_counts_run_delay: does the host's kernel count how long a thread that
 * could run waits for a CPU?
 *
 * Returns: false for a kernel without CONFIG_SCHED_INFO, where stolen time is
 * always 0.
 */
bool host_counts_run_delay(void);

#endif
