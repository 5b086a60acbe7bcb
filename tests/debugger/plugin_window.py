"""The TUI window `jitscope`, on a real terminal (tmux): entries, highlights, scrolling."""
import os
import re
import shutil
import subprocess
import unittest

from gdb_harness import GDB, JITSCOPE, LIMIT, PLUGIN, QUIET, DebuggerTest

WIDTH, HEIGHT = 120, 40
STYLE = re.compile(r"\x1b\[([\d;]*)m")


def cells(screen):
    """(text, bold, reverse) runs of the screen; a style goes on over the ends of lines."""
    bold = reverse = False
    at = 0
    for match in STYLE.finditer(screen):
        for text in screen[at:match.start()].splitlines():
            yield text, bold, reverse
        at = match.end()
        for code in (match[1] or "0").split(";"):
            bold = {"0": False, "1": True, "22": False}.get(code, bold)
            reverse = {"0": False, "7": True, "27": False}.get(code, reverse)
    for text in screen[at:].splitlines():
        yield text, bold, reverse


@unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
class Window(DebuggerTest):
    def tmux(self, *words):
        return subprocess.run(["tmux", "-S", self.folder / "tmux", *map(str, words)], capture_output=True, text=True,
                              timeout=LIMIT, check=True, env={**os.environ, "LC_ALL": "C.UTF-8", "TMUX": ""}).stdout

    def begin(self, *program):
        options = [word for word in QUIET if word != "-batch"]
        start = self.text("start.gdb", f"set breakpoint pending on\nset confirm off\nsource {PLUGIN}\nbreak square\nrun\n"
                                       "layout jitscope\n")
        command = " ".join(f"'{word}'" for word in [GDB, "-q", *options, "-x", start, "--args", *program])
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", WIDTH, "-y", HEIGHT, command)
        self.addCleanup(self.tmux, "kill-server")
        self.wait_for(lambda: "jitscope: GOT and PLT" in self.screen() and "qsort" in self.screen(), "the window")

    def screen(self):
        return self.tmux("capture-pane", "-p", "-e")

    def type(self, command):
        self.tmux("send-keys", "-l", command)
        self.tmux("send-keys", "Enter")

    def entry(self, table, name):
        """(line, is highlighted, is bold) of an entry in the window; None when it is not there."""
        for text, bold, reverse in cells(self.screen()):
            found = re.search(rf"\b{table} +0x\w+ {name} ", text)
            if found:
                return found[0], reverse, bold
        return None

    def becomes(self, table, name, highlighted, bold):
        """The screen is drawn piece by piece: what counts is what it comes to."""
        self.wait_for(lambda: (self.entry(table, name) or ())[1:] == (highlighted, bold),
                      f"{table} {name} highlighted={highlighted} bold={bold}")

    def test_changes_stand_out(self):
        program = self.compile("tables.c", "-g", "-O0")
        self.begin(JITSCOPE, "run", program)
        for table in ("got", "plt"):
            for name in ("qsort", "printf"):
                self.becomes(table, name, highlighted=False, bold=False)
        self.type("set var *(long *)&'printf@got' = (long)&malloc")
        self.becomes("got", "printf", highlighted=True, bold=True)
        self.becomes("plt", "printf", highlighted=False, bold=True)
        self.becomes("got", "qsort", highlighted=False, bold=False)
        self.type("stepi")
        self.wait_for(lambda: "PC: 0x" in self.screen(), "a step")
        self.becomes("got", "printf", highlighted=True, bold=True)
        self.type("stepi")
        # Still not what was linked, but no news any more.
        self.becomes("got", "printf", highlighted=False, bold=True)

    def test_scrolling_and_the_end(self):
        program = self.compile("tables.c", "-g", "-O0")
        self.begin(JITSCOPE, "run", program)
        self.type("focus jitscope")
        self.tmux("send-keys", "NPage")
        self.wait_for(lambda: self.entry("got", "qsort") is None, "scrolling")
        self.tmux("send-keys", "PPage")
        self.wait_for(lambda: self.entry("got", "qsort"), "scrolling back")
        self.type("kill")
        self.wait_for(lambda: "is not being run" in self.screen(), "the end")


if __name__ == "__main__":
    unittest.main(verbosity=2)
