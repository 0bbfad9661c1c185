# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of scripts/kvm-lab and their help."""

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
import dataclasses
import json
import os
from pathlib import Path
import shlex
import signal
import sys
from typing import TypeVar

from ..fleet import Fleet

from . import (bare_guest, firmware, fleet, host, ioctls, kernels, linux, live,
               programs, qemu_build, render, x86)
from .. import tap
from ..paths import ROOT
from .common import LabError, say
from .host import Hardware
from .kernels import Kernel
from .matrix import Matrix, from_json, machine_list

T = TypeVar('T')
U = TypeVar('U')
Commands = dict[str, tuple[Callable[[argparse.Namespace], int],
                           Callable[[argparse.ArgumentParser], None], str, str]]

DESCRIPTION = """\
Runs real KVM/arm64 on any machine: our own QEMU emulates a host with EL2 (TCG,
no KVM needed), an unmodified Debian kernel boots in it as a KVM host within
seconds, and a cross-built, KVM-only QEMU starts, saves, loads and migrates
real KVM guests inside it. The command "x86" does the like for KVM/x86.
"""

EPILOG = """\
What is needed, and made when it is not there:
  - the outer QEMU, BUILD/qemu/qemu-system-aarch64: "scripts/build-qemu BUILD"
  - the inner QEMU, BUILD/kvm, cross-built from the patched tree in BUILD/src;
    the first time takes some minutes, later only what changed is built again
  - kernels, libraries and busybox from Debian: "scripts/fetch", which keeps
    them outside the checkout; then no network is needed

Progress goes to stderr, results to stdout. "kvm-lab COMMAND --help" says more
about each command.
"""

SERIES_HELP = """\
comma-separated series such as 6.1,6.12,7.3, or "all" for every one that the
Debian suites within reach have (default: those of %s that can be had)
"""

PINNED = 'virt-hvc-10.0'
MACHINES = ('virt', 'virt-hvc-9.0', 'virt-hvc-9.2', PINNED)
# Each service alone, and none: what is not chosen must not be found.
LINUX_MACHINES = (PINNED, *(f'virt,hvc-services={spec}' for spec in (
    'none', 'trng', 'pv-time', 'vendor-features', 'ptp')))


def outer_qemu(args: argparse.Namespace) -> Path:
    path = args.outer or args.build / 'qemu/qemu-system-aarch64'
    if not path.is_file():
        raise LabError(f'{path} is not there; needed: a qemu-system-aarch64 '
                       'with TCG to emulate the hosts; run '
                       f'"scripts/build-qemu {args.build}" or name one with '
                       '--outer')
    return path.resolve()


def hardware_of(args: argparse.Namespace) -> Hardware:
    return Hardware(outer_qemu(args), args.cpu, args.append)


def inner_qemu(args: argparse.Namespace) -> Path:
    """What --qemu names; built if it is one of ours."""
    if args.qemu in ('patched', 'stock'):
        return qemu_build.build_qemu(args.build, args.qemu == 'stock')
    path = Path(args.qemu)
    if not path.is_file():
        raise LabError(f'--qemu {path}: no such file; needed: a static '
                       'qemu-system-aarch64 for arm64 with KVM, or "patched" '
                       'or "stock"; correct it')
    return path.resolve()


def parallel(args: argparse.Namespace, function: Callable[[T], U],
             items: Sequence[T]) -> list[U]:
    """As many at once as there shall be hosts."""
    with ThreadPoolExecutor(args.jobs) as pool:
        return list(pool.map(function, items))


def write(path: Path | None, text: str) -> None:
    if path:
        path.write_text(text, encoding='utf-8')
        say(f'wrote {path}')


# --- commands ---

def run_fetch(args: argparse.Namespace) -> int:
    for kernel in kernels.have(args.kernels):
        print(f'{kernel.series:5} {kernel.release:28} {kernel.image}')
    qemu_build.fetch('lab-sysroot')
    programs.initramfs()
    return 0


