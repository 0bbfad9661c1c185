# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The KVM lab: real KVM/arm64 kernels as emulated hosts; see scripts/kvm-lab.

common      errors, progress, files that are made once
kernels     which kernels there are
qemu_build  the QEMU that runs inside a host
programs    the other programs inside a host, and its initramfs
processes   the hosts' QEMUs, which end with the program
host        an emulated host, driven by shell commands
vm          a KVM guest inside a host
guest_kind  what VMs run
bare_guest  the bare-metal guest and what it answers
cpuid_guest x86 guests that execute what CPUID told them of
verdict     what became of a migration
journeys    a guest that goes from host to host
journey_table
            which journeys there are
kept        of which programs results are
journey_set results of journeys that are kept
places      the hosts of journeys
moves       the ways to move a guest
spots       the hosts of a matrix, and the profile of a fleet
matrix      every kernel to every kernel
matrix_set  matrices that are kept, and shown in the manual
matrix_table
            which matrices the manual has
render      the matrix as text and as SVG
page        results in the manual
live        live migration, reboot, CPU hotplug, snapshots inside one host
nic         Linux guests with a NIC, whose backends are in the kernel
linux       what a Linux guest finds
fleet       what guest-abi-probe says on each kernel
ioctls      how often registers are touched
downtime    how long a guest is stopped while it moves
x86         x86 hosts, and VMs that look after XSAVE components
modules     kernel modules that a host or a guest loads
backends    what a kernel's backends of virtio devices offer
firmware    which firmware registers a kernel has
commands    what the commands of scripts/kvm-lab do
cli         their options and help
"""
