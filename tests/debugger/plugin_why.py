"""The plug-in's `jitscope why` and the recording: which one is asked, by which tool, and what becomes of what goes wrong."""
import os
import re
import shutil
import unittest

from gdb_harness import HERE, JITSCOPE, PLUGIN, UNRECORDED, DebuggerTest, after, built, mark

PENDING = "set breakpoint pending on"
HINT = "How it came to be so only a recording tells"
ROOT = HERE.parent.parent


def chain(text):
    """What follows the plug-in's own lines, without the line that says whose it is."""
    return text[re.search(r"^Its recording .* says:\n", text, re.M).end():]


class Why(DebuggerTest):
    def setUp(self):
        super().setUp()
        self.object = self.compile("tables.c", "-g", "-O0")
        self.recording = self.folder / "live.jsr"
        self.program = [JITSCOPE, "run", "--record", self.recording, self.object]

    def tell(self, text, name="square"):
        """Asked of the finished recording, the tool says the same."""
        self.assertIn(f"Its recording {self.recording} says:\n", text)
        address = re.search(r"^0x\w+", text)[0]
        self.assertEqual(chain(text), self.must(JITSCOPE, "why", self.recording, address).out.decode().rstrip("\n"))
        self.assertRegex(chain(text), rf"^{address} is byte 0x0 of .*{name}")

    def tool(self, script):
        """A program in the place of the tool."""
        path = self.text("tool", f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return {"JITSCOPE": str(path)}

    def test_live(self):
        out = self.gdb([PENDING, "break square", "run", mark("why"), "jitscope why square", mark("stub"),
                        "jitscope why 'qsort@plt'", mark("host"), "jitscope why malloc", mark("end"), "kill"],
                       *self.program, plugin=True)
        self.tell(after(out, "why"))
        self.assertIn("in debug image 1.\nIts recording", after(out, "why"))
        self.tell(after(out, "stub"), "the PLT stub of qsort")
        self.assertRegex(after(out, "stub"), r"got-delta32 is written at the PLT stub of qsort")
        self.assertRegex(after(out, "host"), r"it is malloc\.\nIts recording .* says nothing: nothing in the recording was ever")

    def test_a_name_that_is_gone(self):
        """The process writes its file all the same, and another file may have the name."""
        out = self.gdb([PENDING, "break square", "run", f"shell rm {self.recording}; echo JITSCOPE > {self.recording}",
                        mark("why"), "jitscope why square", mark("end"), f"shell rm {self.recording}"], *self.program, plugin=True)
        self.assertIn(f"Its recording {self.recording} (deleted) says:\n", after(out, "why"))
        self.assertRegex(chain(after(out, "why")), r"^0x\w+ is byte 0x0 of square")

    def test_after_unload_by_environment(self):
        """The folder in the debugger's own environment too: asking leaves no recording there."""
        folder = self.folder / "records"
        folder.mkdir()
        out = self.gdb(["break all_unloaded", "run", mark("why"), "jitscope why address", mark("again"), "jitscope why address"],
                       built("many"), self.compile("jitted.c", "-g", "-O0"), "3", "auto", plugin=True,
                       env={"JITSCOPE_RECORD": str(folder), "JITSCOPE": str(JITSCOPE)})
        self.assertRegex(after(out, "why"), r"was in jitted_000002 .* of batch 1:3, which has been unloaded\.\nIts recording")
        self.assertRegex(chain(after(out, "why")), r"^0x\w+ .*jitted_000002[^\n]*\n(.*\n)*.*unload")
        self.assertEqual(after(out, "why"), after(out, "again"))
        self.assertEqual(len(os.listdir(folder)), 1)

    def test_core(self):
        core, copy = self.folder / "a.core", self.folder / "a copy.jsr"
        self.gdb([PENDING, "break square", "run", f"gcore {core}", "kill"], *self.program, plugin=True)
        ask = [mark("why"), "jitscope why square"]
        env = {"JITSCOPE": str(JITSCOPE)}

        def look(*before, env=env):
            return after(self.gdb([f"core-file {core}", *before, *ask], JITSCOPE, plugin=True, env=env), "why")
        self.tell(look())
        # Nothing that a core came with is run.
        self.assertIn("says nothing: there is no jitscope to ask", look(env={"JITSCOPE": "", "PATH": "/nowhere:/usr/bin:/bin"}))
        shutil.copy(self.recording, copy)
        self.must(*self.program)  # a later process, under the same name
        self.assertIn(HINT, look())
        named = look(f"set jitscope recording {copy}")
        self.assertRegex(chain(named), r"^0x\w+ is byte 0x0 of square")
        self.assertIn(f"Its recording {copy} says:", named)
        self.assertRegex(look(f"set jitscope recording {self.recording}"), r"the recording of process \d+; this one is \d+\.")
        packed = self.folder / "packed.jsr"
        self.must(JITSCOPE, "pack", copy, "-o", packed)
        self.assertEqual(chain(look(f"set jitscope recording {packed}")), chain(named))

    def test_gdbserver_needs_the_setting(self):
        out = self.gdb([PENDING, f"file {JITSCOPE}", "break square", self.gdbserver(*self.program), "continue", mark("without"),
                        "jitscope why square", f"set jitscope recording {self.recording}", mark("why"), "jitscope why square",
                        mark("end"), "kill"], plugin=True, env={"JITSCOPE": str(JITSCOPE)})
        self.assertIn(HINT, after(out, "without"))
        self.tell(after(out, "why"))

    def test_no_recording(self):
        plain = self.text("plain", "JITSCOP, almost\n")
        out = self.gdb([PENDING, "break square", "run", mark("none"), "jitscope why square", mark("host"), "jitscope why malloc",
                        f"set jitscope recording {plain}", mark("plain"), "jitscope why square", mark("show"),
                        "show jitscope recording", "set jitscope recording /no/where", mark("missing"), "jitscope why square",
                        "set jitscope recording", mark("back"), "jitscope why square"], JITSCOPE, "run", self.object, plugin=True,
                       env=UNRECORDED)
        self.assertRegex(after(out, "none").splitlines()[-1], rf"^{HINT}.*--record FILE.*`set jitscope recording FILE`")
        self.assertRegex(after(out, "host"), r"it is malloc\.$")
        for name, file in (("plain", plain), ("missing", "/no/where")):
            self.assertEqual(after(out, name).splitlines()[-1],
                             f"Its recording {file} says nothing: there is no recording under that name.")
        self.assertIn(str(plain), after(out, "show"))
        self.assertIn(HINT, after(out, "back"))

    def ask_with(self, script, *before):
        """An embedding program, for which the tool is $JITSCOPE."""
        folder = self.folder / "records"
        folder.mkdir(exist_ok=True)
        out = self.gdb(["break all_linked", "run", *before, mark("why"), "jitscope why jitted_000000"], built("many"),
                       self.compile("jitted.c"), "1", "auto", plugin=True,
                       env={"JITSCOPE_RECORD": str(folder), **self.tool(script)})
        self.assertNotIn("Traceback", out)
        return after(out, "why").splitlines()

    def test_a_tool_that_fails(self):
        for script, reason in (("echo 'jitscope: error: it is odd\n  help: no' >&2; exit 1", "it is odd"),
                               ("exit 3", "the tool ended with status 3"), ("kill -9 $$", "the tool ended with signal 9")):
            with self.subTest(reason):
                last = self.ask_with(script)[-1]
                self.assertRegex(last, rf"^Its recording {self.folder}/records/\d+-1\.jsr says nothing: {reason}\.$")

    def test_a_tool_that_hangs(self):
        limit = "python __import__('jitscope_common.recording').recording.LIMIT = 0.3"
        self.assertRegex(self.ask_with("exec sleep 60", limit)[-1], r"says nothing: no answer within 0\.3 s\.$")

    def test_output_cannot_reach_the_terminal(self):
        lines = self.ask_with(r"printf 'one \033[31m\r\n\302\205two \377\n'; echo 'jitscope: warning: so' >&2")
        self.assertEqual(lines[-3], "one \\x1b[31m\\x0d")
        self.assertTrue(lines[-2].startswith("\\x85two "), lines)
        self.assertEqual(lines[-1], "jitscope: warning: so")

    def test_an_installed_plug_in_asks_its_own_tool(self):
        place = self.folder / "place"
        shared = place / "share" / "jitscope"
        for part in ("gdb", "common"):
            shutil.copytree(PLUGIN.parent.parent / part, shared / part, ignore=shutil.ignore_patterns("__pycache__"))
        headers = shared / "common" / "jitscope_common" / "headers"
        headers.mkdir()
        for name in ("debuggee.h", "debug_image.h", "debug_sections.def"):
            shutil.copy(ROOT / "linker" / "src" / "executor" / name, headers)
        own = place / "bin" / "jitscope"
        own.parent.mkdir()
        own.write_text('#!/bin/sh\necho "beside the plug-in: $1 $3"\n')
        own.chmod(0o755)
        out = self.gdb([f"source {shared}/gdb/jitscope.py", PENDING, "break square", "run", mark("why"), "jitscope why square"],
                       *self.program, env=self.tool("echo the wrong one"))
        self.assertRegex(chain(after(out, "why")), r"^beside the plug-in: why 0x[0-9a-f]+$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
