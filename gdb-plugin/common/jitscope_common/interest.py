"""What the user's breakpoints wait for, written into the target, where every new batch is compared with it.

A text too many costs one announcement; a text too few is a breakpoint that is never hit.  So whatever is not understood asks
for everything: in a list of texts, None says that.  Breakpoints that are resolved count as well: a batch that comes back, or
another copy of an inline function, is a further place for them.
"""
import ctypes
import re

from .debuggee import CONSTANTS, STRUCTS

FIELDS = STRUCTS["debuggee_interest"]
ROOM = CONSTANTS["DEBUGGEE_INTEREST"]
WITHDRAWN = bytes(ctypes.sizeof(ctypes.c_uint32))  # written over `listens`: nobody loads unlisted images any more


def basename(path):
    return path.replace("\\", "/").rpartition("/")[2]


def identifier(name):
    """"area" of "ns::shape<int>::area": as it stands in DWARF and within a mangled name.  None: say everything."""
    while re.search(r"<[^<>]*>", name):
        name = re.sub(r"<[^<>]*>", "", name)
    last = name.rpartition("::")[2].strip().lstrip("~").partition("[")[0]
    return last if re.fullmatch(r"[\w$.]+", last) and not last.startswith("operator") else None


def encode(texts):
    """As it is written into the target, from its start."""
    everything = None in texts
    blob = b"".join(text.encode() + b"\0" for text in sorted(set(texts) - {None}))
    if len(blob) > ROOM:
        blob, everything = b"", True
    head = FIELDS(listens=1, everything=int(everything), size=len(blob))
    return bytes(head)[:FIELDS.texts.offset] + blob
