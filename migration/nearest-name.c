/*
 * Which name may have been meant
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "nearest-name.h"

/* Levenshtein distance of two names of at most NEAREST_NAME_MAX characters */
static unsigned name_distance(const char *a, const char *b)
{
    unsigned row[NEAREST_NAME_MAX + 1];
    size_t columns = strlen(b);

    for (size_t j = 0; j <= columns; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            unsigned substituted = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            row[j] = MIN(substituted, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[columns];
}

const char *nearest_name(const char *name, const char *best,
                         const char *candidate)
{
    unsigned distance;

    if (strlen(name) > NEAREST_NAME_MAX) {
        return NULL;
    }
    distance = name_distance(name, candidate);
    /* A name of which more than half is wrong gets no suggestion. */
    if (distance > strlen(name) / 2 ||
        (best && distance >= name_distance(name, best))) {
        return best;
    }
    return candidate;
}
