/*
 * Which name may have been meant
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef MIGRATION_NEAREST_NAME_H
#define MIGRATION_NEAREST_NAME_H

/* Of a name that is longer nothing is compared. */
#define NEAREST_NAME_MAX 32

/**
 * nearest_name: the name that was misspelt
 * @name: what was written, not trusted
 * @best: the nearest name so far, NULL if there is none
 * @candidate: a name of at most NEAREST_NAME_MAX characters
 *
 * To be called for each candidate, with the last call's result in @best.
 *
 * Returns: @candidate if it is nearer to @name than @best, and at least half
 * of @name is right; else @best.
 */
const char *nearest_name(const char *name, const char *best,
                         const char *candidate);

#endif
