"""Debug and unwind information that is not sound costs the object that information: the link goes on, with one event and
one warning.  What the warnings say stands in unsound.expected; JITSCOPE_REWRITE=1 rewrites that file.
"""
import json
import os
import pathlib
import struct
import subprocess
import tempfile
import unittest

from bad_inputs import run, write_files
from cases import UNSOUND

EXPECTED = pathlib.Path(__file__).resolve().parent / "unsound.expected"
PROGRAM = """#include <stdio.h>
struct pair { int first, second; };
static int twice(int value) { struct pair pair = {value, value}; return pair.first + pair.second; }
#ifdef CLEAN_UP /* what throws may leave main */
static void leave(int *number) { printf("%d\\n", *number); }
int main(int argc, char **argv) { __attribute__((cleanup(leave))) int number = twice(argc + 20); (void)argv; fflush(NULL); }
#else
int main(int argc, char **argv) { (void)argv; printf("%d\\n", twice(argc + 20)); return 0; }
#endif
"""


class Damaged:
    """A compiled object, with the bytes of its sections to be spoiled."""

    def __init__(self, folder, *flags):
        (folder / "program.c").write_text(PROGRAM)
        subprocess.run(["gcc", "-O1", *flags, "-c", "program.c", "-o", "sound.o"], cwd=folder, check=True)
        self.bytes = bytearray((folder / "sound.o").read_bytes())

    def header(self, name):
        """Where that section's header is."""
        table, = struct.unpack_from("<Q", self.bytes, 40)
        count, names = struct.unpack_from("<HH", self.bytes, 60)
        texts, = struct.unpack_from("<Q", self.bytes, table + names * 64 + 24)
        for at in range(table, table + count * 64, 64):
            start = texts + struct.unpack_from("<I", self.bytes, at)[0]
            if self.bytes[start:self.bytes.index(0, start)].decode() == name:
                return at
        raise AssertionError(f"no section {name}")

    def content(self, name):
        return struct.unpack_from("<Q", self.bytes, self.header(name) + 24)[0]

    def put(self, form, name, offset, value):
        struct.pack_into("<" + form, self.bytes, self.content(name) + offset, value)
        return self

    def field(self, form, name, offset, value):
        struct.pack_into("<" + form, self.bytes, self.header(name) + offset, value)
        return self


SIZE, OFFSET, ENTRY = 32, 24, 56
CLEAN_UP = ["-g", "-fexceptions", "-DCLEAN_UP"]
# Name, flags of the compiler, damage.
DWARF = [
    ("unit longer than its section", ["-g"], lambda it: it.put("I", ".debug_info", 0, 0xfffff000)),
    ("64-bit unit without end", ["-g"], lambda it: it.put("I", ".debug_info", 0, 0xffffffff)),
    ("unit without length", ["-g"], lambda it: it.put("I", ".debug_info", 0, 0)),
    ("unit of version 9", ["-g"], lambda it: it.put("H", ".debug_info", 4, 9)),
    ("section cut inside a unit", ["-g"], lambda it: it.field("Q", ".debug_info", SIZE, 40)),
    ("section out of the file", ["-g"], lambda it: it.field("Q", ".debug_line", OFFSET, 1 << 40)),
    ("relocation of unknown type", ["-g"], lambda it: it.put("I", ".rela.debug_info", 8, 200)),
    ("relocation against no symbol", ["-g"], lambda it: it.put("I", ".rela.debug_info", 12, 5000)),
    ("relocation behind its section", ["-g"], lambda it: it.put("Q", ".rela.debug_info", 0, 1 << 33)),
    ("relocation table of other entries", ["-g"], lambda it: it.field("Q", ".rela.debug_info", ENTRY, 16)),
    ("relocation table out of the file", ["-g"], lambda it: it.field("Q", ".rela.debug_info", OFFSET, 1 << 41)),
    ("type unit longer than its section", ["-gdwarf-4", "-fdebug-types-section"],
     lambda it: it.put("I", ".debug_types", 0, 0xfffff000)),
    ("frame longer than its section", ["-g", "-fno-asynchronous-unwind-tables"],
     lambda it: it.put("I", ".debug_frame", 0, 0x7fffffff)),
    ("compression of unknown kind", ["-g", "-gz=zlib"], lambda it: it.put("I", ".debug_info", 0, 77)),
    ("compressed to more than there is", ["-g", "-gz=zlib"], lambda it: it.put("Q", ".debug_info", 8, 1 << 20)),
    ("compressed to less than there is", ["-g", "-gz=zlib"], lambda it: it.put("Q", ".debug_info", 8, 30)),
    ("compressed to an impossible size", ["-g", "-gz=zlib"], lambda it: it.put("Q", ".debug_info", 8, 1 << 62)),
    ("compressed bytes spoiled", ["-g", "-gz=zlib"], lambda it: it.put("Q", ".debug_info", 40, 0x1234567890abcdef)),
    ("compressed section cut in its header", ["-g", "-gz=zlib"], lambda it: it.field("Q", ".debug_info", SIZE, 20)),
    (".eh_frame record longer than its section", [], lambda it: it.put("I", ".eh_frame", 0, 0x1000)),
    (".eh_frame FDE of no CIE", ["-g"], lambda it: it.put("I", ".eh_frame", 28, 0x333)),
    (".eh_frame FDEs that count from data", ["-g"], lambda it: it.put("B", ".eh_frame", 16, 0x3b)),
    (".eh_frame FDEs that count from text", ["-g"], lambda it: it.put("B", ".eh_frame", 16, 0x2b)),
    (".eh_frame landing pads that count from data", CLEAN_UP, lambda it: it.put("B", ".eh_frame", 23, 0x3b)),
    (".eh_frame personality that counts from text", CLEAN_UP, lambda it: it.put("B", ".eh_frame", 18, 0xab)),
    (".eh_frame cut", ["-g"], lambda it: it.field("Q", ".eh_frame", SIZE, 0x1e)),
    (".eh_frame relocation of unknown type", ["-g"], lambda it: it.put("I", ".rela.eh_frame", 8, 200)),
    (".eh_frame relocation table out of the file", ["-g"], lambda it: it.field("Q", ".rela.eh_frame", OFFSET, 1 << 41)),
]


