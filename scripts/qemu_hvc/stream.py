# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Finds the fields of a migration stream through its own description.

A stream made by `migrate file:` ends with a description of its device sections
in JSON: the fields, with the sizes that they have in this stream. Nothing is
searched for: the sections behind RAM are found from the end of the stream
backwards, those before RAM from its beginning.
"""

import contextlib
import dataclasses
import json
import mmap
import re
import shutil
import struct

MAGIC = b'QEVM'
VERSION = 3
(EOF, SECTION_START, _, _, SECTION_FULL, SUBSECTION, DESCRIPTION,
 CONFIGURATION, COMMAND) = range(9)
FOOTER = 0x7e
FOOTER_SIZE = 5
# A description's size; the largest one ever seen has a hundredth of it.
DESCRIPTION_MAX = 1 << 24
NUMBERS = ('int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32',
           'uint64', 'bool', 'timer')


# Where a part of the section "ram" (or its beginning) ends and the next begins:
# RAM_SAVE_FLAG_EOS, the footer, and QEMU_VM_SECTION_PART or _END of the same id
RAM_BORDER = re.compile(rb'\0{7}\x10\x7e(.{4})[\x02\x03]\1', re.DOTALL)


class StreamError(Exception):
    """A stream is damaged, or a field or value is not one of its own."""


@dataclasses.dataclass
class Field:
    """A field without fields of its own"""
    path: str
    type: str
    offset: int
    size: int

    @property
    def is_number(self):
        kind = self.type.split(' ')[0]
        return kind in NUMBERS and self.size in (1, 2, 4, 8)

    @property
    def is_signed(self):
        return self.type.startswith('int')

    def decode(self, data):
        """The value as people write it, and as encode() reads it"""
        if not self.is_number:
            return data.hex()
        value = int.from_bytes(data, 'big', signed=self.is_signed)
        return str(value) if self.is_signed else hex(value)

    def encode(self, text):
        try:
            if not self.is_number:
                data = bytes.fromhex(text)
                if len(data) != self.size:
                    raise ValueError
                return data
            return int(text, 0).to_bytes(self.size, 'big',
                                         signed=text.startswith('-'))
        except (ValueError, OverflowError):
            kind = (f'a number of {8 * self.size} bits' if self.is_number
                    else f'{self.size} bytes in hexadecimal digits')
            raise StreamError(f'{self.path}={text}: the field is {kind} '
                              f'({self.type})') from None


@dataclasses.dataclass
class Section:
    """A device's section"""
    name: str
    instance: int
    description: dict
    offset: int = 0
    size: int = 0

    @property
    def title(self):
        return f'{self.name}[{self.instance}]'


def with_one_ram_part(data):
    """The stream with all RAM in one part, so that streams can be compared.

    QEMU ends a part when it has taken 50 ms (MAX_WAIT in migration/ram.c) or
    has used up its bandwidth. On a busy host the number of parts is chance.
    """
    return RAM_BORDER.sub(b'', data)


@contextlib.contextmanager
def reading(path):
    """A description that is not as QEMU writes it is damaged."""
    try:
        yield
    except (AttributeError, LookupError, RecursionError, TypeError,
            ValueError, struct.error) as error:
        raise StreamError(
            f"{path}: the stream's description of itself cannot be used "
            f'({type(error).__name__}: {error}); the stream is damaged'
        ) from None


def check_numbers(field):
    for name in ('size', 'array_len'):
        number = field.get(name, 0)
        if not isinstance(number, int) or not 0 <= number < DESCRIPTION_MAX:
            raise ValueError(f'{name} {number}')
    if field.get('array_len', 0) > 1 and not field['size']:
        raise ValueError(f'{field["array_len"]} elements of no size')


def fields_size(vmsd):
    """The bytes of a description's fields and subsections"""
    for field in vmsd.get('fields', []):
        check_numbers(field)
    return (sum(field['size'] * field.get('array_len', 1)
                for field in vmsd.get('fields', [])) +
            sum(subsection_header(sub) + fields_size(sub)
                for sub in vmsd.get('subsections', [])))


def subsection_header(subsection):
    return 1 + 1 + len(subsection['vmsd_name']) + 4


def walk(vmsd, offset, prefix=''):
    """The fields of a description, and last the offset of what follows"""
    for field in vmsd.get('fields', []):
        check_numbers(field)
        if 'struct' in field and fields_size(field['struct']) > field['size']:
            raise ValueError(f'fields of more than {field["size"]} bytes')
        # Elements that are all alike have one description, others have their
        # own with an index.
        if 'array_len' in field:
            names = [f'{field["name"]}[{i}]'
                     for i in range(field['array_len'])]
        elif 'index' in field:
            names = [f'{field["name"]}[{field["index"]}]']
        else:
            names = [field['name']]
        for name in names:
            if 'struct' in field:
                yield from walk(field['struct'], offset, f'{prefix}{name}/')
            else:
                yield Field(prefix + name, str(field['type']), offset,
                            field['size'])
            offset += field['size']
    for subsection in vmsd.get('subsections', []):
        name = subsection['vmsd_name']
        offset += subsection_header(subsection)
        yield from walk(subsection, offset, f'{prefix}{name}/')
        offset += fields_size(subsection)


def contract_fields(data, field):
    """The parts and entries in the field "content" of the section guest-abi

    They are PART and entries/ENTRY. As far as it is not damaged: no more is
    there to be named.
    """
    at, end = field.offset, field.offset + field.size

    def name(at):
        length = data[at]
        return data[at + 1:at + 1 + length].decode('ascii'), at + 1 + length

    while at < end:
        part, at = name(at + 1)
        size, = struct.unpack_from('>I', data, at)
        at += 4
        if part != 'entries':
            yield Field(part, 'buffer', at, size)
            at += size
            continue
        last = at + size
        while at < last:
            entry, at = name(at)
            yield Field(f'{part}/{entry}', 'uint64', at, 8)
            at += 8


