"""`jitscope gdb`: what it starts, what it says when it cannot, and the installed plug-in."""
import os
import pathlib
import shutil
import unittest

from gdb_harness import GDB, JITSCOPE, DebuggerTest

BUILD = pathlib.Path(os.environ.get("BUILD", "build/dev")).resolve()


class Command(DebuggerTest):
    def setUp(self):
        super().setUp()
        self.program = self.compile("tables.c", "-g", "-O0")

    def debugger(self, script):
        """A program in the place of gdb."""
        path = self.text("debugger", f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return {"GDB": str(path)}

    def session(self, *words, commands, tool=JITSCOPE):
        """`jitscope gdb` with commands on standard input."""
        env = {"HOME": str(self.folder), "GDB": GDB, "XDG_CONFIG_HOME": str(self.folder)}
        return self.run_command(tool, "gdb", *words, stdin="\n".join(commands).encode(), env=env).out.decode()

    def test_session(self):
        out = self.session(self.program, "--", "one", "two words",
                           commands=["set breakpoint pending on", "break square", "run", "bt 2", "info jitscope plt printf",
                                     "show args", "continue"])
        self.assertIn("square [jit] (x=5)", out)
        self.assertRegex(out, r"1:1 +0x\w+ +0x\w+ .* printf")
        self.assertIn("-- one two\\ words", out)
        self.assertIn("25 1 40", out)

    def test_what_is_started(self):
        """gdb gets the plug-in, and `run` its own words; response files are read here."""
        more = self.text("more", "--define x=1 -l c")
        env = self.debugger('for word; do echo "[$word]"; done')
        outcome = self.jitscope("gdb", "--debug=lazy", f"@{more}", "a.o", "--", "-x", "", env=env)
        self.assertEqual(outcome.status, 0, outcome)
        words = [line[1:-1] for line in outcome.out.decode().splitlines()]
        self.assertEqual(words[0], "-ex")
        self.assertRegex(words[1], r"^source /.*/jitscope\.py$")
        self.assertTrue(pathlib.Path(words[1].split(" ", 1)[1]).exists())
        self.assertEqual(words[2:], ["--args", os.path.realpath(JITSCOPE), "run", "--debug=lazy", "--define", "x=1", "-l", "c",
                                     "a.o", "--", "-x", ""])

    def test_what_is_started_out_of_process(self):
        env = self.debugger('for word; do echo "[$word]"; done')
        words = self.jitscope("gdb", "--out-of-process", "a.o", "--", "x", env=env).out.decode().splitlines()[2:]
        tool = os.path.realpath(JITSCOPE)
        self.assertEqual(words, [f"[{word}]" for word in ("--args", f"{tool}-executor", "--linker", tool, "run", "--out-of-process",
                                                          "a.o", "--", "x")])
        for other in ("--executor=stream", "--executor-command=cat"):
            outcome = self.jitscope("gdb", other, "a.o", env=env)
            self.assertEqual((outcome.status, outcome.out), (2, b""))
            self.assertIn(b"gdb starts the executor that it debugs", outcome.err)

    def test_status_is_the_debuggers(self):
        self.assertEqual(self.jitscope("gdb", self.program, env=self.debugger("exit 7")).status, 7)

    def test_no_debugger(self):
        outcome = self.jitscope("gdb", self.program, env={"GDB": "there-is-no-such-gdb"})
        self.assertEqual(outcome.status, 1)
        self.assertIn(b"there is no debugger 'there-is-no-such-gdb'", outcome.err)
        self.assertIn(b"GDB", outcome.err)
        outcome = self.jitscope("gdb", self.program, env={"GDB": str(self.folder)})
        self.assertEqual(outcome.status, 1)
        self.assertIn(b"cannot start", outcome.err)

    def test_wrong_usage(self):
        for words, text in (([], b"there is no input to debug"), (["--nonsense", "a.o"], b"has no option '--nonsense'"),
                            (["--base", "0x1000", "a.o"], b"it is an option of `jitscope link`")):
            outcome = self.jitscope("gdb", *words)
            self.assertEqual(outcome.status, 2, outcome)
            self.assertIn(text, outcome.err)

    def test_no_plug_in(self):
        lonely = self.folder / "lonely"
        lonely.mkdir()
        shutil.copy(JITSCOPE, lonely / "jitscope")
        outcome = self.run_command(lonely / "jitscope", "gdb", self.program)
        self.assertEqual(outcome.status, 1)
        self.assertIn(b"plug-in for gdb", outcome.err)

    def test_installed(self):
        place = self.folder / "place"
        self.must("cmake", "--install", BUILD, "--prefix", place)
        tool = place / "bin" / "jitscope"
        out = self.session(self.program, tool=tool, commands=["set breakpoint pending on", "break square", "run",
                                                              "info jitscope got"])
        self.assertRegex(out, r"1:1 +0x\w+ +0x\w+ +0x\w+ +printf")
        out = self.session("--out-of-process", self.program, tool=tool, commands=["set breakpoint pending on", "break square", "run",
                                                                                  "info inferiors"])
        executor = place / "libexec" / "jitscope" / "jitscope-executor"
        self.assertIn(f"{executor} \n", out)
        # gdb finds the script by itself where it looks for such scripts.
        scripts = place / "share" / "gdb" / "auto-load"
        for program in (tool, executor):
            found = self.run_command(GDB, "-nx", "-batch", "-iex", f"set auto-load safe-path {place}", "-iex",
                                     f"set auto-load scripts-directory {scripts}", "-ex", "help info jitscope got", program)
            self.assertIn(b"Usage: info jitscope got", found.out, found)


if __name__ == "__main__":
    unittest.main(verbosity=2)
