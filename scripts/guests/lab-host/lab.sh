# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
#
# What an emulated host can be told; read by /init and by its shell.
#
# A VM called NAME has these files in /tmp:
#   NAME.in      FIFO, what its serial port reads
#   NAME.out     what its serial port wrote
#   NAME.err     what QEMU wrote
#   NAME.qmp     its monitor's socket
#   NAME.status  QEMU's exit status, once it has ended

# get FILE, put FILE: copy a file from and to the directory outside
get() {
    semi get "$1" >"$1.part" && mv "$1.part" "$1"
}

put() {
    semi put "$1" <"$1"
}

# vm_start NAME COMMAND...
vm_start() {
    vm=$1
    shift
    rm -f "$vm".*
    mkfifo "$vm.in"
    : >"$vm.out"
    (
        # Both directions: to open just one would wait for somebody to open
        # the other.
        exec 9<>"$vm.in"
        "$@" </dev/null >"$vm.err" 2>&1
        echo $? >"$vm.status.new"
        mv "$vm.status.new" "$vm.status"
    ) &
}

uptime_s() {
    read -r now _ </proc/uptime
    echo "${now%.*}"
}

# until_true SECONDS COMMAND...: status 1 if it never was
until_true() {
    deadline=$(($(uptime_s) + $1))
    shift
    until "$@"; do
        [ "$(uptime_s)" -le "$deadline" ] || return 1
        sleep 0.05
    done
}

ended_or_monitor() {
    [ -e "$1.status" ] || [ -S "$1.qmp" ]
}

# vm_monitor NAME SECONDS: status 1 if QEMU ended before it had one
vm_monitor() {
    until_true "$2" ended_or_monitor "$1" && [ ! -e "$1.status" ]
}

ended() {
    [ -e "$1.status" ]
}

# vm_ended NAME SECONDS: waits for it, prints status and messages
vm_ended() {
    until_true "$2" ended "$1" || return 1
    cat "$1.status" "$1.err"
}

# last_crash: where the last program that crashed was
last_crash() {
    dmesg | grep -E ' (unhandled|pc :|lr :)|: unhandled ' | tail -n 3 |
        sed 's/^\[ *[0-9.]*\] //' | tr '\n' ';'
}

# vm_output NAME OFFSET: what it wrote to its serial port from there on
#
# Without carriage returns, not counted either: they do not get through this
# host's own console unchanged.
vm_output() {
    tr -d '\r' <"$1.out" | tail -c "+$(($2 + 1))"
}

wrote_or_ended() {
    vm_output "$1" "$2" | grep -Eq "$3" || ended "$1"
}

# vm_await NAME OFFSET SECONDS PATTERN: the output from there on, as soon as
# it has such a line; status 1 if it never has
vm_await() {
    until_true "$3" wrote_or_ended "$1" "$2" "$4"
    vm_output "$1" "$2"
    vm_output "$1" "$2" | grep -Eq "$4"
}

# vm_write NAME TEXT: to its serial port, where "\n" is a new line
vm_write() {
    # As above: nobody may be there to read.
    printf '%b' "$2" 1<>"$1.in"
}

# bridge: br0, whose address and MAC are the same on every host, since a guest
# that has moved still knows them; and what answers there
bridge() {
    brctl addbr br0
    # Else a new port carries nothing for fifteen seconds.
    echo 0 >/sys/class/net/br0/bridge/forward_delay
    ip link set br0 address 02:00:00:00:00:01
    ip addr add 192.0.2.1/24 dev br0
    ip link set br0 up
    nc -ll -p 7 -e cat </dev/null >/dev/null 2>&1 &
}

# attach TAP: connects a VM's TAP device to br0
attach() {
    [ -e /sys/class/net/br0 ] || bridge
    brctl addif br0 "$1" && ip link set "$1" up
}
