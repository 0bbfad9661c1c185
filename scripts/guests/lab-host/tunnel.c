/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Stream sockets from one emulated host to another, without a network
 *
 *   tunnel accept SOCKET PREFIX     on the host that connects
 *   tunnel connect SOCKET PREFIX    on the host that listens at SOCKET
 *
 * Both have the same PREFIX, a path outside. What comes out of connection N on
 * the one side goes into the file PREFIX.N.up, and from there into a connection
 * on the other; PREFIX.N.down is the way back. A file that grows never blocks,
 * unlike a FIFO, which would stop the emulated host as a whole. PREFIX.N.up.end
 * says that no more will come.
 */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "semihosting.h"

#define NAME_SIZE 300
#define POLL_US   1000

static char buffer[1 << 18];

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "tunnel: %s %s: %s\n", what, name, strerror(errno));
    exit(1);
}

static void name_file(char *name, const char *prefix, unsigned number,
                      const char *suffix)
{
    snprintf(name, NAME_SIZE, "%s.%u.%s", prefix, number, suffix);
}

static void socket_to_file(int fd, const char *name)
{
    int64_t file = outside_open(name, MODE_WRITE);
    char end[NAME_SIZE + 4];
    ssize_t size;

    if (file < 0) {
        fail("cannot create", name);
    }
    while ((size = read(fd, buffer, sizeof(buffer))) > 0) {
        if (outside_write(file, buffer, size)) {
            fail("cannot write to", name);
        }
    }
    outside_close(file);
    snprintf(end, sizeof(end), "%s.end", name);
    outside_close(outside_open(end, MODE_WRITE));
}

static int64_t await_file(const char *name)
{
    int64_t file;

    while ((file = outside_open(name, MODE_READ)) < 0) {
        usleep(POLL_US);
    }
    return file;
}

static bool exists(const char *name)
{
    int64_t file = outside_open(name, MODE_READ);

    if (file < 0) {
        return false;
    }
    outside_close(file);
    return true;
}

static bool send_all(int fd, const char *data, ssize_t size)
{
    while (size > 0) {
        ssize_t sent = write(fd, data, size);

        if (sent < 0) {
            return false;
        }
        data += sent;
        size -= sent;
    }
    return true;
}

static void file_to_socket(const char *name, int fd)
{
    int64_t file = await_file(name);
    char end[NAME_SIZE + 4];
    bool ended = false;

    snprintf(end, sizeof(end), "%s.end", name);
    for (;;) {
        int64_t size = outside_read(file, buffer, sizeof(buffer));

        if (size < 0 || (size > 0 && !send_all(fd, buffer, size))) {
            break;
        }
        if (!size) {
            if (ended) {
                break;
            }
            /* What was written before the end was is yet to be read. */
            ended = exists(end);
            if (!ended) {
                usleep(POLL_US);
            }
        }
    }
    shutdown(fd, SHUT_WR);
    outside_close(file);
}

/* Both ways of a connection, each by a process of its own */
static void relay(int fd, const char *prefix, unsigned number, const char *out,
                  const char *in)
{
    char name[NAME_SIZE];
    bool reader = !fork();

    memset(buffer, 1, sizeof(buffer));
    name_file(name, prefix, number, reader ? out : in);
    if (reader) {
        socket_to_file(fd, name);
    } else {
        file_to_socket(name, fd);
    }
    exit(0);
}

static int unix_socket(const char *path, struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    *address = (struct sockaddr_un) { .sun_family = AF_UNIX };
    snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
    if (fd < 0) {
        fail("no socket for", path);
    }
    return fd;
}

static void accept_all(const char *path, const char *prefix)
{
    struct sockaddr_un address;
    int listener = unix_socket(path, &address);

    if (bind(listener, (void *)&address, sizeof(address)) ||
        listen(listener, 32)) {
        fail("cannot listen at", path);
    }
    for (unsigned number = 0;; number++) {
        int fd = accept(listener, NULL, NULL);

        if (fd < 0) {
            fail("cannot accept at", path);
        }
        if (!fork()) {
            relay(fd, prefix, number, "up", "down");
        }
        close(fd);
    }
}

static void connect_all(const char *path, const char *prefix)
{
    for (unsigned number = 0;; number++) {
        struct sockaddr_un address;
        char name[NAME_SIZE];
        int fd;

        name_file(name, prefix, number, "up");
        outside_close(await_file(name));
        fd = unix_socket(path, &address);
        if (connect(fd, (void *)&address, sizeof(address))) {
            fail("cannot connect to", path);
        }
        if (!fork()) {
            relay(fd, prefix, number, "down", "up");
        }
        close(fd);
    }
}

int main(int argc, char **argv)
{
    /* Children's children are nobody's to wait for. */
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    memset(buffer, 1, sizeof(buffer));
    if (argc == 4 && !strcmp(argv[1], "accept")) {
        accept_all(argv[2], argv[3]);
    } else if (argc == 4 && !strcmp(argv[1], "connect")) {
        connect_all(argv[2], argv[3]);
    }
    fprintf(stderr, "usage: tunnel accept|connect SOCKET PREFIX\n");
    return 1;
}
