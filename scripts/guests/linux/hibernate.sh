# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
#
# Hibernation of a Linux guest to its disk vda, and what shows that it is the
# same system that goes on; read when a guest has booted.

# resume: what hibernated to the disk goes on in this kernel's place. Returns if
# nothing hibernated; /sys/power/resume then names the disk, for hibernate.
resume() {
    cat /sys/class/block/vda/dev >/sys/power/resume
}

# hibernate: off by the firmware; returns when the system has been resumed
hibernate() {
    mkswap /dev/vda >/dev/null && swapon /dev/vda &&
        echo shutdown >/sys/power/disk && echo disk >/sys/power/state &&
        swapoff /dev/vda
}

# remember: from the first time on there is a secret in this shell, and a process
# that counts and knows it, too
remember() {
    [ -z "$secret" ] || return 0
    secret=$(head -c 16 /dev/urandom | md5sum | cut -c1-32)
    echo "$secret 0" >/tmp/count
    (
        count=0
        while sleep 0.1; do
            count=$((count + 1))
            echo "$secret $count" >/tmp/count.new
            mv /tmp/count.new /tmp/count
        done
    ) &
}

# counted: what that process of this secret has counted so far
counted() {
    awk -v secret="$secret" '$1 == secret { count = $2 } END { print count + 0 }
        ' /tmp/count
}

# recall: waits until that process has gone on since it was called
recall() {
    before=$(counted)
    tries=0
    until [ "$(counted)" -gt "$before" ] || [ "$tries" -ge 300 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    echo "boot_id=$(cat /proc/sys/kernel/random/boot_id)"
    echo "secret=$secret"
    echo "goes_on=$(($(counted) > before))"
}
