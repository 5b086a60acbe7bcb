"""Debug images (debug_store.h): ELF files in the target's memory, with large unused rooms between their parts."""
import struct

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
ET_EXEC, ET_DYN, TYPE_AT = 2, 3, 16
SHT_NULL, SHT_SYMTAB, SHT_NOBITS = 0, 2, 8
KINDS = {0: "other", 1: "data", 2: "function"}
LARGEST = 1 << 32


class Image:
    """An image's bytes; READ is target.read.  ValueError: there is no image at that address (any more)."""

    def __init__(self, read, address):
        self.read, self.address = read, address
        self.header = read(address, HEADER.size)
        fields = HEADER.unpack(self.header)
        if fields[0][:4] != b"\x7fELF":
            raise ValueError("no ELF image")
        self.table, self.count = fields[6], fields[12]
        self.raw = read(address + self.table, self.count * SECTION.size)
        self.sections = list(SECTION.iter_unpack(self.raw))

    def content(self, section):
        return self.read(self.address + section[4], section[5]) if section[5] else b""

    def write(self, path, kind=ET_EXEC):
        """The image as a file; rooms that nothing is in yet become holes."""
        with open(path, "wb") as file:
            file.write(self.header[:TYPE_AT] + kind.to_bytes(2, "little") + self.header[TYPE_AT + 2:])
            done = set()
            for section in self.sections:
                where = (section[4], section[5])
                if section[1] in (SHT_NULL, SHT_NOBITS) or where in done or sum(where) > LARGEST:
                    continue
                done.add(where)
                file.seek(section[4])
                file.write(self.content(section))
            file.seek(self.table)
            file.write(self.raw)

    def symbols(self):
        """(name, kind, address, size) of each symbol that is still there."""
        table = next((s for s in self.sections if s[1] == SHT_SYMTAB), None)
        if not table:
            return []
        strings = self.content(self.sections[table[6]])
        found = []
        for name, info, _, _, value, size in SYMBOL.iter_unpack(self.content(table)):
            if name:
                text = strings[name:strings.index(b"\0", name)].decode(errors="replace")
                found.append((text, KINDS.get(info & 15, "other"), value, size))
        return found
