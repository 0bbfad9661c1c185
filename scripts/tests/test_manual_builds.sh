# SPDX-License-Identifier: GPL-2.0-or-later
# Tests that the manual builds; prints TAP.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

usage() {
    cat <<END
usage: scripts/tests/run manual-builds BUILD

Builds the manual from nothing, into a directory that goes away again, and its
pages for QEMU as part of QEMU's own manual, with the tree in BUILD/src. Fails on
any warning of Sphinx. Skipped where Sphinx, MyST, or the theme of QEMU's manual
is not installed.
END
}

case ${1:-} in
--help) usage; exit 0 ;;
-* | '') usage >&2; exit 1 ;;
esac
[ $# -eq 1 ] || { usage >&2; exit 1; }
tree=$1/src/docs

if ! /usr/bin/python3 -c 'import myst_parser, sphinx, sphinx_rtd_theme' \
     2>/dev/null; then
    echo "1..0 # SKIP python3-sphinx, its RTD theme or MyST is not installed"
    exit 0
fi
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

# point NUMBER NAME COMMAND...: what the command says, as TAP
failed=0
point() {
    local number=$1 name=$2 output status=0
    shift 2

    output=$("$@" 2>&1) || status=1
    [ "$status" = 0 ] && echo "ok $number - $name" ||
        echo "not ok $number - $name"
    [ -z "$output" ] || sed 's/^/# /' <<<"$output"
    failed=$((failed | status))
}

# missing_pages SOURCE HTML: the pages of the one that the other does not have
missing_pages() {
    local page status=0

    while read -r page; do
        [ -s "$2/${page%.rst}.html" ] ||
            { echo "no ${page%.rst}.html"; status=1; }
    done < <(cd "$1" && find . -name '*.rst' -printf '%P\n')
    return "$status"
}

# QEMU's manual takes minutes with all of its QMP reference. What lists our
# pages, and all that is beside them, is enough to see whether they are listed,
# read well with QEMU's configuration, and link to what is there. Of the part's
# other pages, some links are broken; the names of ours begin in two ways.
qemus_manual() {
    local part=$build/qemu output status=0

    [ -d "$tree" ] || { echo "no $tree; run meson compile"; return 1; }
    mkdir -p "$part/system"
    cp -rt "$part/system" "$tree"/system/{arm,i386,target-arm.rst} \
        "$tree"/system/target-i386* "$tree"/system/cpu-models-x86*
    printf '%s\n' Manual ====== '' '.. toctree::' '' \
        '   system/target-arm' '   system/target-i386' >"$part/index.rst"
    output=$(CONFDIR=/etc/qemu /usr/bin/python3 -B -m sphinx -b html -q \
        -D version=0 -D release=0 -c "$tree" -d "$build/qemu.doctrees" \
        "$part" "$build/qemu.html" 2>&1) || status=1
    ! grep -qE '/(hvc|xsave)-' <<<"$output" || status=1
    [ "$status" = 0 ] || echo "$output"
    missing_pages "$PROJECT_ROOT/docs/system" "$build/qemu.html/system" &&
        [ "$status" = 0 ]
}

echo 1..3
point 1 no-warnings "$PROJECT_ROOT/scripts/build-docs" "$build"
point 2 pages-are-there missing_pages "$PROJECT_ROOT/docs" "$build/docs"
point 3 in-the-manual-of-qemu qemus_manual
exit "$failed"