class Stream:
    """A stream in a file, and changes to it."""

    def __init__(self, path):
        self.path = path
        try:
            with open(path, 'rb') as file:
                self.data = mmap.mmap(file.fileno(), 0,
                                      access=mmap.ACCESS_READ)
        except ValueError:
            raise StreamError(f'{path} is empty') from None
        except OSError as error:
            raise StreamError(f'{path}: {error.strerror}') from None
        self.changes = []
        if self.data[:8] != MAGIC + struct.pack('>I', VERSION):
            raise StreamError(
                f'{path} is not a migration stream of version {VERSION}; make '
                'one with the monitor command "migrate file:PATH"')
        with reading(path):
            start, self.description = self._find_description()
            self.sections = [
                Section(d['name'], d['instance_id'], d, size=fields_size(d))
                for d in self.description['devices']]
            self._find_sections(start)

    def _find_description(self):
        # JSON text has no NUL, the four bytes of its size begin with one.
        last = self.data.rfind(b'\0')
        for at in range(last, max(0, last - 5), -1):
            if self.data[at] != DESCRIPTION or self.data[at - 1] != EOF:
                continue
            size, = struct.unpack_from('>I', self.data, at + 1)
            if size < DESCRIPTION_MAX and at + 5 + size == len(self.data):
                try:
                    return at - 1, json.loads(self.data[at + 5:])
                except ValueError:
                    break
        raise StreamError(
            f'{self.path} does not end with a description of itself: it is '
            'truncated, or was not made by "migrate file:PATH", or by a '
            'machine type that leaves it out (suppress-vmdesc)')

    def _header(self, section, offset):
        """The size of a section's header, if there is one at @offset"""
        name = section.name.encode()
        size = 1 + 4 + 1 + len(name) + 4 + 4
        if offset < 0 or offset + size > len(self.data):
            return 0
        header = self.data[offset:offset + size]
        expected = bytes([len(name)]) + name + struct.pack('>I',
                                                           section.instance)
        if header[0] != SECTION_FULL or header[5:-4] != expected:
            return 0
        return size

    def _footer(self, start, end):
        """Does the section that begins at @start end before @end?"""
        return (self.data[end - FOOTER_SIZE] == FOOTER and
                self.data[end - 4:end] == self.data[start + 1:start + 5])

    def _find_sections(self, end):
        missing = list(self.sections)
        while missing:
            section = missing[-1]
            header = 1 + 4 + 1 + len(section.name.encode()) + 4 + 4
            start = end - FOOTER_SIZE - section.size - header
            if not self._header(section, start) or \
               not self._footer(start, end):
                break
            section.offset = start + header
            end = start
            missing.pop()
        offset = self._first_section() if missing else end
        for section in missing:
            header = self._header(section, offset)
            section.offset = offset + header
            offset = section.offset + section.size + FOOTER_SIZE
            if not header or offset > len(self.data) or \
               not self._footer(section.offset - header, offset):
                raise StreamError(
                    f'{self.path}: the section {section.title} is not where '
                    "the stream's description says; the stream is damaged")

    def _first_section(self):
        """The offset of what follows the configuration"""
        offset = 8
        if self.data[offset] == CONFIGURATION:
            # QEMU describes it since it has sections before RAM.
            offset += 1 + fields_size(self.description.get('configuration',
                                                           {}))
        while self.data[offset] == COMMAND:
            size, = struct.unpack_from('>H', self.data, offset + 3)
            offset += 5 + size
        return offset

    def select(self, name):
        """The sections called NAME, or the one called NAME[INSTANCE]"""
        found = [section for section in self.sections
                 if name in (section.name, section.title)]
        if not found:
            names = ' '.join(sorted({s.name for s in self.sections}))
            raise StreamError(f"{self.path} has no section '{name}'; it has: "
                              f'{names}')
        return found

    def fields(self, section):
        with reading(self.path):
            fields = list(walk(section.description, section.offset))
            for field in fields:
                if section.name == 'guest-abi' and field.path == 'content':
                    return fields + list(contract_fields(self.data, field))
            return fields

    def field(self, section, name):
        """The field of that path, or of an end of it that no other has"""
        fields = self.fields(section)
        found = [f for f in fields if f.path == name] or \
                [f for f in fields
                 if f.path.endswith(('/' + name, '.' + name))]
        if not found:
            raise StreamError(f"the section {section.title} has no field "
                              f"'{name}'; name it alone to see those it has")
        if len(found) > 1:
            paths = ' '.join(f.path for f in found[:8])
            raise StreamError(f"'{name}' could be any of: {paths}"
                              f'{" ..." if len(found) > 8 else ""}')
        return found[0]

    def value(self, field):
        return field.decode(self.data[field.offset:field.offset + field.size])

    def number(self, section, name):
        """A field's value, of the first section of that name"""
        return int(self.value(self.field(self.select(section)[0], name)), 0)

    def change(self, field, text):
        self.changes.append((field.offset, field.encode(text)))

    def set(self, section, name, value):
        """Sets the field in all sections of that name."""
        for found in self.select(section):
            self.change(self.field(found, name), str(value))

    def write(self, path):
        """A copy with the changes"""
        try:
            shutil.copyfile(self.path, path)
            with open(path, 'r+b') as file:
                for offset, data in self.changes:
                    file.seek(offset)
                    file.write(data)
        except OSError as error:
            raise StreamError(f'{path}: {error.strerror}') from None
