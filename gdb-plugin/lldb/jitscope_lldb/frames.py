"""Backtraces: JIT'd frames and stubs are marked, and a frame in code that is gone gets the name it had.

lldb lets a script add to the text of a frame, not change it; what it adds stands at the line's end.
"""
import lldb

from jitscope_common import marks, tables

from .target import ERRORS, use

SETTINGS = ("frame-format", "frame-format-unique")
OURS = "${script.frame:jitscope.frames.mark}"
LINE_END = "\\n"


def mark(frame, _dictionary):
    """With the space before it: lldb's format has no way to leave one away."""
    state = use(frame.thread.process.target).try_state()
    if not state:
        return ""
    try:
        pc = frame.GetPC()
        text, gone = marks.mark(state, pc)
        if not text:
            return ""
        name = "" if frame.GetFunctionName() else f" {gone or marks.name_at(state, pc)}"
        return tables.clean(f"{name} {text}")
    except ERRORS:
        return ""


def extend(debugger, setting):
    values = debugger.GetInternalVariableValue(setting, debugger.GetInstanceName())
    text = values.GetStringAtIndex(0).strip('"')
    if OURS in text:
        return
    plain = text[:-len(LINE_END)] if text.endswith(LINE_END) else text
    lldb.SBDebugger.SetInternalVariable(setting, plain + OURS + LINE_END, debugger.GetInstanceName())


def install(debugger):
    for setting in SETTINGS:
        extend(debugger, setting)
