/*
 * Shared pages: which of its pages this VM's guest shares with its host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "exec/cpu-common.h"
#include "hw/resettable.h"
#include "migration/vmstate.h"
#include "qemu-compat.h"
#include "guest-abi.h"
#include "guest-abi/trace.h"
#include "shared-pages-iommu.h"
#include "shared-pages-ready.h"
#include "shared-pages.h"
#include "shared-pages-machine.h"

/**
 * SharedPages: the VM's
 * @log: the log; NULL if the guest cannot share pages
 * @received: an incoming log was loaded
 * @size: number of @content's bytes
 * @content: the log while it is saved or loaded
 */
typedef struct SharedPages {
    SharedPagesLog *log;
    bool received;
    uint32_t size;
    uint8_t *content;
} SharedPages;

static SharedPages vm;

static const char *name_of(const void *memory)
{
    const MemoryRegion *mr = memory;

    return qemu_ram_get_idstr(mr->ram_block);
}

/*
 * As a write of the guest's does, so that whoever watches pages sees it:
 * migration, and TCG, whose code would be found stale if only the bit was set.
 */
static void mark_dirty(uint64_t address, uint64_t size, bool shared)
{
    RCU_READ_LOCK_GUARD();
    while (size) {
        MemoryRegionCache cache;
        int64_t length = address_space_cache_init(&cache, &address_space_memory,
                                                  address, size, true);

        assert(length > 0);
        /* What is unplugged at this moment is not sent any more. */
        if (cache.ptr) {
            address_space_cache_invalidate(&cache, 0, length);
        }
        address_space_cache_destroy(&cache);
        address += length;
        size -= length;
    }
}

/* RAM of a device is the device's. */
static bool is_guests(MemoryRegion *mr)
{
    return memory_region_is_ram(mr) && !memory_region_is_ram_device(mr) &&
           object_dynamic_cast(memory_region_owner(mr), TYPE_MEMORY_BACKEND);
}

/*
 * What virtio-mem plugs and unplugs in parts stays where it is meanwhile: its
 * pages would still be shared when they come back.
 */
static bool can_share(const MemoryRegionSection *section)
{
    return is_guests(section->mr) && !section->readonly &&
           !memory_region_has_ram_discard_manager(section->mr);
}

static void region_add(MemoryListener *listener, MemoryRegionSection *section)
{
    if (can_share(section)) {
        shared_pages_log_map(vm.log, section->offset_within_address_space,
                             int128_get64(section->size), section->mr,
                             memory_region_size(section->mr),
                             section->offset_within_region);
    }
}

static void region_del(MemoryListener *listener, MemoryRegionSection *section)
{
    if (can_share(section)) {
        shared_pages_log_unmap(vm.log, section->offset_within_address_space,
                               int128_get64(section->size));
    }
}

static void commit(MemoryListener *listener)
{
    shared_pages_log_forget_unmapped(vm.log);
}

SharedPagesLog *shared_pages_log(void)
{
    return vm.log;
}

int64_t shared_pages_set(uint64_t address, uint64_t size, bool shared)
{
    int64_t changed = shared_pages_log_set(vm.log, address, size, shared);

    trace_shared_pages_set(address, size, shared, changed);
    return changed;
}

bool shared_pages_is_private(uint64_t address)
{
    hwaddr offset, size = 1;
    MemoryRegion *mr = address_space_translate(&address_space_memory, address,
                                               &offset, &size, false,
                                               MEMTXATTRS_UNSPECIFIED);

    return is_guests(mr) && !shared_pages_log_get(vm.log, mr, offset);
}

static void drop_content(SharedPages *pages)
{
    g_clear_pointer(&pages->content, g_free);
    pages->size = 0;
}

static int shared_pages_pre_save(void *opaque)
{
    SharedPages *pages = opaque;
    g_autoptr(GByteArray) content = NULL;
    Error *err = NULL;

    /* A guest that runs would change the log after it was sent. */
    assert(!runstate_is_running());
    drop_content(pages);
    if (shared_pages_check_ready(&err)) {
        content = shared_pages_log_save(pages->log, &err);
    }
    if (!content) {
        guest_abi_cannot_send(err);
        return -EINVAL;
    }
    trace_shared_pages_saved(shared_pages_log_count(pages->log), content->len);
    pages->size = content->len;
    pages->content = g_byte_array_free(g_steal_pointer(&content), false);
    return 0;
}

static int shared_pages_post_save(void *opaque)
{
    drop_content(opaque);
    return 0;
}

static int shared_pages_pre_load(void *opaque)
{
    SharedPages *pages = opaque;

    pages->received = false;
    drop_content(pages);
    return 0;
}

/* Asked before memory is allocated */
static bool size_is_valid(void *opaque, int version_id)
{
    SharedPages *pages = opaque;
    uint32_t most = shared_pages_log_max_size(pages->log);
    g_autoptr(Error) err = NULL;

    if (pages->size <= most) {
        return true;
    }
    error_setg(&err, "shared-pages: the incoming list of shared pages is "
               "damaged: it has %" PRIu32 " bytes, the most is %" PRIu32,
               pages->size, most);
    guest_abi_refuse(err);
    return false;
}

