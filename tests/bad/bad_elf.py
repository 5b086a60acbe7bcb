"""A small ELF object to be spoiled: well-formed as it comes, with setters for every field of its tables."""
import struct

ELF_HEADER = {"class": (4, "B"), "data": (5, "B"), "e_type": (16, "H"), "e_machine": (18, "H"), "e_shoff": (40, "Q"),
              "e_shentsize": (58, "H"), "e_shnum": (60, "H"), "e_shstrndx": (62, "H")}
SECTION = {"sh_name": (0, "I"), "sh_type": (4, "I"), "sh_flags": (8, "Q"), "sh_addr": (16, "Q"), "sh_offset": (24, "Q"),
           "sh_size": (32, "Q"), "sh_link": (40, "I"), "sh_info": (44, "I"), "sh_addralign": (48, "Q"), "sh_entsize": (56, "Q")}
SYMBOL = {"st_name": (0, "I"), "st_info": (4, "B"), "st_other": (5, "B"), "st_shndx": (6, "H"), "st_value": (8, "Q"),
          "st_size": (16, "Q")}
RELA = {"r_offset": (0, "Q"), "r_type": (8, "I"), "r_sym": (12, "I"), "r_addend": (16, "q")}
PROGBITS, SYMTAB, STRTAB, RELOCATIONS, NOBITS, GROUP = 1, 2, 3, 4, 8, 17
WRITE, ALLOC, EXEC, IN_GROUP = 1, 2, 4, 0x200
SECTIONS = ("", ".text", ".rela.text", ".data", ".bss", ".eh_frame", ".rela.eh_frame", ".group", ".text.inline",
            ".symtab", ".strtab", ".shstrtab")
SYMBOLS = ("", "local", "inline_local", "main", "target", "inline_function", "shared_array")

CIE = struct.pack("<II", 20, 0) + b"\x01zR\0\x01\x78\x10\x01\x1b\x0c\x07\x08\x90\x01\0\0"
FDE = struct.pack("<IIII", 20, 28, 0, 16) + b"\0" * 8


def string_table(names):
    table, places = b"\0", {"": 0}
    for name in names:
        if name not in places:
            places[name] = len(table)
            table += name.encode() + b"\0"
    return table, places


LTO_NAME = string_table(SYMBOLS + ("__gnu_lto_slim",))[1]["__gnu_lto_slim"]


