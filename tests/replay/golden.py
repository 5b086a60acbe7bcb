"""Recordings that an earlier jitscope has made (golden/*.jsr) still show the same and replay to the same, event by event.

One that fails here means that recordings of users out there fail too: that the format, or a decision of the linker, has changed.
When that is meant, JITSCOPE_REWRITE=1 makes recordings and expectations (golden/*.expected) anew.
"""
import json
import os
import pathlib
import unittest

from harness import JITSCOPE, SystemTest
from jsr import Recording

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"
SESSION = os.environ["GOLDEN_SESSION"]
REWRITE = os.environ.get("JITSCOPE_REWRITE")
LARGEST = 1_500_000  # bytes of all of them
SOURCES = {
    "main": "extern int other(int);\nstatic int local = 3;\nint *pointer = &local;\nint table[20];\n"
            "int main(int argc, char **argv) { (void)argv; return other(argc) + *pointer + table[1]; }\n",
    "other": "extern int far(int);\n__attribute__((weak)) int twice(int x) { return x * 2; }\nint other(int x) { return far(x) + twice(x); }\n",
    "alone": "int state = 7;\nint alone(void) { return state; }\n",
    "unused": "int unused(void) { return 1; }\nint twice(int x) { return x + x; }\n",
    "far": "int far(int x) { return x - 1; }\n",
}
LINK = [JITSCOPE, "link"]
# Relative names: nothing of the machine that made them is in them.
KINDS = {
    "plain": [*LINK, "--base", "0x400000", "--define", "far=0x401234", "--record", "plain.jsr", "main.o", "other.o"],
    "failing": [*LINK, "--record", "failing.jsr", "main.o", "other.o"],
    "phony": [*LINK, "--phony-externals", "--record", "phony.jsr", "main.o"],
    "edges": [*LINK, "--phony-externals", "--trace=edges", "--record", "edges.jsr", "main.o", "other.o"],
    "packed": [JITSCOPE, "pack", "-o", "packed.jsr", "edges.jsr"],
    "archive": [*LINK, "--gc-sections", "--entry", "main", "--record", "archive.jsr", "main.o", "libparts.a"],
    "unloads": [SESSION, "unloads.jsr", "unloads", "alone.o", "far.o", "alone.o", "unused.o"],
    "passes": [SESSION, "passes.jsr", "passes", "other.o"],
    "middle": [SESSION, "middle.jsr", "middle", "far.o", "unused.o", "other.o"],
    "exits": [SESSION, "exits.jsr", "exits", "alone.o", "other.o"],
    "killed": [*LINK, "--phony-externals", "--record", "killed.jsr", "main.o", "other.o"],
}
STATUS = {"failing": 1, "exits": 5}


class Golden(SystemTest):
    def make(self):
        for name, text in SOURCES.items():
            self.compile(text, "-O1", "-fPIC", "-ffunction-sections", "-fcommon", "-fno-ident", name=f"{name}.o")
        self.archive("libparts.a", *(self.folder / f"{name}.o" for name in ("other", "unused", "far")), flags="rcsD")
        GOLDEN.mkdir(exist_ok=True)
        for name, command in KINDS.items():
            self.assertEqual(self.run_command(*command).status, STATUS.get(name, 0), name)
            if name == "packed":
                (GOLDEN / "packed.jsr").write_bytes((self.folder / "packed.jsr").read_bytes())
                continue
            recording = Recording(self.folder / f"{name}.jsr")
            content = recording.data[:recording.chunks[-1][1]]  # without what was only allocated
            content = content[:-900] if name == "killed" else content
            (GOLDEN / f"{name}.jsr").write_bytes(content)

    def seen(self, path):
        """What is shown of a recording, and what its replay says; one row a line, so that differences read well."""
        lines = []
        for view in ("summary", "inputs", "segments", "symbols", "got", "plt", "passes"):
            rows = json.loads(self.must(JITSCOPE, "show", view, path, "--json").out)
            rows = rows if isinstance(rows, list) else [{key: value} for key, value in rows.items()]
            lines += [f"--- {view}"]
            lines += [json.dumps({key: value for key, value in row.items() if key not in ("duration", "time")}) for row in rows]
        outcome = self.jitscope("replay", path)
        return "\n".join(lines + [f"--- replay: status {outcome.status}", outcome.out.decode() + outcome.err.decode()])

    def test_golden(self):
        if REWRITE:
            self.make()
        recordings = sorted(GOLDEN.glob("*.jsr"))
        self.assertEqual([path.stem for path in recordings], sorted(KINDS))
        self.assertLess(sum(path.stat().st_size for path in recordings), LARGEST)
        for path in recordings:
            with self.subTest(path.stem):
                seen, expected = self.seen(path), path.with_suffix(".expected")
                if REWRITE:
                    expected.write_text(seen)
                self.assertEqual(seen, expected.read_text())
                self.assertIn("--- replay: status 0\n", seen)


if __name__ == "__main__":
    unittest.main()
