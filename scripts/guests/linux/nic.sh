# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
#
# What can be asked of a Linux guest with a NIC; read by /init if it is there.
# The host has these addresses, and echoes TCP's port 7.

host=192.0.2.1
guest=192.0.2.2

# nic_up: from then on the guest pings its host, five times a second
nic_up() {
    ip link set lo up
    ip link set eth0 up
    ip addr add "$guest/24" dev eth0
    ping -i 0.2 "$host" </dev/null >/tmp/ping 2>&1 &
}

# virtio: each virtio device's driver, and the features that it negotiated: a
# digit for each, that of bit 0 first
virtio() {
    for device in /sys/bus/virtio/devices/*; do
        driver=$(readlink "$device/driver")
        echo "${driver##*/}=$(cat "$device/features")"
    done
}

replies() {
    grep -c 'seq=' /tmp/ping
}

# traffic: waits until replies have come since it was called; how many came
# since nic_up, and how many of those before the last one did not
traffic() {
    wanted=$(($(replies) + 5))
    tries=0
    until [ "$(replies)" -ge "$wanted" ] || [ "$tries" -ge 300 ]; do
        sleep 0.2
        tries=$((tries + 1))
    done
    echo "goes_on=$(($(replies) >= wanted))"
    awk -F'seq=' 'NF > 1 { last = $2 + 0; replies += !seen[last]++ }
        END { print "replies=" replies + 0; print "lost=" last + 1 - replies }
        ' /tmp/ping
}

data() {
    head -c 262144 /bin/busybox
}

# echo_tcp: a quarter of a megabyte to the host, and back
echo_tcp() {
    echo "sent=$(data | md5sum)"
    echo "came=$(data | timeout 60 nc "$host" 7 | md5sum)"
}
