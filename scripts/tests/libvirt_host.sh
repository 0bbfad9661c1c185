#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
set -eu

usage() {
    cat <<END
usage: scripts/tests/libvirt_host.sh LIBVIRT DIR IMAGES QEMU

Runs Debian's libvirtd as on a host of its own, in namespaces, for a user
without privileges too. Ends when it is killed, and its guests with it. Exit
status 77: this user cannot make namespaces.

  LIBVIRT  what "scripts/fetch libvirt VERSION" printed
  DIR      a directory that becomes, for this host:
             DIR/log           /var/log/libvirt
             DIR/run/libvirt/libvirt-sock
                               where it listens:
                               LIBVIRT/virsh -c 'qemu:///session?socket=SOCKET'
  IMAGES   a directory that becomes /var/lib/libvirt/images; hosts may share it
  QEMU     a qemu-system-aarch64 that becomes /usr/bin/qemu-system-aarch64

It is the libvirtd of a user, a "session" one, so it needs no privileges, and
has a root file system of its own, made of LIBVIRT's files and this machine's
/dev and /sys, and no network. Domains are forgotten when it ends. This
machine's / is /host there, for QEMU, which needs this machine's libraries.
END
}

die() {
    echo "libvirt_host.sh: error: $1" >&2
    exit "$2"
}

# --inside LIBVIRT DIR IMAGES QEMU: the first process of the namespaces. Stays,
# to reap QEMUs that libvirtd leaves.
inside() {
    libvirt=$1 dir=$2 images=$3 qemu=$4
    root=$dir/root

    mkdir -p "$root" "$dir/log/qemu" "$dir/run"
    mount -t tmpfs tmpfs "$root"
    cd "$root"
    mkdir -p debian dev etc host proc run sys tmp usr/bin \
        var/lib/libvirt/images var/log/libvirt
    mount --rbind "$libvirt" debian
    mount --rbind /dev dev
    mount --rbind /sys sys
    mount --rbind / host
    mount -t proc proc proc
    mount --rbind "$dir/run" run
    mount --rbind "$dir/log" var/log/libvirt
    mount --rbind "$images" var/lib/libvirt/images
    for name in lib lib64 sbin share; do
        ln -s "/debian/usr/$name" "usr/$name"
    done
    ln -s usr/bin usr/lib usr/lib64 usr/sbin .
    ln -s /debian/usr/bin/dash usr/bin/sh
    echo 'user:x:1000:1000::/:/bin/sh' >etc/passwd
    echo 'user:x:1000:' >etc/group
    echo 'hosts: files' >etc/nsswitch.conf
    echo "127.0.0.1 localhost $(uname -n)" >etc/hosts

    # This machine's libraries are known to run this QEMU.
    libraries=$(ldd "$qemu")
    loader=$(echo "$libraries" | sed -nE 's,^\s*(/.*/ld-linux.*) \(.*,\1,p')
    loader=$(realpath "$loader")
    path=$(echo "$libraries" | sed -nE 's,.* => (/.*)/[^/]* \(.*,/host\1,p' |
        sort -u | paste -sd:)
    cat >usr/bin/qemu-system-aarch64 <<END
#!/bin/sh
exec /host$loader --library-path $path "/host$qemu" "\$@"
END
    chmod +x usr/bin/qemu-system-aarch64

    export HOME=/ XDG_CONFIG_HOME=/etc XDG_CACHE_HOME=/cache XDG_DATA_HOME=/data
    export XDG_RUNTIME_DIR=/run PATH=/usr/bin:/usr/sbin LC_ALL=C
    mkdir -p etc/libvirt/qemu cache/libvirt/qemu
    ln -s /var/log/libvirt/qemu cache/libvirt/qemu/log
    # Two hosts of one machine are one to libvirt, unless told otherwise.
    cat >etc/libvirt/libvirtd.conf <<END
host_uuid = "$(cat /proc/sys/kernel/random/uuid)"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
END
    cat >etc/libvirt/qemu.conf <<END
stdio_handler = "file"
shared_filesystems = [ "/var/lib/libvirt/images" ]
END
    # Once more, to be rid of the capabilities.
    unshare --user --map-user=1000 --map-group=1000 --root=. --wd=/ \
        /usr/sbin/libvirtd &
    wait $!
}

case ${1:-} in
-h | --help) usage; exit 0 ;;
--inside) shift; inside "$@"; exit ;;
esac
[ $# -eq 4 ] || { usage >&2; exit 1; }
unshare --user --mount --net --pid --fork true 2>/dev/null ||
    die "this user cannot make namespaces; needed: user namespaces; run as \
root, or set sysctl kernel.unprivileged_userns_clone=1" 77
exec unshare --user --map-user=1000 --map-group=1000 --keep-caps --mount --net \
    --pid --fork --kill-child "$0" --inside \
    "$(realpath "$1")" "$(realpath "$2")" "$(realpath "$3")" "$(realpath "$4")"
