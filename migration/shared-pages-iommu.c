/*
 * Shared pages: an IOMMU that lets devices reach shared pages only
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Devices reach memory in any thread, so that a refused access is only noted
 * there; the main loop reports it.
 *
 * While the state of devices is loaded, the loader lets them have what they had
 * at the source. A page of a request in flight may be one that the guest has
 * taken back since the device mapped it: the source's device still reaches it,
 * so that the one here has to get it as well, or the load would fail. Neither
 * stream nor source say which pages these are. What a device reads while its
 * state is loaded, such as the index of a ring, it read at the source before.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-events-shared-pages.h"
#include "qapi/util.h"
#include "qemu/coroutine.h"
#include "qemu/lockable.h"
#include "qemu/queue.h"
#include "qemu/timer.h"
#include "guest-abi/trace.h"
#include "shared-pages.h"
#include "shared-pages-iommu.h"

#define TYPE_SHARED_PAGES_IOMMU "shared-pages-iommu-memory-region"

/* Between two events of a device */
#define EVENT_INTERVAL_MS 1000

/* The most bytes in which memory.c takes an access apart that goes on */
#define STEP_SIZE 8

/**
 * Accesses: some that were refused
 * @count: their number
 * @address: guest physical address; the last one's, or the first one's
 * @write: whether that one would have written
 */
typedef struct Accesses {
    uint64_t count;
    uint64_t address;
    bool write;
} Accesses;

/**
 * SharedPagesRequester:
 * @iommu: the root of @address_space
 * @device: the device's ID, NULL if it has none; with the big lock
 * @path: the device's QOM path; with the big lock
 * @timer: for the next event
 * @lock: held by whoever reads or writes the rest
 * @event_ms: when the last event was sent
 * @all: all accesses of the device; and the last one
 * @part: guest physical address of the last part of the last one
 * @unreported: those since the last event; and the first of them
 */
struct SharedPagesRequester {
    IOMMUMemoryRegion iommu;
    AddressSpace address_space;
    char *device;
    char *path;
    QEMUTimer *timer;
    QemuMutex lock;
    int64_t event_ms;
    Accesses all;
    uint64_t part;
    Accesses unreported;
    QSLIST_ENTRY(SharedPagesRequester) next;
};

static QSLIST_HEAD(, SharedPagesRequester) requesters =
    QSLIST_HEAD_INITIALIZER(requesters);

/* Of devices whose place has another device now */
static uint64_t forgotten;

/**
 * loader: who loads the state of devices now
 * @thread: its thread; NULL if nobody does
 * @coroutine: its coroutine; NULL if it is in none
 *
 * A load in a coroutine gives way to the main loop, and one of a snapshot has
 * iothreads beside it: what these do for a device is not the loader's.
 */
static struct {
    GThread *thread;
    Coroutine *coroutine;
} loader;

/* The hook of shared_pages_set_refused(), or NULL */
static void (*refused_hook)(AddressSpace *as, uint64_t address);

void shared_pages_set_refused(void (*refused)(AddressSpace *as,
                                              uint64_t address))
{
    refused_hook = refused;
}

static Coroutine *current_coroutine(void)
{
    return qemu_in_coroutine() ? qemu_coroutine_self() : NULL;
}

static bool is_loader(void)
{
    GThread *thread = qatomic_load_acquire(&loader.thread);

    /* @coroutine is written by @thread alone, and read by no other. */
    return thread && thread == g_thread_self() &&
           loader.coroutine == current_coroutine();
}

void shared_pages_loading_begin(void)
{
    loader.coroutine = current_coroutine();
    qatomic_store_release(&loader.thread, g_thread_self());
}

void shared_pages_loading_end(void)
{
    qatomic_store_release(&loader.thread, NULL);
}

static void report(void *opaque)
{
    SharedPagesRequester *requester = opaque;
    Accesses accesses;

    WITH_QEMU_LOCK_GUARD(&requester->lock) {
        accesses = requester->unreported;
        requester->unreported = (Accesses) { 0 };
        requester->event_ms = qemu_clock_get_ms(QEMU_CLOCK_REALTIME);
    }
    qapi_event_send_shared_pages_refused(requester->device, requester->path,
                                         accesses.address, accesses.write,
                                         accesses.count);
}

/* With the next bytes of the same page */
static bool goes_on(const SharedPagesRequester *requester, uint64_t address,
                    bool write)
{
    uint64_t part = requester->part;

    return requester->all.count && requester->all.write == write &&
           address > part && address - part <= STEP_SIZE &&
           !((address ^ part) & -SHARED_PAGES_GRANULE);
}

static void add_access(Accesses *accesses, uint64_t address, bool write)
{
    accesses->count++;
    accesses->address = address;
    accesses->write = write;
}

