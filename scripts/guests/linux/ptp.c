/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Reads a guest's PTP clock: busybox has no tool for it.
 *
 * Freestanding, because a cross compiler is all there is: no arm64 C library
 * and no arm64 kernel headers. The ABI below is include/uapi/linux/ptp_clock.h
 * and the generic system call table.
 *
 *   ptp serve          for each line on stdin, one line: the clock in ns; the
 *                      one who asks times the round trip. Ends at "q" or EOF.
 *   ptp pair ROUNDS    for each round, two lines, all values in ns:
 *                        bracket RAW PTP RAW
 *                            the clock, between two readings of
 *                            CLOCK_MONOTONIC_RAW
 *                        cross PTP REALTIME RAW
 *                            PTP_SYS_OFFSET_PRECISE: the clock, and what the
 *                            guest's own clocks showed at the counter value
 *                            that came with it
 *                      or "cross error ERRNO". None with 0 ROUNDS, which
 *                      only tells whether there is a clock.
 */

#define PTP_DEVICE              "/dev/ptp0"
#define CLOCK_MONOTONIC_RAW     4
#define FD_TO_CLOCKID(fd)       ((~(long)(fd) << 3) | 3)
#define PTP_SYS_OFFSET_PRECISE  0xc0403d08ul    /* _IOWR('=', 8, 64 bytes) */
#define AT_FDCWD                (-100)
#define EBUSY                   16
#define EINVAL                  22

enum {
    SYS_IOCTL = 29,
    SYS_OPENAT = 56,
    SYS_READ = 63,
    SYS_WRITE = 64,
    SYS_EXIT = 93,
    SYS_CLOCK_GETTIME = 113,
};

struct timespec {
    long sec;
    long nsec;
};

struct ptp_clock_time {
    long long sec;
    unsigned int nsec;
    unsigned int reserved;
};

struct ptp_sys_offset_precise {
    struct ptp_clock_time device;
    struct ptp_clock_time realtime;
    struct ptp_clock_time raw;
    unsigned int reserved[4];
};

_Static_assert(sizeof(struct ptp_sys_offset_precise) == 64,
               "the size is part of the ioctl's number");

static long syscall3(long number, long a, long b, long c)
{
    register long x8 asm("x8") = number;
    register long x0 asm("x0") = a;
    register long x1 asm("x1") = b;
    register long x2 asm("x2") = c;

    asm volatile("svc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x8) : "memory");
    return x0;
}

static _Noreturn void exit_with(int status)
{
    for (;;) {
        syscall3(SYS_EXIT, status, 0, 0);
    }
}

/* One write() per line, so that no other output gets in between. */
static struct {
    char text[160];
    int len;
} line;

static void put_string(const char *s)
{
    while (*s) {
        line.text[line.len++] = *s++;
    }
}

static void put_number(long long value)
{
    char digits[20];
    int n = 0;

    if (value < 0) {
        put_string("-");
        value = -value;
    }
    do {
        digits[n++] = '0' + value % 10;
        value /= 10;
    } while (value);
    while (n) {
        line.text[line.len++] = digits[--n];
    }
}

static void put_field(long long value)
{
    put_string(" ");
    put_number(value);
}

static void end_line(int fd)
{
    put_string("\n");
    syscall3(SYS_WRITE, fd, (long)line.text, line.len);
    line.len = 0;
}

static _Noreturn void fail(const char *what, long error)
{
    put_string("ptp: ");
    put_string(what);
    put_string(": error");
    put_field(-error);
    end_line(2);
    exit_with(1);
}

static long long clock_ns(long clock)
{
    struct timespec t;
    long ret = syscall3(SYS_CLOCK_GETTIME, clock, (long)&t, 0);

    if (ret < 0) {
        fail("clock_gettime", ret);
    }
    return t.sec * 1000000000ll + t.nsec;
}

static long long ptp_ns(const struct ptp_clock_time *t)
{
    return t->sec * 1000000000ll + t->nsec;
}

static void serve(long clock)
{
    int quit = 0;
    char c;

    /* To the end of the "q" line: what is left would be the shell's input. */
    while (syscall3(SYS_READ, 0, (long)&c, 1) == 1 && !(quit && c == '\n')) {
        if (c == 'q') {
            quit = 1;
        } else if (c == '\n') {
            put_number(clock_ns(clock));
            end_line(1);
        }
    }
}

static void pair(long fd, int rounds)
{
    static struct ptp_sys_offset_precise offset;

    while (rounds-- > 0) {
        long tries = 100;
        long long before, now, after;
        long ret;

        before = clock_ns(CLOCK_MONOTONIC_RAW);
        now = clock_ns(FD_TO_CLOCKID(fd));
        after = clock_ns(CLOCK_MONOTONIC_RAW);
        put_string("bracket");
        put_field(before);
        put_field(now);
        put_field(after);
        end_line(1);

        /*
         * The kernel refuses a counter value that is older than the last
         * timer tick; a tick in between is bad luck, not an error.
         */
        do {
            ret = syscall3(SYS_IOCTL, fd, PTP_SYS_OFFSET_PRECISE,
                           (long)&offset);
        } while ((ret == -EINVAL || ret == -EBUSY) && --tries > 0);
        put_string("cross");
        if (ret < 0) {
            put_string(" error");
            put_field(-ret);
        } else {
            put_field(ptp_ns(&offset.device));
            put_field(ptp_ns(&offset.realtime));
            put_field(ptp_ns(&offset.raw));
        }
        end_line(1);
    }
}

static int to_number(const char *s)
{
    int n = 0;

    while (*s >= '0' && *s <= '9') {
        n = n * 10 + *s++ - '0';
    }
    return n;
}

/* stack: argc, argv[0], ... as the kernel leaves it */
static _Noreturn void __attribute__((used)) run(const long *stack)
{
    long argc = stack[0];
    char *const *argv = (char *const *)(stack + 1);
    long fd = syscall3(SYS_OPENAT, AT_FDCWD, (long)PTP_DEVICE, 0);

    if (fd < 0) {
        fail("cannot open " PTP_DEVICE, fd);
    }
    if (argc == 2 && argv[1][0] == 's') {
        serve(FD_TO_CLOCKID(fd));
    } else if (argc == 3 && argv[1][0] == 'p') {
        pair(fd, to_number(argv[2]));
    } else {
        put_string("usage: ptp serve | ptp pair ROUNDS");
        end_line(2);
        exit_with(2);
    }
    exit_with(0);
}

asm(".global _start\n"
    "_start:\n"
    "    mov x0, sp\n"
    "    b run\n");
