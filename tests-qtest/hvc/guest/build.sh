#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
set -eu

usage() {
    cat <<END
usage: tests-qtest/hvc/guest/build.sh OUT_DIR [a64|a32]

Builds the call engine, hvc-guest-a64.elf and hvc-guest-a32.elf, with the cross
compilers that are there, and says which file is left out for want of one. If
one of the two is asked for, not to build it is an error.
END
}

case ${1:-}:${2:-a64} in
-h:* | --help:*) usage; exit 0 ;;
-* | :*) usage >&2; exit 1 ;;
*:a64 | *:a32) ;;
*) usage >&2; exit 1 ;;
esac

source=$(dirname "$0")
out=$1
only=${2:-}
flags="-std=gnu11 -O2 -g -Wall -Wextra -Werror -ffreestanding -fno-builtin
       -fno-tree-loop-distribute-patterns -fno-pic -fno-stack-protector
       -fno-asynchronous-unwind-tables -static -nostdlib -nostartfiles
       -Wl,--build-id=none -Wl,--fatal-warnings -Wl,-z,noexecstack"

# build NAME COMPILER OPTIONS...
build() {
    name=$1 compiler=$2
    shift 2
    [ -z "$only" ] || [ "$only" = "$name" ] || return 0
    if ! command -v "$compiler" >/dev/null; then
        echo "skipped hvc-guest-$name.elf: no $compiler" >&2
        [ -z "$only" ]
        return
    fi
    # shellcheck disable=SC2086 # a list of options
    "$compiler" $flags "$@" -T "$source/guest.ld" \
        -o "$out/hvc-guest-$name.elf" \
        "$source/start-$name.S" "$source/engine.c" -lgcc
    echo "built hvc-guest-$name.elf"
}

mkdir -p "$out"
# No MMU: all memory is Device memory, where no access may be unaligned.
build a64 "${CROSS_COMPILE_A64:-aarch64-linux-gnu-}gcc" \
      -DHVC_GUEST_A64 -march=armv8-a -mgeneral-regs-only -mstrict-align
build a32 "${CROSS_COMPILE_A32:-arm-none-eabi-}gcc" \
      -mcpu=cortex-a15 -marm -mfloat-abi=soft -mno-unaligned-access
