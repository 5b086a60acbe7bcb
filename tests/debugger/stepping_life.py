"""What comes and goes: batches, threads, processes, signals; and a process that is debugged late, remotely, or dead."""
import os
import pathlib
import re
import subprocess
import time
import unittest

from gdb_harness import JITSCOPE, LIMIT, SLEEP, DebuggerTest, after, built, lines_of, mark

EVENTS = lines_of("events.c")
RELOAD = lines_of("reload.c")
CHANGING = """
extern int host_twice(int);
int counter_{n};
int changing(int value)
{{
    counter_{n} += value;      /* LINE: first */
    int result = host_twice(value) + {n};
    return result;
}}
"""


class Batches(DebuggerTest):
    """An embedding program that links, unloads, and links another version at the same place."""

    def versions(self, count=3):
        objects = []
        for n in range(1, count + 1):
            source = self.folder / f"version{n}.c"
            source.write_text("\n" * n + CHANGING.format(n=n))
            objects.append(self.compile(source, "-g", "-O0", name=f"version{n}.o"))
        return objects

    def test_unload_and_reload(self):
        """One pending breakpoint is hit in each version; what was unloaded is forgotten, here and in the list."""
        for policy in ("auto", "eager"):
            with self.subTest(policy=policy):
                words = []
                for n in (1, 2, 3):
                    words += ["continue" if n > 1 else "run", mark(f"hit{n}"), "bt 2", "info symbol $pc", "step", "step"]
                    words += ["continue", mark(f"gone{n}"), "up", f"print counter_{n}", "info line *address",
                              "print __jit_debug_descriptor.first"]
                out = self.gdb(["set breakpoint pending on", "break changing", f"break reload.c:{RELOAD['between']}", *words,
                                "continue"], built("reload"), policy, *self.versions())
                for n in (1, 2, 3):
                    self.assertRegex(after(out, f"hit{n}"), rf"changing \(value={n + 1}\) at .*version{n}\.c:{n + 6}")
                    self.assertRegex(after(out, f"hit{n}"), r"main \(argc=5.*reload\.c")
                    self.assertRegex(after(out, f"hit{n}"), r"changing \+ \d+ in section \.text")
                    gone = after(out, f"gone{n}")
                    self.assertIn(f'No symbol "counter_{n}" in current context', gone)
                    self.assertIn('No line number information available for address 0x', gone)
                    self.assertRegex(gone, r"\$\d+ = \(struct jit_code_entry \*\) 0x0\n")
                self.assertIn("result 5\n", out)
                self.assertIn("exited normally", out)

    def test_through_a_stub_into_the_host_and_back(self):
        out = self.gdb(["set breakpoint pending on", f"break reload.c:{RELOAD['call']}", "run", mark("in"), "step", "next",
                        mark("host"), "step", "bt 3", mark("back"), "finish", "next", mark("out"), "next", "next"],
                       built("reload"), "auto", *self.versions(1))
        self.assertIn("changing (value=2)", after(out, "in"))
        self.assertRegex(after(out, "host"), r"host_twice \(value=2\).*(.*\n)+#1 .*changing \(value=2\).*\n#2 .*main")
        self.assertRegex(after(out, "back"), r"changing \(value=2\)(.*\n)+.*Value returned is \$\d+ = 4")
        self.assertRegex(after(out, "out"), r"main \(argc=3")

    def test_stubs_have_names_and_frames(self):
        out = self.gdb(["set breakpoint pending on", "break changing", "run", "tbreak host_twice@plt", "tbreak *&'host_twice@plt'",
                        "continue", mark("stub"), "info symbol $pc", "bt 3", "x/i $pc"], built("reload"), "auto", *self.versions(1))
        self.assertRegex(after(out, "stub"), r"host_twice@plt in section \.plt")
        self.assertRegex(after(out, "stub"), r"#1 .*changing \(value=2\).*\n#2 .*main")

    def test_policy_off_lists_nothing(self):
        out = self.gdb(["break between", "run", mark("list"), "print __jit_debug_descriptor.first", "info symbol address"],
                       built("reload"), "off", *self.versions(1))
        self.assertRegex(after(out, "list"), r"\(.*\) 0x0\nNo symbol matches address")


