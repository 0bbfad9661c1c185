# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
#
# What can be asked inside the Linux guest; read by /init and by its shell.

# The first kernel message that matches, without its time
message() {
    dmesg | sed -n 's/^\[[^]]*\] *//; /'"$1"'/{p;q}'
}

# The errata that Linux works around, as its messages name them
errata() {
    dmesg | sed -n 's/.*CPU features: detected: \(ARM errat.*\)/\1/p' | sort -u |
        tr '\n' ';'
}

# midrs: MIDR_EL1 of each CPU, as the kernel tells programs, in a line
midrs() {
    cat /sys/devices/system/cpu/cpu*/regs/identification/midr_el1 | xargs
}

# What Linux found out about its hypervisor, as key=value lines. An empty value
# means: not there.
report() {
    echo "kernel=$(uname -r)"
    echo "cpus=$(grep -c ^processor /proc/cpuinfo)"
    echo "psci=$(message '^psci: PSCIv')"
    echo "smccc=$(message '^psci: SMC Calling Convention')"
    echo "vendor=$(message '^smccc: ')"
    echo "implementations=$(message '^smccc: KVM: Number of target impl')"
    echo "errata=$(errata)"
    echo "midr=$(cat /sys/devices/system/cpu/cpu0/regs/identification/midr_el1)"
    echo "steal_time=$(message '^arm-pv: ')"
    echo "trng_device=$(ls -d /sys/devices/platform/smccc_trng 2>/dev/null)"
    echo "rng_available=$(cat /sys/class/misc/hw_random/rng_available)"
    echo "rng_current=$(cat /sys/class/misc/hw_random/rng_current)"
    echo "ptp_devices=$(ls /sys/class/ptp)"
    echo "ptp_name=$(cat /sys/class/ptp/ptp0/clock_name 2>/dev/null)"
}

# rng BYTES: reads that many from /dev/hwrng
rng() {
    dd if=/dev/hwrng of=/tmp/rng bs=4096 count=$(($1 / 4096)) iflag=fullblock \
        2>/dev/null
    echo "bytes=$(wc -c </tmp/rng)"
    # Random bytes do not compress; a constant or a repeated block does.
    echo "compressed=$(gzip -c /tmp/rng | wc -c)"
    echo "digest=$(md5sum </tmp/rng | cut -d' ' -f1)"
}

# The stolen time of all CPUs together, then of each, in ticks of 10 ms
steal() {
    awk '/^cpu/ { print $1 "=" $9 }' /proc/stat
}

# busy SECONDS: keeps every CPU busy
busy() {
    for _ in $(seq "$(nproc)"); do
        timeout "$1" sh -c 'while :; do :; done' &
    done
    wait
}
