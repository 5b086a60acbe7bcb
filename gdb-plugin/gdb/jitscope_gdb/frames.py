"""Backtraces: JIT'd frames and stubs are marked, and a frame in code that is gone gets the name it had."""
import gdb
from gdb.FrameDecorator import FrameDecorator

from . import tables, target


def _mark(state, pc):
    """(what to add to the name, the name of what is gone)."""
    batch = state.batch_at(pc)
    if batch:
        entry = batch.entry_at(pc)
        if entry and target.TABLES.get(entry.table) == "plt":
            return "[jit stub]", None
        return "[jit]", None
    graves = state.graves_at(pc)
    return ("[jit, unloaded]", graves[0][2]) if graves else (None, None)


class JitFrame(FrameDecorator):
    def __init__(self, base, mark, gone):
        super().__init__(base)
        self._mark, self._gone = mark, gone

    def function(self):
        name = super().function()
        if not isinstance(name, str):
            pc = self.inferior_frame().pc()
            name = self._gone or tables.leads_to(target.state(), pc).partition("+")[0] or f"0x{pc:x}"
        return f"{tables.clean(name)} {self._mark}"


class Filter:
    name = "jitscope"
    enabled = True
    priority = 50

    def __init__(self):
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        state = target.try_state()
        return map(lambda frame: self._decorate(state, frame), frames) if state else frames

    @staticmethod
    def _decorate(state, frame):
        try:
            mark, gone = _mark(state, frame.inferior_frame().pc())
        except (gdb.error, gdb.GdbError):
            return frame
        return JitFrame(frame, mark, gone) if mark else frame


def install():
    Filter()
