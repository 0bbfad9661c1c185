# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What each command of scripts/kvm-lab does."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
import dataclasses
import functools
import json
from pathlib import Path
import re
import shlex
import subprocess
from typing import TypeVar

from ..contract import read_text
from ..fleet import Fleet
from ..fleet_text import fleet_lines
from . import (backends, cpuid_guest, firmware, fleet, host, ioctls, journey_set,
               journey_table, journeys, kernels, linux, live, matrix_set,
               matrix_table, nic, places, programs, qemu_build, render, x86)
from .bare_guest import BARE
from .common import LabError, say
from .guest_kind import GuestKind
from .host import ArmHardware, Hardware
from .kernels import Kernel
from .matrix import FLEET_PROFILE, Matrix, from_json, machine_list
from .matrix_table import DEBIAN, MACHINES, PINNED, STOCK
from .spots import Fleets, Spot, fleets_of

T = TypeVar('T')
Named = TypeVar('Named', matrix_table.Row, journeys.Journey)
U = TypeVar('U')

# That KVM's GICv3 has; the lab's guest uses eight of them.
MOST_CPUS = 512
# Each service alone, and none: what is not chosen must not be found.
LINUX_MACHINES = (PINNED, *(f'virt,hvc-services={spec}' for spec in (
    'none', 'trng', 'pv-time', 'vendor-features', 'ptp')))


def newest_outer() -> Path:
    """Debian's newest QEMU"""
    return kernels.fetch('qemu-debian', 'aarch64', 'trixie-backports')


def outer_qemu(outer: Path | None, build: Path) -> Path:
    """What an option --outer names"""
    if outer == Path(DEBIAN):
        return newest_outer()
    path = outer or build / 'qemu/qemu-system-aarch64'
    if not path.is_file():
        raise LabError(f'{path} is not there; needed: a qemu-system-aarch64 '
                       'with TCG to emulate the hosts; run '
                       f'"scripts/build-qemu {build}" or name one with '
                       '--outer')
    return path.resolve()


def version_of(program: Path) -> str:
    """A QEMU's own, such as 11.1.3"""
    said = subprocess.run([program, '--version'], stdout=subprocess.PIPE,
                          text=True, check=False).stdout
    version = re.search(r'version (\S+)', said)
    return version[1] if version else 'unknown'


def hardware_of(args: argparse.Namespace) -> ArmHardware:
    return ArmHardware(outer_qemu(args.outer, args.build), args.cpu, args.append,
                    gic=args.gic)


def inner_qemu(args: argparse.Namespace) -> Path:
    """What --qemu names; built if it is one of ours."""
    return qemu_build.named_qemu(args.qemu, args.build)


def several_qemus(names: str, build: Path) -> dict[str, Path]:
    """Those of an option --qemu, if there are several. LabError if one is there
    twice"""
    words = names.split(',')
    if len(words) == 1:
        return {}
    if len({Path(word).name for word in words}) < len(words):
        raise LabError(f'--qemu {names}: a QEMU is there twice; needed: each '
                       'once, with a name of its own; correct it')
    return {Path(word).name: qemu_build.named_qemu(word, build)
            for word in words}


def cpu_counts(text: str, most: int = MOST_CPUS) -> list[int]:
    """An option's list of numbers of vCPUs"""
    try:
        counts = [int(word) for word in text.split(',')]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1 or max(counts) > most:
        raise argparse.ArgumentTypeError(
            f'{text!r} is no list of numbers from 1 to {most}, such as 1,4,8')
    return counts


def parallel(args: argparse.Namespace, function: Callable[[T], U],
             items: Sequence[T]) -> list[U]:
    """As many at once as there may be hosts."""
    with ThreadPoolExecutor(args.jobs) as pool:
        return list(pool.map(function, items))


def write(path: Path | None, text: str) -> None:
    if path:
        path.write_text(text, encoding='utf-8')
        say(f'wrote {path}')


