# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What moves the project to another QEMU begins with; see scripts/port."""
