# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
#
# Packages of Debian: as root for this machine, and of other suites and
# architectures without installing them. Sourced after common.sh.

# as_root apt-get ARGUMENTS...: without a way to root, a line to copy instead.
as_root() {
    if [ "$EUID" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    elif command -v sudo >/dev/null; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        die "this user is not root and sudo is not installed" \
            "root, to install packages" "run as root: $*"
    fi
}

# rewrite_sources TYPES SUITE [list|sources FILE]...: the sources of the Debian
# archive in apt's FILEs (one-line or deb822 format), with another suite.
#
# Updates, backports and third-party sources are no help for another suite, and
# a third-party one may well call its suite "bookworm main" too. So an entry
# counts when its suite is a bare name, it has "main", and it is signed by
# Debian's keyring or, without a key of its own, lies under /debian. Security
# updates are in an archive of their own, whose suites are called so.
rewrite_sources() {
    # perl-base is essential on Debian; python3 may not be there yet.
    perl -e '
        use strict;
        my ($types, $suite, @files) = @ARGV;
        my $targets = $types eq "deb" ? "Packages" : "Sources";
        my $kind = $suite =~ /-security$/ ? "-security" : "";
        my %done;

        sub emit {
            my ($uris, $suites, $components, $key) = @_;
            return unless grep { /^[a-z]+$kind$/ } split " ", $suites;
            return unless grep { $_ eq "main" } split " ", $components;
            for my $uri (grep { !/^cdrom:/ } split " ", $uris) {
                next unless $key =~ /\S/
                            ? $key =~ /debian-archive|BEGIN PGP/
                            : $uri =~ m{/debian$kind(\.list)?/?$|
                                        /archive/debian$kind/}x;
                next if $done{$uri}++;
                print "Types: $types\n", "URIs: $uri\n", "Suites: $suite\n",
                      "Components: main\n", "Targets: $targets\n",
                      $key =~ /\S/ ? "Signed-By:$key\n" : "", "\n";
            }
        }

        sub one_line {
            for (split /\n/, $_[0]) {
                my ($options, $rest) =
                    /^\s*deb(?:-src)?\s+(?:\[([^\]]*)\])?([^#]*)/ or next;
                my ($uri, $in, $components) = split " ", $rest, 3;
                my ($key) = ($options // "") =~ /signed-by=(\S+)/i;
                $key = defined $key ? " " . join(" ", split /,/, $key) : "";
                emit($uri // "", $in // "", $components // "", $key);
            }
        }

        sub deb822 {
            for my $stanza (split /\n\s*\n/, $_[0]) {
                my ($field, %value);
                for (grep { !/^#/ } split /\n/, $stanza) {
                    if (/^([\w-]+):(.*)/) {
                        $field = lc $1;
                        $value{$field} = $2;
                    } elsif (/^\s/ && $field) {
                        $value{$field} .= "\n$_";
                    }
                }
                next if ($value{enabled} // "") =~ /^\s*(no|false|off|0)\s*$/i;
                emit(map { $value{$_} // "" }
                     qw(uris suites components signed-by));
            }
        }

        while (my ($format, $file) = splice @files, 0, 2) {
            open my $in, "<", $file or die "$file: $!\n";
            my $text = do { local $/; <$in> } // "";
            $format eq "list" ? one_line($text) : deb822($text);
        }' "$@"
}

# archive_sources TYPES SUITE: this machine's own mirror, with another suite
archive_sources() {
    local list='' parts='' file kind='' sources=()

    case $2 in
    *-security) kind=-security ;;
    esac
    if [ -n "${QEMU_HVC_MIRROR:-}" ]; then
        rewrite_sources "$1" "$2" list /dev/stdin <<END
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] \
${QEMU_HVC_MIRROR%/}$kind stable$kind main
END
        return
    fi
    eval "$(apt-config shell list Dir::Etc::sourcelist/f \
        parts Dir::Etc::sourceparts/d)"
    for file in "$list" "$parts"/*.list; do
        [ ! -f "$file" ] || sources+=(list "$file")
    done
    for file in "$parts"/*.sources; do
        [ ! -f "$file" ] || sources+=(sources "$file")
    done
    rewrite_sources "$1" "$2" "${sources[@]}"
}

# private_apt SUITE ARCH apt-get|apt-cache ARGUMENTS...
#
# apt on another suite or architecture, with lists of its own. Suites that need
# each other are joined by "+"; packages of the last one come first. Signature
# and hash checks are apt's; neither this machine's apt configuration nor its
# dpkg database changes. ARCH is a Debian architecture, or "source". apt must
# not see what is installed here, hence the empty status: it would insist on
# that version, which the suite may not have.
# On failure the error is printed here; the caller only has to stop.
private_apt() {
    local suite=$1 arch=$2 dir=$CACHE_DIR/apt/$1-$2 types=deb options
    shift 2

    require_tools apt-get flock perl
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" 2>/dev/null &&
        [ -w "$dir" ] ||
        die "$dir cannot be written" "a cache for package lists" \
            "set XDG_CACHE_HOME to a directory that can be written"
    options=(
        -q
        -o "Dir::Etc::sourcelist=$dir/archive.sources"
        -o Dir::Etc::sourceparts=/dev/null
        -o Dir::Etc::preferences=/dev/null
        -o Dir::Etc::preferencesparts=/dev/null
        -o "Dir::State::lists=$dir/lists"
        -o "Dir::Cache=$dir/cache"
        -o Dir::Cache::pkgcache=pkgcache.bin
        -o Dir::Cache::srcpkgcache=srcpkgcache.bin
        -o Acquire::Languages=none
        -o Acquire::Retries=2
        -o Acquire::http::Timeout=30
        -o APT::Update::Error-Mode=any
        -o "APT::Default-Release=${suite##*+}"
    )
    if [ "$arch" = source ]; then
        types=deb-src
    else
        : >"$dir/status"
        options+=(
            -o "APT::Architecture=$arch"
            -o "APT::Architectures=$arch"
            -o "Dir::State::status=$dir/status"
        )
    fi
    # The download sandbox user cannot enter root's home, and apt would say so
    # at every step before doing without it.
    [ "$EUID" -ne 0 ] || options+=(-o APT::Sandbox::User=root)

    # Two test suites may ask at the same time; apt itself would not wait.
    (
        flock 9
        refresh_lists "$suite" "$arch" "$types" "$dir" "${options[@]}"
        "$1" "${options[@]}" "${@:2}" ||
            die "'$*' failed for Debian $suite ($arch)" \
                "a Debian mirror that has it" \
                "see apt above; QEMU_HVC_MIRROR=URI selects another mirror"
    ) 9>"$dir/lock"
}

# refresh_lists SUITE ARCH TYPES DIR APT-OPTIONS...: part of private_apt
refresh_lists() {
    local suite=$1 arch=$2 types=$3 dir=$4 uris reason
    shift 4

    archive_sources "$types" "${suite//+/ }" >"$dir/archive.sources.new"
    [ -s "$dir/archive.sources.new" ] ||
        die "none of this machine's apt sources is the Debian archive" \
            "a source like 'deb https://MIRROR/debian SUITE main'" \
            "add one, or set QEMU_HVC_MIRROR to the URI of a Debian mirror"
    # Lists of other sources are stale.
    cmp -s "$dir/archive.sources.new" "$dir/archive.sources" ||
        rm -f "$dir/refreshed"
    mv "$dir/archive.sources.new" "$dir/archive.sources"
    [ -z "$(find "$dir/refreshed" -mtime -1 2>/dev/null)" ] || return 0

    step "reading the package lists of Debian $suite ($arch)"
    if ! apt-get "$@" update >"$dir/update.log" 2>&1; then
        uris=$(sed -n 's/^URIs: *//p' "$dir/archive.sources" | tr '\n' ' ')
        reason=$(grep -m 1 '^[EW]:' "$dir/update.log" || true)
        die "cannot read suite $suite ($arch) from ${uris% } (${reason#?: })" \
            "a reachable Debian mirror that has $suite" \
            "check the network, or set QEMU_HVC_MIRROR to such a mirror's URI"
    fi
    touch "$dir/refreshed"
}
