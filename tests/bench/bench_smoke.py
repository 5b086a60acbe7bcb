"""The benchmark's programs work: every input is linked by jitscope in each of its modes and by the floor, and the
linked code returns what it must.  Times are of no interest here."""
import contextlib
import io
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import debuggers
import executor
import recordings
import throws
from bench import CONTESTANTS, GROWTH, Bench, grow, main

PROGRAMS = pathlib.Path(os.environ["BENCH_PROGRAMS"])
OWN = [contestant for contestant in CONTESTANTS if contestant.program in ("jitscope", "floor")]
COMPOSED = ["functions", "sections", "comdats", "commons", "prefixes"]
CALLER = """
#include <stdio.h>
unsigned long %s(unsigned long);
int main(void) { return printf("%%lu\\n", %s(%s)) < 0; }
"""


class Smoke(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def check(self, name, contestants=OWN):
        bench = Bench(PROGRAMS, self.folder, 300)
        error = bench.prepare(name)
        if error:
            self.skipTest(error)
        for contestant in contestants:
            with self.subTest(contestant=contestant.label):
                figures, error, _ = bench.run(contestant, name)
                self.assertIsNone(error)
                self.assertGreater(figures["ns"], 0)

    def test_generated(self):
        self.check("generated:1")
        self.check("generated:100")

    def test_sqlite(self):
        self.check("sqlite")

    def test_crypto(self):
        self.check("crypto")

    def test_python(self):
        self.check("python")

    def test_llvm(self):
        self.check("llvm")

    def test_composed(self):
        for shape in COMPOSED:
            self.check(f"{shape}:200")

    def test_more_sections_than_16_bits_hold(self):
        """Their numbers stand in SHT_SYMTAB_SHNDX, their count in section 0."""
        self.check("sections:70000", [contestant for contestant in OWN if contestant.mode == ""])

    def test_system_linker_agrees(self):
        """What the generated objects are said to compute, they compute when ld links them."""
        counts = {f"{shape}:200": 1 for shape in COMPOSED} | {"comdats:200": 2, "generated:100": 100}
        for name, count in counts.items():
            with self.subTest(name):
                self.link_with_system_linker(name, count)

    def link_with_system_linker(self, name, count):
        for old in self.folder.iterdir():
            old.unlink()
        done = subprocess.run([PROGRAMS / "write_objects", name, self.folder], check=True, capture_output=True,
                              text=True)
        entry, argument, expected = done.stdout.split()
        (self.folder / "caller.c").write_text(CALLER % (entry, entry, argument))
        objects = sorted(self.folder.glob("*.o"))
        self.assertEqual(len(objects), count)
        subprocess.run(["gcc", "-z", "noexecstack", self.folder / "caller.c", *objects, "-o", self.folder / "caller"],
                       check=True)
        done = subprocess.run([self.folder / "caller"], check=True, capture_output=True, text=True)
        self.assertEqual(done.stdout.strip(), expected)

    def test_driver(self):
        self.assertEqual(main(["generated:10", "--rounds=1", "--only=^(floor|jitscope)$", f"--programs={PROGRAMS}"]), 0)

    @unittest.skipUnless(shutil.which("valgrind"), "valgrind counts instructions")
    def test_growth(self):
        """Twice as much of anything takes twice the instructions, or less, and four times as much four times the memory, which
        comes in huge pages: these are counts, not times."""
        for shape, (smallest, largest) in GROWTH.items():
            lines = grow(Bench(PROGRAMS, self.folder, 300), shape, smallest // 10, smallest // 10 * 4)[1:]
            self.assertEqual(len(lines), 3, lines)
            for smaller, larger in zip(lines, lines[1:]):
                with self.subTest(shape, size=larger[0]):
                    self.assertLess(float(larger[1]), float(smaller[1]) * 1.1)
            with self.subTest(shape, what="memory"):
                self.assertLess(float(lines[-1][2]), float(lines[0][2]) * 1.1)

    def test_debuggers(self):
        """Breakpoints stop, attached debuggers find functions, the naive way ends too."""
        out = io.StringIO()
        options = debuggers.parse(["--functions=200", "--limit=300", "--full", f"--programs={PROGRAMS}"])
        with contextlib.redirect_stdout(out):
            debuggers.print_debuggers(options)
        rows = [line.split() for line in out.getvalue().splitlines() if line.startswith(("  gdb ", "  lldb "))]
        self.assertEqual(len(rows), len(debuggers.ROWS))
        for row in rows:
            with self.subTest(" ".join(row)):
                self.assertTrue("left out" in " ".join(row) or re.fullmatch(r"\d+\.\d+", row[5]), out.getvalue())
                self.assertNotIn("BUT", row)

    def test_recordings(self):
        """Large recordings are written, read and travelled through; sizes are small enough for a test."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.assertEqual(recordings.main(["--megabytes=40", "--rounds=1", "--links=1", "--seeks=20", f"--programs={PROGRAMS}"]), 0)
        self.assertRegex(out.getvalue(), r"\n  Lua +(\d+\.\d+ +){4}([-+]\d+ +){2}0\.\d+\n")
        self.assertRegex(out.getvalue(), r"\n  10,000,000 events/s( +\d+(\.\d+)?){5}\n")
        for what in ("open, ms", "build the mirror, ms", *recordings.WHAT):
            self.assertRegex(out.getvalue(), rf"\n  {what}( +\d+){{3}}\n")

    def test_throws(self):
        """Every throw is caught and every object destroyed, however the functions were linked."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.assertEqual(throws.main(["--functions=60", "--batches=1,7,60", "--throws=50", "--rounds=1", f"--programs={PROGRAMS}"]), 0)
        for name in ("linked by the system", "1 batch", "7 batches", "60 batches"):
            self.assertRegex(out.getvalue(), rf"\n  {name}( +\d+\.\d+){{5}}\n")

    def test_executor(self):
        """The programs run in both processes; few messages for large ones, too."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.assertEqual(executor.main(["--rounds=1", f"--programs={PROGRAMS}"]), 0)
        for name in ("hello world", "SQLite"):
            self.assertRegex(out.getvalue(), rf"\n  {name}( +-?\d+\.\d+){{4}} +6\n")

    def test_a_large_recording_is_whole(self):
        """Every event that was written is read, whoever reads: from 32 MiB on chunks come in one by one."""
        path = self.folder / "large.jsr"
        written = recordings.figures([PROGRAMS / "write_recording", path, 40, 100, 3])
        read = recordings.figures([PROGRAMS / "bench_recordings", path, 5])
        self.assertGreater(path.stat().st_size, 33 << 20)
        self.assertEqual((read["events"], read["links"]), (written["events"], written["links"] + 1))
        self.assertEqual(read["bytes"], path.stat().st_size)

    def test_all_that_grows_is_followed(self):
        found = recordings.figures([PROGRAMS / "bench_follow", self.folder / "grows.jsr", 5000, 40, 3])
        self.assertEqual(found["events"], 5000 * 40)

    def test_costs_without_a_debugger(self):
        for load in debuggers.LOADS[:2]:
            found = debuggers.times(load._replace(count=50), debuggers.Programs(PROGRAMS, 50), 1)
            self.assertEqual([len(times) for times in found.values()], [1, 1, 1])


if __name__ == "__main__":
    unittest.main()
