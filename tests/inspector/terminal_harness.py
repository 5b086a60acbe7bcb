"""Real programs on real terminals, for tests and for pictures.

Pty runs a program on a pseudo terminal whose other side is pyte, an emulator in memory; Tmux runs one in tmux.  Both send
keys, change the size, and read back what is on the screen.  Nothing sleeps and hopes: wait_for() returns as soon as a
condition holds, and fails with the screen when it does not in LIMIT seconds.
"""
import fcntl
import os
import pathlib
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest

import pyte
import pyte.graphics
import wcwidth

LIMIT = float(os.environ.get("TERMINAL_LIMIT", "180"))
MODES = {"alternate": 1049, "mouse": 1000, "decimal mouse": 1006, "paste": 2004, "cursor": 25, "frame": 2026}
KEYS = {"Enter": "\r", "Esc": "\x1b", "Tab": "\t", "Space": " ", "Backspace": "\x7f", "Up": "\x1b[A", "Down": "\x1b[B",
        "Right": "\x1b[C", "Left": "\x1b[D", "Home": "\x1b[H", "End": "\x1b[F", "PgUp": "\x1b[5~", "PgDn": "\x1b[6~",
        "Del": "\x1b[3~", "Ins": "\x1b[2~", "Shift-Tab": "\x1b[Z", "F1": "\x1bOP", "F2": "\x1bOQ", "F3": "\x1bOR",
        "F4": "\x1bOS", "F5": "\x1b[15~", "F6": "\x1b[17~", "F7": "\x1b[18~", "F8": "\x1b[19~", "F9": "\x1b[20~",
        "F10": "\x1b[21~"}
NAMES = ["black", "red", "green", "brown", "blue", "magenta", "cyan", "white"]


def key_bytes(key):
    """What xterm sends for a key as the inspector names it: "PgDn", "^D", "x"."""
    if key in KEYS:
        return KEYS[key].encode()
    if len(key) == 2 and key[0] == "^":
        return bytes([ord(key[1]) & 31])
    return key.encode()


def colour_index(colour):
    """pyte's name of a colour as an index of the palette of 256; None is the terminal's own."""
    if colour == "default":
        return None
    if colour in NAMES:
        return NAMES.index(colour)
    if colour.startswith("bright") and colour[6:].replace("yellow", "brown") in NAMES:
        return 8 + NAMES.index(colour[6:].replace("yellow", "brown"))
    return 16 + [entry for entry in pyte.graphics.FG_BG_256[16:]].index(colour)


class Ended(Exception):
    pass


class Screen:
    """What a test may ask of every kind of terminal; pump() waits up to SECONDS for something to happen."""

    def pump(self, seconds):
        raise NotImplementedError

    def lines(self):
        raise NotImplementedError

    def text(self):
        return "\n".join(line.rstrip() for line in self.lines())

    def wait_for(self, condition, what="a condition"):
        until = time.monotonic() + LIMIT
        while not condition():
            if time.monotonic() > until:
                raise AssertionError(f"waited in vain for {what}; the screen:\n{self.text()}")
            self.pump(0.02)

    def wait_text(self, text):
        self.wait_for(lambda: text in self.text(), repr(text))


class Emulated(pyte.Screen):
    """With the alternate screen, which pyte has not: what was there before it comes back behind it."""

    below = None

    def scroll_up(self, count=1):
        """SU and SD, within the margins: pyte has not got these either."""
        self.scroll(count, (self.margins or pyte.screens.Margins(0, self.lines - 1)).bottom, self.index)

    def scroll_down(self, count=1):
        self.scroll(count, (self.margins or pyte.screens.Margins(0, self.lines - 1)).top, self.reverse_index)

    def scroll(self, count, edge, step):
        row, self.cursor.y = self.cursor.y, edge
        for _ in range(count or 1):
            step()
        self.cursor.y = row

    def set_mode(self, *modes, **options):
        if options.get("private") and MODES["alternate"] in modes and self.below is None:
            self.below = [[dict(self.buffer[row]) for row in range(self.lines)], self.cursor.y, self.cursor.x]
            self.erase_in_display(2)
        super().set_mode(*modes, **options)

    def reset_mode(self, *modes, **options):
        super().reset_mode(*modes, **options)
        if not options.get("private") or MODES["alternate"] not in modes or self.below is None:
            return
        rows, self.cursor.y, self.cursor.x = self.below
        self.below = None
        self.erase_in_display(2)
        for row, cells in enumerate(rows[:self.lines]):
            self.buffer[row].update((column, cell) for column, cell in cells.items() if column < self.columns)
        self.ensure_vbounds()
        self.ensure_hbounds()


