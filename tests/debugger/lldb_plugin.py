"""The plug-in for lldb: its commands live and on cores, images that nobody announced, marks, names of what is gone."""
import os
import pathlib
import unittest

from gdb_harness import HERE, JITSCOPE, SLEEP, UNRECORDED, seconds_worked
from lldb_harness import LldbTest, after, fails
from plugin_tables import TABLES, column, rows

MANY = pathlib.Path(os.environ.get("BUILD", "build/dev")) / "tests" / "debugger" / "debugger-many"
QUERIES = [f"jitscope {table}" for table in TABLES] + ["bt", "jitscope why square", "jitscope why 'qsort@plt'"]


class Tables(LldbTest):
    def setUp(self):
        super().setUp()
        self.object = self.compile("tables.c", "-g", "-O0")

    def check(self, out):
        tables = {table: after(out, f"jitscope {table}") for table in TABLES}
        self.assertEqual(len(rows(tables["images"])), 1, out)
        self.assertEqual(sorted(column(tables["segments"], "PROT")), ["r--", "r-x", "rw-"])
        self.assertLessEqual({".text", ".plt", ".got", ".eh_frame", ".data"}, set(column(tables["sections"], "NAME")))
        self.assertLessEqual({"square", "compare", "main", "limit", "qsort@plt", "qsort@got"},
                             set(column(tables["symbols"], "NAME")))
        self.assertLessEqual({"qsort", "printf"}, set(column(tables["got"], "NAME")))
        self.assertEqual(column(tables["got"], "LINKED"), column(tables["got"], "NOW"))
        self.assertEqual(set(column(tables["plt"], "NAME")), {"qsort", "printf"})
        self.assertEqual(tables["tls"], "No batch has a TLS table entry.")
        self.assertIn("register-eh-frames", column(tables["actions"], "FINALIZE"))
        self.assertLessEqual({"square", "compare", "main"}, set(column(tables["eh-frames"], "FUNCTION")))
        self.assertEqual(column(tables["unwinders"], "UNWINDER")[0], "libgcc")
        self.assertRegex(after(out, "bt"), r"#0: .*`square\(x=5\) at tables\.c:10:\d+ \[jit\]\n.*`main .*\[jit\]\n")
        self.assertNotRegex(after(out, "bt"), r"executor_run_main.* \[jit")
        self.assertRegex(after(out, "jitscope why square"),
                         r"belongs to batch 1:1 .*\n.*r-x.*\nSection: \.text.*\nSymbol: square")
        self.assertRegex(after(out, "jitscope why 'qsort@plt'"),
                         r"the PLT stub of qsort .*\nLinked to 0x\w+ \(\w*qsort\)\.\nThe slot .* still holds")

    def test_live(self):
        for policy in ("auto", "eager", "lazy"):
            with self.subTest(policy):
                self.check(self.lldb(["b square", "run", *QUERIES], JITSCOPE, "run", f"--debug={policy}", self.object,
                                     plugin=True))

    def test_core(self):
        for policy in ("auto", "lazy"):
            with self.subTest(policy):
                core = self.folder / f"{policy}.core"
                self.gdb(["set breakpoint pending on", "break square", "run", f"gcore {core}"], JITSCOPE, "run",
                         f"--debug={policy}", self.object, plugin=True)
                self.check(self.lldb([f"target create --core {core} {JITSCOPE}", *QUERIES], plugin=True))

    def test_unlisted_images_are_loaded(self):
        out = self.lldb(["b exit", "run", "jitscope images", "b square", "run", "bt 2", "step", "continue", "process kill",
                         "run", "bt 1"], JITSCOPE, "run", "--debug=lazy", self.object, plugin=True)
        self.assertEqual(column(after(out, "jitscope images"), "HOW"), ["loaded"], out)
        self.assertRegex(after(out, "b square"), r"where = jit-\d+-1\.\d+`square")
        self.assertRegex(after(out, "bt 2"), r"`square\(x=5\) at tables\.c:10:\d+ \[jit\]")
        self.assertRegex(after(out, "step"), "-> 11 ")
        self.assertRegex(after(out, "bt 1"), r"`square\(x=5\) at tables\.c:10:\d+ \[jit\]")

    def test_attach(self):
        source = self.compile("""#include <stdio.h>
            #include <unistd.h>
            int waiting(volatile int *at) { puts("ready"); fflush(stdout); while (!*at) usleep(1000); return *at; }
            int main(void) { volatile int go = 0; return waiting(&go) - 1; }
            """, "-g", "-O0")
        for policy in ("auto", "lazy"):
            with self.subTest(policy):
                process = self.start(JITSCOPE, "run", f"--debug={policy}", source)
                process.stdout.readline()
                self.wait_for(lambda process=process: self.is_in(process, SLEEP), "waiting")
                out = self.lldb([f"process attach -p {process.pid}", "jitscope images", "bt", "detach"], plugin=True)
                self.assertRegex(after(out, "bt"), r"`waiting\(at=0x\w+\) at text\.c:3:\d+ \[jit\]")

    def test_regexp_errors_and_help(self):
        out = self.lldb([fails("jitscope got"), "b square", "run", "jitscope symbols ^squ", "jitscope got nowhere",
                         fails("jitscope got ["),
                         "help jitscope got", "help jitscope", fails("jitscope why"), "jitscope why malloc", "jitscope why 16",
                         fails("jitscope why nobody_has_this")], JITSCOPE, "run", self.object, plugin=True, env=UNRECORDED)
        self.assertIn("The program is not being run.", after(out, fails("jitscope got")))
        self.assertEqual(column(after(out, "jitscope symbols ^squ"), "NAME"), ["square"])
        self.assertRegex(after(out, "jitscope got nowhere"), r"^None of \d+ rows matches nowhere\.$")
        self.assertIn("Bad regular expression", after(out, fails("jitscope got [")))
        self.assertIn("Usage: jitscope got [REGEXP]", after(out, "help jitscope got"))
        for name in (*TABLES, "why", "verify-cfi"):
            self.assertIn(f" {name} ", after(out, "help jitscope"))
        self.assertIn("is missing", after(out, fails("jitscope why")))
        self.assertRegex(after(out, "jitscope why malloc"), r"is no JIT'd code: it is \w*malloc\.")
        self.assertEqual(after(out, "jitscope why 16"), "0x10 is no JIT'd code, and nothing known is there.")
        self.assertIn("nobody_has_this", after(out, fails("jitscope why nobody_has_this")))
        out = self.lldb(["b exit", "run", "bt", "jitscope got"], "/bin/true", plugin=True)
        self.assertIn("This program does not contain jitscope", out)
        self.assertNotIn("Traceback", out)

    def test_verify_cfi(self):
        frames = self.folder / "frames.o"
        self.must("gcc", "-c", HERE / "inputs" / "frames.s", "-o", frames)
        out = self.lldb(["b main", "run", "b good", "continue", "jitscope verify-cfi good", fails("jitscope verify-cfi nobody"),
                         fails("jitscope verify-cfi")], JITSCOPE, "run", frames, plugin=True)
        self.assertRegex(after(out, "jitscope verify-cfi good"),
                         r"^good: \d+ instructions checked in \d+ steps; it returned\.\nUnwinding finds the caller at each")
        self.assertIn("nobody", after(out, fails("jitscope verify-cfi nobody")))
        self.assertIn("the function is missing", after(out, fails("jitscope verify-cfi")))


