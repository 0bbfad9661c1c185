# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The manual: Sphinx' configuration. scripts/build-docs calls Sphinx.

What is in system/ is part of QEMU's own manual too, so that nothing there may
need more than QEMU's docs/conf.py has.
"""

from pygments.lexer import RegexLexer
from pygments.token import (Generic, Keyword, Name, Number, Punctuation,
                            String, Text)
from sphinx.application import Sphinx

project = 'qemu-hvc'
author = 'qemu-hvc contributors'
copyright = '2026, ' + author
version = release = '10.0'

# benchmarks.md and rollback-matrix.md are written by tools.
extensions = ['myst_parser']
# They may link to their own headings, as they do on a web server for code.
myst_heading_anchors = 3

# As in QEMU's manual.
default_role = 'any'
nitpicky = True

# Shells, messages and C are marked where they are; nothing is Python.
highlight_language = 'none'

html_title = 'qemu-hvc'
html_theme = 'furo'
html_static_path = ['_static']
html_css_files = ['manual.css']
html_copy_source = False
html_show_sphinx = False


class QmpLexer(RegexLexer):
    """QMP as manuals show it: JSON with arrows, and "..." for what is left out.

    QEMU's manual has one of its own.
    """

    name = 'QMP'
    aliases = ['QMP']
    tokens = {
        'root': [
            (r'(?:->|<-)(?=\s)', Generic.Prompt),
            (r'\s+', Text),
            (r'\.\.\.', Generic.Output),
            (r'[][{},:]', Punctuation),
            (r'"(?:[^"\\]|\\.)*"(?=\s*:)', Name.Tag),
            (r'"(?:[^"\\]|\\.)*"', String),
            (r'-?\d+', Number),
            (r'\b(?:true|false|null)\b', Keyword.Constant),
        ],
    }


def setup(app: Sphinx) -> dict:
    app.add_lexer('QMP', QmpLexer)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