def run_build(args: argparse.Namespace) -> int:
    print(inner_qemu(args))
    programs.guest()
    programs.initramfs()
    return 0


def run_probe(args: argparse.Namespace) -> int:
    hardware = hardware_of(args)
    programs.initramfs()
    found = parallel(args, lambda kernel: firmware.probe(hardware, kernel),
                     kernels.have(args.kernels))
    print(firmware.table(found), end='')
    write(args.json, firmware.as_json(hardware, found))
    return 0


def run_run(args: argparse.Namespace) -> int:
    hardware = hardware_of(args)
    kernel = kernels.one(args.kernel)
    files = {path.name: path for path in args.file}
    if not args.no_qemu:
        files['qemu'] = inner_qemu(args)
        files['guest'] = programs.guest()
    words = args.command[1:] if args.command[:1] == ['--'] else args.command
    if not words:
        return host.interactive(hardware, kernel, files)
    with host.Host(hardware, kernel, files, lifetime=args.timeout,
                   echo=args.verbose) as booted:
        # One word is a shell command, several are a program's.
        command = words[0] if len(words) == 1 else shlex.join(words)
        try:
            print(booted.run(command, args.timeout), end='')
        except host.CommandFailed as failure:
            print(failure.output, end='')
            return failure.status
    return 0


def run_matrix(args: argparse.Namespace) -> int:
    hardware = hardware_of(args)
    chosen = kernels.have(args.kernels)
    profile = profile_of(args, chosen)
    machines = machine_list(args.machine) if args.machine else \
        ['virt'] if args.qemu == 'stock' else list(MACHINES)
    matrix = Matrix(hardware, inner_qemu(args), Path(args.qemu).name, chosen,
                    machines, profile, args.jobs)
    programs.guest()
    programs.initramfs()
    matrix.run()
    show(args, matrix)
    write(args.json, matrix.as_json())
    for cell in matrix.problems():
        say(f'error: {cell.source} to {cell.target}, {cell.machine}: '
            f'{cell.verdict}')
    return bool(matrix.problems())


def profile_of(args: argparse.Namespace,
               chosen: Sequence[Kernel]) -> Kernel | None:
    if not args.profile:
        return None
    for kernel in chosen:
        if kernel.series == args.profile:
            return kernel
    raise LabError(f'--profile {args.profile} is none of the kernels '
                   f'{", ".join(k.series for k in chosen)}; needed: one of '
                   'them; correct it')


def run_fleet(args: argparse.Namespace) -> int:
    hardware = hardware_of(args)
    chosen = kernels.have(args.kernels)
    profile = profile_of(args, chosen)
    qemu = inner_qemu(args)
    programs.initramfs()
    try:
        args.directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(f'{args.directory}: {error.strerror}; needed: a '
                       'directory, or a name for one') from error
    documents = fleet.probe_all(hardware, qemu, chosen, profile, args.jobs)
    paths = [args.directory / name for name in documents]
    for path, document in zip(paths, documents.values()):
        write(path, json.dumps(document, indent=2) + '\n')
    for line in Fleet(paths).text():
        print(line)
    return 0


def show(args: argparse.Namespace, matrix: Matrix) -> None:
    text = render.as_text(matrix)
    print(text, end='')
    write(args.text, text)
    write(args.svg, render.as_svg(matrix))


def run_show(args: argparse.Namespace) -> int:
    try:
        text = args.matrix.read_text(encoding='utf-8')
        show(args, from_json(text))
    except (OSError, UnicodeError, LabError) as error:
        raise LabError(f'{args.matrix}: {error}') from error
    return 0


def run_live(args: argparse.Namespace) -> int:
    hardware, kernel, qemu = one_host(args)
    results = parallel(
        args, lambda cpus: live.run(hardware, qemu, kernel, args.machine, cpus,
                                    args.times),
        args.cpus)
    for result in results:
        print(result)
    return any(result.problem for result in results)


