# SPDX-License-Identifier: GPL-2.0-or-later
"""What the Python programs of scripts/ and scripts/tests/ share.

Imports run one way: those programs import this package, and nothing in it
imports them. Of the packages in it, lab, bench and golden import its modules.
"""
