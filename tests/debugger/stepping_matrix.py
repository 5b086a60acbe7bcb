"""Plain gdb on `jitscope run`: breakpoints before the code exists, stepping, values, watchpoints, callbacks."""
import unittest

from stepping_harness import SteppingTest, after, line, mark

PROGRAM = r"""#include <stdio.h>
#include <stdlib.h>
struct j_point { int x, y; const char *name; };
static int j_counter;
struct j_point j_origin = {40, 2, "origin"};
__attribute__((noinline)) int j_add(int a, int b)
{
    int sum = a + b; // sum
    j_counter++; // count
    return sum; // return
}
__attribute__((noinline)) int j_order(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b; // order
}
__attribute__((noinline)) int j_loop(int n)
{
    int total = 0;
    for (int i = 0; i < n; i++) // head
        total += j_add(i, 1); // body
    return total; // total
}
static inline __attribute__((always_inline)) int j_inner(int value)
{
    int squared = value * value; // squared
    __asm__ volatile("" : "+r"(squared));
    return squared + 1; // inner
}
__attribute__((noinline)) int j_outer(int value)
{
    return j_inner(value + 1) + 3; // outer
}
int main(int argc, char **argv)
{
    struct j_point point = {1, 2, "point"};
    int sum = j_add(point.x, point.y); // add
    int values[4] = {4, 2, 3, 1}; // values
    qsort(values, 4, sizeof *values, j_order); // sort
    int looped = j_loop(5); // loop
    printf("%d %d %d %d %d\n", argc, sum, values[0], looped, j_outer(sum)); // print
    return 0;
}
"""


def at(name):
    return line(PROGRAM, name)


