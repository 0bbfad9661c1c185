/*
 * What differs between the QEMU versions that these files are built in
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Written for QEMU 10.0; holds the names that moved since QEMU 7.2.
 */

#ifndef TARGET_ARM_HVC_COMPAT_H
#define TARGET_ARM_HVC_COMPAT_H

#if __has_include("system/runstate.h")
#include "system/replay.h"
#include "system/reset.h"
#include "system/runstate.h"
#else
#include "sysemu/replay.h"
#include "sysemu/reset.h"
#include "sysemu/runstate.h"
#endif

/* icount_enabled() */
#if __has_include("exec/icount.h")
#include "exec/icount.h"
#elif __has_include("system/cpu-timers.h")
#include "system/cpu-timers.h"
#else
#include "sysemu/cpu-timers.h"
#endif

/* memory_region_*() */
#if __has_include("system/memory.h")
#include "system/memory.h"
#else
#include "exec/memory.h"
#endif

/* cpu_loop_exit() */
#if __has_include("accel/tcg/cpu-loop.h")
#include "accel/tcg/cpu-loop.h"
#else
#include "exec/exec-all.h"
#endif

#endif
