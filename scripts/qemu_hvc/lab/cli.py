# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The options of scripts/kvm-lab and their help."""

import argparse
from collections.abc import Callable, Sequence
import os
from pathlib import Path
import sys
from typing import Any

from ..paths import ROOT, FetchError
from . import backends, bare_guest, commands, host, kernels, render
from .common import LabError
from .matrix_table import (DEBIAN, FLEET, MACHINES, NIC_MACHINES, PINNED,
                           STOCK)
from .processes import PROCESSES

Adder = Callable[[argparse._ActionsContainer], None]
Commands = dict[str, tuple[Callable[[argparse.Namespace], int], Adder, str,
                           str]]

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
comma-separated kernels: a series such as 6.12 (its newest), a version such as
6.12.107, a release such as 6.1.0-50, "newest", or the path of a vmlinuz; or
"all" for every series that the Debian suites within reach have (default: those
of %s that can be had)
"""


class Help(argparse.RawDescriptionHelpFormatter):
    """As wide as the rest of the project's help."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=79, max_help_position=22)


def option(*names: str, **how: Any) -> Adder:
    """Adds it to a parser, or to a group of its options"""
    def add(parser: argparse._ActionsContainer) -> None:
        parser.add_argument(*names, **how)
    return add


def options(*adders: Adder) -> Adder:
    def add(parser: argparse._ActionsContainer) -> None:
        for adder in adders:
            adder(parser)
    return add


BUILD = option('--build', metavar='BUILD', type=Path, default=ROOT / 'build',
               help='build directory (default: build/)')
JOBS = option('--jobs', metavar='N', type=int,
              default=min(os.cpu_count() or 1, 2),
              help='how many hosts run at once (default: %(default)s)')
HOSTS = options(
    option('--outer', metavar='QEMU', type=Path,
           help='emulate the hosts with this qemu-system-aarch64, or with '
           f'Debian\'s newest: "{DEBIAN}" (default: the one in BUILD/qemu)'),
    option('--cpu', default=host.CPU,
           help="the hosts' CPU, such as cortex-a53, cortex-a72, max,lpa2=off "
           'or max,lpa2=off,cntfrq=25000000 (default: neoverse-n1)'),
    option('--append', metavar='WORDS', default='',
           help="for the hosts' kernel command line, such as "
           'kvm-arm.mode=nvhe, kvm-arm.mode=protected or mitigations=off'),
    option('--gic', metavar='VERSION', choices=('2', '3'), default='3',
           help="the hosts' interrupt controller, 2 or 3 (default: 3); for "
           'VMs with gic-version=2 in the kernel: 2'),
    option('--qemu', metavar='QEMU', default='patched',
           help='what runs inside the hosts: "patched" (default), "stock" for '
           'the same QEMU without our patches, a version that there are '
           'patches for, such as 10.2, "debian" for Debian\'s newest, or a '
           'static arm64 program; of "matrix" several, such as 10.0,10.2: each '
           'kernel with each'),
    JOBS)
# Commands that choose their hosts themselves
OF_THE_LAB = {'x86': BUILD, 'matrices': options(BUILD, JOBS)}

ARCH = option('--arch', choices=('arm64', 'amd64'), default='arm64',
              help="the hosts' architecture: arm64 (default), or amd64 with "
              'kvm-amd, whose guests execute what CPUID told them of')
KERNELS = option('--kernels', metavar='LIST',
                 help=SERIES_HELP % ', '.join(kernels.DEFAULT))
JSON, SVG, TEXT = (
    option(f'--{name}', metavar='FILE', type=Path,
           help=f'write the results there as {name.upper()}')
    for name in ('json', 'svg', 'text'))


def kernel(default: str) -> Adder:
    return option('--kernel', metavar='KERNEL', default=default,
                  help="the host's kernel: a series, version, release, "
                  '"newest" or the path of a vmlinuz (default: %(default)s)')


def machines(said: str, default: str | None = None) -> Adder:
    """said: what the help calls the default"""
    return option('--machine', metavar='LIST',
                  help='machine types, each perhaps with options, such as '
                  'virt,virt-hvc-10.0 or virt,hvc-services=trng (default: '
                  f'{said})', default=default)


def profile(what: str) -> Adder:
    return option('--profile', metavar='SERIES',
                  help=f"give {what} on this kernel's host to every newer one "
                  'as guest-abi-profile=')


def names(what: str) -> Adder:
    """Of a table's rows, which --list shows"""
    return options(
        option('--list', action='store_true',
               help=f'only say which {what} there are'),
        option('name', metavar='NAME', nargs='*',
               help=f'the {what} with this name, or with this in '
               'their names (default: all)'))


def cpus(default: str, most: int = bare_guest.MAX_CPUS) -> Adder:
    return option('--cpus', metavar='LIST', default=default,
                  type=lambda text: commands.cpu_counts(text, most),
                  help=f"numbers of the guest's CPUs, at most {most} (default: "
                  '%(default)s)')


