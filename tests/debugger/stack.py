"""jitscope stack: the stacks of live processes, JIT'd frames named, by libunwind from outside."""
import json
import os
import signal
import time
import unittest

from gdb_harness import JITSCOPE, DebuggerTest, built, lines_of

LINES = lines_of("blocked.c")


class Stack(DebuggerTest):
    def start_blocked(self, *flags, policy="auto", compiler="gcc"):
        main = self.compile(self.input("blocked.c"), *flags, compiler=compiler)
        process = self.start(JITSCOPE, "run", f"--debug={policy}", main)
        self.assertEqual(process.stdout.readline(), b"blocked\n")
        return process

    def stacks(self, process):
        return json.loads(self.must(JITSCOPE, "stack", "--json", process.pid).out)

    def blocked_stacks(self, process):
        """Once the main thread stands still as well."""
        self.wait_for(lambda: self.names(self.stacks(process)[0])[:1] == ["stay"], "the main thread's standstill")
        return self.stacks(process)

    def names(self, stack, jit=True):
        return [frame["function"] for frame in stack["frames"] if frame["jit"] == jit]

    def check(self, stacks, with_lines):
        main, sorter, diver = stacks
        self.assertEqual(self.names(main), ["stay", "main"])
        self.assertIn("pause", self.names(main, jit=False))
        self.assertIn("__libc_start_main", self.names(main, jit=False))
        self.assertEqual(self.names(sorter), ["stay", "compare", "sorting", "sorter"])
        functions = [frame["function"] for frame in sorter["frames"]]
        between = functions[functions.index("compare") + 1:functions.index("sorting")]
        self.assertTrue(between and all(frame not in ("compare", "sorter") for frame in between), functions)
        self.assertEqual(self.names(diver), ["stay"] + ["deep"] * 21 + ["diver"])
        for stack in stacks:
            for frame in stack["frames"]:
                if frame["jit"] and with_lines and frame["function"] != "main":
                    self.assertTrue(frame["file"].endswith("blocked.c"), frame)
                    self.assertGreater(frame["line"], 0)
        if with_lines:
            self.assertEqual({frame["line"] for frame in diver["frames"] if frame["function"] == "deep"} - {LINES["deep"]},
                             {LINES["deep"] - 1})

    def test_each_build(self):
        """Without frame pointers, with and without -g; unwinding needs .eh_frame only."""
        for compiler in ("gcc", "clang"):
            for flags in (("-O0", "-g"), ("-O2", "-g", "-fomit-frame-pointer", "-fno-optimize-sibling-calls"),
                          ("-O1", "-fno-optimize-sibling-calls")):
                with self.subTest(compiler=compiler, flags=flags):
                    process = self.start_blocked(*flags, "-fno-inline", compiler=compiler)
                    self.check(self.blocked_stacks(process), "-g" in flags)
                    self.assertIsNone(process.poll())

    def test_each_policy(self):
        for policy in ("auto", "eager", "lazy"):
            with self.subTest(policy=policy):
                self.check(self.blocked_stacks(self.start_blocked("-O0", "-g", policy=policy)), True)

    def test_policy_off(self):
        """Nothing is told: the frames of files are there, and the process says nothing of others."""
        process = self.start_blocked("-O0", "-g", policy="off")
        for stack in self.stacks(process):
            self.assertEqual(self.names(stack), [])
        self.assertIsNone(process.poll())

    def test_text(self):
        process = self.start_blocked("-O0", "-g")
        self.blocked_stacks(process)
        text = self.must(JITSCOPE, "stack", process.pid).out.decode()
        self.assertEqual(text.count("thread "), 3)
        self.assertRegex(text, rf"#\d+ +0x\w{{16}}  stay\+0x\w+  \[jit\]  blocked\.c:{LINES['stay']}\n")
        self.assertRegex(text, r"#\d+ +0x\w{16}  __libc_start_main\+0x\w+  \(libc\.so\.6\)\n")

    def test_the_process_runs_on(self):
        text = "#include <unistd.h>\n#include <stdio.h>\nint main(void)\n{\n    for (int i = 0;; i++) {\n" \
               '        printf("%d\\n", i);\n        fflush(stdout);\n        usleep(1000);\n    }\n}\n'
        process = self.start(JITSCOPE, "run", self.compile(text, "-g"))
        process.stdout.readline()
        for _ in range(20):
            (stack,) = self.stacks(process)
            self.assertEqual(self.names(stack), ["main"])
        before = int(process.stdout.readline())
        time.sleep(0.1)
        state = open(f"/proc/{process.pid}/stat").read().split()[2]
        self.assertIn(state, "SR")
        for _ in range(50):
            after = int(process.stdout.readline())
        self.assertGreater(after, before)

    def test_while_it_links_and_unloads(self):
        """Whatever the lists look like at that moment, the answer comes and the process goes on."""
        object_file = self.compile(self.input("jitted.c"), "-g", "-O1")
        process = self.start(built("many"), object_file, "20000", "auto")
        seen = 0
        while process.poll() is None and seen < 30:
            outcome = self.jitscope("stack", "--json", process.pid)
            if outcome.status == 0:
                self.assertGreaterEqual(len(json.loads(outcome.out)), 0)
                seen += 1
            elif process.poll() is None:
                self.fail(repr(outcome))
        self.assertGreater(seen, 0)
        self.assertEqual(process.wait(60), 0)

    def test_a_process_without_jitscope(self):
        process = self.start("sleep", "100")
        self.wait_for(lambda: b"sleep" in open(f"/proc/{process.pid}/comm", "rb").read(), "exec")
        time.sleep(0.1)
        outcome = self.must(JITSCOPE, "stack", process.pid)
        self.assertIn(b"it does not contain jitscope", outcome.err)
        self.assertRegex(outcome.out, rb"nanosleep\+0x\w+  \(libc\.so\.6\)")

    def test_errors(self):
        process = self.start("true")
        process.wait()
        for words, status, text in (([process.pid], 1, b"there is no process"), ([], 2, b"number of one process"),
                                    (["x"], 2, b"number of one process"), (["0"], 2, b"number of one process"),
                                    ([1, 2], 2, b"number of one process")):
            outcome = self.jitscope("stack", *words)
            self.assertEqual((outcome.status, outcome.out), (status, b""), outcome)
            self.assertIn(text, outcome.err)

    def test_a_process_that_is_traced(self):
        process = self.start("sleep", "100")
        gdb = self.start("gdb", "-nx", "-q", "-p", process.pid, "-ex", "echo attached\\n", "-ex", "shell sleep 100")
        self.wait_for(lambda: "TracerPid:\t0" not in open(f"/proc/{process.pid}/status").read(), "gdb's attach")
        outcome = self.jitscope("stack", process.pid)
        self.assertEqual(outcome.status, 1, outcome)
        self.assertIn(b"cannot stop the process", outcome.err)
        os.killpg(gdb.pid, signal.SIGKILL)


if __name__ == "__main__":
    unittest.main()
