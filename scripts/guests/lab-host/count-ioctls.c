/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 *   count-ioctls FILE COMMAND...
 *
 * Runs a QEMU and counts its accesses to KVM's registers, by direction and
 * class, in FILE: one line "get-fw N set-fw N get-bmap N set-bmap N get-other
 * N set-other N", kept up to date. strace shows these ioctls, but not the
 * register: that is behind a pointer which it does not follow.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>

enum Class { FIRMWARE, BITMAP, OTHER, CLASSES };
enum Direction { GET, SET, DIRECTIONS };

static unsigned long count[CLASSES][DIRECTIONS];
static int output;

static void fail(const char *what)
{
    fprintf(stderr, "count-ioctls: %s: %s\n", what, strerror(errno));
    exit(1);
}

static enum Class class_of(uint64_t id)
{
    switch ((id >> 16) & 0xfff) {
    case 0x14:
        return FIRMWARE;
    case 0x16:
        return BITMAP;
    default:
        return OTHER;
    }
}

static void publish(void)
{
    char line[200];
    int size = snprintf(line, sizeof(line),
        "get-fw %lu set-fw %lu get-bmap %lu set-bmap %lu get-other %lu "
        "set-other %lu\n",
        count[FIRMWARE][GET], count[FIRMWARE][SET], count[BITMAP][GET],
        count[BITMAP][SET], count[OTHER][GET], count[OTHER][SET]);

    if (pwrite(output, line, size, 0) != size) {
        fail("cannot write the counts");
    }
}

static void count_ioctl(pid_t thread)
{
    struct __ptrace_syscall_info info;
    struct kvm_one_reg reg;
    struct iovec here = { &reg, sizeof(reg) };
    struct iovec there = { .iov_len = sizeof(reg) };

    /* The thread may have been killed meanwhile. */
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_SECCOMP) {
        return;
    }
    there.iov_base = (void *)(uintptr_t)info.seccomp.args[2];
    if (process_vm_readv(thread, &here, 1, &there, 1, 0) != sizeof(reg)) {
        fail("cannot read a struct kvm_one_reg");
    }
    count[class_of(reg.id)]
         [(uint32_t)info.seccomp.args[1] == KVM_SET_ONE_REG ? SET : GET]++;
    publish();
}

/* The signal that the thread is to get */
static int handle_stop(pid_t thread, int status)
{
    int signal = WSTOPSIG(status);

    if (status >> 16 == PTRACE_EVENT_SECCOMP) {
        count_ioctl(thread);
    }
    /* An event of ptrace's, or the stop of a new thread */
    return status >> 16 || signal == SIGSTOP ? 0 : signal;
}

static int trace(pid_t child)
{
    int status;

    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);

        if (thread < 0) {
            fail("waitpid");
        }
        if (WIFSTOPPED(status)) {
            ptrace(PTRACE_CONT, thread, 0, (long)handle_stop(thread, status));
        } else if (thread == child) {
            return WIFEXITED(status) ? WEXITSTATUS(status) :
                                       128 + WTERMSIG(status);
        }
    }
}

/*
 * Lets the kernel stop the process at these ioctls only: a stop at each
 * system call would make it a hundred times slower.
 */
static void stop_at_register_accesses(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 4),
        /* The lower half of the second argument */
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, KVM_GET_ONE_REG, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, KVM_SET_ONE_REG, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {
        .len = sizeof(filter) / sizeof(*filter),
        .filter = filter,
    };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        fail("cannot filter system calls");
    }
}

/* Stop and go on is a change of threads then, not of CPUs: far cheaper. */
static void stay_on_one_cpu(void)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(0, &one);
    if (sched_setaffinity(0, sizeof(one), &one)) {
        fail("cannot stay on one CPU");
    }
}

int main(int argc, char **argv)
{
    const long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE |
                         PTRACE_O_EXITKILL;
    int status;
    pid_t child;

    if (argc < 3) {
        fprintf(stderr, "usage: count-ioctls FILE COMMAND...\n");
        return 1;
    }
    output = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (output < 0) {
        fail(argv[1]);
    }
    publish();
    stay_on_one_cpu();
    child = fork();
    if (!child) {
        raise(SIGSTOP);
        stop_at_register_accesses();
        execvp(argv[2], argv + 2);
        fail(argv[2]);
    }
    if (child < 0 || waitpid(child, &status, WUNTRACED) != child ||
        ptrace(PTRACE_SEIZE, child, 0, options)) {
        fail("cannot trace");
    }
    kill(child, SIGCONT);
    return trace(child);
}
