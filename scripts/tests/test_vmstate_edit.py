# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests scripts/vmstate-edit on streams made by hand; prints TAP.

Streams of a real QEMU are edited by test_xsave_load.py.
"""

import contextlib
import json
from pathlib import Path
import struct
import subprocess
import tempfile
import unittest

from qemu_hvc import tap
from qemu_hvc.paths import SCRIPTS
from qemu_hvc.stream import Field, Stream, StreamError, contract_fields

TOOL = SCRIPTS / 'vmstate-edit'


def field(name, kind, size, **more):
    return {'name': name, 'type': kind, 'size': size, **more}


def full(number, name, instance, version, content):
    """A section that is sent as a whole"""
    return (b'\4' + struct.pack('>I', number) + bytes([len(name)]) +
            name.encode() + struct.pack('>II', instance, version) + content +
            b'\x7e' + struct.pack('>I', number))


def stream(content=b'\xde\xad\xbe\xef', describe=True, damage=None):
    """One section before RAM, RAM that looks like a section, and two behind

    @damage changes the description.
    """
    configuration = b'\0\0\0\3abc'
    cpu = (b'\1\2\3\4\5\6\7\x08' + b'\xff\xfe' + b'\0\1\0\2\0\3' + content +
           b'\x0a\x0b\x5a' +
           b'\5' + b'\7cpu/sub' + struct.pack('>I', 1) + b'\0\0\0\x2a')
    fields = [field('env.mask', 'uint64', 8), field('small', 'int16', 2),
              field('list', 'uint16', 2, array_len=3),
              field('raw', 'buffer', len(content)),
              field('seg', 'struct', 2, index=0, struct={
                  'vmsd_name': 'seg', 'version': 1,
                  'fields': [field('base', 'uint8', 1),
                             field('limit', 'uint8', 1)]}),
              field('seg', 'struct', 1, index=1, struct={
                  'vmsd_name': 'seg', 'version': 1,
                  'fields': [field('base', 'uint8', 1)]})]
    subsections = [{'vmsd_name': 'cpu/sub', 'version': 1,
                    'fields': [field('env.sub', 'uint32', 4)]}]
    devices = [
        {'name': 'early', 'instance_id': 0, 'version': 1,
         'fields': [field('word', 'uint32', 4)]},
        {'name': 'cpu', 'instance_id': 0, 'version': 12, 'fields': fields,
         'subsections': subsections},
        {'name': 'cpu', 'instance_id': 1, 'version': 12, 'fields': fields,
         'subsections': subsections}]
    description = {'page_size': 4096, 'devices': devices, 'configuration': {
        'vmsd_name': 'configuration', 'version': 1,
        'fields': [field('len', 'uint32', 4), field('name', 'buffer', 3)]}}
    if damage:
        description = damage(description)
    text = json.dumps(description).encode()
    data = b'QEVM\0\0\0\3' + b'\7' + configuration
    # A command, such as the one that opens a return path
    data += b'\x08' + struct.pack('>HH', 1, 2) + b'xy'
    data += full(1, 'early', 0, 1, b'\0\0\0\7')
    data += b'\1' + full(9, 'cpu', 0, 12, cpu)
    data += full(3, 'cpu', 0, 12, cpu) + full(4, 'cpu', 1, 12, cpu) + b'\0'
    if describe:
        data += b'\6' + struct.pack('>I', len(text)) + text
    return data


class VmstateEditTest(unittest.TestCase):
    """Every test point"""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / 'stream'
        self.path.write_bytes(stream())

    def edit(self, *arguments, path=None):
        result = subprocess.run([TOOL, path or self.path, *arguments],
                                text=True, capture_output=True, check=False)
        return result.returncode, result.stdout, result.stderr

    def good(self, *arguments):
        status, out, err = self.edit(*arguments)
        self.assertEqual((status, err), (0, ''))
        return out

    def bad(self, *arguments, path=None):
        status, out, err = self.edit(*arguments, path=path)
        self.assertNotEqual(status, 0)
        self.assertNotIn('Traceback', err)
        self.assertEqual(out, '')
        return err

    def test_output_that_cannot_be_written(self):
        with open('/dev/full', 'w', encoding='utf-8') as full:
            result = subprocess.run([TOOL, self.path], text=True, stdout=full,
                                    stderr=subprocess.PIPE, check=False)
        self.assertEqual(
            (result.returncode, result.stderr),
            (2, 'vmstate-edit: standard output: No space left on device; '
             'needed: a file or pipe that takes it\n'))

    def test_contract(self):
        """The entries and parts of the section guest-abi have names"""
        entries = b'\x03a.b' + struct.pack('>Q', 7) + b'\x01c' + bytes(8)
        content = b'\0\x07entries' + struct.pack('>I', len(entries)) + \
            entries + b'\1\4more\0\0\0\2\xab\xcd'
        data = b'before' + content + b'\x7e'
        found = list(contract_fields(data, Field('content', 'buffer', 6,
                                                 len(content))))
        self.assertEqual(
            [(f.path, f.decode(data[f.offset:f.offset + f.size]))
             for f in found],
            [('entries/a.b', '0x7'), ('entries/c', '0x0'), ('more', 'abcd')])

    def test_lists_sections(self):
        lines = self.good().splitlines()
        self.assertEqual([line.split()[0] for line in lines],
                         ['early[0]', 'cpu[0]', 'cpu[1]'])
        self.assertRegex(lines[1], r'version 12 +offset 0x[0-9a-f]+ size 40')

    def test_lists_fields(self):
        lines = self.good('cpu[1]').splitlines()
        self.assertEqual(lines[0], 'cpu[1]:')
        self.assertEqual([line.split() for line in lines[1:]], [
            ['env.mask', 'uint64', '0x102030405060708'],
            ['small', 'int16', '-2'],
            ['list[0]', 'uint16', '0x1'], ['list[1]', 'uint16', '0x2'],
            ['list[2]', 'uint16', '0x3'],
            ['raw', 'buffer', 'deadbeef'],
            ['seg[0]/base', 'uint8', '0xa'], ['seg[0]/limit', 'uint8', '0xb'],
            ['seg[1]/base', 'uint8', '0x5a'],
            ['cpu/sub/env.sub', 'uint32', '0x2a']])

    def test_finds_a_section_before_ram(self):
        self.assertEqual(self.good('early', 'word'), 'early[0] word 0x7\n')

    def test_finds_fields_by_the_end_of_their_path(self):
        self.assertEqual(self.good('cpu[0]', 'mask', 'sub', 'seg[1]/base'),
                         'cpu[0] env.mask 0x102030405060708\n'
                         'cpu[0] cpu/sub/env.sub 0x2a\n'
                         'cpu[0] seg[1]/base 0x5a\n')
        self.assertIn("'base' could be any of: seg[0]/base seg[1]/base",
                      self.bad('cpu[0]', 'base'))
        # The end of a name is not the end of a path.
        self.assertIn("no field 'ask'", self.bad('cpu[0]', 'ask'))

    def test_changes_only_what_was_asked_for(self):
        changed = self.folder / 'changed'
        self.good('cpu[1]', 'env.mask=0x8000000000000207', 'small=-3',
                  'raw=00112233', 'sub=43', '-o', str(changed))
        before, after = self.path.read_bytes(), changed.read_bytes()
        self.assertEqual(before, stream())
        start = before.rindex(b'\1\2\3\4\5\6\7\x08')
        expected = bytearray(before)
        expected[start:start + 10] = b'\x80\0\0\0\0\0\2\7\xff\xfd'
        expected[start + 16:start + 20] = b'\0\x11\x22\x33'
        expected[start + 36:start + 40] = b'\0\0\0\x2b'
        self.assertEqual(after, bytes(expected))

    def test_changes_all_instances(self):
        changed = self.folder / 'changed'
        self.good('cpu', 'mask=1', '-o', str(changed))
        # What looks like one in RAM is still what it was.
        self.assertEqual(changed.read_bytes().count(b'\0' * 7 + b'\1\xff\xfe'),
                         2)
        self.assertEqual(changed.read_bytes().count(b'\1\2\3\4\5\6\7\x08'), 1)

    def test_refuses_values_that_do_not_fit(self):
        changed = str(self.folder / 'changed')
        for change in ('small=0x10000', 'small=-32769', 'mask=x', 'raw=00',
                       'raw=0011223g', 'mask=', 'list[0]=-40000'):
            self.assertIn('the field is', self.bad('cpu', change, '-o',
                                                   changed))
        self.assertFalse(Path(changed).exists())

    def test_never_writes_to_the_stream_itself(self):
        self.assertIn('need each other', self.bad('cpu', 'mask=1'))
        self.assertIn('need each other', self.bad('cpu', 'mask', '-o', 'x'))
        status, _, err = self.edit('cpu', 'mask=1', '-o', str(self.path))
        self.assertNotEqual(status, 0)
        self.assertIn('is the stream itself', err)
        self.assertEqual(self.path.read_bytes(), stream())

    def test_says_what_is_not_there(self):
        self.assertIn("has no section 'gpu'; it has: cpu early",
                      self.bad('gpu'))
        self.assertIn('No such file', self.bad(path=self.folder / 'none'))

    def test_refuses_what_is_no_stream(self):
        whole = stream()
        for data, text in ((b'', 'is empty'), (b'x' * 100, 'not a migration'),
                           (stream(describe=False), 'does not end with'),
                           (whole[:-1], 'does not end with'),
                           (whole + b'x', 'does not end with'),
                           (whole[:8], 'does not end with')):
            self.path.write_bytes(data)
            self.assertIn(text, self.bad())

    def test_refuses_a_damaged_section(self):
        """A byte too many in a section, or another number in its footer"""
        whole = stream()
        at = whole.rindex(b'\xde\xad\xbe\xef')
        for data in (whole[:at] + b'x' + whole[at:],
                     whole.replace(b'\x7e\0\0\0\1', b'\x7e\0\0\0\2')):
            self.path.write_bytes(data)
            self.assertIn('the stream is damaged', self.bad())

    def test_refuses_a_damaged_description(self):
        """Text that is JSON, but not what QEMU writes"""
        def change(*path, value=None):
            def damage(description):
                at = description
                for key in path[:-1]:
                    at = at[key]
                if value is None:
                    del at[path[-1]]
                else:
                    at[path[-1]] = value
                return description
            return damage

        fields = ('devices', 1, 'fields')
        for damage in (
                lambda _: [], lambda _: 1, change('devices'),
                change('devices', value=7), change('devices', 1, value=[]),
                change('devices', 0, 'name'),
                change('devices', 0, 'name', value='x' * 256),
                change('devices', 0, 'name', value=5),
                change('devices', 0, 'instance_id', value=-1),
                change('devices', 0, 'instance_id', value='0'),
                change(*fields, value=3),
                change(*fields, 0, 'size'),
                change(*fields, 0, 'size', value='8'),
                change(*fields, 0, 'size', value=-8),
                change(*fields, 0, 'size', value=2 ** 70),
                change(*fields, 2, 'array_len', value=2 ** 40),
                change('devices', 1, 'subsections', 0, 'vmsd_name'),
                change('configuration', 'fields', 0, 'size', value=1 << 23)):
            self.path.write_bytes(stream(damage=damage))
            self.assertIn('the stream is damaged', self.bad(), damage)
        for name, value in (('array_len', 2 ** 20), ('size', 64)):
            self.path.write_bytes(stream(damage=change(
                *fields, 4, 'struct', 'fields', 0, name, value=value)))
            self.assertIn('the stream is damaged', self.bad('cpu[1]'), name)
        for name in ('name', 'type'):
            self.path.write_bytes(stream(damage=change(*fields, 0, name)))
            self.assertIn('the stream is damaged', self.bad('cpu[1]'))

    def test_no_description_is_a_surprise(self):
        """Each part of it in turn is what it never should be."""
        def parts(node):
            if isinstance(node, (dict, list)):
                for key in list(node) if isinstance(node, dict) else \
                        range(len(node)):
                    yield node, key
                    yield from parts(node[key])

        whole = []
        stream(damage=lambda description: whole.append(description) or
               description)
        for index in range(len(list(parts(whole[0])))):
            for value in (None, True, 1.5, -1, 0, 2 ** 24 - 1, 2 ** 70, '',
                          '\ud800', [], {}):
                def damage(description, index=index, value=value):
                    description = json.loads(json.dumps(description))
                    node, key = list(parts(description))[index]
                    node[key] = value
                    return description

                self.path.write_bytes(stream(damage=damage))
                # Each is refused or not; no other exception may come.
                with contextlib.suppress(StreamError):
                    found = Stream(self.path)
                    for section in found.sections:
                        for at in found.fields(section):
                            found.value(at)

    def test_prints_names_that_no_terminal_can_show(self):
        def damage(description):
            for device in description['devices']:
                device['fields'][0]['name'] = '\ud800'
                device['version'] = None
            return description

        self.path.write_bytes(stream(damage=damage))
        self.assertIn('\\ud800', self.good('cpu[0]'))
        self.assertIn('version None', self.good())

    def test_refuses_a_deep_description(self):
        text = b'[' * 200000 + b']' * 200000
        self.path.write_bytes(b'QEVM\0\0\0\3\0\6' +
                              struct.pack('>I', len(text)) + text)
        self.assertIn('the stream is damaged', self.bad())


def main():
    tap.arguments(__doc__)
    return tap.run(VmstateEditTest)
