"""What the user's breakpoints wait for, written into the target, where every new batch is compared with it.

A text too many costs one announcement; a text too few is a breakpoint that is never hit.  So whatever is not understood asks
for everything.  Breakpoints that are resolved count as well: a batch that comes back, or another copy of an inline
function, is a further place for them.
"""
import ctypes
import re

import gdb

from . import target

FIELDS = target.STRUCTS["debuggee_interest"]
ROOM = target.CONSTANTS["DEBUGGEE_INTEREST"]
FILE_LINE = re.compile(r"^(?:(?P<file>.+):)?(?P<line>\d+)$")
# A function, perhaps of a file, perhaps with namespaces, template arguments and parameters: the last identifier counts.
FUNCTION = re.compile(r"^(?:(?P<file>[^:<>()]+\.[A-Za-z+]+):)?(?P<name>[\w:~<>, .*&$]+?)(?:\(.*\))?(?:\s*const)?(?::\w+)?$")
ADDRESS = re.compile(r"^\*")
BREAKPOINTS = {gdb.BP_BREAKPOINT, getattr(gdb, "BP_HARDWARE_BREAKPOINT", gdb.BP_BREAKPOINT)}


def basename(path):
    return path.replace("\\", "/").rpartition("/")[2]


def identifier(name):
    """"area" of "ns::shape<int>::area": as it stands in DWARF and within a mangled name.  None: say everything."""
    while re.search(r"<[^<>]*>", name):
        name = re.sub(r"<[^<>]*>", "", name)
    last = name.rpartition("::")[2].strip().lstrip("~").partition("[")[0]
    return last if re.fullmatch(r"[\w$.]+", last) and not last.startswith("operator") else None


def explicit(location):
    """Texts of "-function f -line 3"."""
    words = dict(re.findall(r"-(\w+)\s+(\S+)", location))
    if "function" in words:
        return [identifier(words["function"])]
    return [basename(words["source"])] if "source" in words else [None]


def texts_of(location):
    """What has to occur in a batch for the breakpoint to be in it; None among them: it cannot be said."""
    location = location.strip()
    if ADDRESS.match(location):
        return []
    if location.startswith("-"):
        return explicit(location)
    match = FILE_LINE.match(location)
    if match:
        return [basename(match["file"])] if match["file"] else [None]
    match = FUNCTION.match(location)
    return [identifier(match["name"])] if match else [None]


def wanted(besides):
    """(texts, everything)."""
    texts = set()
    for breakpoint in gdb.breakpoints():
        if breakpoint.number != besides and breakpoint.type in BREAKPOINTS and breakpoint.location and breakpoint.visible:
            texts.update(texts_of(breakpoint.location))
    # dprintf and tracepoints are no gdb.Breakpoint.
    table = gdb.execute("info breakpoints", to_string=True)
    everything = None in texts or bool(re.search(r"^\d+ +(dprintf|\w*tracepoint) ", table, re.MULTILINE))
    return sorted(texts - {None}), everything


def encode(besides):
    texts, everything = wanted(besides)
    blob = b"".join(text.encode() + b"\0" for text in texts)
    if len(blob) > ROOM:
        blob, everything = b"", True
    head = FIELDS(listens=1, everything=int(everything), size=len(blob))
    return bytes(head)[:FIELDS.texts.offset] + blob


def write(besides=None):
    """Says it to a live target; BESIDES: number of a breakpoint that is going.  Before the program's first instruction the root is not relocated: the symbol is asked."""
    if not target.has_memory() or target.is_core():
        return
    address = target.symbol_address("jitscope_interest")
    if not address or not target.symbol_address("jitscope_debuggee"):
        return
    data = encode(besides)
    if target.read(address, len(data)) != data:
        gdb.selected_inferior().write_memory(address, data)


def withdraw():
    """Nobody loads unlisted images any more."""
    address = target.has_memory() and not target.is_core() and target.symbol_address("jitscope_interest")
    if address:
        gdb.selected_inferior().write_memory(address, bytes(ctypes.sizeof(ctypes.c_uint32)))