def run_fetch(args: argparse.Namespace) -> int:
    for kernel in kernels.have(args.kernels):
        print(f'{kernel.name:5} {kernel.release:28} {kernel.image}')
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


def run_backends(args: argparse.Namespace) -> int:
    hardware = hardware_of(args)
    found = parallel(args, lambda kernel: backends.probe(hardware, kernel),
                     kernels.have(args.kernels or backends.KERNELS))
    print(backends.table(found), end='')
    if not args.check:
        write(args.json, backends.as_json(found))
        return 0
    problems = list(backends.differences(args.check, found))
    for problem in problems:
        say(f'error: {args.check}: {problem}')
    return bool(problems)


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
    with host.Host(hardware, kernel, files, echo=args.verbose) as booted:
        # One word is a shell command, several are a program's.
        command = words[0] if len(words) == 1 else shlex.join(words)
        try:
            print(booted.run(command, args.timeout), end='')
        except host.CommandFailed as failure:
            print(failure.output, end='')
            return failure.status
    return 0


def run_matrix(args: argparse.Namespace) -> int:
    check_arch(args)
    machines = machine_list(args.machine) if args.machine else \
        list(usual_machines(args))
    cpus = cpus_of_fleets(args, machines)
    chosen = kernels.have(args.kernels or
                          (','.join(matrix_table.FLEET)
                           if args.nic or args.arch == 'amd64' else None),
                          args.arch)
    qemus = several_qemus(args.qemu, args.build)
    hardware, qemu = hosts_of(args)
    hardware, kind = guests_of(hardware, args.nic, args.build,
                               args.nic_options)
    matrix = Matrix(hardware, qemu, ','.join(qemus) or Path(args.qemu).name,
                    fleets_of(chosen, cpus, qemus), machines,
                    named_kernel(args.profile, chosen), args.jobs,
                    target_of(args, hardware), args.to_options and
                    f',{args.to_options}', kind, args.guest_cpu, qemus,
                    outer=version_of(hardware.outer))
    matrix.run()
    show(args, matrix)
    write(args.json, matrix.as_json())
    return complain(matrix)


def complain(matrix: Matrix) -> bool:
    """Whether there are cells that must not be, with a line about each"""
    for cell in matrix.problems():
        say(f'error: {cell.source} to {cell.target}, {cell.machine}: '
            f'{matrix.problem(cell)}: {cell.verdict}')
    return bool(matrix.problems())


def check_arch(args: argparse.Namespace) -> None:
    """LabError for options that do not go together"""
    if args.arch == 'amd64' and args.qemu not in x86.FOLDERS:
        raise LabError(f'--arch amd64 with --qemu {args.qemu}; needed: '
                       '"patched" or "stock"; correct it')


def cpus_of_fleets(args: argparse.Namespace,
                   machines: Sequence[str]) -> Sequence[Sequence[str]]:
    """What --mixed names, or one fleet of equal CPUs. LabError for a name that
    is none, or is there twice, and for options that do not go with it or with
    the profile of a fleet"""
    of_fleet = any(FLEET_PROFILE in machine for machine in machines)
    if of_fleet and (args.to_cpu or args.to_append is not None):
        raise LabError(f'--to-cpu or --to-append with {FLEET_PROFILE[1:]}; '
                       'needed: without them, as other hosts load then than '
                       'the profile is of; correct it')
    if not args.mixed:
        return [['']]
    fleets = [fleet.split(':') for fleet in args.mixed.split('/')]
    cpus = [cpu for fleet in fleets for cpu in fleet]
    if not all(cpus) or len(set(cpus)) < len(cpus):
        raise LabError(f'--mixed {args.mixed}: a CPU is without a name, or '
                       'there twice; needed: each once, as in neoverse-n1:'
                       'cortex-a76/neoverse-v1:neoverse-n2; correct it')
    if args.to_cpu or args.profile or args.nic:
        raise LabError('--mixed with --to-cpu, --profile or --nic; needed: '
                       'without them, as --mixed has CPUs and profiles; '
                       'correct it')
    return fleets