# name: function, its options, one line of help, and more of it
COMMANDS = {
    'fetch': (commands.run_fetch, KERNELS,
              'get kernels and libraries from Debian',
              'Prints the kernels. At least 6.1, 6.12 and one from 6.15 on '
              'must be there;\none that is named in --kernels must be, too.'),
    'build': (commands.run_build, options(),
              'cross-build the QEMU for the hosts',
              'Prints its path. The other commands do it themselves.'),
    'probe': (commands.run_probe, options(KERNELS, JSON),
              'which firmware registers kernels have',
              'One row per kernel: defaults of the firmware registers, and '
              "how many registers\na vCPU's list has."),
    'backends': (commands.run_backends, options(
        KERNELS, JSON,
        option('--check', metavar='FILE', type=Path,
               help='write nothing; status 1 if a kernel says otherwise than '
               'FILE')),
                 'what TAP and vhost of kernels offer',
                 'One row per kernel: what TUNGETFEATURES, TUNSETOFFLOAD and '
                 'VHOST_GET_FEATURES say,\nwhich a guest sees as features of '
                 'its virtio devices. Default of --kernels:\n'
                 f'{backends.KERNELS}. What tests take for such hosts is '
                 'made so:\n\n  kvm-lab backends --json '
                 f'{backends.RECORD.relative_to(ROOT)}'),
    'run': (commands.run_run, options(
        kernel('6.12'),
        option('--file', metavar='FILE', type=Path, action='append',
               default=[], help='put it into the host, in /tmp; may be given '
               'more than once'),
        option('--no-qemu', action='store_true',
               help='without a QEMU inside the host'),
        option('--timeout', metavar='SECONDS', type=int, default=600,
               help='for COMMAND (default: 600)'),
        option('--verbose', action='store_true',
               help="show the host's console"),
        option('command', metavar='COMMAND', nargs='*',
               help='what to run there; none: a shell')),
            'run something in a host',
            'Boots a host and runs COMMAND in /tmp there. One word is a shell '
            'command, several\nare a program and its arguments. The status is '
            "the command's. /tmp has the inner\nQEMU as ./qemu and the "
            'bare-metal guest as ./guest.\n\n'
            '  kvm-lab run --kernel 7.3 -- kvmprobe\n'
            "  kvm-lab run --file test.sh -- 'sh test.sh'\n"
            '  kvm-lab run                          (a shell)'),
    'matrix': (commands.run_matrix, options(
        KERNELS, machines(f'{",".join(MACHINES)}; with --qemu stock: {STOCK}'),
        profile('what query-guest-abi says'),
        option('--to-cpu', metavar='CPU',
               help='the CPU of the hosts that load (default: that of --cpu)'),
        option('--to-append', metavar='WORDS',
               help='for the kernel command line of the hosts that load '
               '(default: as --append)'),
        option('--to-options', metavar='OPTIONS', default='',
               help='added to each machine type where it is loaded, such as '
               'its=off'),
        option('--mixed', metavar='CPU:CPU[/CPU:CPU...]',
               help='hosts of each of these CPUs with each kernel; machines '
               'with guest-abi-profile=fleet.json get a profile of the hosts '
               'that no / is between (default: of all)'),
        option('--guest-cpu', metavar='CPU', default='',
               help='-cpu of the VMs, such as host,pauth=off (default: host)'),
        ARCH,
        option('--nic', action='store_true',
               help='the guests are Linux with a NIC (TAP and vhost-net) and '
               'vhost-vsock, and traffic runs; default of --kernels: '
               f'{",".join(FLEET)}; of --machine: '
               + '; for amd64: '.join(map(','.join, NIC_MACHINES.values()))),
        option('--nic-options', metavar='OPTIONS', default='',
               help='properties of the NIC, such as '
               'host_uso=off,queue_reset=off'),
        JSON, SVG, TEXT),
               'every kernel to every kernel',
               'Two boots per kernel. In the first one, a KVM guest of each '
               'machine type is\nstarted, asked for all that it can find out '
               'about its machine, and saved. In\nthe second one, those of '
               'all kernels are loaded, asked again, rebooted and asked\n'
               'again. Verdicts:\n\n'
               + '\n'.join(f'  {kind.title:20}{kind.value.meaning}'
                           for kind in render.Kind)
               + '\n\nStatus 1 if a cell failed, or if a pinned type '
               '(virt-hvc-*) has a silent change, a\nrefusal that does not '
               'say what it is about, or one that could have come before\nthe '
               'RAM; or if one with the profile of a fleet does not go between '
               'hosts that have\nit in common.'),
    'matrices': (commands.run_matrices, options(
        names('matrices'),
        option('--directory', metavar='DIR', type=Path,
               help='where the results are (default: BUILD/matrices)'),
        option('--manual', action='store_true',
               help='run nothing, but put the results into the page '
               'docs/rollback-matrix.md')),
        "the matrices of the manual",
        'Those of the page docs/rollback-matrix.md, as "matrix" makes them. '
        'Each is kept as\nNAME.json in DIR. A matrix that is there is not run '
        'again, and one whose run was\nended goes on with what is missing, '
        'unless the programs are others. Status 1 as for\n"matrix".'),
    'kernels': (commands.run_kernels, options(),
                'list the kernels that can be had',
                "Debian's cloud kernels for arm64: what is in its suites, "
                'updates of security\namong them.'),
    'journeys': (commands.run_journeys, options(
        names('journeys'),
        option('--quick', action='store_true',
               help='only those that the suite kvm has'),
        option('--keep', metavar='FILE', type=Path,
               help='keep the results there, and go on no journey whose '
               'result it has, if the programs are the same'),
        option('--manual', action='store_true',
               help='go nowhere, but put the results of FILE into the page '
               'docs/rollback-matrix.md')),
                 'there and back, step by step',
                 'A guest goes from host to host: there and back, with resets '
                 'on the way, over three\nkernels, by file, by mapped-ram, '
                 'live over a socket, with multifd, by postcopy,\nbetween '
                 'hosts that differ in CPU, GIC, mitigations or mode of KVM. At '
                 'each stop it\ntells all that it can find out, and whether '
                 'its timers, its PMU and its vectors go\non. Status 1 if one '
                 'did not go as the table of journeys says.'),
    'fleet': (commands.run_fleet, options(
        KERNELS, profile('what guest-abi-probe prints'),
        option('directory', metavar='DIR', type=Path,
               help='where to write the files, as linux-SERIES.json')),
              'what each kernel can promise',
              'What guest-abi-probe prints on a host of each kernel, and what '
              '"guest-abi-diff\n--fleet" says of all of them.'),
    'show': (commands.run_show, options(
        SVG, TEXT,
        option('matrix', metavar='JSON', type=Path,
               help='what "matrix --json" wrote')),
             'show a matrix again',
             'What "kvm-lab matrix --json FILE" found, as text and as SVG.'),
    'live': (commands.run_live, options(
        kernel('6.12'), cpus('1,4,8'),
        option('--times', metavar='N', type=int, default=20,
               help='migrations each (default: 20)'),
        option('--machine', metavar='TYPE', default=PINNED,
               help='machine type, perhaps with options (default: '
               '%(default)s)')),
             'live migration inside a host',
             'In one host, a guest whose CPUs all run moves from QEMU to QEMU '
             'over a unix\nsocket, TIMES times. Before the first and after '
             'each migration it reboots, and\nits CPUs go off and on again; '
             'at both ends there are savevm and loadvm. Each time,\nevery '
             'CPU must give the answers of the first time. Status 1 at a '
             'problem.'),
    'linux': (commands.run_linux, options(
        kernel('7.3'), machines('virt-hvc-10.0; and virt with no service, and '
                                'with each one alone')),
              'what a Linux guest finds',
              "Debian 13's kernel boots as a KVM guest, and what it found of "
              'the services is\ncompared with what the machine offers; again '
              'after a live migration, and after a\nreboot. Status 1 at a '
              'difference.'),
    'ioctls': (commands.run_ioctls, options(
        kernel('6.12'), cpus('1,8', commands.MOST_CPUS),
        machines('%(default)s', f'{STOCK},{PINNED}')),
               'count accesses to the registers',
               'Counts KVM_GET_ONE_REG and KVM_SET_ONE_REG by class of '
               'register (firmware,\nfirmware bitmaps, all others): at the '
               'start of a VM, for a check-guest-abi (one\nscratch VM), while '
               'it is saved, and on the other side. With a tracer of our own,'
               '\nas strace does not say which register an ioctl is about. '
               'More than 8 vCPUs take\nminutes.'),
}


def parse(known: Commands,
          words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='kvm-lab', description=DESCRIPTION, epilog=EPILOG,
        formatter_class=Help)
    parsers = parser.add_subparsers(metavar='COMMAND', required=True)
    for name, (function, add, line, text) in known.items():
        command = parsers.add_parser(
            name, help=line, description=text,
            formatter_class=Help)
        OF_THE_LAB.get(name, options(BUILD, HOSTS))(
            command.add_argument_group('the lab'))
        add(command)
        command.set_defaults(function=function)
    args = parser.parse_args(words)
    args.build = args.build.resolve()
    return args


def main(others: Commands, words: Sequence[str] | None = None) -> int:
    """Runs one of COMMANDS or others; words: instead of the program's"""
    PROCESSES.end_at_signals()
    args = parse({**COMMANDS, **others}, words)
    try:
        return args.function(args)
    except (LabError, FetchError) as error:
        print(f'kvm-lab: error: {error}', file=sys.stderr)
        return 1
