"""JIT'd code in lldb without the plug-in: what works must work by the registered images alone."""
import os
import pathlib
import re
import unittest

from gdb_harness import JITSCOPE, SLEEP
from lldb_harness import LldbTest, after

MANY = pathlib.Path(os.environ.get("BUILD", "build/dev")) / "tests" / "debugger" / "debugger-many"
STRUCTS = """#include <stdlib.h>
struct point { int x; double y; };
struct shape { const char *name; struct point corner; int sides[3]; };
static int counter = 3;
__attribute__((noipa)) int measure(struct shape *shape, int factor) {
    int area = shape->corner.x * factor;
    counter += area;
    return area + shape->sides[1];
}
int main(int argc, char **argv) {
    struct shape shape = {"box", {argc + 5, 2.5}, {7, 8, 9}};
    return measure(&shape, 4) == 0;
}
"""
THROWS = """int catches(int);
int main(void) { return catches(3) != 103; }
"""
THROWER = """#include <stdexcept>
static void inner(int x) { if (x > 2) throw std::runtime_error("deep"); }
static void outer(int x) { inner(x); }
extern "C" int catches(int x) {
    try { outer(x); } catch (const std::exception &) { x += 100; }
    return x;
}
"""
THREADS = """#include <pthread.h>
static void *work(void *at) { *(int *)at += 1;
    return at; }
int main(void) {
    int values[2] = {1, 2};
    pthread_t thread;
    pthread_create(&thread, 0, work, &values[1]);
    pthread_join(thread, 0);
    return values[1] != 3;
}
"""
WAITS = """#include <stdio.h>
#include <unistd.h>
int waiting(volatile int *at) {
    puts("ready"); fflush(stdout);
    while (!*at) usleep(1000);
    return *at;
}
int main(void) { volatile int go = 0; return waiting(&go) - 1; }
"""


HOST = os.environ.get("HOST_PROGRAM", "build/dev/tests/debugger/debugger-host")


