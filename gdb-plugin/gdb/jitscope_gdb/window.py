"""The TUI window `jitscope`: GOT slots and PLT stubs with what they hold; what changed since the last stop stands out.

    (gdb) layout jitscope
"""
import gdb

from jitscope_common import tables

from . import target

CHANGED, DIFFERENT, PLAIN = "\x1b[1;7m", "\x1b[1m", "\x1b[0m"
LAYOUT = "tui new-layout jitscope {-horizontal src 3 jitscope 2} 2 status 0 cmd 1"

_windows = []


class Values:
    """What the slots hold, and what they held when the program stopped the last time but one: a change is shown at once and
    until the stop after the next."""

    def __init__(self):
        self.before = self.at_stop = None
        self.now = {}

    def look(self, state):
        """Rows (batch, table, entry, name, value)."""
        self.now = {}
        rows = []
        for batch, entry, name, value in tables.got_rows(state):
            self.now[entry.address] = value
            rows.append((batch.name, "got", entry, name, value))
        for batch in state.batches():
            for entry, name in batch.entries("plt"):
                slot = tables.plt_slot(batch, entry)
                rows.append((batch.name, "plt", entry, name, self.now.get(slot.address) if slot else entry.target))
        if self.at_stop is None:
            self.before = self.at_stop = self.now
        return rows

    def stop(self, state):
        self.before = self.at_stop or {}
        self.look(state)
        self.at_stop = self.now

    def changed(self, address):
        return address in self.before and self.before[address] != self.now.get(address)


class Window:
    def __init__(self, window):
        self.window = window
        window.title = "jitscope: GOT and PLT"
        self.values = Values()
        self.top, self.left = 0, 0
        _windows.append(self)

    def close(self):
        _windows.remove(self)

    def stop(self):
        state = target.try_state()
        if state:
            self.values.stop(state)
        self.render()

    def _rows(self):
        try:
            return self.values.look(target.state())
        except target.ERRORS as error:
            return str(error)

    def _line(self, row):
        batch, table, entry, name, value = row
        shown = "?" if value is None else tables.show(value)
        text = f"{table} {shown:>14} {tables.clean(name)} ({batch})"[self.left:][:max(self.window.width - 1, 1)]
        if table == "got" and self.values.changed(entry.address):
            return f"{CHANGED}{text}{PLAIN}"
        return f"{DIFFERENT}{text}{PLAIN}" if value != entry.target else text

    def render(self):
        if not self.window.is_valid():
            return
        rows = self._rows()
        if isinstance(rows, str):
            self.window.write(tables.clean(rows)[:self.window.width], True)
            return
        self.top = max(0, min(self.top, len(rows) - 1))
        height = max(self.window.height, 1)
        lines = [self._line(row) for row in rows[self.top:self.top + height]] or ["No GOT or PLT entry."]
        self.window.write("\n".join(lines), True)

    def vscroll(self, lines):
        self.top = max(0, self.top + lines)
        self.render()

    def hscroll(self, columns):
        self.left = max(0, self.left + columns)
        self.render()


def _on_stop(_event):
    for window in list(_windows):
        window.stop()


def _render(_event=None):
    for window in list(_windows):
        window.render()


def install():
    if not hasattr(gdb, "register_window_type"):
        return  # a gdb that was built without curses
    gdb.register_window_type("jitscope", Window)
    gdb.execute(LAYOUT, to_string=True)
    gdb.events.stop.connect(_on_stop)
    gdb.events.memory_changed.connect(_render)
    gdb.events.before_prompt.connect(_render)  # `kill` and `detach` tell nobody
