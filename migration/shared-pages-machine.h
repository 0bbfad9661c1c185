/*
 * -machine shared-pages=
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A property of every machine. A board whose guests have a way to share pages
 * asks for the mode while it makes the machine, and calls
 * shared_pages_enable(); on any other machine "on" and "enforce" are refused.
 */

#ifndef MIGRATION_SHARED_PAGES_MACHINE_H
#define MIGRATION_SHARED_PAGES_MACHINE_H

#include "qapi/qapi-types-shared-pages.h"
#include "qemu/typedefs.h"

/**
 * shared_pages_mode: what this VM's guest can do
 *
 * Returns: what -machine shared-pages= says. If it was not given:
 * SHARED_PAGES_MODE_ON after shared_pages_enable(), before that
 * SHARED_PAGES_MODE_OFF.
 */
SharedPagesMode shared_pages_mode(void);

/**
 * shared_pages_mode_is_given: did the user say -machine shared-pages=?
 */
bool shared_pages_mode_is_given(void);

/**
 * shared_pages_refuse_mode: refuse a VM with another mode than this one's
 * @shares: its guest can share pages
 * @errp: gets the refusal
 *
 * To be called while its contract is judged, which says whether it is enforced.
 */
void shared_pages_refuse_mode(bool shares, Error **errp);

/* The entry of a contract: 1 with shared-pages=enforce */
#define SHARED_PAGES_ENFORCED_ENTRY "machine.shared-pages-enforced"

/**
 * shared_pages_set_enforcer: have "enforce" in this QEMU
 * @prepare: called when -machine shared-pages=enforce is given, before any
 *           device is made; maybe more than once
 *
 * To be called when migration types are initialised. A QEMU in which nobody
 * calls it refuses "enforce".
 */
void shared_pages_set_enforcer(void (*prepare)(MachineState *machine));

#endif
