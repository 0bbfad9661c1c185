# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""A fleet as one page of HTML, which needs no other file and no network."""

from html import escape

from .fleet import REMEDIES, collect, labels_of
from .fleet_text import FEW, floor_words, is_to_try, others

STYLE = '''\
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 70rem;
       margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem;
         border-bottom: 1px solid #8886; }
th[scope=row] { font-weight: normal; }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
.option { display: block; padding: .8rem 1rem; border: 1px solid #8886;
          border-radius: .4rem; font-size: 1.1rem; }
.good { color: #18794e; } .bad { color: #b42318; }
@media (prefers-color-scheme: dark) {
  .good { color: #4cc38a; } .bad { color: #ff9592; }
}
summary { cursor: pointer; }
'''


def names(labels):
    """Hosts by their names; many of them behind their count"""
    text = ', '.join(f'<code>{escape(label)}</code>' for label in labels)
    if len(labels) <= FEW:
        return text
    return f'<details><summary>{len(labels)} hosts</summary>{text}</details>'


def table(heads, rows):
    """@rows: of cells, which are HTML already"""
    yield '<table>'
    yield '<tr>' + ''.join(f'<th scope="col">{head}</th>' for head in heads) \
        + '</tr>'
    for first, *rest in rows:
        yield f'<tr><th scope="row">{first}</th>' + \
            ''.join(f'<td>{cell}</td>' for cell in rest) + '</tr>'
    yield '</table>'


def option(fleet):
    """What to start VMs with"""
    yield '<h2>The option to use</h2>'
    if fleet.machine():
        yield f'<code class="option">-machine {escape(fleet.machine())}' \
              '</code>'
    else:
        yield '<p class="bad">No option fits all hosts; what is in the way ' \
              'is below.</p>'
    if fleet.is_done():
        yield '<p class="good">By their contracts, guests can go from each ' \
              'host to each other one.</p>'
    elif is_to_try(fleet):
        yield f'<p>Whether the {others(fleet)} can be like it: <code>' \
              f'{escape(fleet.probe())}</code> there, and compare again.</p>'


def notes(fleet):
    """What whoever uses the profile has to know"""
    for note in fleet.notes:
        yield f'<p>Note: {escape(note)}</p>'


def floors(fleet):
    """Each kind of host, with its highest floor and its group"""
    group_of = {id(kind): number
                for number, group in enumerate(fleet.groups, 1)
                for kind in group}
    rows = collect((
        (kind.record.kernel, kind.record.qemu,
         floor_words(fleet.highest_of(kind)), group_of.get(id(kind), '-')),
        kind.labels) for kind in fleet.kinds)
    yield '<h2>Floors</h2>'
    yield f'<p>All hosts: <strong>{escape(floor_words(fleet.floor))}' \
          '</strong></p>'
    yield from table(
        ('Hosts', 'Linux', 'QEMU', 'Floor', 'Group'),
        ((names(labels), *(escape(str(word)) for word in words))
         for words, labels in rows.items()))


def held_back(fleet):
    """Why the floor is no higher"""
    floor, refusers = fleet.held_back()
    if not refusers:
        return
    yield '<h2>What holds the fleet back</h2>'
    yield f'<p>From the floor <strong>{escape(floor)}</strong>:</p>'
    yield from table(('Hosts', 'Why'), (
        (names(labels), escape(refusal)) for refusal, labels in collect(
            (refusal, kind.labels) for kind, refusal in refusers).items()))
    for label, higher in fleet.alone():
        yield f'<p>Without <code>{escape(label)}</code>: ' \
              f'{escape(floor_words(higher))}</p>'


def obstacles(fleet):
    """What makes guests of one host unfit for another"""
    if len(fleet.groups) > 1:
        yield '<h2>Fleets of their own</h2>'
        yield from table(('Group', 'Hosts'), (
            (number, names(labels_of(group)))
            for number, group in enumerate(fleet.groups, 1)))
    if not fleet.obstacles:
        return
    yield '<h2>Where the hosts differ</h2>'
    for kind, remedy in REMEDIES.items():
        rows = [(f'<code>{escape(obstacle.entry)}</code>', escape(value),
                 names(labels))
                for obstacle in fleet.obstacles if obstacle.kind == kind
                for value, labels in obstacle.values.items()]
        if rows:
            yield f'<h3>{escape(kind)}</h3><p>{escape(remedy)}</p>'
            yield from table(('Entry', 'Value', 'Hosts'), rows)


def page(fleet):
    """The text of the page"""
    lines = [
        '<!DOCTYPE html>', '<html lang="en">', '<head>',
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        '<title>What the fleet can promise</title>',
        f'<style>\n{STYLE}</style>', '</head>', '<body>',
        f'<h1>What {fleet.hosts()} hosts can promise a guest</h1>',
        *option(fleet), *notes(fleet), *floors(fleet), *held_back(fleet),
        *obstacles(fleet),
        '</body>', '</html>']
    return '\n'.join(lines) + '\n'
