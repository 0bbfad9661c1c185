/*
 * -machine kernel-floor=
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef MIGRATION_KERNEL_FLOOR_MACHINE_H
#define MIGRATION_KERNEL_FLOOR_MACHINE_H

#include "kernel-floor.h"
#include "qom/object.h"

/**
 * kernel_floor_set_default: give a machine type a floor
 * @oc: the class of the type, from its class_init; its compat_props begin with
 *      those of its parent
 * @floor: the floor of its VMs, if the user gives none
 */
void kernel_floor_set_default(ObjectClass *oc, const KernelFloor *floor);

/**
 * kernel_floor_set_help: have a board say what floors stand for on it
 * @oc: the board's class, from its class_init
 * @help: returns text that goes behind kernel_floor_help(), which is freed
 */
void kernel_floor_set_help(ObjectClass *oc, char *(*help)(void));

/**
 * kernel_floor_given: the user's floor of this VM
 *
 * Returns: what -machine kernel-floor= says, NULL if it was not given.
 */
const KernelFloor *kernel_floor_given(void);

/**
 * kernel_floor_refuse_declined: say that a floor needs the contract
 * @floor: the floor
 * @errp: set
 */
void kernel_floor_refuse_declined(const KernelFloor *floor, Error **errp);

/**
 * kernel_floor_of_vm: the floor of this VM
 *
 * Returns: the user's floor, or else that of the machine type; NULL if there
 * is none.
 */
const KernelFloor *kernel_floor_of_vm(void);

#endif
