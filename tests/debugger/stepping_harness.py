"""Stepping tests: sources whose lines have names, and what gdb says of where it stands.

A source's lines are found by the comments in them: `int sum; // sum`, and LINE = line(source, "sum").
"""
import os
import pathlib
import re

from gdb_harness import JITSCOPE, DebuggerTest, after, mark

HOST = os.environ.get("HOST_PROGRAM", "build/dev/tests/debugger/debugger-host")
HOST_SOURCE = pathlib.Path(__file__).resolve().parent / "inputs" / "host_program.c"
PENDING = ("set breakpoint pending on", "set print frame-arguments all", "set print address off",
           "set print entry-values no", "set startup-with-shell off")


def line(source, name):
    """The number of the line with that comment."""
    found = [number for number, text in enumerate(source.split("\n"), 1)
             if re.search(rf"(//|/\*) {re.escape(name)}( \*/)?$", text)]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} lines are called {name}")
    return found[0]


class SteppingTest(DebuggerTest):
    def source(self, name, text):
        self.text(name, text)
        return text

    def build(self, name, *flags, compiler=None):
        """The object of a source in the test's folder; paths in its DWARF are relative to there."""
        compiler = compiler or {"c": "gcc", "cpp": "g++", "s": "gcc", "S": "gcc"}[name.rpartition(".")[2]]
        target = self.folder / (name.rpartition(".")[0] + ".o")
        self.must(compiler, *flags, "-c", name, "-o", target.name)
        return target.name

    def run_gdb(self, commands, *words, **options):
        """gdb on `jitscope run WORDS`."""
        return self.gdb([*PENDING, *commands], JITSCOPE, "run", *words, **options)

    def host_gdb(self, commands, *words, **options):
        """gdb on the embedding program."""
        return self.gdb([*PENDING, *commands], HOST, *words, **options)

    def assertFrames(self, text, *functions):
        """The innermost frames of a backtrace are in these functions."""
        names = re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?(.+?) \(", text, re.M)
        self.assertEqual(names[:len(functions)], list(functions), text)

    def assertClean(self, out):
        """gdb found nothing to complain about."""
        for word in ("warning:", "DWARF Error", "Dwarf Error", "BFD:", "internal-error", "Could not", "can't read",
                     "Error while reading"):
            self.assertNotIn(word, out)


__all__ = ["HOST", "HOST_SOURCE", "JITSCOPE", "PENDING", "SteppingTest", "after", "line", "mark"]
