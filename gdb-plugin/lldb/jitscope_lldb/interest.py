"""What the user's breakpoints wait for, in lldb's words; jitscope_common.interest says what is made of it.

No Python runs in lldb when a breakpoint is set, nor when the program goes on.  So at each stop of the user's, everything is
asked for; the announcement that then comes stops the program where Python does run (loader.on_hook), and there it is said
what the breakpoints wait for that were set meanwhile.
"""
import json

import lldb

from jitscope_common.interest import basename, encode, identifier

from .target import TARGET

EVERYTHING = {None}


def texts_of(description):
    """DESCRIPTION: a breakpoint as lldb would save it."""
    resolver = description.get("BKPTResolver", {})
    kind, options = resolver.get("Type"), resolver.get("Options", {})
    if kind in ("Address", "Exception"):
        return []
    if kind == "SymbolName" and "SymbolNames" in options:
        return [identifier(name.partition("(")[0]) for name in options["SymbolNames"]]
    if kind == "FileAndLine" and options.get("FileName"):
        return [basename(options["FileName"])]
    return EVERYTHING


def wanted(besides):
    texts = set()
    for breakpoint in TARGET.sb.breakpoint_iter():
        if breakpoint.MatchesName(besides):
            continue
        stream = lldb.SBStream()
        breakpoint.SerializeToStructuredData().GetAsJSON(stream)
        try:
            texts.update(texts_of(json.loads(stream.GetData() or "{}").get("Breakpoint", {})))
        except ValueError:
            return EVERYTHING
    return texts


def write(texts):
    """To a live target that can be told."""
    if not TARGET.has_memory() or TARGET.is_core():
        return
    address = TARGET.symbol_address("jitscope_interest")
    if not address or not TARGET.symbol_address("jitscope_debuggee"):
        return
    data = encode(texts)
    if TARGET.read(address, len(data)) != data:
        TARGET.write(address, data)