def usual_machines(args: argparse.Namespace) -> Sequence[str]:
    """What a matrix has without --machine"""
    if args.nic:
        machines = matrix_table.NIC_MACHINES[args.arch]
        return machines[:1] if args.qemu == 'stock' else machines
    if args.arch == 'amd64':
        return matrix_table.X86_STOCK if args.qemu == 'stock' else \
            matrix_table.X86_MACHINES
    if ',' in args.qemu:
        return matrix_table.SERIES_MACHINES
    return [STOCK] if args.qemu == 'stock' else MACHINES


def hosts_of(args: argparse.Namespace) -> tuple[Hardware, Path]:
    """A matrix's hosts, and the QEMU in them"""
    if args.arch == 'arm64':
        return hardware_of(args), \
            qemu_build.named_qemu(args.qemu.partition(',')[0], args.build)
    hardware = x86.hardware(args.build)
    if args.cpu != host.CPU:
        hardware = dataclasses.replace(hardware, cpu=args.cpu)
    return dataclasses.replace(hardware, append=args.append), \
        x86.stripped(args.build, args.qemu)


def guests_of(hardware: Hardware, has_nic: bool, build: Path,
              device: str = '') -> tuple[Hardware, GuestKind]:
    """The hosts for such guests, and the guests; device: properties of the
    NIC"""
    if not has_nic:
        return hardware, BARE if hardware.arch == 'arm64' else \
            cpuid_guest.kind(build)
    return nic.with_backends(hardware), nic.kind(
        nic.PLACES[hardware.arch], build, device)


def run_matrices(args: argparse.Namespace) -> int:
    rows = named(matrix_table.ROWS, args.name, 'matrix', 'matrices')
    if args.list:
        for row in rows:
            print(f'{row.name}\n  {row}')
        return 0
    directory = args.directory or args.build / 'matrices'
    if args.manual:
        matrix_set.show_in_manual(directory, rows)
        return 0
    problems = False
    for row in rows:
        matrix = matrix_set.run(directory, row.name, matrix_of(row, args))
        print(render.as_text(matrix))
        problems |= complain(matrix)
    return problems


def fleets_of_row(row: matrix_table.Row, qemus: Iterable[str] = ()) -> Fleets:
    """Its hosts, with the kernels that are meant; qemus: names, if there are
    several"""
    hosts = [[name.partition(' ') for name in fleet] for fleet in row.fleets]
    found = {series: kernels.one(series, row.arch)
             for series in dict.fromkeys(series for fleet in hosts
                                         for series, _, _ in fleet)}
    kernels.in_order(found.values())
    return [[Spot(found[series], cpu, qemu) for series, _, cpu in fleet
             for qemu in qemus or ('',)] for fleet in hosts]


def matrix_of(row: matrix_table.Row, args: argparse.Namespace) -> Matrix:
    """That of the row, not run yet"""
    qemus = several_qemus(row.qemu, args.build)
    fleets = fleets_of_row(row, qemus)
    hardware: Hardware
    if row.arch == 'arm64':
        hardware = ArmHardware(outer_qemu(
            Path(row.outer) if row.outer else None, args.build), row.cpu)
        qemu = qemu_build.named_qemu(row.qemu.partition(',')[0], args.build)
    else:
        hardware = x86.hardware(args.build)
        qemu = x86.stripped(args.build, row.qemu)
    hardware, kind = guests_of(hardware, row.nic, args.build)
    return Matrix(hardware, qemu, row.qemu, fleets, list(row.machines),
                  named_kernel(row.profile, [spot.kernel for fleet in fleets
                                             for spot in fleet]),
                  args.jobs, kind=kind, guest_cpu=row.guest_cpu, qemus=qemus,
                  outer=version_of(hardware.outer))


def target_of(args: argparse.Namespace,
              hardware: Hardware) -> Hardware | None:
    """The hosts that load, if they are others"""
    target = dataclasses.replace(
        hardware, cpu=args.to_cpu or hardware.cpu,
        append=hardware.append if args.to_append is None else args.to_append)
    return None if target == hardware else target