class Events(DebuggerTest):
    def walk(self, what, commands, *flags, **options):
        main = self.compile(self.input("events.c"), "-g", *(flags or ("-O0",)))
        return self.gdb(["set breakpoint pending on", *commands], JITSCOPE, "run", main, "--", what, **options)

    def test_signals(self):
        out = self.walk("signals", ["run", mark("fault"), "bt 3", "print where", "tbreak handler", "continue", mark("handler"),
                                    "bt", "info locals", "continue"])
        self.assertIn("SIGSEGV", out)
        self.assertRegex(after(out, "fault"), rf"#0 +0x\w+ in put_value \(where=0x8, value=1\) at .*events\.c:{EVENTS['store']}")
        self.assertRegex(after(out, "fault"), r"= \(volatile int \*\) 0x8")
        self.assertRegex(after(out, "handler"), r"#0 +handler \(signal=11\)(.*\n)+#1 +<signal handler called>\n#2 .*put_value \(")
        self.assertIn("exited with code 013", out)

    def test_threads(self):
        out = self.walk("threads", [f"break events.c:{EVENTS['work']}", "run", mark("1"), "bt 1", "print number", "continue",
                                    mark("2"), "print number", "continue", mark("3"), "print number", "thread apply all bt",
                                    "delete", f"tbreak events.c:{EVENTS['joined']}", "continue", mark("joined"), "bt 1",
                                    "continue"])
        numbers = sorted(int(re.search(r"^\$\d+ = (\d+)$", after(out, str(i)), re.M)[1]) for i in (1, 2, 3))
        self.assertEqual(numbers, [1, 2, 3])
        self.assertRegex(after(out, "3"), r"#\d+ .*work \(argument=")
        self.assertRegex(after(out, "3"), r"#\d+ .* threads \(\)")
        self.assertRegex(after(out, "joined"), rf"threads \(\) at .*events\.c:{EVENTS['joined']}")
        self.assertIn("exited normally", out)

    def test_fork_following_the_child(self):
        out = self.walk("forks", ["set follow-fork-mode child", f"break events.c:{EVENTS['child']}", "run", mark("child"), "bt",
                                  "print value", "continue"])
        self.assertRegex(after(out, "child"), r"#0 +child_work \(value=41\)(.*\n)+#1 .*forks \(\)(.*\n)+#2 .*main")
        self.assertIn("exited with code 052", out)

    def test_fork_following_the_parent(self):
        out = self.walk("forks", [f"break events.c:{EVENTS['child']}", f"break events.c:{EVENTS['parent']}", "run",
                                  mark("parent"), "bt 1", "print status >> 8", "continue"])
        self.assertRegex(after(out, "parent"), rf"forks \(\) at .*events\.c:{EVENTS['parent']}")
        self.assertIn("= 42", after(out, "parent"))
        self.assertIn("exited with code 052", out)


