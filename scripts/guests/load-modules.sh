# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
#
# Loads what /modules/order names; read by the /init of hosts and guests.
# qemu_hvc/lab/modules.py makes that folder.

while read -r module; do
    insmod "/modules/$module" || echo "insmod: $module of $(uname -r) failed"
done </modules/order
