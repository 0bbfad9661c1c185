# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things are in this checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / 'scripts'
TESTS = SCRIPTS / 'tests'
DATA = TESTS / 'data'
GUESTS = SCRIPTS / 'guests'
# The call engine, which QEMU's tests use as well
ENGINE = ROOT / 'tests-qtest/hvc/guest'