class Object:
    """main calls `target`; .text.inline is a COMDAT group's; .eh_frame describes main."""

    def __init__(self, text=bytes(16), relocation=(2, 4, 4, -4)):
        offset, kind, symbol, addend = relocation
        names, name_at = string_table(SECTIONS)
        strings, string_at = string_table(SYMBOLS + ("__gnu_lto_slim",))
        text_index, inline = SECTIONS.index(".text"), SECTIONS.index(".text.inline")
        symbols = [(0, 0, 0, 0, 0), ("local", 0, text_index, 4, 0), ("inline_local", 0, inline, 0, 0),
                   ("main", 0x12, text_index, 0, 16), ("target", 0x10, 0, 0, 0), ("inline_function", 0x22, inline, 0, 8),
                   ("shared_array", 0x11, 0xfff2, 8, 64)]
        table = b"".join(struct.pack("<IBBHQQ", string_at.get(name, 0) if name else 0, info, 0, index, value, size)
                         for name, info, index, value, size in symbols)
        contents = {
            ".text": (PROGBITS, ALLOC | EXEC, text, 0, 0, 16, 0),
            ".rela.text": (RELOCATIONS, 0, struct.pack("<QIIq", offset, kind, symbol, addend), 9, text_index, 8, 24),
            ".data": (PROGBITS, ALLOC | WRITE, bytes(8), 0, 0, 8, 0),
            ".bss": (NOBITS, ALLOC | WRITE, b"", 0, 0, 8, 0),
            ".eh_frame": (PROGBITS, ALLOC, CIE + FDE, 0, 0, 8, 0),
            ".rela.eh_frame": (RELOCATIONS, 0, struct.pack("<QIIq", len(CIE) + 8, 2, 3, 0), 9, 5, 8, 24),
            ".group": (GROUP, 0, struct.pack("<II", 1, inline), 9, 5, 4, 4),
            ".text.inline": (PROGBITS, ALLOC | EXEC | IN_GROUP, bytes(8), 0, 0, 1, 0),
            ".symtab": (SYMTAB, 0, table, 10, 3, 8, 24),
            ".strtab": (STRTAB, 0, strings, 0, 0, 1, 0),
            ".shstrtab": (STRTAB, 0, names, 0, 0, 1, 0),
        }
        image, headers = bytearray(64), [bytes(64)]
        for name in SECTIONS[1:]:
            kind, flags, content, link, info, alignment, entry = contents[name]
            image += bytes(-len(image) % 16)
            size = len(content) if kind != NOBITS else 32
            headers.append(struct.pack("<IIQQQQIIQQ", name_at[name], kind, flags, 0, len(image), size, link, info, alignment,
                                       entry))
            image += content
        image += bytes(-len(image) % 16)
        self.table, self.count = len(image), len(headers)
        image += b"".join(headers)
        image[:64] = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 1, 62, 1, 0, 0, self.table, 0, 64, 0, 0, 64,
                                 self.count, self.count - 1)
        self.image = image

    def _set(self, base, layout, fields):
        for field, value in fields.items():
            offset, kind = layout[field]
            struct.pack_into("<" + kind, self.image, base + offset, value)
        return self

    def _offset(self, name):
        return struct.unpack_from("<Q", self.image, self.table + 64 * SECTIONS.index(name) + 24)[0]

    def header(self, **fields):
        return self._set(0, ELF_HEADER, fields)

    def section(self, name, **fields):
        return self._set(self.table + 64 * SECTIONS.index(name), SECTION, fields)

    def symbol(self, name, **fields):
        return self._set(self._offset(".symtab") + 24 * SYMBOLS.index(name), SYMBOL, fields)

    def rela(self, table=".rela.text", **fields):
        return self._set(self._offset(table), RELA, fields)

    def content(self, name, offset, data):
        at = self._offset(name) + offset
        self.image[at:at + len(data)] = data
        return self

    def cut(self, size):
        del self.image[size:]
        return self

    def bytes(self):
        return bytes(self.image)


def many_sections(count, undefined_index=False):
    """An object of COUNT sections: its counts stand in section 0, its symbols' sections in SHT_SYMTAB_SHNDX."""
    names = b"\0.text\0.symtab\0.strtab\0.symtab_shndx\0"
    strings = b"\0main\0"
    last = count - 5
    symbols = bytes(24) + struct.pack("<IBBHQQ", 1, 0x12, 0, 0xffff, 0, 1)
    indices = struct.pack("<II", 0, count + 5 if undefined_index else last)
    body = bytes(64) + b"\xc3" * 16
    places = []
    for content in (names, strings, symbols, indices):
        body += bytes(-len(body) % 8)
        places.append((len(body), len(content)))
        body += content
    body += bytes(-len(body) % 8)
    table = len(body)

    def header(name, kind, flags, place, link=0, info=0, alignment=1, entry=0):
        return struct.pack("<IIQQQQIIQQ", name, kind, flags, 0, place[0], place[1], link, info, alignment, entry)

    headers = [struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, count, count - 4, 0, 0, 0)]
    headers += [header(1, PROGBITS, ALLOC | EXEC, (64, 1))] * (count - 5)
    headers += [header(0, STRTAB, 0, places[0]), header(0, STRTAB, 0, places[1]),
                header(7, SYMTAB, 0, places[2], count - 3, 1, 8, 24), header(0, 18, 0, places[3], count - 2, 0, 4, 4)]
    body = bytearray(body + b"".join(headers))
    body[:64] = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 1, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, 0, 0xffff)
    return bytes(body)
