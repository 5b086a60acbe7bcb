"""What the user's breakpoints wait for, in gdb's words; jitscope_common.interest says what is made of it."""
import re

import gdb

from jitscope_common.interest import WITHDRAWN, basename, encode, identifier

from . import target

FILE_LINE = re.compile(r"^(?:(?P<file>.+):)?(?P<line>\d+)$")
# A function, perhaps of a file, perhaps with namespaces, template arguments and parameters: the last identifier counts.
FUNCTION = re.compile(r"^(?:(?P<file>[^:<>()]+\.[A-Za-z+]+):)?(?P<name>[\w:~<>, .*&$]+?)(?:\(.*\))?(?:\s*const)?(?::\w+)?$")
ADDRESS = re.compile(r"^\*")
BREAKPOINTS = {gdb.BP_BREAKPOINT, getattr(gdb, "BP_HARDWARE_BREAKPOINT", gdb.BP_BREAKPOINT)}


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
    texts = set()
    for breakpoint in gdb.breakpoints():
        if breakpoint.number != besides and breakpoint.type in BREAKPOINTS and breakpoint.location and breakpoint.visible:
            texts.update(texts_of(breakpoint.location))
    # dprintf and tracepoints are no gdb.Breakpoint.
    table = gdb.execute("info breakpoints", to_string=True)
    return texts | ({None} if re.search(r"^\d+ +(dprintf|\w*tracepoint) ", table, re.MULTILINE) else set())


def write(besides=None):
    """Says it to a live target; BESIDES: number of a breakpoint that is going.

    Before the program's first instruction the root is not relocated: the symbol is asked."""
    if not target.has_memory() or target.is_core():
        return
    address = target.symbol_address("jitscope_interest")
    if not address or not target.symbol_address("jitscope_debuggee"):
        return
    data = encode(wanted(besides))
    if target.read(address, len(data)) != data:
        gdb.selected_inferior().write_memory(address, data)


def withdraw():
    address = target.has_memory() and not target.is_core() and target.symbol_address("jitscope_interest")
    if address:
        gdb.selected_inferior().write_memory(address, WITHDRAWN)
