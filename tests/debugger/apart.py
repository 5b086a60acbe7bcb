"""What is particular to an executor that is debugged: a linker that embeds, code that comes and goes, crashes, and who is seen."""
import json
import os
import pathlib
import re
import signal
import socket
import unittest

from gdb_harness import JITSCOPE, LIMIT, SLEEP, DebuggerTest, after, built, children_of, mark
from remote_harness import EXECUTOR, Apart, Attached, Served, Started

CHANGING = """
int counter_{n};
int changing(int value)
{{
    counter_{n} += value;
    int result = 2 * value + {n};
    return result;
}}
"""
FAULT = """#include <stdio.h>
#include <unistd.h>
__attribute__((noinline)) static void put(volatile int *where, int value)
{
    *where = value; /* fault */
}
int main(int argc, char **argv)
{
    puts("ready");
    fflush(stdout);
    for (int i = 0; argc > 1 && i < 60000 && !access(argv[1], F_OK); i++)
        usleep(10000);
    put((volatile int *)8, argc);
    return 0;
}
"""
LINE_OF_FAULT = 5


class Embedding(Apart):
    """COMMAND of `jitscope-executor --linker` is a program of one's own; its sessions do not end with the program."""

    def test_unload_and_reload(self):
        objects = []
        for n in (1, 2, 3):
            source = self.text(f"version{n}.c", "\n" * n + CHANGING.format(n=n))
            objects.append(self.compile(source, "-g", "-O0", name=f"version{n}.o"))
        for policy in ("auto", "eager"):
            with self.subTest(policy=policy):
                commands = ["set breakpoint pending on", "break changing", "run"]
                for n in (1, 2, 3):
                    commands += [mark(f"hit{n}"), "bt 1", "info symbol $pc", f"print counter_{n}", f"print counter_{n - 1}",
                                 "print __jit_debug_descriptor.first->next", "next", "next", "print result", "continue"]
                out = self.gdb(commands, EXECUTOR, "--linker", built("apart"), policy, *objects)
                for n in (1, 2, 3):
                    hit = after(out, f"hit{n}")
                    self.assertRegex(hit, rf"changing \(value={n + 1}\) at .*version{n}\.c:{n + 5}")
                    self.assertRegex(hit, r"changing \+ \d+ in section \.text")
                    self.assertIn(f'No symbol "counter_{n - 1}" in current context', hit)
                    self.assertRegex(hit, r"\(struct jit_code_entry \*\) 0x0\n")  # the one before is gone
                    self.assertRegex(hit, rf"\$\d+ = {3 * n + 2}\n")
                    self.assertIn(f"result {3 * n + 2}\n", out)
                self.assertIn("exited with code 07", out)


# gdb 13, of any program with two threads: it looks at one that is dying already.
ENDS = r"Program terminated with signal SIGSEGV|Couldn't get registers: No such process"
REPORT = "jitscope: the program gets signal 11 (Segmentation fault), about address 0x8:\n"


class Crash:
    def setUp(self):
        super().setUp()
        self.object = self.compile(FAULT, "-g", "-O0")

    def check_stop(self, text):
        self.assertRegex(text, rf"#0 +(0x\w+ in )?put \(where=0x8, value=\d\) at .*text\.c:{LINE_OF_FAULT}\n#1 .*main \(")

    def test_the_debugger_has_it_alone(self):
        """One that was there before the program: no handler comes between the stop and the end."""
        out = self.gdb(["run", mark("fault"), "bt", mark("end"), "continue"], JITSCOPE, "run", self.object)
        self.check_stop(after(out, "fault"))
        self.assertRegex(after(out, "end"), ENDS)
        self.assertNotIn(REPORT, out)


class StartedCrash(Crash, Started):
    pass


class ServedCrash(Crash, Served):
    pass


class AttachedCrash(Crash, Attached):
    pass


class LateCrash(Crash, DebuggerTest):
    """The handler was there first: gdb stops where the fault is, then the linker is told, and the program dies of it."""
    test_the_debugger_has_it_alone = None
    process_option = []

    def start_ready(self, *command):
        self.flag = self.text("flag", "")
        process = self.start(*command, self.object, "--", self.flag)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def look(self, process):
        out = self.gdb([f"shell rm {self.flag}", "continue", mark("fault"), "bt", "continue", mark("again"), "bt", "detach"],
                       options=("-p", process))
        self.check_stop(after(out, "fault"))
        self.check_stop(after(out, "again"))

    def test_of_a_linker_that_started_it(self):
        process = self.start_ready(JITSCOPE, "run", "--out-of-process")
        (child,) = children_of(process.pid)
        self.look(child)
        self.assertEqual(process.wait(LIMIT), 128 + signal.SIGSEGV)
        said = process.stdout.read().decode()
        self.assertIn(f"{REPORT}  no stack: cannot stop the process: it is being debugged, by process ", said)
        self.assertIn("the program was killed by signal 11 (Segmentation fault)", said)

    def test_of_a_linker_that_it_started(self):
        process = self.start_ready(EXECUTOR, "--linker", JITSCOPE, "run")
        self.look(process.pid)
        self.assertEqual(process.wait(LIMIT), -signal.SIGSEGV)
        self.assertIn(f"{REPORT}  no stack: cannot stop the process: it is being debugged, by process ", process.stdout.read().decode())

    def test_without_a_debugger(self):
        """Frames and lines, from the linker that is its child's child."""
        process = self.start_ready(EXECUTOR, "--linker", JITSCOPE, "run")
        self.flag.unlink()
        self.assertEqual(process.wait(LIMIT), -signal.SIGSEGV)
        self.assertRegex(process.stdout.read().decode(), rf"{re.escape(REPORT)}#0 .* put\+0x\w+  \[jit\]  text\.c:{LINE_OF_FAULT}\n#1 .* main\+")