class Stepping:
    """The same for each compiler and level."""
    compiler, level, optimised = "gcc", "-O0", False

    def setUp(self):
        super().setUp()
        self.source("program.c", PROGRAM)
        self.input = self.build("program.c", "-g", self.level, compiler=self.compiler)

    def drive(self, *commands, **options):
        out = self.run_gdb(commands, self.input, **options)
        self.assertClean(out)
        return out

    def test_breakpoints_before_the_code_exists(self):
        out = self.drive(f"break program.c:{at('count')}", "break j_loop", "run", mark("line"), "bt", "info args", "c",
                         mark("function"), "bt", "c", mark("end"))
        self.assertIn(f"Breakpoint 1 (program.c:{at('count')}) pending.", out)
        self.assertIn("Breakpoint 2 (j_loop) pending.", out)
        where = after(out, "line")
        self.assertFrames(where, "j_add", "main")
        self.assertIn("j_add (a=1, b=2) at program.c:", where)
        self.assertIn("a = 1\nb = 2", where)
        self.assertFrames(after(out, "function"), "j_loop", "main")
        self.assertIn("j_loop (n=5) at program.c:", after(out, "function"))

    def test_step_next_finish(self):
        out = self.drive(f"break program.c:{at('add')}", "run", mark("step"), "step", "bt 1", mark("finish"), "finish",
                         mark("next"), "next", "next", mark("until"), f"until {at('print')}",
                         "frame", mark("advance"), "advance j_outer", "bt 2")
        self.assertIn("j_add (a=1, b=2) at program.c:", after(out, "step"))
        self.assertIn("main (argc=1, argv=", after(out, "finish"))
        self.assertIn("Value returned is $1 = 3", after(out, "finish"))
        self.assertIn("// sort\n", after(out, "next") + "\n")
        self.assertIn(f"program.c:{at('print')}\n", after(out, "until"))
        self.assertFrames(after(out, "advance"), "j_outer", "main")

    def test_conditional_breakpoint(self):
        out = self.drive("break j_add if a == 3", "run", mark("stop"), "bt 2", "info breakpoints")
        self.assertIn("j_add (a=3, b=1) at program.c:", after(out, "stop"))
        self.assertFrames(after(out, "stop"), "j_add", "j_loop")
        self.assertIn("stop only if a == 3", after(out, "stop"))
        self.assertIn("breakpoint already hit 1 time", after(out, "stop"))

    def test_statics_and_globals(self):
        out = self.drive("break j_loop", "run", mark("values"), "print j_counter", "print j_origin", "ptype j_origin",
                         "print j_origin.x = 7", "print &j_origin", "whatis j_add")
        text = after(out, "values")
        self.assertIn('$1 = 1\n$2 = {x = 40, y = 2, name = "origin"}\n', text)
        self.assertIn("type = struct j_point {\n    int x;\n    int y;\n    const char *name;\n}\n$3 = 7\n", text)
        self.assertIn("$4 = (struct j_point *) <j_origin>", text)
        self.assertIn("type = int (int, int)", text)

    def test_calling_a_function(self):
        self.need_calls()
        out = self.drive("break j_loop", "run", mark("call"), "print j_counter", "print j_add(20, 22)", "print j_counter")
        self.assertEqual(after(out, "call"), "$1 = 1\n$2 = 42\n$3 = 2")

    def test_hardware_watchpoint(self):
        out = self.drive(f"break program.c:{at('add')}", "run", "watch j_counter", mark("first"), "c", "bt 2", mark("second"), "c", "bt 3")
        self.assertIn("Hardware watchpoint 2: j_counter", out)
        self.assertIn("Old value = 0\nNew value = 1\n", after(out, "first"))
        self.assertFrames(after(out, "first"), "j_add", "main")
        self.assertIn("Old value = 1\nNew value = 2\n", after(out, "second"))
        self.assertFrames(after(out, "second"), "j_add", "j_loop", "main")

    def test_backtrace_through_qsort(self):
        out = self.drive("break j_order", "run", mark("stop"), "bt", "up", mark("out"), "finish", "delete", "finish")
        text = after(out, "stop")
        self.assertFrames(text, "j_order")
        self.assertRegex(text, rf"#\d+ +(0x\w+ in )?main \(.*\) at program.c:{at('sort')}\n")
        self.assertNotIn("??", text)
        self.assertNotIn("corrupt", text)

    def test_disassemble_and_lookups(self):
        out = self.drive("break j_add", "run", mark("source"), "disassemble /s", mark("symbol"), "info symbol j_add",
                         "info symbol j_add+1", mark("line"), "info line j_add", mark("list"), "list j_add",
                         mark("address"), "info address j_add", mark("functions"), "info functions ^j_",
                         mark("variables"), "info variables ^j_", mark("sources"), "info source")
        text = after(out, "source")
        self.assertRegex(text, r"Dump of assembler code for function j_add:\nprogram.c:\n")
        self.assertIn(f"\n{at('sum')}\t    int sum = a + b; // sum\n", text)
        self.assertRegex(text, r"=> +0x?[0-9a-f]* ?.*<\+\d+>|=> .*<\+\d+>:")
        self.assertRegex(after(out, "symbol"), r"^j_add in section .text(\.\w+)? of .*\nj_add \+ 1 in section .text")
        self.assertRegex(after(out, "line"), r"^Line \d+ of \"program.c\" (starts|is) at address .*<j_add(\+\d+)?>")
        self.assertIn("int j_add(int a, int b)", after(out, "list"))
        self.assertIn('Symbol "j_add" is a function', after(out, "address"))
        for name in ("int j_add(int, int);", "int j_loop(int);", "int j_order(const void *, const void *);"):
            self.assertIn(name, after(out, "functions"))
        self.assertIn("static int j_counter;", after(out, "variables"))
        self.assertIn("Source language is c", after(out, "sources"))
        self.assertIn(f"Located in {self.folder}/program.c", after(out, "sources"))

    def test_runs_again_with_breakpoints_kept(self):
        out = self.drive(f"break program.c:{at('count')}", "run", mark("first"), "bt 2", "kill", mark("again"), "run",
                         mark("second"), "bt 2", "info breakpoints", "delete", "c", mark("end"), "run")
        for name in ("first", "second"):
            self.assertFrames(after(out, name), "j_add", "main")
            self.assertIn(f"program.c:{at('count')}", after(out, name))
        self.assertIn("breakpoint already hit", after(out, "second"))
        self.assertEqual(out.count("1 3 1 15 20\n"), 2, out)
        self.assertEqual(out.count("exited normally"), 2, out)

    def test_inlined_frames(self):
        out = self.drive(f"break program.c:{at('squared')}", "run", mark("stop"), "bt 3", "info frame", "up", "info locals",
                         "print value")
        text = after(out, "stop")
        self.assertFrames(text, "j_inner", "j_outer", "main")
        self.assertIn("inlined into frame 1", text)
        self.assertRegex(text, r"#0 +(0x\w+ in )?j_inner \(value=4\)")

    def test_temporary_and_ignored(self):
        out = self.drive("tbreak j_add", "break j_add", "ignore 2 3", "run", mark("first"), "bt 1", "c", mark("second"), "bt 2")
        self.assertIn("j_add (a=1, b=2)", after(out, "first"))
        self.assertIn("j_add (a=2, b=1)", after(out, "second"))


class GccPlain(Stepping, SteppingTest):
    def test_locals(self):
        out = self.drive(f"break program.c:{at('sort')}", f"break program.c:{at('total')}", "run", mark("main"),
                         "info locals", "print values[1]@2", "set var values[3] = -9", "c", mark("loop"), "info locals",
                         "up", "print values[0]", "print *&point")
        self.assertIn('point = {x = 1, y = 2, name = "point"}\nsum = 3\nvalues = {4, 2, 3, 1}', after(out, "main"))
        self.assertIn("$1 = {2, 3}", after(out, "main"))
        self.assertIn("total = 15", after(out, "loop"))
        self.assertIn('$2 = -9\n$3 = {x = 1, y = 2, name = "point"}', after(out, "loop"))

    def test_until_leaves_a_loop(self):
        out = self.drive(f"break program.c:{at('body')}", "run", "delete", "next", mark("until"), "until", "info locals")
        self.assertIn(f"{at('total')}\t    return total; // total\ntotal = 15", after(out, "until"))


class ClangPlain(GccPlain):
    compiler = "clang"


class GccOptimised(Stepping, SteppingTest):
    level, optimised = "-O2", True


class ClangOptimised(GccOptimised):
    compiler = "clang"


if __name__ == "__main__":
    unittest.main()
