# SPDX-License-Identifier: GPL-2.0-or-later
"""What QEMU says, kept in files; see scripts/update-golden."""