class Stream(pyte.ByteStream):
    csi = {**pyte.ByteStream.csi, "S": "scroll_up", "T": "scroll_down"}
    events = pyte.ByteStream.events | {"scroll_up", "scroll_down"}


class Pty(Screen):
    """COMMAND on a pseudo terminal of its own.  The other side stays open: modes can be asked for after the end."""

    def __init__(self, command, rows=24, columns=80, term="xterm-256color", env=None, folder=None):
        self.screen = Emulated(columns, rows)
        self.stream = Stream(self.screen)
        self.raw = b""
        self.status = None
        self.main, self.other = os.openpty()
        self.set_size(rows, columns)
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TERM": term, "LC_ALL": "C.UTF-8"}
        environment.update({name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")})
        environment.update(env or {})
        self.modes_before = self.terminal_modes()
        self.process = subprocess.Popen([str(word) for word in command], stdin=self.other, stdout=self.other,
                                        stderr=self.other, env=environment, cwd=folder, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def close(self):
        """Ends what is left, and everything in its session."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for end in (self.main, self.other):
            if end is not None:
                os.close(end)
        self.main = self.other = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- reading ---

    def pump(self, seconds):
        """Feeds the emulator with what is there, or comes in SECONDS; not for long: some programs never stop."""
        until = time.monotonic() + max(seconds, 0.1)
        while time.monotonic() < until and select.select([self.main], [], [], seconds)[0]:
            try:
                data = os.read(self.main, 65536)
            except OSError:
                return
            self.raw += data
            self.stream.feed(data)
            seconds = 0

    def lines(self):
        """Half of a wide character whose other half was drawn over is a blank; pyte keeps it as nothing."""
        found = []
        for row in range(self.screen.lines):
            cells, line, wide = self.screen.buffer[row], "", False
            for column in range(self.screen.columns):
                text = cells[column].data
                line += text or ("" if wide else " ")
                wide = text and wcwidth.wcwidth(text[0]) == 2
            found.append(line)
        return found

    def cursor(self):
        """(row, column), or None when it is hidden."""
        cursor = self.screen.cursor
        return None if cursor.hidden else (cursor.y, min(cursor.x, self.screen.columns - 1))

    def has_mode(self, name):
        return (MODES[name] << 5) in self.screen.mode

    def looks(self):
        """As grid_print_looks() prints them, but for "dim", which pyte does not know."""
        lines = []
        for row in range(self.screen.lines):
            cells = self.screen.buffer[row]
            runs = []
            for column in range(self.screen.columns):
                look = self.look(cells[column])
                if runs and runs[-1][2] == look:
                    runs[-1][1] = column
                else:
                    runs.append([column, column, look])
            lines += [f"{row}:{first}-{last}{look}" for first, last, look in runs if look]
        return "\n".join(lines)

    @staticmethod
    def look(cell):
        fore, back = colour_index(cell.fg), colour_index(cell.bg)
        text = f" fore={fore}" if fore is not None else ""
        text += f" back={back}" if back is not None else ""
        for name, is_set in (("bold", cell.bold), ("underline", cell.underscore), ("reverse", cell.reverse)):
            text += f" {name}" if is_set else ""
        return text

    def terminal_modes(self):
        return termios.tcgetattr(self.other)

    # --- doing ---

    def send(self, data):
        data = data.encode() if isinstance(data, str) else data
        while data:
            data = data[os.write(self.main, data):]

    def keys(self, *keys):
        for key in keys:
            self.send(key_bytes(key))

    def click(self, row, column, button=0, times=1):
        self.send(f"\x1b[<{button};{column + 1};{row + 1}M\x1b[<{button};{column + 1};{row + 1}m" * times)

    def set_size(self, rows, columns):
        """Tells the program; the emulator follows at once."""
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if (self.screen.lines, self.screen.columns) != (rows, columns):
            self.screen.resize(rows, columns)

    def signal(self, number):
        os.kill(self.process.pid, number)

    def hang_up(self):
        os.close(self.main)
        self.main = None

    def wait_end(self):
        """The exit status, negative for a signal; what the program wrote last is read too."""
        until = time.monotonic() + LIMIT
        while self.process.poll() is None:
            if time.monotonic() > until:
                raise AssertionError(f"the program does not end; the screen:\n{self.text()}")
            if self.main is None:
                time.sleep(0.01)
            else:
                self.pump(0.02)
        while self.main is not None and select.select([self.main], [], [], 0)[0]:
            self.pump(0)
        return self.process.returncode


class Tmux(Screen):
    """COMMAND, a line for the shell, in a tmux server of its own."""

    def __init__(self, command, rows=24, columns=80, options=(), env=None):
        self.folder = tempfile.TemporaryDirectory(prefix="jitscope-tmux-")
        self.environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "xterm-256color",
                            "HOME": self.folder.name, "SHELL": "/bin/sh", **(env or {})}
        config = pathlib.Path(self.folder.name) / "tmux.conf"
        config.write_text("".join(f"{line}\n" for line in options))
        self.run("-f", config, "new-session", "-d", "-x", columns, "-y", rows, command)

    def run(self, *words):
        outcome = subprocess.run(["tmux", "-S", f"{self.folder.name}/socket", *map(str, words)], capture_output=True,
                                 env=self.environment, timeout=LIMIT, check=False)
        if outcome.returncode:
            raise AssertionError(f"tmux {words}: {outcome.stderr.decode()}")
        return outcome.stdout.decode(errors="replace")

    def close(self):
        subprocess.run(["tmux", "-S", f"{self.folder.name}/socket", "kill-server"], capture_output=True, check=False)
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def pump(self, seconds):
        time.sleep(seconds)

    def lines(self):
        return self.run("capture-pane", "-p").split("\n")

    def escaped(self):
        """The screen with the escape sequences of its attributes."""
        return self.run("capture-pane", "-p", "-e")

    def ask(self, format_string):
        return self.run("display-message", "-p", format_string).rstrip("\n")

    def cursor(self):
        row, column, seen = map(int, self.ask("#{cursor_y} #{cursor_x} #{cursor_flag}").split())
        return (row, column) if seen else None

    def keys(self, *keys):
        """As tmux names them: "PPage", "C-d", "Enter"."""
        self.run("send-keys", *keys)

    def set_size(self, rows, columns):
        self.run("resize-window", "-x", columns, "-y", rows)


class TerminalTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="jitscope-terminal-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def pty(self, command, **options):
        terminal = Pty(command, **options)
        self.addCleanup(terminal.close)
        return terminal

    def tmux(self, command, **options):
        terminal = Tmux(command, **options)
        self.addCleanup(terminal.close)
        return terminal

    def assert_given_back(self, terminal):
        """The terminal is as it was before the program: its modes, the screen, the cursor, the mouse."""
        self.assertEqual(terminal.terminal_modes(), terminal.modes_before)
        for mode in ("alternate", "mouse", "decimal mouse", "paste", "frame"):
            self.assertFalse(terminal.has_mode(mode), mode)
        self.assertIsNotNone(terminal.cursor())
        attributes = terminal.screen.cursor.attrs
        self.assertEqual((attributes.fg, attributes.bg, attributes.reverse), ("default", "default", False))
