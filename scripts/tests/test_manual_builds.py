# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests that the manual builds; prints TAP.

Builds the manual from nothing, into a directory that goes away again, and its
pages for QEMU as part of QEMU's own manual, with the tree in BUILD/src. Fails on
any warning of Sphinx. Skipped where Sphinx, MyST, or the theme of this manual
or of QEMU's is not installed.
"""

from functools import partial
import os
from pathlib import Path
import re
import shutil
import subprocess
import tempfile

from qemu_hvc import tap
from qemu_hvc.paths import ROOT, SCRIPTS

# Debian's, for which scripts/setup installs Sphinx
PYTHON = '/usr/bin/python3'
MODULES = 'import furo, myst_parser, sphinx, sphinx_rtd_theme'
# QEMU's manual takes minutes with all of its QMP reference. What lists our
# pages, and all that is beside them, is enough to see whether they are listed,
# read well with QEMU's configuration, and link to what is there.
LISTS = ('arm', 'i386', 'target-arm.rst', 'target-i386*', 'cpu-models-x86*',
         'shared-pages.rst')
INDEX = """Manual
======

.. toctree::

   system/target-arm
   system/target-i386
"""


def output_of(*command, **options):
    """Exit status and output of a program"""
    result = subprocess.run(command, text=True, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            **options)
    return result.returncode, result.stdout


def missing_pages(source, html):
    """The pages of the one that the other does not have"""
    for page in sorted(source.rglob('*.rst')):
        built = (html / page.relative_to(source)).with_suffix('.html')
        if not built.is_file() or not built.stat().st_size:
            yield f'no {built.relative_to(html)}'


def warnings(build):
    status, output = output_of(SCRIPTS / 'build-docs', build)
    if status:
        yield from output.splitlines()


def guessed_languages(html):
    """Pages with a block whose language is Sphinx' guess: Python, which it
    takes a message without a language for, unless told otherwise"""
    for page in sorted(html.rglob('*.html')):
        guessed = re.search(r'class="highlight-(default|python3?) ',
                            page.read_text(encoding='utf-8'))
        if guessed:
            yield f'{page.relative_to(html)} has {guessed[0]}'


def in_qemus_manual(tree, build):
    """Problems of our pages as QEMU's Sphinx reads them

    Of the other pages in QEMU's manual some links are broken here; the names
    of ours begin with hvc-, xsave- and shared-pages.
    """
    if not tree.is_dir():
        yield f'no {tree}; run meson compile'
        return
    part = build / 'qemu'
    (part / 'system').mkdir(parents=True)
    for pattern in LISTS:
        for path in (tree / 'system').glob(pattern):
            target = part / 'system' / path.name
            (shutil.copytree if path.is_dir() else shutil.copyfile)(path,
                                                                    target)
    (part / 'index.rst').write_text(INDEX, encoding='utf-8')
    html = build / 'qemu.html'
    status, output = output_of(
        PYTHON, '-B', '-m', 'sphinx', '-b', 'html', '-q', '-D', 'version=0',
        '-D', 'release=0', '-c', tree, '-d', build / 'qemu.doctrees', part,
        html, env={**os.environ, 'CONFDIR': '/etc/qemu'})
    if status or re.search('/(hvc-|xsave-|shared-pages)', output):
        yield from output.splitlines()
    yield from missing_pages(ROOT / 'docs/system', html / 'system')


def main():
    args = tap.arguments(__doc__, build=True)
    if output_of(PYTHON, '-c', MODULES)[0]:
        tap.skip_all('python3-sphinx, python3-myst-parser, furo or '
                     'python3-sphinx-rtd-theme is not installed')
        return 0
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder)
        return tap.run_points([
            ('no-warnings', partial(warnings, build)),
            ('pages-are-there', partial(missing_pages, ROOT / 'docs',
                                        build / 'docs')),
            ('no-guessed-languages', partial(guessed_languages,
                                             build / 'docs')),
            ('in-the-manual-of-qemu', partial(
                in_qemus_manual, args.build.resolve() / 'src/docs', build))])
