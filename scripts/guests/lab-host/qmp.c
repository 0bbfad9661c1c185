/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 *   qmp SOCKET SECONDS COMMAND...
 *   qmp SOCKET SECONDS --event NAME SHELL
 *   qmp SOCKET SECONDS --time COUNT COMMAND
 *
 * Gives commands (JSON) to the monitor of a QEMU and prints the answer to
 * each, a line of JSON. With --event, runs a command of the shell instead, and
 * prints the event that follows. With --time, gives the command that often, and
 * prints the microseconds until each answer. All understanding is the caller's.
 * Exit status: 1 if the monitor went away, 2 if it did not answer in time.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static FILE *from;
static int to;

static void fail(int status, const char *what)
{
    fprintf(stderr, "qmp: %s\n", what);
    exit(status);
}

static void connect_to(const char *path, time_t seconds)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct timeval patience = { .tv_sec = seconds };

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    to = socket(AF_UNIX, SOCK_STREAM, 0);
    if (to < 0 || connect(to, (void *)&address, sizeof(address))) {
        fail(1, strerror(errno));
    }
    setsockopt(to, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    from = fdopen(to, "r");
    if (!from) {
        fail(1, strerror(errno));
    }
}

/* The next line that starts with one of these, in a buffer of getline()'s */
static const char *await(const char *const *starts)
{
    static char *line;
    static size_t size;

    for (;;) {
        errno = 0;
        if (getline(&line, &size, from) < 0) {
            fail(errno == EAGAIN ? 2 : 1,
                 errno == EAGAIN ? "no answer" : "QEMU closed its monitor");
        }
        for (const char *const *start = starts; *start; start++) {
            if (!strncmp(line, *start, strlen(*start))) {
                return line;
            }
        }
    }
}

static const char *command(const char *text)
{
    static const char *const answers[] = {
        "{\"return\"", "{\"error\"", NULL
    };

    if (dprintf(to, "%s\n", text) < 0) {
        fail(1, "QEMU closed its monitor");
    }
    return await(answers);
}

static const char *event(const char *name, const char *shell)
{
    static const char *const events[] = { "{\"timestamp\"", NULL };
    char wanted[64];
    const char *line;

    snprintf(wanted, sizeof(wanted), "\"event\": \"%s\"", name);
    if (system(shell)) {
        fail(1, "the shell's command failed");
    }
    do {
        line = await(events);
    } while (!strstr(line, wanted));
    return line;
}

static long long microseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000ll + now.tv_nsec / 1000;
}

static void time_command(int count, const char *text)
{
    for (int i = 0; i < count; i++) {
        long long start = microseconds();

        command(text);
        printf("%lld\n", microseconds() - start);
    }
}

int main(int argc, char **argv)
{
    static const char *const greeting[] = { "{\"QMP\"", NULL };

    if (argc < 4) {
        fail(1, "usage: qmp SOCKET SECONDS COMMAND...");
    }
    connect_to(argv[1], atoi(argv[2]));
    await(greeting);
    command("{\"execute\": \"qmp_capabilities\"}");
    if (argc == 6 && !strcmp(argv[3], "--event")) {
        fputs(event(argv[4], argv[5]), stdout);
        return 0;
    }
    if (argc == 6 && !strcmp(argv[3], "--time")) {
        time_command(atoi(argv[4]), argv[5]);
        return 0;
    }
    for (int i = 3; i < argc; i++) {
        fputs(command(argv[i]), stdout);
    }
    return 0;
}
