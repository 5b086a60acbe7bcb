"""Marks in backtraces, names of code that is gone, verify-cfi."""
import os
import re
import unittest

from gdb_harness import JITSCOPE, DebuggerTest, after, mark

PENDING = "set breakpoint pending on"
STUB = ("python gdb.execute('set var $pc = ' + next(row for row in gdb.execute('info jitscope plt', to_string=True)"
        ".splitlines() if 'printf' in row).split()[1])")
MANY = os.path.join(os.path.abspath(os.environ.get("BUILD", "build/dev")), "tests", "debugger", "debugger-many")


class Marks(DebuggerTest):
    def test_jit_frames_are_marked_and_no_others(self):
        program = self.compile("tables.c", "-g", "-O0")
        out = self.gdb([PENDING, "break compare", "run", mark("bt"), "bt", mark("off"), "disable frame-filter global jitscope",
                        "bt"], JITSCOPE, "run", program, plugin=True)
        marked = re.findall(r"in (\w+) \[jit\]|#0  (\w+) \[jit\]", after(out, "bt"))
        self.assertEqual(["".join(names) for names in marked], ["compare", "main"])
        self.assertRegex(after(out, "bt"), r"\w*(qsort|msort)\w* \(")
        self.assertNotIn("[jit", after(out, "off"))
        # Nothing else is changed.
        self.assertEqual(after(out, "bt").replace(" [jit]", ""), after(out, "off"))

    def test_stub(self):
        """Calls go straight to targets that are near; a stub that nobody enters is entered here by hand, as by a call."""
        program = self.compile("tables.c", "-g", "-O0")
        out = self.gdb([PENDING, "break compare", "run", "delete", "break *compare", "continue", STUB,
                        mark("bt"), "bt"], JITSCOPE, "run", program, plugin=True)
        lines = after(out, "bt").splitlines()
        self.assertRegex(lines[0], r"^#0 +0x\w+ in printf@plt \[jit stub\] \(\)$")
        self.assertRegex(lines[1], r"^#1 .* in msort")

    def test_unloaded_function_has_its_name(self):
        program = self.compile("jitted.c", "-g", "-O1")
        for policy in ("auto", "eager", "lazy"):
            with self.subTest(policy):
                out = self.gdb(["break all_unloaded", "run", "set var $stale = address", mark("why"), "jitscope why $stale + 2",
                                "set var $kept = $pc", "set var $pc = $stale + 2", mark("bt"), "bt",
                                "set var $pc = $kept", "continue"], MANY, program, "12", policy, plugin=True)
                self.assertRegex(after(out, "why"), r"was in jitted_000011 \(0x\w+ \+ 2, 5 bytes\) of batch 1:12, which has been unl")
                self.assertRegex(after(out, "bt"), r"#0 +0x\w+ in jitted_000011 \[jit, unloaded\] \(\)")
                self.assertIn("exited normally", out)


class VerifyCfi(DebuggerTest):
    def setUp(self):
        super().setUp()
        self.program = self.compile("frames.s", "-g")

    def verify(self, function, *more, program=None):
        out = self.gdb(["break jitscope_session_run_main", "run", "delete", mark("cfi"), f"jitscope verify-cfi {function}",
                        mark("then"), *more], JITSCOPE, "run", program or self.program, plugin=True)
        return after(out, "cfi"), after(out, "then")

    def test_right(self):
        said, then = self.verify("good", "info symbol $pc", "bt 1", "continue")
        self.assertEqual(said, "good: 7 instructions checked in 7 steps; it returned.\n"
                               "Unwinding finds the caller at each of them.")
        self.assertRegex(then, r"main \+ \d+ in section")
        self.assertIn("exited normally", then)

    def test_wrong_cfa(self):
        said, _ = self.verify("bad_cfa")
        self.assertIn("bad_cfa: 5 instructions checked in 5 steps; it returned.\nUnwinding is wrong at 2 of them:", said)
        self.assertRegex(said, r"<bad_cfa\+2>  return address 0x\w+ instead of 0x\w+; CFA 0x\w+ instead of 0x\w+")
        self.assertRegex(said, r"<bad_cfa\+3>  ")

    def test_wrong_register(self):
        said, _ = self.verify("bad_register")
        self.assertIn("Unwinding is wrong at 1 of them:", said)
        self.assertRegex(said, r"<bad_register\+3>  rbx 0x0 instead of 0x63")

    def test_compiled_code(self):
        for flags in (["-O0"], ["-O2"], ["-O2", "-fno-asynchronous-unwind-tables", "-g"], ["-Os", "-fomit-frame-pointer"]):
            with self.subTest(flags):
                program = self.compile("tables.c", *flags)
                said, then = self.verify("main", "continue", program=program)
                self.assertRegex(said, r"^main: \d\d+ instructions checked in \d+ steps; it returned\.\n"
                                       r"Unwinding finds the caller at each of them\.$")
                self.assertIn("exited normally", then)

    def test_recursion_and_tail_call(self):
        program = self.compile("""int depth(int n) { return n ? 1 + depth(n - 1) : 0; }
            __attribute__((noinline)) int last(int n) { volatile int x = n; return x; }
            int tail(int n) { return last(n + 1); }
            int main(void) { return depth(3) + tail(1) - 5; }
            """, "-O0", "-foptimize-sibling-calls", "-fno-inline", "-g")
        said, _ = self.verify("depth", program=program)
        self.assertRegex(said, r"^depth: \d+ instructions checked in \d+ steps; it returned\.\nUnwinding finds")
        said, _ = self.verify("tail", program=program)
        self.assertRegex(said, r"^tail: \d+ instructions checked in \d+ steps; it (returned|went on to last without returning)\.")

    def test_misuse(self):
        said, _ = self.verify("nobody_has_this")
        self.assertEqual(said, 'No symbol "nobody_has_this" in current context.')
        said, _ = self.verify("")
        self.assertIn("the function is missing", said)
        said, then = self.verify("good 2")
        self.assertIn("good: 2 instructions checked in 2 steps; 2 steps were made.", said)
        out = self.gdb(["jitscope verify-cfi good"], JITSCOPE, plugin=True)
        self.assertIn("it needs a program that runs", out)

    def test_over_gdbserver(self):
        connect = self.gdbserver(JITSCOPE, "run", "--debug=lazy", self.program)
        out = self.gdb([PENDING, f"file {JITSCOPE}", "break good", connect, "continue", "delete", mark("cfi"),
                        "jitscope verify-cfi bad_cfa"], plugin=True)
        self.assertIn("Unwinding is wrong at 2 of them", after(out, "cfi"))

    def test_signal_is_said(self):
        program = self.compile("""#include <stddef.h>
            int crash(int *at) { return *at; }
            int main(void) { return crash(NULL); }
            """, "-O0", "-g")
        said, _ = self.verify("crash", program=program)
        self.assertIn("Signal SIGSEGV stopped the program at", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
