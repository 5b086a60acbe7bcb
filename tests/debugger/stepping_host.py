"""Plain gdb on an embedding program: into JIT'd code and back, stubs, unload and reload, threads, fork, crash, throws."""
import re
import unittest

from stepping_harness import HOST_SOURCE, SteppingTest, after, line, mark

FAR = r"""int host_twice(int value);
__attribute__((noinline)) int j_far(int value)
{
    int more = value + 1; // far
    more += host_twice(value); // host
    return more; // end
}
"""
# -fno-pic puts the batch below 2 GiB, out of reach of the first one: the call takes a stub.
LOW = r"""int j_far(int value);
static int j_table[4];
__attribute__((noinline)) int *j_cell(int value)
{
    return &j_table[value & 3];
}
int j_low(int value)
{
    int result = j_far(value); // call
    *j_cell(value) = result; // back
    return result;
}
"""
THREADED = r"""int j_shared;
int j_thread(int number)
{
    int mine = number + 100; // mine
    __atomic_fetch_add(&j_shared, 1, __ATOMIC_SEQ_CST);
    return mine;
}
"""
OTHER = r"""int j_other(int value)
{
    int bigger = value + 70;
    return bigger;
}
"""
CRASH = r"""int j_crash(int value)
{
    volatile int *nothing = (int *)0; // before
    *nothing = value; // crash
    return 0;
}
"""


