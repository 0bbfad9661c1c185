# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Judges what Linux found of the services; the program of scripts/run."""

import argparse
from dataclasses import dataclass
import os
from pathlib import Path
import re
import shutil
import signal
import sys

from .console import GuestError
from .linux_guest import Guest, Kernel, QemuExit
from .paths import CROSS_CC, FetchError
from .qmp import QemuError


@dataclass
class Finding:
    """A row of the table; problem is not empty if Linux found it wrong."""
    what: str
    asked: str
    found: str
    remark: str = ''
    problem: str = ''


# What Linux did with a service, or '' if it did not find it.

def trng_evidence(guest: Guest) -> str:
    if 'smccc_trng' not in guest.report['rng_available'].split():
        # The device without its driver: a kernel given as a bare image.
        return guest.report['trng_device'] and \
            'device smccc_trng, but no driver here to read it'
    rng = guest.rng()
    return f'hwrng {guest.report["rng_current"]}, {rng["bytes"]} bytes read'


def pv_time_evidence(guest: Guest) -> str:
    if 'using stolen time PV' not in guest.report['steal_time']:
        return ''
    stolen = guest.steal()['cpu'] * 10
    return f'using stolen time PV, {stolen} ms stolen so far'


def vendor_evidence(guest: Guest) -> str:
    vendor = guest.report['vendor']
    return vendor if 'KVM: hypervisor services detected' in vendor else ''


def ptp_evidence(guest: Guest) -> str:
    if not guest.report['ptp_name']:
        return ''
    evidence = f'/dev/ptp0 "{guest.report["ptp_name"]}"'
    if shutil.which(CROSS_CC):
        bound = guest.ptp_offset().bound / 1e6
        evidence += f", within {bound:.1f} ms of the host's clock"
    return evidence


def implementations_evidence(guest: Guest) -> str:
    return guest.report['implementations']


# Why Linux does not look for a service that is there, or ''.

def smccc_obstacle(guest: Guest) -> str:
    if guest.offer.psci_version >= (1, 0):
        return ''
    return f'Linux looks for no service with PSCI {guest.offer.psci}'


def vendor_obstacle(guest: Guest) -> str:
    major, minor = re.findall(r'\d+', guest.report['kernel'])[:2]
    if guest.offer.conduit_is_smc and (int(major), int(minor)) < (6, 16):
        return 'Linux before 6.16 does not look with virtualization=on'
    return smccc_obstacle(guest)


def implementations_obstacle(guest: Guest) -> str:
    major, minor = re.findall(r'\d+', guest.report['kernel'])[:2]
    if (int(major), int(minor)) < (6, 15):
        return 'Linux before 6.15 does not look for it'
    return ptp_obstacle(guest)


def ptp_obstacle(guest: Guest) -> str:
    if 'vendor-features' not in (guest.offer.services or ()):
        return 'Linux looks for it only through vendor-features'
    return vendor_obstacle(guest)


def mem_share_evidence(_: Guest) -> str:
    return ''


def mem_share_obstacle(_: Guest) -> str:
    return 'Linux without CONFIG_ARM_PKVM_GUEST, as Debian\'s, does not look'


SERVICES = {
    'trng': (trng_evidence, smccc_obstacle),
    'pv-time': (pv_time_evidence, smccc_obstacle),
    'vendor-features': (vendor_evidence, vendor_obstacle),
    'ptp': (ptp_evidence, ptp_obstacle),
    'implementation-cpus': (implementations_evidence,
                            implementations_obstacle),
    'mem-share': (mem_share_evidence, mem_share_obstacle),
}


def check_version(what: str, wanted: str, message: str) -> Finding:
    match = re.search(r'v(\d+\.\d+)', message)
    found = match[1] if match else 'none'
    problem = '' if found == wanted else \
        f'{what}: asked for {wanted}, Linux found {found}'
    return Finding(what, wanted, found, message, problem)


