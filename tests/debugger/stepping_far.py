"""Late attach to a process with several batches in one image, some of which go; a core file of a session that tells nothing."""
import os
import pathlib
import unittest

from stepping_harness import HOST, JITSCOPE, PENDING, SteppingTest, after, line, mark

PROGRAM = r"""#include <stdlib.h>
struct j_pair { int first, second; };
static int j_count;
int host_twice(int value);
__attribute__((noinline)) int j_deep(int value)
{
    struct j_pair pair = {value, 2 * value};
    j_count += pair.second; // deep
    if (value == 99)
        abort(); // abort
    return pair.first + pair.second; // deepest
}
int j_entry(int value)
{
    int result = j_deep(value + 1); // entry
    return host_twice(result); // twice
}
int main(int argc, char **argv)
{
    (void)argv;
    return j_entry(argc > 1 ? 98 : 1) != 12; // main
}
"""
# Without the host, the program brings its own.
TWICE = "int host_twice(int value)\n{\n    return 4 * value;\n}\n"
OTHER = "int j_other(int value)\n{\n    return value + 70; // other\n}\n"
BREAK = f"break far.c:{line(PROGRAM, 'deep')}"


def attach_is_allowed():
    try:
        return os.geteuid() == 0 or pathlib.Path("/proc/sys/kernel/yama/ptrace_scope").read_text().strip() == "0"
    except FileNotFoundError:
        return True


class Far(SteppingTest):
    def setUp(self):
        super().setUp()
        self.source("far.c", PROGRAM)
        self.source("twice.c", TWICE)
        self.source("other.c", OTHER)
        self.build("far.c", "-g")
        self.build("twice.c", "-g")
        self.build("other.c", "-g")

    def check_deep(self, text, caller="main", value=2):
        self.assertFrames(text, "j_deep", "j_entry", caller)
        self.assertIn(f"pair = {{first = {value}, second = {2 * value}}}", text)
        self.assertIn(f"j_deep (value={value}) at far.c:{line(PROGRAM, 'deep')}", text)
        self.assertIn(f"j_entry (value={value - 1}) at far.c:{line(PROGRAM, 'entry')}", text)

    def test_late_attach(self):
        if not attach_is_allowed():
            self.skipTest("this kernel does not let gdb attach")
        host = self.start(HOST, "auto", "add", "far.o", "link", "add", "other.o", "link", "wait", "call", "j_entry", "call",
                          "j_other", "unload", "2", "stop", "call", "j_entry", "unload", "1", "stop")
        self.wait_ready(host)
        out = self.gdb([*PENDING, mark("known"), "info symbol j_entry", "info line j_other", BREAK, "break j_other",
                        "break host_stop", "set var host_go = 1", "c", mark("stop"), "bt 3", "info locals", "c", mark("other"),
                        "bt 2", "c", mark("one gone"), "print j_other", "info line j_entry", "c", mark("again"), "bt 2", "c",
                        mark("all gone"), "print j_entry", "c"], options=("-p", str(host.pid)))
        self.assertIn("j_entry in section .text of", after(out, "known"))
        self.assertRegex(after(out, "known"), r'Line \d of "other.c" starts at address')
        self.check_deep(after(out, "stop"), "call", 6)
        self.assertFrames(after(out, "other"), "j_other", "call")
        # They were in one image: the one that stays keeps its names and lines.
        self.assertIn('No symbol "j_other" in current context.', after(out, "one gone"))
        self.assertRegex(after(out, "one gone"), r'Line \d+ of "far.c" starts at address')
        self.assertFrames(after(out, "again"), "j_deep", "j_entry")
        self.assertIn('No symbol "j_entry" in current context.', after(out, "all gone"))
        self.assertIn("exited normally", out)
        self.assertClean(out)

    def wait_ready(self, process):
        self.assertEqual(process.stdout.readline(), b"ready\n")

    def test_code_that_comes_after_the_attach(self):
        if not attach_is_allowed():
            self.skipTest("this kernel does not let gdb attach")
        host = self.start(HOST, "auto", "add", "other.o", "link", "wait", "add", "far.o", "link", "call", "j_entry", "call",
                          "j_other")
        self.wait_ready(host)
        out = self.gdb([*PENDING, BREAK, "break j_other", "set var host_go = 1", "c", mark("stop"), "bt 3", "info locals",
                        "c", mark("other"), "bt 2", "c"], options=("-p", str(host.pid)))
        self.check_deep(after(out, "stop"), "call", 6)
        self.assertFrames(after(out, "other"), "j_other", "call")

    def test_core_of_a_silent_session(self):
        self.run_gdb(["handle SIGABRT stop", "run", "gcore made"], "--debug=off", "far.o", "twice.o", "--", "crash")
        out = self.gdb([*PENDING, mark("core"), "bt", "info symbol j_entry"], options=(JITSCOPE, str(self.folder / "made")))
        self.assertNotIn("j_deep", after(out, "core"))


if __name__ == "__main__":
    unittest.main()