class Late(DebuggerTest):
    """A process that was not started under gdb, or is over; in each policy that promises it."""

    def start_waiting(self, policy="auto"):
        main = self.compile(self.input("events.c"), "-g", "-O0")
        process = self.start(JITSCOPE, "run", f"--debug={policy}", main, "--", "waits")
        self.assertEqual(process.stdout.readline(), b"waiting\n")
        self.wait_for(lambda: self.is_in(process, SLEEP), "waiting")
        return process

    def check_stack(self, text):
        self.assertRegex(text, rf"wait_inside \(go=0x\w+\) at .*events\.c:{EVENTS['waiting']}")
        self.assertRegex(text, r"waits \(\) at .*events\.c:\d+(.*\n)+#\d+ .*main \(argc=2.*, argv=")

    def test_attach(self):
        for policy in ("auto", "eager"):
            with self.subTest(policy=policy):
                process = self.start_waiting(policy)
                out = self.gdb([mark("stack"), "bt", f"tbreak events.c:{EVENTS['waiting']}", "continue", mark("line"),
                                "print *go", "set var *go = 1", "finish", mark("finish"), "next", "info locals", "continue"],
                               options=["-p", process.pid])
                self.check_stack(after(out, "stack"))
                self.assertIn("= 0", after(out, "line"))
                self.assertIn("go = 1", after(out, "finish"))
                self.assertEqual(process.wait(LIMIT), 7)

    def test_detach_and_attach_again(self):
        process = self.start_waiting()
        for _ in range(2):
            self.check_stack(self.gdb(["bt", "detach"], options=["-p", process.pid]))
        self.gdb([f"tbreak events.c:{EVENTS['waiting']}", "continue", "set var *go = 1", "detach"], options=["-p", process.pid])
        self.assertEqual(process.wait(LIMIT), 7)

    def check_core(self, core):
        out = self.gdb([mark("stack"), "bt", mark("frame"), "frame function waits", "print go", "info line", "x/2i $pc",
                        "info symbol crash", "list crash"], options=[JITSCOPE, core])
        self.check_stack(after(out, "stack"))
        self.assertIn("= 0", after(out, "frame"))
        self.assertIn("crash in section .text", after(out, "frame"))
        self.assertIn("LINE: abort", after(out, "frame"))

    def test_core_by_gcore(self):
        process = self.start_waiting()
        core = self.folder / "core.live"
        self.gdb([f"gcore {core}", "detach"], options=["-p", process.pid])
        process.kill()
        process.wait()
        self.check_core(core)

    def test_core_by_the_kernel(self):
        pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
        if pattern.startswith("|") or "/" in pattern:
            self.skipTest(f"cores of this machine go elsewhere: {pattern}")
        main = self.compile(self.input("events.c"), "-g", "-O0")
        dies = self.inferior((JITSCOPE, "run", main, "--", "x"))
        done = subprocess.run(["sh", "-c", 'ulimit -c unlimited; exec "$@"', "sh", *dies],
                              cwd=self.folder, capture_output=True, timeout=LIMIT)
        self.assertEqual(done.returncode, -6)
        cores = list(self.folder.glob("core*"))
        if not cores:
            self.skipTest("the kernel writes no core here")
        out = self.gdb([mark("stack"), "bt"], options=[JITSCOPE, cores[0]])
        self.assertRegex(after(out, "stack"), rf"crash \(value=3\) at .*events\.c:{EVENTS['abort']}\n#\d+ .*main \(argc=2")

    def test_over_gdbserver(self):
        main = self.compile(self.input("events.c"), "-g", "-O0")
        out = self.gdb(["set breakpoint pending on", "set sysroot /", self.gdbserver(JITSCOPE, "run", main, "--", "signals"),
                        "break put_value", "continue", mark("stop"), "bt", "print value", "step", mark("fault"), "bt 2",
                        "tbreak handler", "continue", mark("handler"), "bt 3", "continue"], options=[JITSCOPE])
        self.assertRegex(after(out, "stop"), r"#0 +put_value \(where=0x8, value=1\)(.*\n)+#1 .*signals \(\)(.*\n)+#2 .*main")
        self.assertIn(f"events.c:{EVENTS['store']}", after(out, "fault"))
        self.assertIn("<signal handler called>", after(out, "handler"))
        self.assertIn("exited with code 013", out)

    def test_the_list_while_nobody_listens(self):
        """Thousands of batches are a handful of images for whoever attaches."""
        main = self.compile(self.input("jitted.c"), "-g", "-O1")
        process = subprocess.Popen([built("many"), main, "3000", "auto"], stdout=subprocess.PIPE,
                                   env={**os.environ, "PAUSE": "1"})
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdout.close()))
        self.assertIn(b"sum", process.stdout.readline())
        began = time.monotonic()
        out = self.gdb(["info symbol jitted_000000", "info line jitted_002999", "print jitscope_debuggee.images",
                        "info address jitted_001500"], options=["-p", process.pid])
        self.assertIn("jitted_000000 in section .text", out)
        self.assertRegex(out, r'Line \d+ of ".*jitted\.c" starts at address .*<jitted_002999>')
        images = int(out.split("$1 = ")[1].split()[0])
        self.assertLess(images, 12)
        print(f"attached to 3,000 functions in {images} images: {time.monotonic() - began:.1f} s with gdb's start")


if __name__ == "__main__":
    unittest.main()
