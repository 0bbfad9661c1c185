# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
#
# What the shell commands of scripts/ share; sourced, never run.
#
# Everything downloaded or unpacked lives in CACHE_DIR, outside the checkout:
# it survives "git clean", and several checkouts share one copy.

# inherit_errexit: else "set -e" does not hold inside $(...).
shopt -s inherit_errexit

# shellcheck disable=SC2034 # for those who source this
PROJECT_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE_DIR=${XDG_CACHE_HOME:-${HOME:?is where the cache goes}/.cache}/qemu-hvc

# stdout belongs to results (scripts call each other and read it), so all
# messages go to stderr.
say() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

step() {
    printf '%s: ==> %s\n' "${0##*/}" "$*" >&2
}

# die FOUND [NEEDED [REMEDY]]
die() {
    say "error: $1${2:+; needed: $2}${3:+; $3}"
    exit 1
}

# exec_module MODULE ARGUMENTS...: becomes a module of scripts/qemu_hvc that has
# a main()
exec_module() {
    export PYTHONPATH=$PROJECT_ROOT/scripts
    exec /usr/bin/python3 -B -m "$@"
}

require_tools() {
    local tool missing=()

    for tool; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [ ${#missing[@]} -eq 0 ] || die "not installed: ${missing[*]}" \
        "these commands in PATH" "run scripts/setup"
}

# ensure_build: install what is missing, build what is not up to date
ensure_build() {
    "$PROJECT_ROOT/scripts/setup"
    # Debian's Meson: another one in PATH may lack what setup installed.
    if [ ! -f "$PROJECT_ROOT/build/build.ninja" ]; then
        step "configuring build/"
        /usr/bin/meson setup "$PROJECT_ROOT/build" "$PROJECT_ROOT" >&2
    fi
    step "building QEMU"
    /usr/bin/meson compile -C "$PROJECT_ROOT/build" >&2 ||
        die "QEMU was not built" "a build without errors" \
            "see the messages above"
}