def run_kernels(args: argparse.Namespace) -> int:
    del args
    rows = [('VERSION', 'RELEASE', 'SUITE'),
            *(line.split() for line in kernels.available())]
    for version, release, suite in rows:
        print(f'{version:22} {release:20} {suite}')
    return 0


def run_journeys(args: argparse.Namespace) -> int:
    chosen = chosen_journeys(args.name, args.quick)
    if args.list:
        print(*chosen, sep='\n')
        return 0
    if args.manual:
        if not args.keep:
            raise LabError('--manual without a file; needed: the one that '
                           'has the results; give it with --keep')
        journey_set.show_in_manual(args.keep, chosen)
        return 0
    hardware, qemu = hardware_of(args), inner_qemu(args)
    kept = journey_set.Kept(args.keep, hardware, qemu)
    problems = []

    def done(result: journeys.Result) -> None:
        print(f'{result.journey.name}\n  {result.at}: {result}', flush=True)
        if result.problem:
            problems.append(result)
            say(f'error: {result.journey.name}: {result.problem}')

    kept.run(lambda: journey_places(hardware, qemu, args.build), chosen,
             args.jobs, done)
    print(f'{len(chosen)} journeys, {len(chosen) - len(problems)} as expected')
    return bool(problems)


def named(rows: Sequence[Named], names: Sequence[str], one: str,
          command: str) -> list[Named]:
    """Those with such a name, or with the word in theirs if none has it; all
    without names"""
    whole = {row.name for row in rows}
    chosen = [row for row in rows if not names or any(
        name == row.name if name in whole else name in row.name
        for name in names)]
    if not chosen:
        raise LabError(f'no {one} has {" or ".join(map(repr, names))} in its '
                       f'name; needed: one of those that "kvm-lab {command} '
                       '--list" shows; correct it')
    return chosen


def chosen_journeys(names: Sequence[str],
                    quick: bool = False) -> list[journeys.Journey]:
    return named([journey for journey in journey_table.JOURNEYS
                  if journey.quick or not quick], names, 'journey', 'journeys')


def journey_places(hardware: ArmHardware, qemu: Path,
                   build: Path) -> places.Places:
    return places.Places(hardware, newest_outer,
                         functools.cache(kernels.one), qemu, build)


def named_kernel(name: str | None,
                 chosen: Sequence[Kernel]) -> Kernel | None:
    """What an option --profile names"""
    if not name:
        return None
    for kernel in chosen:
        if kernel.name == name:
            return kernel
    raise LabError(f'--profile {name} is none of the kernels '
                   f'{", ".join(k.name for k in chosen)}; needed: one of '
                   'them; correct it')


def run_fleet(args: argparse.Namespace) -> int:
    hardware = hardware_of(args)
    chosen = kernels.have(args.kernels)
    profile = named_kernel(args.profile, chosen)
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
    for line in fleet_lines(Fleet(paths)):
        print(line)
    return 0


def show(args: argparse.Namespace, matrix: Matrix) -> None:
    text = render.as_text(matrix)
    print(text, end='')
    write(args.text, text)
    write(args.svg, render.as_svg(matrix))


def run_show(args: argparse.Namespace) -> int:
    try:
        show(args, from_json(read_text(args.matrix)))
    except (OSError, ValueError, LabError) as error:
        raise LabError(f'{args.matrix}: {error}') from error
    return 0


def run_live(args: argparse.Namespace) -> int:
    hardware, kernel, qemu = one_host(args)
    results = parallel(
        args, lambda cpus: live.run(args.build, hardware, qemu, kernel,
                                    args.machine, cpus, args.times),
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


def one_host(args: argparse.Namespace) -> tuple[Hardware, Kernel, Path]:
    """What a command on a single host needs."""
    result = hardware_of(args), kernels.one(args.kernel), inner_qemu(args)
    programs.guest()
    programs.initramfs()
    return result