def run_linux(args: argparse.Namespace) -> int:
    hardware, kernel, qemu = one_host(args)
    hardware = dataclasses.replace(hardware, memory=linux.MEMORY)
    machines = machine_list(args.machine) if args.machine else LINUX_MACHINES
    problems = [problem for machine in machines
                for problem in linux.run(hardware, qemu, kernel, machine)]
    return bool(problems)


def run_ioctls(args: argparse.Namespace) -> int:
    hardware, kernel, qemu = one_host(args)
    rows = ioctls.run(hardware, qemu, kernel, machine_list(args.machine),
                      args.cpus)
    print(ioctls.table(rows), end='')
    return 0


def run_x86(args: argparse.Namespace) -> int:
    reason = x86.skip_reason(args.build)
    try:
        if reason:
            raise LabError(reason)
        kernel = kernels.one(args.kernel, 'amd64')
        kernels.fetch('busybox', 'amd64')
    except LabError as error:
        tap.skip_all(error)
        return 0
    return x86.run(args.build, kernel)


def one_host(args: argparse.Namespace) -> tuple[Hardware, Kernel, Path]:
    """What a command on a single host needs."""
    result = hardware_of(args), kernels.one(args.kernel), inner_qemu(args)
    programs.guest()
    programs.initramfs()
    return result


# --- options ---