def check_service(guest: Guest, service: str) -> Finding:
    evidence_of, obstacle_to = SERVICES[service]
    evidence = evidence_of(guest)
    asked = service in (guest.offer.services or ())
    remark, problem = evidence, ''
    if asked and not evidence:
        obstacle = obstacle_to(guest)
        if obstacle:
            remark = f'as expected: {obstacle}'
        else:
            problem = f'{service}: asked for, but not found by Linux'
    elif evidence and not asked:
        problem = f'{service}: found by Linux, but not asked for'
    return Finding(service, 'yes' if asked else 'no',
                   'yes' if evidence else 'no', remark, problem)


def check(guest: Guest) -> list[Finding]:
    """Rows of the table: all services that were asked for, or found"""
    offer = guest.offer
    # Linux asks for the SMCCC version from PSCI 1.0 on, and takes no answer
    # (from stock QEMU) as 1.0.
    smccc = 'none' if offer.psci_version < (1, 0) else \
        '1.0' if offer.services is None else '1.1'
    findings = [check_version('PSCI', offer.psci, guest.report['psci']),
                check_version('SMCCC', smccc, guest.report['smccc'])]
    findings += [check_service(guest, service) for service in SERVICES]
    findings += [
        Finding(service, 'yes', '?', '', f'{service}: asked for, but '
                'linux_findings.py does not know how Linux uses it')
        for service in sorted((offer.services or set()) - SERVICES.keys())]
    if guest.kvm and offer.services is None:
        # Without a pinned set the host's kernel decides: any answer is right.
        for finding in findings:
            finding.asked, finding.problem = 'any', ''
    return findings


def print_table(guest: Guest, findings: list[Finding]) -> None:
    spec = f'hvc-services={guest.offer.spec}' if guest.offer.spec \
        else 'no hvc-services'
    print(f'\nLinux {guest.report["kernel"]}, {guest.report["cpus"]} CPUs '
          f'({guest.cpu}), {spec}')
    rows = [('service', 'asked', 'Linux', 'what Linux made of it')]
    rows += [(row.what, row.asked, row.found,
              ('WRONG  ' if row.problem else '') + row.remark)
             for row in findings]
    width = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = (cell.ljust(size) for cell, size in zip(row, width))
        print('  ' + '  '.join(cells).rstrip())
    print()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='run', epilog='scripts/run --help '
                                     'describes these options.')
    parser.add_argument('--qemu', type=Path, required=True)
    parser.add_argument('--kernel', type=Path, required=True)
    parser.add_argument('--machine', default='virt')
    parser.add_argument('--services')
    parser.add_argument('--psci-version')
    parser.add_argument('--cpu', default='max')
    parser.add_argument('--smp', default='2')
    parser.add_argument('--shell', action='store_true')
    parser.add_argument('--verbose', action='store_true')
    parser.add_argument('extra', nargs='*')
    return parser.parse_args()


def show(guest: Guest) -> int:
    with guest:
        findings = check(guest)
        print_table(guest, findings)
    problems = [finding.problem for finding in findings if finding.problem]
    for problem in problems:
        print(f'run: error: {problem}', file=sys.stderr)
    if not problems:
        print('Linux found exactly what was asked for.')
    return bool(problems)


def main() -> int:
    # Let "finally" and "with" run, so that no QEMU stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    args = arguments()
    try:
        guest = Guest(args.qemu, Kernel.at(args.kernel), args.services,
                      args.psci_version, machine=args.machine, cpu=args.cpu,
                      smp=args.smp, extra=args.extra, echo=args.verbose)
        if args.shell:
            guest.check()
            command = guest.command('quiet hvc_shell=1')
            os.execv(command[0], [*command, '-serial', 'mon:stdio'])
        return show(guest)
    except QemuExit as end:
        # QEMU's own text: a refusal of SPEC, or the help that was asked for.
        print(end, file=sys.stderr if end.status else sys.stdout)
        return bool(end.status)
    except (GuestError, QemuError, FetchError) as error:
        print(f'run: error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == '__main__':
    sys.exit(main())