class Plain(LldbTest):
    def setUp(self):
        super().setUp()
        self.tables = self.compile("tables.c", "-g", "-O0")

    def test_batches_that_waited(self):
        """All are announced before the first of them is called; an initialiser is announced before it runs."""
        objects = [self.compile(f"int waits_{number}(int value) {{\n    return value + {number};\n}}\n", "-g", name=f"w{number}.o")
                   for number in range(8)]
        begins = self.compile("int waits_2(int); int begun;\n__attribute__((constructor)) static void waits_begin(void) {\n"
                              "    begun = waits_2(40);\n}\n", "-g", name="begins.o")
        links = [word for item in objects for word in ("add", item, "link")]
        out = self.lldb(["b waits_5", "b waits_begin", "b waits_2", "run", "bt 1", "continue", "bt 2", "continue", "frame variable value"],
                        HOST, "auto", *links[:12], "add", begins, "link", *links[12:], "call", "waits_5")
        self.assertRegex(after(out, "bt 1"), r"#0: .*`waits_begin at .*:3")
        self.assertRegex(after(out, "bt 2"), r"#0: .*`waits_2\(value=40\) at .*:2.*\n.*#1: .*`waits_begin at .*:3")
        self.assertIn("(int) value = 5", after(out, "frame variable value"))

    def test_pending_step_finish(self):
        out = self.lldb(["b square", "breakpoint set -f tables.c -l 15", "run", "bt", "continue", "continue", "continue",
                         "step", "finish", "frame variable"], JITSCOPE, "run", self.tables)
        self.assertIn("no locations (pending)", after(out, "b square"))
        trace = after(out, "bt")
        self.assertRegex(trace, r"#0: .*`compare\(left=0x\w+, right=0x\w+\) at tables.c:15")
        self.assertRegex(trace, r"libc\.so\.6`")
        self.assertRegex(trace, r"`main at tables\.c:20")
        self.assertRegex(trace, r"jitscope(-executor)?`main\(")
        self.assertRegex(after(out, "step"), r"-> 11 ")
        self.assertIn("Return value: (int) $0 = 25", after(out, "finish"))
        self.assertIn("(int[3]) values = ([0] = 1, [1] = 2, [2] = 3)", after(out, "frame variable"))

    def test_locals_and_structs(self):
        for flags, total in ((["-O0"], "(int) area = 24"), (["-O2"], "(int) factor = 4")):
            with self.subTest(flags):
                program = self.compile(STRUCTS, "-g", *flags)
                out = self.lldb(["breakpoint set -f text.c -l 7", "run", "frame variable", "p shape->sides[2]",
                                 "p *shape", "target variable counter"], JITSCOPE, "run", program)
                self.assertIn(total, after(out, "frame variable"))
                self.assertIn("(int) 9", after(out, "p shape->sides[2]"))
                self.assertRegex(after(out, "p *shape"), r'name = 0x\w+ "box"\n.*corner = \(x = 6, y = 2\.5\)')
                self.assertIn("counter = 3", after(out, "target variable counter"))

    def test_through_cxx_throw(self):
        main, thrower = self.compile(THROWS, "-g", name="m.o"), self.folder / "t.o"
        self.must("g++", "-g", "-O0", "-c", self.text("t.cpp", THROWER), "-o", thrower)
        out = self.lldb(["b __cxa_throw", "run", "bt", "finish", "bt"], JITSCOPE, "run", main, thrower, "-lstdc++")
        trace = after(out, "bt")
        for name in ("__cxa_throw", r"inner\(int\)|inner\(x=3\)", r"outer\(x=3\)", r"catches\(x=3\)", "main"):
            self.assertRegex(trace, name)

    def test_threads(self):
        out = self.lldb(["b work", "run", "bt", "thread list", "continue"], JITSCOPE, "run",
                        self.compile(THREADS, "-g", "-O0"))
        self.assertRegex(after(out, "bt"), r"#0: .*`work\(at=0x\w+\)")
        self.assertIn("thread #2", after(out, "thread list"))
        self.assertIn("exited with status = 0", after(out, "continue"))

    def test_late_attach(self):
        for policy in ("auto", "eager"):
            with self.subTest(policy):
                process = self.start(JITSCOPE, "run", f"--debug={policy}", self.compile(WAITS, "-g", "-O0"))
                process.stdout.readline()
                self.wait_for(lambda process=process: self.is_in(process, SLEEP), "waiting")
                out = self.lldb([f"process attach -p {process.pid}", "bt", "b text.c:6", "expression *(int *)at = 1", "continue",
                                 "detach"])
                self.assertRegex(after(out, "bt"), r"`waiting\(at=0x\w+\) at text\.c:5(.|\n)*`main at text\.c:8")
                self.assertRegex(out, r"Breakpoint 1: where = JIT")

    def test_core_of_gcore(self):
        core = self.folder / "core"
        self.gdb(["set breakpoint pending on", "break square", "run", f"gcore {core}"], JITSCOPE, "run", self.tables)
        out = self.lldb([f"target create --core {core} {JITSCOPE}", "bt", "frame variable"])
        self.assertRegex(after(out, "bt"), r"#0: .*`square\(x=5\) at tables\.c(.|\n)*`main at tables\.c:21")
        self.assertIn("(int) x = 5", after(out, "frame variable"))

    def test_run_again(self):
        out = self.lldb(["b square", "run", "process kill", "run", "bt 1"], JITSCOPE, "run", self.tables)
        self.assertRegex(after(out, "bt 1"), r"`square\(x=5\) at tables\.c:10")

    def test_end_of_a_session_is_not_told_batch_by_batch(self):
        out = self.lldb(["b __jit_debug_register_code", "breakpoint modify -i 1000000 1", "b all_unloaded", "run",
                         "breakpoint list -b 1", "continue", "breakpoint list -f 1"],
                        MANY, self.compile("jitted.c", "-g", "-O0"), "200", "auto")
        before, at_end = (int(re.search(r"hit count = (\d+)", after(out, command))[1])
                          for command in ("breakpoint list -b 1", "breakpoint list -f 1"))
        self.assertIn("exited with status = 0", after(out, "continue"))
        self.assertGreater(before, 200)
        self.assertLess(at_end - before, 20)

    def test_what_lldb_cannot_do(self):
        """Listed in gdb-plugin/lldb/README.md; when one of these fails, lldb has learnt it."""
        out = self.lldb(["b square", "run", f"process save-core {self.folder}/lldb.core"], JITSCOPE, "run", self.tables)
        self.assertIn("Unable to get the size of module JIT", out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