static int shared_pages_post_load(void *opaque, int version_id)
{
    SharedPages *pages = opaque;
    g_autoptr(Error) err = NULL;

    pages->received = shared_pages_log_load(pages->log, pages->content,
                                            pages->size, &err);
    drop_content(pages);
    if (!pages->received) {
        guest_abi_refuse(err);
        return -EINVAL;
    }
    trace_shared_pages_loaded(shared_pages_log_count(pages->log));
    /* Another one would not have been sent. */
    shared_pages_set_ready(true);
    /* Sections of devices come next, with what these have mapped. */
    shared_pages_loading_begin();
    return 0;
}

/* Of all handlers the first one, before devices go on */
static void vm_state_changed(void *opaque, bool running, RunState state)
{
    if (running) {
        shared_pages_loading_end();
    }
}

static const VMStateDescription vmstate_shared_pages = {
    .name = "shared-pages",
    .version_id = 1,
    .minimum_version_id = 1,
    /* After the last of RAM, and before devices, which look where to write */
    .priority = MIG_PRI_IOMMU,
    .pre_save = shared_pages_pre_save,
    .post_save = shared_pages_post_save,
    .pre_load = shared_pages_pre_load,
    .post_load = shared_pages_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT32(size, SharedPages),
        VMSTATE_VALIDATE("limit of size", size_is_valid),
        VMSTATE_VBUFFER_ALLOC_UINT32(content, SharedPages, 1, NULL, size),
        VMSTATE_END_OF_LIST()
    }
};

static bool is_received(Error **errp)
{
    if (!vm.received) {
        error_setg(errp, "shared-pages: the incoming VM has no list of shared "
                   "pages, which this VM needs; start this QEMU with the "
                   "source's -machine options");
    }
    return vm.received;
}

/**
 * SharedPagesReset: what is called at a reset, and told of which kind it is
 */
#define TYPE_SHARED_PAGES_RESET "shared-pages-reset"
OBJECT_DECLARE_SIMPLE_TYPE(SharedPagesReset, SHARED_PAGES_RESET)

struct SharedPagesReset {
    Object parent;
    ResettableState state;
};

OBJECT_DEFINE_SIMPLE_TYPE_WITH_INTERFACES(SharedPagesReset, shared_pages_reset,
                                          SHARED_PAGES_RESET, OBJECT,
                                          { TYPE_RESETTABLE_INTERFACE }, { })

static ResettableState *shared_pages_reset_state(Object *obj)
{
    return &SHARED_PAGES_RESET(obj)->state;
}

/* After all devices, which may have requests in flight until they are reset */
static void shared_pages_reset_exit(Object *obj, ResetType type)
{
    SharedPages *pages = &vm;

    /* A guest that sleeps in its memory goes on, and tells of nothing again. */
    if (type == RESET_TYPE_WAKEUP) {
        return;
    }
    /* system_reset between the log and the rest of a stream */
    if (pages->received && runstate_check(RUN_STATE_INMIGRATE)) {
        return;
    }
    pages->received = false;
    shared_pages_loading_end();
    shared_pages_set_ready(false);
    shared_pages_log_reset(pages->log);
}

static void shared_pages_reset_init(Object *obj)
{
}

static void shared_pages_reset_finalize(Object *obj)
{
}

static void shared_pages_reset_class_init(ObjectClass *oc, ClassInitData *data)
{
    ResettableClass *rc = RESETTABLE_CLASS(oc);

    rc->get_state = shared_pages_reset_state;
    rc->phases.exit = shared_pages_reset_exit;
}

static void refuse_enforced(const GuestAbiDefinition *definition,
                            uint64_t incoming, uint64_t here, Error **errp)
{
    shared_pages_refuse_mode(true, errp);
}

/*
 * A guest can tell: by what its devices fail to do, and by the features that
 * virtio devices offer.
 */
static void promise_enforced(void)
{
    bool enforced = shared_pages_mode() == SHARED_PAGES_MODE_ENFORCE;

    guest_abi_add(&(GuestAbiDefinition) {
        .name = SHARED_PAGES_ENFORCED_ENTRY,
        .rule = GUEST_ABI_RULE_EXACT,
        .value = enforced,
        .origin = GUEST_ABI_ORIGIN_OPTION,
        .zero_is_absent = true,
        .refuse = refuse_enforced,
    });
}

void shared_pages_enable(void)
{
    static const SharedPagesOps ops = {
        .name = name_of,
        .changed = mark_dirty,
    };
    static MemoryListener listener = {
        .name = "shared-pages",
        .region_add = region_add,
        .region_del = region_del,
        .commit = commit,
    };

    assert(!vm.log);
    vm.log = shared_pages_log_new(&ops);
    memory_listener_register(&listener, &address_space_memory);
    qemu_register_resettable(object_new(TYPE_SHARED_PAGES_RESET));
    vmstate_register(NULL, 0, &vmstate_shared_pages, &vm);
    guest_abi_set_complete(is_received);
    guest_abi_set_load_ended(shared_pages_loading_end);
    qemu_add_vm_change_state_handler_prio(vm_state_changed, NULL, INT_MIN);
    promise_enforced();
}