class Seen(Apart):
    """`jitscope stack` and the debugger's list of processes."""

    def test_stacks(self):
        main = self.compile(self.input("events.c"), "-g", "-O0")
        process = self.start(JITSCOPE, "run", main, "--", "waits")
        self.assertEqual(process.stdout.readline(), b"waiting\n")
        self.wait_for(lambda: self.is_in(process, SLEEP), "waiting")
        stacks = json.loads(self.must(JITSCOPE, "stack", "--json", process.pid).out)
        named = [[frame["function"] for frame in stack["frames"] if frame["jit"]] for stack in stacks]
        self.assertEqual(named, [["wait_inside", "waits", "main"], []])


class Numbers(DebuggerTest):
    """`jitscope stack`, given the linker's."""
    process_option = []

    def test_by_the_number_of_the_linker(self):
        main = self.compile(self.input("events.c"), "-g", "-O0")
        for command in ((JITSCOPE, "run", "--out-of-process"), (EXECUTOR, "--linker", JITSCOPE, "run"),
                        (JITSCOPE, "run", "--executor-command", f"{EXECUTOR} --stdio; true")):
            with self.subTest(command[1]):
                process = self.start(*command, main, "--", "waits")
                self.assertEqual(process.stdout.readline(), b"waiting\n")
                outcome = self.must(JITSCOPE, "stack", "--json", self.linker(process.pid))
                named = [[frame["function"] for frame in stack["frames"] if frame["jit"]] for stack in json.loads(outcome.out)]
                self.assertIn(["wait_inside", "waits", "main"], named)
                self.assertRegex(outcome.err, rb"\Ajitscope: process \d+ links; this is its program, process \d+\n\Z")

    def listening(self, *where):
        """An executor that waits, started by nobody who links, and where it does."""
        executor = self.start(EXECUTOR, "--listen", *where)
        return executor, re.search(r"waits for one linker at (.*)\n", executor.stdout.readline().decode())[1]

    def check_met(self, executor, *linker):
        main = self.compile(self.input("events.c"), "-g", "-O0")
        process = self.start(JITSCOPE, "run", *linker, main, "--", "waits")
        self.assertEqual(executor.stdout.readline(), b"waiting\n")
        outcome = self.must(JITSCOPE, "stack", "--json", process.pid)
        named = [[frame["function"] for frame in stack["frames"] if frame["jit"]] for stack in json.loads(outcome.out)]
        self.assertIn(["wait_inside", "waits", "main"], named)
        self.assertEqual(outcome.err.decode(), f"jitscope: process {process.pid} links; this is its program, process {executor.pid}\n")

    def test_of_a_linker_that_came_to_a_socket(self):
        for _ in range(2):  # another pair that is connected, too, is none of theirs
            path = self.folder / f"home{len(os.listdir(self.folder))}" / "socket"
            executor, where = self.listening(f"unix:{path}")
            self.check_met(executor, f"--executor={where}")

    def test_of_a_linker_that_came_to_a_port(self):
        for name in ("ours", "theirs"):
            self.text(name, "5" * 64).chmod(0o600)
        executor, where = self.listening("tcp:0", "--secret-file", "theirs")
        self.check_met(executor, f"--executor={where}", "--secret-file", "ours")

    def test_of_a_pair_that_somebody_else_made(self):
        ends = socket.socketpair()
        with ends[0], ends[1]:
            executor = self.start(EXECUTOR, "--fd", str(ends[0].fileno()), pass_fds=[ends[0].fileno()])
            environment = {**os.environ, "JITSCOPE_EXECUTOR": f"fd:{ends[1].fileno()}"}
            main = self.compile(self.input("events.c"), "-g", "-O0")
            linker = self.start(JITSCOPE, "run", main, "--", "waits", pass_fds=[ends[1].fileno()], env=environment)
        self.assertEqual(executor.stdout.readline(), b"waiting\n")
        outcome = self.must(JITSCOPE, "stack", linker.pid)
        self.assertIn(b" wait_inside+", outcome.out)

    def linker(self, number):
        """NUMBER, or the process below it, whose name is jitscope."""
        while pathlib.Path(f"/proc/{number}/comm").read_text() != "jitscope\n":
            (number,) = [int(child) for child in os.listdir("/proc") if child.isdigit() and self.parent(child) == number]
        return number

    def parent(self, process):
        try:
            return int(pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            return 0


del Crash


if __name__ == "__main__":
    unittest.main()
