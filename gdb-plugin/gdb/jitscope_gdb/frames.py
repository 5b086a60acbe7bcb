"""Backtraces: JIT'd frames and stubs are marked, and a frame in code that is gone gets the name it had."""
import gdb
from gdb.FrameDecorator import FrameDecorator

from jitscope_common import marks, tables

from . import target


class JitFrame(FrameDecorator):
    def __init__(self, base, mark, gone):
        super().__init__(base)
        self._mark, self._gone = mark, gone

    def function(self):
        name = super().function()
        if not isinstance(name, str):
            pc = self.inferior_frame().pc()
            name = self._gone or marks.name_at(target.state(), pc)
        return f"{tables.clean(name)} {self._mark}"


class NamelessFrame(FrameDecorator):
    """With any frame filter at work gdb prints nothing for a function it does not know: here it is its usual ??."""

    def function(self):
        return "??"


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
            mark, gone = marks.mark(state, frame.inferior_frame().pc())
        except target.ERRORS:
            return frame
        if mark:
            return JitFrame(frame, mark, gone)
        return frame if frame.inferior_frame().name() else NamelessFrame(frame)


def install():
    Filter()
