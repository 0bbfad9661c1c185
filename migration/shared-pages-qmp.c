/*
 * Shared pages in QMP and HMP
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-shared-pages.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "qemu-compat.h"
#include "shared-pages.h"
#include "shared-pages-iommu.h"
#include "shared-pages-machine.h"

#define DEFAULT_RANGES 256
#define MAX_RANGES     65536

static void list_ranges(SharedPagesInfo *info, uint64_t address,
                        uint32_t max_ranges)
{
    SharedPagesRangeList **tail = &info->ranges;
    uint64_t size;

    while (shared_pages_log_next(shared_pages_log(), &address, &size)) {
        SharedPagesRange *range;

        if (!max_ranges--) {
            info->has_next = true;
            info->next = address;
            return;
        }
        range = g_new(SharedPagesRange, 1);
        *range = (SharedPagesRange) { .address = address, .size = size };
        QAPI_LIST_APPEND(tail, range);
        address += size;
        if (!address) {
            return;
        }
    }
}

SharedPagesInfo *qmp_query_shared_pages(bool has_address, uint64_t address,
                                        bool has_max_ranges,
                                        uint32_t max_ranges, Error **errp)
{
    SharedPagesLog *log = shared_pages_log();
    SharedPagesInfo *info;

    if (!has_max_ranges) {
        max_ranges = DEFAULT_RANGES;
    } else if (max_ranges > MAX_RANGES) {
        error_setg(errp, "query-shared-pages: max-ranges is %" PRIu32 ", the "
                   "most is %d; ask for the rest with address", max_ranges,
                   MAX_RANGES);
        return NULL;
    }
    info = g_new0(SharedPagesInfo, 1);
    info->granule = SHARED_PAGES_GRANULE;
    if (log) {
        info->enabled = true;
        info->enforced = shared_pages_mode() == SHARED_PAGES_MODE_ENFORCE;
        info->pages = shared_pages_log_count(log);
        info->changes = shared_pages_log_changes(log);
        list_ranges(info, has_address ? address : 0, max_ranges);
        info->refusals = shared_pages_refusals(&info->refused);
    }
    return info;
}

static void print_refusals(Monitor *mon, const SharedPagesInfo *info)
{
    monitor_printf(mon, "devices reach shared pages only; %" PRIu64
                   " accesses refused\n", info->refused);
    for (SharedPagesRefusalList *r = info->refusals; r; r = r->next) {
        monitor_printf(mon, "%s: %" PRIu64 " accesses refused, the last one a "
                       "%s 0x%016" PRIx64 "\n",
                       r->value->device ?: r->value->path, r->value->accesses,
                       r->value->write ? "write to" : "read from",
                       r->value->address);
    }
}

static void hmp_info_shared_pages(Monitor *mon, const QDict *qdict)
{
    g_autoptr(SharedPagesInfo) info =
        qmp_query_shared_pages(false, 0, false, 0, &error_abort);

    if (!info->enabled) {
        monitor_printf(mon, "this VM's guest cannot share pages\n");
        return;
    }
    monitor_printf(mon, "%" PRIu64 " pages of %" PRIu32 " bytes are shared; %"
                   PRIu64 " changes\n", info->pages, info->granule,
                   info->changes);
    if (info->enforced) {
        print_refusals(mon, info);
    }
    for (SharedPagesRangeList *r = info->ranges; r; r = r->next) {
        monitor_printf(mon, "0x%016" PRIx64 " size 0x%" PRIx64 "\n",
                       r->value->address, r->value->size);
    }
    if (info->has_next) {
        monitor_printf(mon, "and more from 0x%016" PRIx64 " on, see "
                       "query-shared-pages\n", info->next);
    }
}

static void shared_pages_register_commands(void)
{
    monitor_register_hmp("shared-pages", true, hmp_info_shared_pages);
}

migration_init(shared_pages_register_commands)
