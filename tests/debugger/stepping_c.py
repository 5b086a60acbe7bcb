"""Stepping through a C program in memory, in a plain gdb: as through any other program."""
import unittest

from gdb_harness import JITSCOPE, DebuggerTest, after, lines_of, mark

LINES = lines_of("stepping.c")


def at(name):
    return f"stepping.c:{LINES[name]}"


class Stepping(DebuggerTest):
    def walk(self, commands, *flags, compiler="gcc", arguments=(), **options):
        main = self.compile(self.input("stepping.c"), "-g", *flags, compiler=compiler)
        return self.gdb(["set breakpoint pending on", *commands], JITSCOPE, "run", main, "--", *arguments, **options)

    def each_build(self, test):
        for compiler in ("gcc", "clang"):
            for level in ("-O0", "-O2"):
                with self.subTest(compiler=compiler, level=level):
                    test(compiler, level)

    def test_pending_breakpoints(self):
        """By function and by file and line, before the code exists; arguments of structs, enumerations, statics."""
        def test(compiler, level):
            out = self.walk(["break area", f"break {at('compare')}", "run", mark("compare"), "bt 1", "delete 2", "continue",
                             mark("area"), "bt", "print *corner", "print corner->next->y", "print colour", "print total",
                             "info breakpoints", "continue", mark("second"), "print corner->x", "print/d colour", "delete",
                             "continue"], level, compiler=compiler)
            self.assertIn("Breakpoint 1 (area) pending.", out)
            self.assertRegex(after(out, "compare"), r"#0 .*compare \(left=.*, right=.*\) at .*stepping\.c:" + str(LINES["compare"]))
            self.assertRegex(after(out, "area"), r"#0 .*area \(corner=.*, colour=(colour@entry=)?RED\) at .*stepping\.c")
            self.assertRegex(after(out, "area"), r"#1 .*main \(.*at .*stepping\.c:" + str(LINES["first-area"]))
            self.assertIn("{x = 3, y = 4, next = ", after(out, "area"))
            self.assertRegex(after(out, "area"), r"\$2 = 6\n\$3 = RED\n\$4 = 100")
            self.assertRegex(after(out, "second"), r"= 5\n.* = 5")
            self.assertIn("exited with code 055", out)

        self.each_build(test)

    def test_step_next_finish_until(self):
        out = self.walk([f"break {at('first-area')}", "run", mark("step"), "step", "next", "info locals", mark("finish"),
                         "finish", mark("loop"), f"tbreak {at('body')}", "continue", "next", "next", "print i", "print sum",
                         mark("until"), f"until {LINES['behind']}", "print sum", mark("up"), "up", "print first.next->x",
                         "print numbers", "ptype first"], "-O0")
        self.assertRegex(after(out, "step"), rf"area \(.*\n?.*{LINES['area']}\s+calls\+\+")
        self.assertIn(f"{LINES['size']}\t", after(out, "step"))
        self.assertIn("calls = 1", after(out, "step"))
        self.assertRegex(after(out, "finish"), r"main \(.*\n.*\n?.*Value returned is \$\d+ = 12")
        self.assertRegex(after(out, "loop"), r"\$\d+ = 1\n\$\d+ = 0")
        self.assertRegex(after(out, "until"), r"= 45")
        self.assertRegex(after(out, "up"), r"= 5\n\$\d+ = \{1, 2, 3, 4\}")
        self.assertIn("struct point *next;", after(out, "up"))

    def test_inlined_frames(self):
        for compiler in ("gcc", "clang"):
            out = self.walk([f"break {at('inlined')}", "run", mark("stack"), "bt", "info frame", mark("out"), "up",
                             "print corner->y"], "-O2", compiler=compiler)
            self.assertRegex(after(out, "stack"), r"#0 +(0x\w+ in )?scaled \(value=.*\n#1 +(0x\w+ in )?area \(corner")
            self.assertIn("inlined into frame 1", after(out, "stack"))
            self.assertIn("= 4", after(out, "out"))

    def test_through_the_c_library(self):
        """qsort calls back: the stack goes through libc's frames to main."""
        def test(compiler, level):
            out = self.walk(["break compare", "run", mark("stack"), "bt", mark("finish"), "finish"], level, compiler=compiler)
            stack = after(out, "stack")
            self.assertRegex(stack, r"^#0 +(0x\w+ in )?compare")
            self.assertIn("qsort", stack)
            self.assertRegex(stack, r"#\d+ +0x\w+ in main \(.*stepping\.c:" + str(LINES["qsort"]))
            self.assertRegex(stack, r"executor_run_main|main \(argc=")

        self.each_build(test)

    def test_recursion(self):
        out = self.walk([f"break {at('bottom')}", "run", mark("stack"), "bt -frame-arguments all 5", mark("frame"), "frame 3",
                         "print left"], "-O0")
        self.assertEqual([f"#{i}" for i in range(4)], [line.split()[0] for line in after(out, "stack").splitlines()
                                                       if " depth (" in f" {line}"])
        self.assertIn("= 3", after(out, "frame"))

    def test_watchpoint(self):
        out = self.walk(["break area", "run", "delete", "watch total", mark("first"), "continue", mark("second"), "continue",
                         "delete", "continue"], "-O0")
        self.assertIn("Hardware watchpoint", out)
        self.assertRegex(after(out, "first"), r"Old value = 100\nNew value = 236")
        self.assertRegex(after(out, "first"), r"area \(")
        self.assertRegex(after(out, "second"), r"Old value = 236\nNew value = 562")

    def test_conditional_breakpoint(self):
        out = self.walk([f"break {at('body')} if i == 7", "run", mark("stop"), "print i", "print sum"], "-O0")
        self.assertRegex(after(out, "stop"), r"\$1 = 7\n\$2 = 21")

    def test_names_and_lines(self):
        out = self.walk(["break area", "run", mark("symbol"), "info symbol area", "info symbol &total", "info symbol $pc",
                         mark("line"), "info line area", "info source", mark("code"), "disassemble /s area", mark("list"),
                         "list area", mark("scope"), "info scope area", mark("types"), "whatis area", "print sizeof(struct point)"],
                        "-O2")
        self.assertRegex(after(out, "symbol"), r"area in section \.text.*\ntotal in section \.data")
        self.assertRegex(after(out, "line"), r'Line \d+ of ".*stepping\.c" starts at address .*<area')
        self.assertIn("DWARF 5", after(out, "line"))
        code = after(out, "code")
        self.assertIn("int size = corner->x * corner->y;", code)
        self.assertRegex(code, r"0x\w+ <\+0>:")
        self.assertIn("enum colour colour) {", after(out, "list"))
        self.assertIn("Symbol corner is", after(out, "scope"))
        self.assertIn("int (const struct point *, enum colour)", after(out, "types"))

    def test_run_again(self):
        """Breakpoints stay; the second run loads its own code, perhaps at the same addresses."""
        out = self.walk(["break area", "run", mark("first"), "print corner->x", "continue", mark("second"), "print corner->x",
                         "run", mark("again"), "print corner->x", "bt", "delete", "continue"], "-O0")
        self.assertIn("= 3", after(out, "first"))
        self.assertIn("= 5", after(out, "second"))
        self.assertIn("= 3", after(out, "again"))
        self.assertIn(f"stepping.c:{LINES['first-area']}", after(out, "again"))
        self.assertIn("exited with code 055", out)

    def test_calling_a_function(self):
        self.need_calls()
        out = self.walk([f"break {at('end')}", "run", mark("call"), "print depth(4)", "print loop(5)",
                         "call area(&first, GREEN)"], "-O0")
        self.assertRegex(after(out, "call"), r"= 5\n\$\d+ = 10\n\$\d+ = 15")

    def test_without_debug_information(self):
        """Names, stubs and unwinding are there all the same."""
        main = self.compile(self.input("stepping.c"), "-O2", "-fomit-frame-pointer")
        out = self.gdb(["set breakpoint pending on", "break compare", "run", mark("stack"), "bt", mark("symbol"),
                        "info symbol area", "delete", "break depth", "continue", mark("finish"), "finish"], JITSCOPE, "run", main)
        self.assertRegex(after(out, "stack"), r"#0 +0x\w+ in compare \(\)(.*\n)+#\d+ +0x\w+ in main \(\)")
        self.assertIn("area in section .text", after(out, "symbol"))
        self.assertIn("in main ()", after(out, "finish"))


if __name__ == "__main__":
    unittest.main()
