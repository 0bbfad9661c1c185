/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 qemu-hvc contributors */
#include "trace/trace-migration_guest_abi.h"
