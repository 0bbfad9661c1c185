# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
#
# Debian's kernels for the hosts of the KVM lab; sourced by scripts/fetch.

# Where they are looked for. A suite that cannot be reached has nothing.
lab_suites=(bullseye bullseye-security bookworm bookworm-security
    bookworm-backports trixie trixie-security trixie-backports sid experimental)

# lab_packages ARCH: "VERSION RELEASE RANK PACKAGE SUITE" for every package that
# may have a cloud kernel, the best one last. VERSION is the package's, RELEASE
# what "uname -r" says but for the flavour.
#
# From 6.19 on the image is in linux-binary-*, and linux-image-* only depends
# on it; kernel_package() of scripts/fetch says why unsigned ones are better.
lab_packages() {
    local arch=$1 suite names

    for suite in "${lab_suites[@]}"; do
        names=$(private_apt "$suite" "$arch" apt-cache search --names-only \
            "^linux-(image|binary)-[0-9].*-cloud-$arch(-unsigned)?\$" |
            cut -d' ' -f1) || continue
        [ -n "$names" ] || continue
        # shellcheck disable=SC2086 # a list of packages
        private_apt "$suite" "$arch" apt-cache madison $names |
            awk -v end="-cloud-$arch" -v suite="$suite" '
                { release = $1 }
                sub("^linux-binary-", "", release) { rank = 3 }
                # Not linux-image-6.12-cloud-arm64, which has no kernel in it
                sub("^linux-image-", "", release) {
                    if (release !~ /^[0-9]+\.[0-9]+[.-][0-9]/)
                        next
                    rank = sub("-unsigned$", "", release) ? 2 : 1
                }
                sub(end "$", "", release) {
                    print $3, release, rank, $1, suite
                }'
    done | sort -u | sort -V
}

# lab_kernels ARCH: "VERSION RELEASE SUITE", one line for each kernel
#
# Packages without an image are left out: of a series whose image is in
# linux-binary-*, those that depend on it.
lab_kernels() {
    local packages

    packages=$(lab_packages "$1")
    [ -n "$packages" ] ||
        die "no Debian suite within reach has a cloud kernel for $1" \
            "a reachable Debian mirror" \
            "check the network, or set QEMU_HVC_MIRROR to a mirror's URI"
    awk '
        { release[NR] = $2; line[NR] = $1 " " $2 " " $5; rank[NR] = $3 }
        $3 > best[$2] { best[$2] = $3 }
        END {
            for (i = 1; i <= NR; i++)
                if (rank[i] == best[release[i]] && !seen[release[i]]++)
                    print line[i]
        }' <<<"$packages"
}

# is_kernel WORD VERSION RELEASE: a WORD is a series (6.12), an upstream version
# (6.12.107) or a release (6.1.0-50)
is_kernel() {
    local name

    for name in "$2" "$3"; do
        case $name in
        "$1" | "$1"[!0-9]*) return ;;
        esac
    done
    return 1
}

is_series() {
    [[ $1 =~ ^[0-9]+\.[0-9]+$ ]]
}

# cached_lab_kernel TOP WORD: the newest one below TOP that is WORD
#
# A series is what was fetched as such: its newest, not whatever version a test
# once wanted.
cached_lab_kernel() {
    local dir found=

    while read -r dir; do
        if is_series "$2" && [ -e "$dir/exact" ]; then
            continue
        fi
        if is_kernel "$2" "$(cat "$dir/package" 2>/dev/null || true)" \
            "${dir##*/}"; then
            found=$dir
        fi
    done < <([ ! -d "$1" ] || find "$1" -mindepth 1 -maxdepth 1 -type d \
        ! -name '.*' | sort -V)
    echo "$found"
}

# choose_lab_kernel WORD ARCH: a line of lab_packages, the newest that is WORD
choose_lab_kernel() {
    local packages version release rest chosen=

    packages=$(lab_packages "$2")
    while read -r version release rest; do
        if is_kernel "$1" "$version" "$release"; then
            chosen="$version $release $rest"
        fi
    done <<<"$packages"
    [ -n "$chosen" ] ||
        die "no Debian suite within reach has a cloud kernel $1" \
            "one that \"scripts/fetch lab-kernels\" lists" \
            "name one of these, set QEMU_HVC_MIRROR to another mirror, or give \
kvm-lab the path of a vmlinuz"
    echo "$chosen"
}

# lab_image DIR SUITE PACKAGE ARCH: makes DIR, with the files of a package
lab_image() {
    local dir=$1 suite=$2 package=$3 arch=$4 deb tmp=${1%/*}/.unpacking image
    local modules=() name file

    # Where KVM is no part of the kernel image
    [ "$arch" = arm64 ] || modules=(irqbypass.ko kvm.ko kvm-amd.ko)
    deb=$(download "$suite" "$package" "$arch")
    rm -rf "$tmp"
    mkdir -p "$tmp/deb"
    unpack_deb "$deb" "$tmp/deb" '*/vmlinuz*' '*.ko' '*.ko.xz'
    image=$(find "$tmp/deb" -type f -name 'vmlinuz*')
    [ -n "$image" ] ||
        die "package $package of Debian $suite is not as expected" \
            "a file vmlinuz in it" "this is a bug in scripts/fetch"
    mv "$image" "$tmp/vmlinuz"
    for name in "${modules[@]}"; do
        file=$(find "$tmp/deb" -name "$name*")
        case $file in
        *.xz) xz -dc "$file" >"$tmp/$name" ;;
        *.ko) mv "$file" "$tmp/$name" ;;
        *) die "package $package of Debian $suite is not as expected" \
            "a file $name in it" \
            "name an older series: newer ones have modules elsewhere" ;;
        esac
    done
    echo "${dir##*/}" >"$tmp/version"
    rm -rf "$tmp/deb"
    mv "$tmp" "$dir"
    rm -rf "${deb%/*}"
}

# lab_kernel TOP WORD ARCH
lab_kernel() {
    local top=$CACHE_DIR/$1 dir chosen version release package suite

    dir=$(cached_lab_kernel "$top" "$2")
    if [ -z "$dir" ]; then
        to_download "kernel $2" dpkg-deb tar xz
        chosen=$(choose_lab_kernel "$2" "$3")
        read -r version release _ package suite <<<"$chosen"
        dir=$top/$release-cloud-$3
        if [ ! -d "$dir" ]; then
            lab_image "$dir" "$suite" "$package" "$3"
            : >"$dir/exact"
        fi
        echo "$version" >"$dir/package"
        ! is_series "$2" || rm -f "$dir/exact"
    fi
    echo "$dir"
}