class Host(SteppingTest):
    def setUp(self):
        super().setUp()
        self.host_line = lambda name: line(HOST_SOURCE.read_text(), name)

    def files(self, **sources):
        for name, (text, *flags) in sources.items():
            name = name.replace("_", ".")
            self.source(name, text)
            self.build(name, "-g", *flags)

    def test_step_in_and_out(self):
        self.files(far_c=(FAR, "-O0"))
        out = self.host_gdb([f"break host_program.c:{self.host_line('host: call')}", "run", mark("in"), "step", "bt 3",
                             "next", mark("host"), "step", "bt 3", mark("back"), "finish", "next", "bt 2", mark("out"),
                             "next", "next", "next", "bt 2"], "auto", "add", "far.o", "link", "call", "j_far")
        self.assertFrames(after(out, "in"), "j_far", "call", "act")
        self.assertIn("j_far (value=5) at far.c:", after(out, "in"))
        # host_twice lies in the program, out of reach of the JIT's memory: a stub leads there.
        self.assertFrames(after(out, "host"), "host_twice", "j_far", "call")
        self.assertIn("Value returned is $1 = 10", after(out, "back"))
        self.assertFrames(after(out, "back"), "j_far", "call")
        self.assertFrames(after(out, "out"), "call", "act")
        self.assertClean(out)

    def test_step_through_a_stub_between_batches(self):
        self.files(far_c=(FAR, "-O0"), low_c=(LOW, "-O0", "-fno-pic", "-fno-pie"))
        out = self.host_gdb(["break j_low", "run", mark("stub"), "step", "bt 3", mark("back"), "finish", "next", "frame",
                             mark("plt"), "info symbol 'j_far@plt'", "x/i &'j_far@plt'", "disassemble &'j_far@plt',+1"],
                            "auto", "add", "far.o", "link", "add", "low.o", "link", "call", "j_low")
        self.assertFrames(after(out, "stub"), "j_far", "j_low", "call")
        self.assertIn("at far.c:", after(out, "stub"))
        self.assertIn("Value returned is $1 = 16", after(out, "back"))
        self.assertRegex(after(out, "plt"), r"^j_far@plt in section .plt of ")
        self.assertIn("<j_far@plt>", after(out, "plt"))
        self.assertClean(out)

    def test_backtrace_inside_a_stub(self):
        self.files(far_c=(FAR, "-O0"), low_c=(LOW, "-O0", "-fno-pic", "-fno-pie"))
        out = self.host_gdb(["break *(char *)&'j_far@plt'", "break j_low", "run", "break *(char *)&'j_far@plt'", "c", mark("stub"),
                             "bt 3", "stepi", mark("next"), "bt 3"],
                            "auto", "add", "far.o", "link", "add", "low.o", "link", "call", "j_low")
        self.assertFrames(after(out, "stub"), "j_far@plt", "j_low", "call")
        self.assertFrames(after(out, "next"), *[name for name in ("j_far", "j_low", "call")])

    def test_unload_and_load_again(self):
        self.files(far_c=(FAR, "-O0"), threaded_c=(THREADED, "-O0"), other_c=(OTHER, "-O0"))
        words = ["auto", "add", "far.o", "link", "call", "j_far", "unload", "1", "stop",
                 "add", "threaded.o", "link", "call", "j_thread", "add", "other.o", "link", "call", "j_other", "stop",
                 "unload", "2", "unload", "3", "add", "far.o", "link", "call", "j_far", "unload", "4", "stop"]
        out = self.host_gdb([f"break far.c:{line(FAR, 'far')}", "set print address on", "break host_stop", "run", mark("first"),
                             "bt 2", "set $old = (long) &j_far", "set $stopped = (long) $pc", "c", mark("gone"), "print j_far",
                             "info symbol $stopped", "info line *$stopped", "info functions j_far", "bt 1", "c", mark("other"),
                             "info breakpoints", "print j_thread", "info symbol $old", "info line *$stopped", "c",
                             mark("second"), "bt 2", "c", mark("end"), "print j_far", "c"], *words)
        self.assertFrames(after(out, "first"), "j_far", "call")
        gone = after(out, "gone")
        self.assertIn('No symbol "j_far" in current context.', gone)
        self.assertIn("No symbol matches $stopped.", gone)
        self.assertIn("No line number information available for address", gone)
        self.assertNotIn("int j_far", gone)
        other = after(out, "other")
        self.assertRegex(other, rf"1 +breakpoint +keep +y +<PENDING> +far.c:{line(FAR, 'far')}")
        self.assertIn("{int (int)}", other)
        self.assertIn("No symbol matches $old.", other)
        self.assertIn("j_thread: 105\nj_other: 75\n", out)
        self.assertFrames(after(out, "second"), "j_far", "call")
        self.assertEqual(out.count("j_far: 16\n"), 2)
        self.assertIn("exited normally", out)
        self.assertClean(out)

    def test_breakpoint_on_code_that_was_there_survives(self):
        self.files(far_c=(FAR, "-O0"), threaded_c=(THREADED, "-O0"))
        for first in (["add", "far.o", "link"], ["add", "threaded.o", "link", "add", "far.o", "link"]):
            gone = str(first.count("link"))
            with self.subTest(batches=gone):
                out = self.host_gdb(["break host_stop", "run", f"break far.c:{line(FAR, 'far')}", "break j_far if value == 5", "c",
                                     mark("first"), "bt 2", "delete 3", "c", mark("gone"), "print j_far", "c", mark("second"),
                                     "bt 2", "info breakpoints", "c"],
                                    "auto", *first, "stop", "call", "j_far", "unload", gone, "stop", "add", "far.o", "link", "call",
                                    "j_far")
                self.assertFrames(after(out, "first"), "j_far", "call")
                self.assertIn('No symbol "j_far" in current context.', after(out, "gone"))
                self.assertFrames(after(out, "second"), "j_far", "call")
                self.assertRegex(after(out, "second"), r"2 +breakpoint +keep +y +in j_far at far.c:")
                self.assertEqual(out.count("j_far: 16\n"), 2, out)
                self.assertClean(out)

    def test_keeps_both_after_fork(self):
        self.files(threaded_c=(THREADED, "-O0"))
        out = self.host_gdb(["set detach-on-fork off", "set schedule-multiple on", "set non-stop off", "break j_thread", "run",
                             mark("one"), "bt 2", "c", mark("two"), "inferior 1", "c", "bt 2", "c"],
                            "auto", "add", "threaded.o", "link", "fork", "j_thread")
        seen = {re.search(r"number=(\d)", after(out, name))[1] for name in ("one", "two")}
        self.assertEqual(seen, {"7", "8"}, out)

    def test_own_memory_manager(self):
        """A batch at the place of the one before shows its own name and lines, and runs unhurt by the breakpoints of that one."""
        self.files(far_c=(FAR, "-O0"), other_c=(OTHER, "-O0"), threaded_c=(THREADED, "-O0"))
        out = self.host_gdb([f"break far.c:{line(FAR, 'far')}", "set print address on", "break host_stop", "run",
                             "set $stopped = (long) $pc", "c", mark("gone"), "info symbol $stopped", "c", mark("other"),
                             "info breakpoints", "info symbol $stopped", "info line *$stopped", "c", mark("again"), "bt 2", "c"],
                            "own", "add", "far.o", "link", "call", "j_far", "unload", "1", "stop",
                            "add", "other.o", "link", "call", "j_other", "stop", "unload", "2", "add", "far.o", "link", "call", "j_far")
        self.assertIn("No symbol matches $stopped.", after(out, "gone"))
        self.assertIn("j_other: 75\n", out)
        self.assertIn("j_other + ", after(out, "other"))
        self.assertIn('"other.c"', after(out, "other"))
        self.assertRegex(after(out, "other"), r"1 +breakpoint +keep +y +<PENDING> +far.c:4")
        self.assertFrames(after(out, "again"), "j_far", "call")
        self.assertEqual(out.count("j_far: 16\n"), 2, out)
        self.assertIn("exited normally", out)
        self.assertClean(out)

    def test_session_that_ends(self):
        """The process goes on, with breakpoints kept in code that is gone, and they are hit in the next session."""
        self.files(far_c=(FAR, "-O0"))
        out = self.host_gdb(["break host_stop", "run", f"break far.c:{line(FAR, 'far')}", "c", mark("first"), "bt 2", "c", mark("ended"),
                             "print j_far", "c", mark("second"), "bt 2", "c", mark("end")],
                            "auto", "add", "far.o", "link", "stop", "call", "j_far", "end", "stop", "add", "far.o", "link", "call",
                            "j_far")
        self.assertFrames(after(out, "first"), "j_far", "call")
        self.assertIn('No symbol "j_far" in current context.', after(out, "ended"))
        self.assertNotIn("Cannot insert breakpoint", out)
        self.assertFrames(after(out, "second"), "j_far", "call")
        self.assertIn("exited normally", out)

    def test_fault_at_its_line(self):
        self.files(crash_c=(CRASH, "-O0"))
        out = self.host_gdb(["set print address on", "run", mark("fault"), "bt 2", "info locals", "print $_siginfo._sifields._sigfault.si_addr"],
                            "auto", "add", "crash.o", "link", "call", "j_crash")
        self.assertIn("Program received signal SIGSEGV", out)
        self.assertIn(f"j_crash (value=5) at crash.c:{line(CRASH, 'crash')}\n", after(out, "fault"))
        self.assertIn("nothing = 0x0\n$1 = (void *) 0x0", after(out, "fault"))


if __name__ == "__main__":
    unittest.main()
