/*
 * What differs between the QEMU versions that these files are built in
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Written for QEMU 10.0; holds the names that moved from QEMU 7.2 to 10.2. The
 * header is here because every part of the project may include what is in
 * migration/.
 */

#ifndef MIGRATION_QEMU_COMPAT_H
#define MIGRATION_QEMU_COMPAT_H

#define QEMU_SINCE(major, minor) \
    (QEMU_VERSION_MAJOR > (major) || \
     (QEMU_VERSION_MAJOR == (major) && QEMU_VERSION_MINOR >= (minor)))

#if QEMU_SINCE(10, 0)
#include "qobject/qdict.h"
#include "qobject/qjson.h"
#include "qobject/qlist.h"
#include "qobject/qnum.h"
#include "qobject/qstring.h"
#include "system/hostmem.h"
#include "system/kvm.h"
#include "system/qtest.h"
#include "system/replay.h"
#include "system/reset.h"
#include "system/runstate.h"
#include "system/system.h"
#include "system/tcg.h"
#else
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qjson.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qnum.h"
#include "qapi/qmp/qstring.h"
#include "sysemu/hostmem.h"
#include "sysemu/kvm.h"
#include "sysemu/qtest.h"
#include "sysemu/replay.h"
#include "sysemu/reset.h"
#include "sysemu/runstate.h"
#include "sysemu/sysemu.h"
#include "sysemu/tcg.h"
#endif

#if !QEMU_SINCE(9, 0)
/* qemu/main-loop.h */
#define bql_lock qemu_mutex_lock_iothread
#define bql_unlock qemu_mutex_unlock_iothread
#endif

/* memory_region_*(), get_system_memory() */
#if QEMU_SINCE(10, 1)
#include "system/address-spaces.h"
#include "system/memory.h"
#else
#include "exec/address-spaces.h"
#include "exec/memory.h"
#endif

#if defined(COMPILING_PER_TARGET) || defined(NEED_CPU_H)
/* icount_enabled(); cpu_loop_exit() */
#if QEMU_SINCE(10, 1)
#include "exec/cpu-common.h"
#include "exec/icount.h"
#else
#if QEMU_SINCE(10, 0)
#include "system/cpu-timers.h"
#else
#include "sysemu/cpu-timers.h"
#endif
#include "exec/exec-all.h"
#endif
#endif /* per target */

/*
 * Is a guest offered a virtio feature, and has it accepted it? From QEMU 10.2
 * on features have up to 128 bits; hw/virtio/virtio.h
 */
#if QEMU_SINCE(10, 2)
#define virtio_offers(vdev, bit) \
    virtio_has_feature_ex((vdev)->host_features_ex, bit)
#define virtio_acked(vdev, bit) \
    virtio_has_feature_ex((vdev)->guest_features_ex, bit)
#else
#define virtio_offers(vdev, bit) \
    ((bit) < 64 && virtio_has_feature((vdev)->host_features, bit))
#define virtio_acked(vdev, bit) \
    ((bit) < 64 && virtio_has_feature((vdev)->guest_features, bit))
#endif

/*
 * Does a source take its VM back if the destination fails before it has loaded
 * the devices of postcopy? migration/migration.c
 */
#define compat_postcopy_comes_back() QEMU_SINCE(10, 2)

/* struct kvm_run of linux/kvm.h */
#if QEMU_SINCE(8, 1)
#define hvc_hypercall_flags(run) ((run)->hypercall.flags)
#else
#define hvc_hypercall_flags(run) ((run)->hypercall.longmode)
#endif

/* qom/object.h: what class_init has a pointer to */
#if QEMU_SINCE(10, 1)
typedef const void ClassInitData;
#else
typedef void ClassInitData;
#endif

/* migration/vmstate.h; what failed has an Error as well, which nobody wants */
#if QEMU_SINCE(10, 2)
#define compat_vmstate_load_state(file, vmsd, opaque, version) \
    vmstate_load_state(file, vmsd, opaque, version, NULL)
#define compat_vmstate_save_state(file, vmsd, opaque) \
    vmstate_save_state(file, vmsd, opaque, NULL, NULL)
#else
#define compat_vmstate_load_state(file, vmsd, opaque, version) \
    vmstate_load_state(file, vmsd, opaque, version)
#define compat_vmstate_save_state(file, vmsd, opaque) \
    vmstate_save_state(file, vmsd, opaque, NULL)
#endif

/* CLIDR_EL1 of a CPU; target/arm/cpu.h */
#if QEMU_SINCE(10, 2)
#define arm_cpu_clidr(cpu) GET_IDREG(&(cpu)->isar, CLIDR)
#else
#define arm_cpu_clidr(cpu) ((cpu)->clidr)
#endif

/* Is it -cpu max or host? target/i386/cpu.h */
#if QEMU_SINCE(10, 2)
#define x86_max_features(cpu) (X86_CPU_GET_CLASS(cpu)->max_features)
#else
#define x86_max_features(cpu) ((cpu)->max_features)
#endif

/* What the accelerator can give to any vCPU; target/i386/cpu.h */
#if QEMU_SINCE(10, 0)
#define x86_supported_feature_word(word) \
    x86_cpu_get_supported_feature_word(NULL, word)
#else
#define x86_supported_feature_word(word) \
    x86_cpu_get_supported_feature_word(word, false)
#endif

#endif