class Help(argparse.RawDescriptionHelpFormatter):
    """As wide as the rest of the project's help."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=79, max_help_position=22)


def common_options(arm: bool) -> argparse.ArgumentParser:
    """Those of all commands, or of all with arm64 hosts."""
    parser = argparse.ArgumentParser(add_help=False)
    group = parser.add_argument_group('the lab')
    group.add_argument('--build', metavar='BUILD', type=Path,
                       default=ROOT / 'build',
                       help='build directory (default: build/)')
    if not arm:
        return parser
    group.add_argument('--outer', metavar='QEMU', type=Path,
                       help='emulate the hosts with this qemu-system-aarch64 '
                       '(default: the one in BUILD/qemu)')
    group.add_argument('--cpu', default='neoverse-n1',
                       help="the hosts' CPU, such as cortex-a53, cortex-a72 "
                       'or max,lpa2=off (default: neoverse-n1)')
    group.add_argument('--append', metavar='WORDS', default='',
                       help="for the hosts' kernel command line, such as "
                       'kvm-arm.mode=nvhe or kvm-arm.mode=protected')
    group.add_argument('--qemu', metavar='QEMU', default='patched',
                       help='what runs inside the hosts: "patched" (default), '
                       '"stock" for the same QEMU without our patches, or a '
                       'static arm64 program')
    group.add_argument('--jobs', metavar='N', type=int,
                       default=min(os.cpu_count() or 1, 2),
                       help='how many hosts run at once (default: '
                       '%(default)s)')
    return parser


def kernels_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--kernels', metavar='LIST',
                        help=SERIES_HELP % ', '.join(kernels.DEFAULT))


def kernel_option(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument('--kernel', metavar='SERIES', default=default,
                        help="the host's kernel (default: %(default)s)")


def add_fetch(parser: argparse.ArgumentParser) -> None:
    kernels_option(parser)


def add_build(parser: argparse.ArgumentParser) -> None:
    del parser


def add_probe(parser: argparse.ArgumentParser) -> None:
    kernels_option(parser)
    parser.add_argument('--json', metavar='FILE', type=Path,
                        help='write the results there, too')


def add_run(parser: argparse.ArgumentParser) -> None:
    kernel_option(parser, '6.12')
    parser.add_argument('--file', metavar='FILE', type=Path, action='append',
                        default=[], help='put it into the host, in /tmp; may '
                        'be given more than once')
    parser.add_argument('--no-qemu', action='store_true',
                        help='without a QEMU inside the host')
    parser.add_argument('--timeout', metavar='SECONDS', type=int, default=600,
                        help='for all of it (default: 600)')
    parser.add_argument('--verbose', action='store_true',
                        help="show the host's console")
    parser.add_argument('command', metavar='COMMAND', nargs='*',
                        help='what to run there; none: a shell')


def profile_option(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument('--profile', metavar='SERIES',
                        help=f"give {what} on this kernel's host to every "
                        'newer one as guest-abi-profile=')


def add_fleet(parser: argparse.ArgumentParser) -> None:
    kernels_option(parser)
    profile_option(parser, 'what guest-abi-probe prints')
    parser.add_argument('directory', metavar='DIR', type=Path,
                        help='where to write the files, as linux-SERIES.json')


def add_matrix(parser: argparse.ArgumentParser) -> None:
    kernels_option(parser)
    parser.add_argument('--machine', metavar='LIST',
                        help='machine types, each perhaps with options: '
                        'virt,virt-hvc-10.0 or virt,hvc-services=trng '
                        f'(default: {",".join(MACHINES)}; with --qemu stock: '
                        'virt)')
    profile_option(parser, 'what query-guest-abi says')
    output_options(parser, 'json', 'svg', 'text')


def output_options(parser: argparse.ArgumentParser, *names: str) -> None:
    for name in names:
        parser.add_argument(f'--{name}', metavar='FILE', type=Path,
                            help=f'write the matrix there as {name.upper()}')


def add_show(parser: argparse.ArgumentParser) -> None:
    output_options(parser, 'svg', 'text')
    parser.add_argument('matrix', metavar='JSON', type=Path,
                        help='what "matrix --json" wrote')


def cpu_counts(text: str) -> list[int]:
    try:
        counts = [int(word) for word in text.split(',')]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1 or max(counts) > bare_guest.MAX_CPUS:
        raise argparse.ArgumentTypeError(
            f'{text!r} is no list of numbers from 1 to {bare_guest.MAX_CPUS}, '
            'such as 1,4,8')
    return counts


def cpus_option(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument('--cpus', metavar='LIST', default=default,
                        type=cpu_counts,
                        help="numbers of the guest's CPUs, at most 8 "
                        '(default: %(default)s)')


def add_live(parser: argparse.ArgumentParser) -> None:
    kernel_option(parser, '6.12')
    cpus_option(parser, '1,4,8')
    parser.add_argument('--times', metavar='N', type=int, default=20,
                        help='migrations each (default: 20)')
    parser.add_argument('--machine', metavar='TYPE', default=PINNED,
                        help='machine type, perhaps with options (default: '
                        '%(default)s)')


def add_linux(parser: argparse.ArgumentParser) -> None:
    kernel_option(parser, '7.3')
    parser.add_argument('--machine', metavar='LIST',
                        help='machine types, each perhaps with options '
                        '(default: virt-hvc-10.0; and virt with no service, '
                        'and with each one alone)')


def add_ioctls(parser: argparse.ArgumentParser) -> None:
    kernel_option(parser, '6.12')
    cpus_option(parser, '1,8')
    parser.add_argument('--machine', metavar='LIST',
                        default=f'virt,{PINNED}',
                        help='machine types, each perhaps with options '
                        '(default: %(default)s)')


def add_x86(parser: argparse.ArgumentParser) -> None:
    kernel_option(parser, '6.12')


# name: function, its options, one line of help, and more of it
COMMANDS = {
    'fetch': (run_fetch, add_fetch, 'get kernels and libraries from Debian',
              'Prints the kernels. At least 6.1, 6.12 and one from 6.15 on '
              'must be there;\none that is named in --kernels must be, too.'),
    'build': (run_build, add_build, 'cross-build the QEMU for the hosts',
              'Prints its path. The other commands do it themselves.'),
    'probe': (run_probe, add_probe, 'which firmware registers kernels have',
              'One row per kernel: defaults of the firmware registers, and '
              "how many registers\na vCPU's list has."),
    'run': (run_run, add_run, 'run something in a host',
            'Boots a host and runs COMMAND in /tmp there. One word is a shell '
            'command, several\nare a program and its arguments. The status is '
            "the command's. /tmp has the inner\nQEMU as ./qemu and the "
            'bare-metal guest as ./guest.\n\n'
            '  kvm-lab run --kernel 7.3 -- kvmprobe\n'
            "  kvm-lab run --file test.sh -- 'sh test.sh'\n"
            '  kvm-lab run                          (a shell)'),
    'matrix': (run_matrix, add_matrix, 'every kernel to every kernel',
               'Two boots per kernel. In the first one, a KVM guest of each '
               'machine type is\nstarted, asked for all that it can find out '
               'about its machine, and saved. In\nthe second one, those of '
               'all kernels are loaded, asked again, rebooted and asked\n'
               'again. Verdicts:\n\n'
               + '\n'.join(f'  {kind.title:20}{kind.value.meaning}'
                           for kind in render.Kind)
               + '\n\nStatus 1 if a cell failed, or a pinned type '
               '(virt-hvc-*) has a silent change.'),
    'fleet': (run_fleet, add_fleet, 'what each kernel can promise',
              'What guest-abi-probe prints on a host of each kernel, and what '
              '"guest-abi-diff\n--fleet" says of all of them.'),
    'show': (run_show, add_show, 'show a matrix again',
             'What "kvm-lab matrix --json FILE" found, as text and as SVG.'),
    'live': (run_live, add_live, 'live migration inside a host',
             'In one host, a guest whose CPUs all run moves from QEMU to QEMU '
             'over a unix\nsocket, TIMES times. Before the first and after '
             'each migration it reboots, and\nits CPUs go off and on again; '
             'at both ends there are savevm and loadvm. Each time,\nevery '
             'CPU must give the answers of the first time. Status 1 at a '
             'problem.'),
    'linux': (run_linux, add_linux, 'what a Linux guest finds',
              "Debian 13's kernel boots as a KVM guest, and what it found of "
              'the services is\ncompared with what the machine offers; again '
              'after a live migration, and after a\nreboot. Status 1 at a '
              'difference.'),
    'ioctls': (run_ioctls, add_ioctls, 'count accesses to the registers',
               'Counts KVM_GET_ONE_REG and KVM_SET_ONE_REG by class of '
               'register (firmware,\nfirmware bitmaps, all others): at the '
               'start of a VM, while it is saved, and on\nthe other side. '
               'With a tracer of our own, as strace does not say which '
               'register\nan ioctl is about.'),
    'x86': (run_x86, add_x86, 'XSAVE components of x86 guests, as TAP',
            'Two amd64 hosts, with and without protection keys (kvm-amd under '
            "TCG's SVM). What\nthe first saves, the second loads, or refuses by "
            'name, where an unpatched QEMU\nends. Inside run the programs of '
            'BUILD/qemu and BUILD/stock. Skipped without a\nkernel, and on '
            'other machines than x86-64.'),
}


def parse(commands: Commands,
          words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='kvm-lab', description=DESCRIPTION, epilog=EPILOG,
        formatter_class=Help)
    parsers = parser.add_subparsers(metavar='COMMAND', required=True)
    for name, (function, add, line, text) in commands.items():
        command = parsers.add_parser(
            name, help=line, description=text,
            parents=[common_options(arm=name != 'x86')],
            formatter_class=Help)
        add(command)
        command.set_defaults(function=function)
    args = parser.parse_args(words)
    args.build = args.build.resolve()
    return args


def main(others: Commands, words: Sequence[str] | None = None) -> int:
    """Runs one of COMMANDS or others; words: instead of the program's"""
    # Let "with" run, so that no QEMU stays behind when this is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    args = parse({**COMMANDS, **others}, words)
    try:
        return args.function(args)
    except LabError as error:
        print(f'kvm-lab: error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