static void refuse(SharedPagesRequester *requester, uint64_t address,
                   bool write)
{
    bool is_part;

    QEMU_LOCK_GUARD(&requester->lock);
    is_part = goes_on(requester, address, write);
    requester->part = address;
    if (is_part) {
        return;
    }
    trace_shared_pages_refused(requester->address_space.name, address, write);
    add_access(&requester->all, address, write);
    if (requester->unreported.count) {
        requester->unreported.count++;
        return;
    }
    add_access(&requester->unreported, address, write);
    timer_mod(requester->timer, requester->event_ms + EVENT_INTERVAL_MS);
}

static IOMMUTLBEntry translate(IOMMUMemoryRegion *iommu, hwaddr address,
                               IOMMUAccessFlags flag, int iommu_idx)
{
    SharedPagesRequester *requester = container_of(iommu, SharedPagesRequester,
                                                   iommu);
    IOMMUTLBEntry entry = {
        .target_as = &address_space_memory,
        .iova = address & -SHARED_PAGES_GRANULE,
        .translated_addr = address & -SHARED_PAGES_GRANULE,
        .addr_mask = SHARED_PAGES_GRANULE - 1,
        .perm = IOMMU_RW,
    };

    if (shared_pages_is_private(address) && !is_loader()) {
        entry.perm = IOMMU_NONE;
        if (flag != IOMMU_NONE) {
            refuse(requester, address, flag & IOMMU_WO);
            if (refused_hook) {
                refused_hook(&requester->address_space, address);
            }
        }
    }
    return entry;
}

/*
 * Whoever wants to be told of changes keeps addresses, or lets something else
 * than QEMU reach memory by them: vhost and VFIO.
 */
static int refuse_notifiers(IOMMUMemoryRegion *iommu,
                            IOMMUNotifierFlag old_flags,
                            IOMMUNotifierFlag new_flags, Error **errp)
{
    error_setg(errp, "shared-pages=enforce is for devices whose accesses QEMU "
               "makes itself, and this one's are vhost's or VFIO's; use a "
               "device without vhost or VFIO, or shared-pages=on");
    return -ENOTSUP;
}

static void iommu_class_init(ObjectClass *oc, ClassInitData *data)
{
    IOMMUMemoryRegionClass *imrc = IOMMU_MEMORY_REGION_CLASS(oc);

    imrc->translate = translate;
    imrc->notify_flag_changed = refuse_notifiers;
}

SharedPagesRequester *shared_pages_requester_new(void)
{
    static unsigned count;
    SharedPagesRequester *requester = g_new0(SharedPagesRequester, 1);
    g_autofree char *name = g_strdup_printf("shared-pages-%u", count++);

    qemu_mutex_init(&requester->lock);
    requester->path = g_strdup("");
    requester->event_ms = -EVENT_INTERVAL_MS;
    requester->timer = timer_new_ms(QEMU_CLOCK_REALTIME, report, requester);
    memory_region_init_iommu(&requester->iommu, sizeof(requester->iommu),
                             TYPE_SHARED_PAGES_IOMMU, NULL, name, UINT64_MAX);
    address_space_init(&requester->address_space,
                       MEMORY_REGION(&requester->iommu), name);
    /*
     * A device that maps a private page, as virtio does for its buffers, is to
     * fail: with a bounce buffer in place of the page it would succeed, and
     * tell the guest so.
     */
    requester->address_space.max_bounce_buffer_size = 0;
    QSLIST_INSERT_HEAD(&requesters, requester, next);
    return requester;
}

AddressSpace *shared_pages_requester_address_space(
    SharedPagesRequester *requester)
{
    return &requester->address_space;
}

void shared_pages_requester_name(SharedPagesRequester *requester,
                                 const char *device, const char *path)
{
    if (timer_pending(requester->timer)) {
        timer_del(requester->timer);
        report(requester);
    }
    WITH_QEMU_LOCK_GUARD(&requester->lock) {
        forgotten += requester->all.count;
        requester->all = (Accesses) { 0 };
    }
    g_free(requester->device);
    g_free(requester->path);
    requester->device = g_strdup(device);
    requester->path = g_strdup(path);
}

SharedPagesRefusalList *shared_pages_refusals(uint64_t *total)
{
    SharedPagesRefusalList *list = NULL;
    SharedPagesRequester *requester;

    *total = forgotten;
    QSLIST_FOREACH(requester, &requesters, next) {
        SharedPagesRefusal *refusal;
        Accesses accesses;

        WITH_QEMU_LOCK_GUARD(&requester->lock) {
            accesses = requester->all;
        }
        if (!accesses.count) {
            continue;
        }
        *total += accesses.count;
        refusal = g_new(SharedPagesRefusal, 1);
        *refusal = (SharedPagesRefusal) {
            .device = g_strdup(requester->device),
            .path = g_strdup(requester->path),
            .accesses = accesses.count,
            .address = accesses.address,
            .write = accesses.write,
        };
        QAPI_LIST_PREPEND(list, refusal);
    }
    return list;
}

static const TypeInfo iommu_type = {
    .name = TYPE_SHARED_PAGES_IOMMU,
    .parent = TYPE_IOMMU_MEMORY_REGION,
    .class_init = iommu_class_init,
};

static void register_types(void)
{
    type_register_static(&iommu_type);
}

type_init(register_types)