class Unsound(unittest.TestCase):
    maxDiff = None

    def warning(self, done):
        """The one line on standard error."""
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stderr.decode().split("\n")
        self.assertEqual(lines[1:], [""], done.stderr)
        self.assertTrue(lines[0].startswith("jitscope: warning: "), done.stderr)
        return lines[0]

    def link(self, case):
        with tempfile.TemporaryDirectory(prefix="jitscope-bad-") as folder:
            write_files(pathlib.Path(folder), case.files)
            return self.warning(run(folder, case.words))

    def execute(self, flags, damage):
        """The program still runs; the event is in the recording."""
        with tempfile.TemporaryDirectory(prefix="jitscope-bad-") as name:
            folder = pathlib.Path(name)
            thing = Damaged(folder, *flags)
            damage(thing)
            (folder / "program.o").write_bytes(thing.bytes)
            done = run(folder, ["run", "--record", "run.jsr", "program.o"])
            self.assertEqual(done.stdout, b"42\n")
            events = json.loads(run(folder, ["show", "events", "run.jsr", "--json"]).stdout)
            self.assertEqual([event["event"] for event in events].count("debug_discarded"), 1)
            return self.warning(done)

    def test_what_is_said(self):
        said = {case.name.removeprefix("object: "): self.link(case) for case in UNSOUND}
        for name, flags, damage in DWARF:
            with self.subTest(name):
                said[name] = self.execute(flags, damage)
        text = "".join(f"{name}\n  {warning}\n" for name, warning in said.items())
        if os.environ.get("JITSCOPE_REWRITE"):
            EXPECTED.write_text(text)
        self.assertEqual(text, EXPECTED.read_text())

    def test_the_other_objects_keep_theirs(self):
        """Exceptions still pass through the functions of a sound object beside an unsound one."""
        with tempfile.TemporaryDirectory(prefix="jitscope-bad-") as name:
            folder = pathlib.Path(name)
            thing = Damaged(folder, "-g", "-Dmain=unused")
            thing.put("I", ".eh_frame", 28, 0x333)
            (folder / "bad.o").write_bytes(thing.bytes)
            (folder / "good.cpp").write_text("#include <cstdio>\nint main() { try { throw 7; } catch (int n) { "
                                             'std::printf("%d\\n", n); } }\n')
            subprocess.run(["g++", "-g", "-c", "good.cpp"], cwd=folder, check=True)
            done = run(folder, ["run", "bad.o", "good.o", "-l", "stdc++"])
            self.assertEqual(done.stdout, b"7\n")
            self.warning(done)


if __name__ == "__main__":
    unittest.main()
