# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Commands that the manual shows, and hosts on which they are run.

A page has them in "code-block:: console", after the name of a host: "old:~$ ".
What a command prints is below it, where "..." stands for anything, and lines
may be folded.
"""

from dataclasses import dataclass
import os
import re
import signal
import subprocess

from .paths import SCRIPTS

PROGRAMS = ('guest-abi-probe', 'guest-abi-diff')
HOSTS = ('old', 'new')
PATIENCE_S = 60

# Without KVM: TCG and a CPU of its own, and no profile.
QEMU = '''\
#!/usr/bin/python3 -B
import os, re, sys
options = [re.sub(',guest-abi-profile=[^,]*', '', option)
           for option in sys.argv[1:]]
for option, asked, given in ('-accel', 'kvm', 'tcg'), ('-cpu', 'host', {cpu!r}):
    if option in options:
        at = options.index(option) + 1
        if options[at] != asked:
            sys.exit(f'the page says {{option}} {{options[at]}}')
        options[at] = given
if '-daemonize' in options:
    options += ['-pidfile', os.path.abspath('qemu.pid')]
os.execv({qemu!r}, ['qemu-system-aarch64', *options])
'''
SCP = '''\
#!/bin/sh
set -eu
host=${{2%%:*}} path=${{2#*:}}
cp "$1" '{top}'/$host/"${{path:-$1}}"
'''


@dataclass
class Command:
    """A command of a page"""

    host: str
    text: str
    output: str

    def line(self):
        """Without its folds"""
        return re.sub(r'\\\n *', '', self.text)


def commands(text):
    """Those of a page, in order"""
    for indent, block in re.findall(
            r'^( *)\.\. code-block:: console\n\n((?:\1 +.*\n|\n)+)', text, re.M):
        block = re.sub(rf'(?m)^{indent}   ', '', block).strip('\n')
        for part in re.split(r'(?m)^(?=\w+:~\$ )', block):
            shown = re.match(r'(\w+):~\$ ((?:.*\\\n)*.*)\n?((?s:.*))', part)
            if shown:
                yield Command(*shown.groups())


def fits(shown, printed):
    """Is it what a page shows, but for folds and "..."?"""
    words = [r'(?:.*\s)?' if word == '...' else re.escape(word) + r'\s+'
             for word in shown.split()]
    return re.fullmatch('(?s)' + ''.join(words),
                        ' '.join(printed.split()) + ' ') is not None


class Hosts:
    """Directories of a folder, which commands are run in

    @top: the folder
    @qemu: the qemu-system-aarch64 that they all have
    @cpu: its -cpu, instead of "host"
    @here: texts of the page, and what they are here
    @rest: what the page's $rest is here
    @programs: more programs: name -> text
    """

    def __init__(self, top, qemu, *, cpu='max', here=None, rest='',
                 programs=None):
        self.top = top
        self.here = {'/etc/qemu/': 'etc/', '/run/': 'run/', **(here or {})}
        folder = top / 'bin'
        folder.mkdir()
        for name in PROGRAMS:
            (folder / name).symlink_to(SCRIPTS / name)
        for name, text in {
                'qemu-system-aarch64': QEMU.format(qemu=str(qemu), cpu=cpu),
                'scp': SCP.format(top=top), **(programs or {})}.items():
            (folder / name).write_text(text, encoding='utf-8')
            (folder / name).chmod(0o755)
        for host in HOSTS:
            for name in 'etc', 'run':
                (top / host / name).mkdir(parents=True)
        self.environ = {**os.environ, 'rest': rest, 'LC_ALL': 'C',
                        'PATH': f'{folder}:{os.environ["PATH"]}'}

    def localised(self, text):
        for there, here in self.here.items():
            text = text.replace(there, here)
        return text

    def run(self, command, status=0):
        """What is wrong: its exit status, or what it prints; '' if nothing"""
        result = subprocess.run(
            ['bash', '-euc', self.localised(command.text)],
            cwd=self.top / command.host, env=self.environ, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
            timeout=PATIENCE_S)
        shown = self.localised(command.output)
        if (result.returncode, result.stderr) == (status, '') and \
           (not shown or fits(shown, result.stdout)):
            return ''
        return f'exit status {result.returncode}; needed: {status}\n' \
               f'shown:\n{shown}\nprinted:\n{result.stdout}{result.stderr}'

    def end(self):
        """Ends the QEMUs that went to the background."""
        for path in self.top.glob('*/qemu.pid'):
            try:
                os.kill(int(path.read_text(encoding='utf-8')), signal.SIGKILL)
            except ProcessLookupError:
                pass
