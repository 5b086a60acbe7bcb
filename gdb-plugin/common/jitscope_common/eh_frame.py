"""Records of an .eh_frame section in memory (LSB, "Exception Frames"; DWARF 5 section 6.4.1).

A record is a length, then 0 for a CIE or the distance back to its CIE for an FDE.  How an FDE's addresses are encoded stands
in its CIE's augmentation: 'R' and a byte whose low half is the width, 0x10 for "from here".
"""
import struct
from collections import namedtuple

Record = namedtuple("Record", "address size kind start length augmentation")

WIDTHS = {0x0: "Q", 0x2: "H", 0x3: "I", 0x4: "Q", 0xa: "h", 0xb: "i", 0xc: "q"}
FROM_HERE = 0x10
WHOLE = 0xffffffff


def leb(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def _cie(data, at):
    """(augmentation, encoding of addresses) of the CIE whose version byte is at AT."""
    version = data[at]
    end = data.index(b"\0", at + 1)
    augmentation = data[at + 1:end].decode(errors="replace")
    at = end + 1
    _, at = leb(data, at)
    _, at = leb(data, at)  # read as unsigned: only its end matters
    at = at + 1 if version == 1 else leb(data, at)[1]
    if not augmentation.startswith("z"):
        return augmentation, 0
    _, at = leb(data, at)
    for letter in augmentation[1:]:
        if letter == "R":
            return augmentation, data[at]
        if letter == "P":
            at += 1 + struct.calcsize("<" + WIDTHS.get(data[at] & 15, "Q"))
        elif letter == "L":
            at += 1
    return augmentation, 0


def _range(data, at, encoding, address):
    kind = "<" + WIDTHS.get(encoding & 15, "Q")
    start = struct.unpack_from(kind, data, at)[0]
    if encoding & 0x70 == FROM_HERE:
        start += address + at
    length = struct.unpack_from(kind.upper(), data, at + struct.calcsize(kind))[0]
    return start & (1 << 64) - 1, length


def records(address, data):
    """Up to the terminator, or to where the section makes no sense any more."""
    at, cies = 0, {}
    while at + 8 <= len(data):
        length, head = struct.unpack_from("<I", data, at)[0], 4
        if length == WHOLE and at + 12 <= len(data):
            length, head = struct.unpack_from("<Q", data, at + 4)[0], 12
        if not length or at + head + length > len(data):
            return
        body = at + head
        back = struct.unpack_from("<I", data, body)[0]
        try:
            if back == 0:
                cies[at] = _cie(data, body + 4)
                yield Record(address + at, head + length, "CIE", 0, 0, cies[at][0])
            else:
                augmentation, encoding = cies.get(body - back, ("", 0))
                start, size = _range(data, body + 4, encoding, address)
                yield Record(address + at, head + length, "FDE", start, size, augmentation)
        except (IndexError, ValueError, struct.error):
            return
        at = body + length
