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
# Of qemu-patches/: the one that is meant if none is named
DEFAULT_SERIES=10.0
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

# known_series: the versions of QEMU that there are patches for, oldest first
known_series() {
    local file

    for file in "$PROJECT_ROOT"/qemu-patches/*/series; do
        basename "$(dirname "$file")"
    done | sort -V
}

# series_of VERSION: as in 10.0 of 10.0.13
series_of() {
    sed -nE 's/^([0-9]+\.[0-9]+)([.+~-].*)?$/\1/p' <<<"$1"
}

# choose_series [SERIES]: sets SERIES and BUILD, the directory to build it in
#
# The tree that QEMU_SRC names says by itself which series it is.
choose_series() {
    local remedy="correct it, or unset it to use Debian's" version known

    # Words of one line
    known=$(known_series | paste -s -d ' ')
    SERIES=${1:-$DEFAULT_SERIES}
    if [ -n "${QEMU_SRC:-}" ]; then
        [ -d "$QEMU_SRC" ] || die "QEMU_SRC=$QEMU_SRC is not a directory" \
            "a source tree of QEMU ${known// / or }" "$remedy"
        [ -f "$QEMU_SRC/VERSION" ] ||
            die "QEMU_SRC=$QEMU_SRC: no VERSION file" \
                "a source tree of QEMU ${known// / or }" "$remedy"
        version=$(cat "$QEMU_SRC/VERSION")
        SERIES=$(series_of "$version")
        [[ " $known " == *" $SERIES "* ]] ||
            die "QEMU_SRC=$QEMU_SRC: QEMU $version" \
                "a source tree of QEMU ${known// / or }" "$remedy"
        [ "${1:-$SERIES}" = "$SERIES" ] ||
            die "QEMU_SRC=$QEMU_SRC: QEMU $version" \
                "a source tree of QEMU $1" "$remedy"
    fi
    [[ " $known " == *" $SERIES "* ]] ||
        die "there are no patches for QEMU '$SERIES'" "${known// / or }" \
            "see docs/porting.rst"
    BUILD=$PROJECT_ROOT/build-$SERIES
    [ "$SERIES" != "$DEFAULT_SERIES" ] || BUILD=$PROJECT_ROOT/build
}

# configure_build: of the series that choose_series has chosen
configure_build() {
    # Debian's Meson: another one in PATH may lack what setup installed.
    if [ ! -f "$BUILD/build.ninja" ]; then
        step "configuring ${BUILD#"$PROJECT_ROOT"/}/"
        /usr/bin/meson setup "-Dseries=$SERIES" "$BUILD" "$PROJECT_ROOT" >&2
    fi
}

# ensure_build: install what is missing, build what is not up to date
ensure_build() {
    "$PROJECT_ROOT/scripts/setup"
    configure_build
    step "building QEMU"
    /usr/bin/meson compile -C "$BUILD" >&2 ||
        die "QEMU was not built" "a build without errors" \
            "see the messages above"
}
