#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
set -eu

usage() {
    cat <<END
usage: scripts/guests/xsave/build.sh OUT_DIR

Builds xsave-guest.bin, pages-guest.bin, gif-guest.bin and sleep-guest.bin,
-bios images for x86 machines, or says that there is no compiler for them.
END
}

case ${1:-} in
-h | --help) usage; exit 0 ;;
-* | '') usage >&2; exit 1 ;;
esac

source=$(dirname "$0")
out=$1
compiler=${CROSS_COMPILE_X86:-}gcc
objcopy=${CROSS_COMPILE_X86:-}objcopy
case $(uname -m) in
x86_64) ;;
*)
    compiler=${CROSS_COMPILE_X86:-x86_64-linux-gnu-}gcc
    objcopy=${CROSS_COMPILE_X86:-x86_64-linux-gnu-}objcopy
    ;;
esac
if ! command -v "$compiler" >/dev/null; then
    echo "skipped the guests of x86 machines: no $compiler" >&2
    exit 0
fi
mkdir -p "$out"
build() {
    name=$1-guest
    shift
    "$compiler" -std=gnu11 -O2 -g -Wall -Wextra -Werror -m64 -march=x86-64 \
        -mgeneral-regs-only -mno-red-zone -mcmodel=small -ffreestanding \
        -fno-builtin -fno-tree-loop-distribute-patterns -fno-pic -fno-pie \
        -fno-jump-tables -fno-stack-protector \
        -fno-asynchronous-unwind-tables -fcf-protection=none -static \
        -nostdlib -nostartfiles -no-pie -Wl,--build-id=none \
        -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments \
        -T "$source/guest.ld" -o "$out/$name.elf" "$@"
    "$objcopy" -O binary "$out/$name.elf" "$out/$name.bin"
    echo "built $name.bin"
}

build xsave "$source/start.S" "$source/main.c"
build pages "$source/start.S" "$source/pages.c"
build gif "$source/start.S" "$source/gif.c"
build sleep "$source/sleep.S"
