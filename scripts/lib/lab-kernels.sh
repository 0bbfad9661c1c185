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

# What a host of the lab loads, and a guest with a NIC, where it is no part of the
# kernel's image; and what these modules need
lab_module_names=(
    irqbypass kvm kvm-amd
    tun tap vhost_iotlb vhost vhost_net
    vsock vmw_vsock_virtio_transport_common vhost_vsock
    configfs scsi_common target_core_mod vhost_scsi
    llc stp bridge
    virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci
    virtio_blk failover net_failover virtio_net vmw_vsock_virtio_transport)

# lab_image DIR SUITE PACKAGE ARCH: makes DIR, with the files of a package
lab_image() {
    local dir=$1 suite=$2 package=$3 arch=$4 deb tmp=${1%/*}/.unpacking image

    deb=$(download "$suite" "$package" "$arch")
    rm -rf "$tmp"
    mkdir -p "$tmp/deb"
    unpack_deb "$deb" "$tmp/deb" '*/vmlinuz*'
    image=$(find "$tmp/deb" -type f -name 'vmlinuz*')
    [ -n "$image" ] ||
        die "package $package of Debian $suite is not as expected" \
            "a file vmlinuz in it" "this is a bug in scripts/fetch"
    mv "$image" "$tmp/vmlinuz"
    rm -rf "$tmp/deb"
    # Up to 6.18 one package has image and modules.
    if unpack_modules "$deb" "$tmp/modules.part"; then
        mv "$tmp/modules.part" "$tmp/modules"
    fi
    echo "${dir##*/}" >"$tmp/version"
    mv "$tmp" "$dir"
    rm -rf "${deb%/*}"
}

# unpack_modules DEB DIR: makes DIR, with those of lab_module_names, and these
# names; status 1 if a package has none
unpack_modules() {
    local name patterns=() files file

    for name in "${lab_module_names[@]}"; do
        patterns+=("*/$name.ko" "*/$name.ko.xz")
    done
    rm -rf "$2"
    mkdir -p "$2/deb"
    unpack_deb "$1" "$2/deb" "${patterns[@]}"
    files=$(find "$2/deb" -type f)
    if [ -z "$files" ]; then
        rm -rf "$2"
        return 1
    fi
    while read -r file; do
        case $file in
        *.xz) xz -dc "$file" >"$2/$(basename "$file" .xz)" ;;
        *) mv "$file" "$2/" ;;
        esac
    done <<<"$files"
    rm -rf "$2/deb"
    echo "${lab_module_names[*]}" >"$2/names"
}

# modules_package RELEASE ARCH: "SUITE PACKAGE" with a kernel's modules
modules_package() {
    local suite names name

    for suite in "${lab_suites[@]}"; do
        names=$(private_apt "$suite" "$2" apt-cache pkgnames linux-) || continue
        # From 6.19 on linux-image-* has no modules. As in lab_packages, signed
        # packages come later.
        for name in "linux-modules-$1-cloud-$2" \
            "linux-image-$1-cloud-$2-unsigned" "linux-image-$1-cloud-$2"; do
            if grep -Fxq "$name" <<<"$names"; then
                echo "$suite $name"
                return
            fi
        done
    done
    die "no Debian suite within reach has the modules of kernel $1 any more" \
        "linux-modules-$1-cloud-$2 or linux-image-$1-cloud-$2" \
        "delete $CACHE_DIR/lab-kernel*/*/$1-cloud-$2 to get a newer kernel"
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

# lab_modules TOP WORD ARCH: the directory modules/ of such a kernel
lab_modules() {
    local dir suite package deb

    dir=$(lab_kernel "$@")
    # Another checkout, whose cache this is as well, may have wanted others.
    if [ "$(cat "$dir/modules/names" 2>/dev/null)" != \
        "${lab_module_names[*]}" ]; then
        to_download "modules of kernel $2" dpkg-deb tar xz
        read -r suite package < <(modules_package \
            "$(basename "$dir" "-cloud-$3")" "$3")
        [ -n "$package" ] || exit 1
        deb=$(download "$suite" "$package" "$3")
        unpack_modules "$deb" "$dir/.modules" ||
            die "package $package of Debian $suite is not as expected" \
                "kernel modules in it" "this is a bug in scripts/fetch"
        rm -rf "$dir/modules"
        mv "$dir/.modules" "$dir/modules"
        rm -rf "${deb%/*}"
    fi
    echo "$dir/modules"
}
