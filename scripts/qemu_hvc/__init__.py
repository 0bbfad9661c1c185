# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What the Python programs of scripts/ and scripts/tests/ share.

Imports run one way: those programs import this package, and nothing in it
imports them. Of the packages in it, lab, bench and golden import its modules.
"""