class ManyBatches(LldbTest):
    def setUp(self):
        super().setUp()
        self.object = self.compile("jitted.c", "-g", "-O0")

    def test_unloaded_function_has_its_name(self):
        out = self.lldb(["b all_unloaded", "run", "jitscope why address", "register write rip `address`", "bt 1"],
                        MANY, self.object, "20", "auto", plugin=True)
        self.assertRegex(after(out, "jitscope why address"), r"was in jitted_000019 \(.* of batch 1:20, which has been unloaded")
        self.assertIn("jitted_000019 [jit, unloaded]", after(out, "bt 1"))

    def test_only_what_breakpoints_wait_for_is_announced(self):
        """A breakpoint that is set at a stop counts from the next batch on."""
        out = self.lldb(["b jitted_000003", "run", "bt 1", "b jitted_000012", "continue", "bt 1", "jitscope images"],
                        MANY, self.object, "20", "lazy", plugin=True)
        self.assertIn("`jitted_000003(x=3)", after(out, "bt 1"))
        self.assertIn("`jitted_000012(x=12)", after(out, "bt 1", 1))
        images = rows(after(out, "jitscope images"))
        self.assertEqual(sum(int(row[3]) for row in images), 13)
        self.assertLessEqual(sum(int(row[3]) for row in images if row[6] == "listed"), 3)

    def test_ten_thousand(self):
        """With a pending breakpoint; the limit has room for a slow machine: without the plug-in it takes minutes."""
        before = seconds_worked()
        out = self.lldb(["b jitted_nowhere", "b all_linked", "run", "jitscope symbols jitted_004999", "continue"],
                        MANY, self.object, "10000", "auto", plugin=True)
        self.assertEqual(column(after(out, "jitscope symbols jitted_004999"), "NAME"), ["jitted_004999"])
        self.assertIn("exited with status = 0", after(out, "continue"))
        self.assertLess(seconds_worked() - before, 40)


if __name__ == "__main__":
    unittest.main(verbosity=2)
