"""The inspector at a linker whose code runs in another process: the trace is the one's, memory the other's."""
import os
import pathlib
import re
import subprocess
import unittest

from inspecting import HERE, JITSCOPE, InspectorTest
from terminal_harness import LIMIT

EXECUTOR = os.path.join(os.path.dirname(JITSCOPE), "jitscope-executor")
# Both ways to have two processes.
WAYS = ([JITSCOPE, "run", "--out-of-process", "--inspectable"], [EXECUTOR, "--linker", JITSCOPE, "run", "--inspectable"])
# And where neither has started the other.
PLACES = ("unix:{}/home/socket", "tcp:0")


class Apart(InspectorTest):
    def start(self, way, waits=False):
        subprocess.run(["gcc", "-g", "-O1", "-fPIC", "-c", HERE.parent / "demo" / "hooked.c", "-o", self.folder / "hooked.o"],
                       check=True, timeout=LIMIT)
        program = subprocess.Popen(way if waits else [*way, "hooked.o"], cwd=self.folder, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE if waits else None,
                                   env={**os.environ, **self.environment(), "JITSCOPE_RECORD": ""})

        def end():
            program.kill()
            program.wait()
            program.stdin.close()
            program.stdout.close()
            if waits:
                program.stderr.close()
        self.addCleanup(end)
        if not waits:
            self.assertEqual(program.stdout.readline(), b"hello has 5 letters\n")
        return program

    def meet(self, place):
        """As start(), for an executor that waits: the two."""
        secrets = [self.folder / name for name in ("ours", "theirs")] if place.startswith("tcp") else []
        for secret in secrets:
            secret.write_text("5" * 64)
            secret.chmod(0o600)
        options = [["--secret-file", secret] for secret in secrets] or [[], []]
        executor = self.start([EXECUTOR, "--listen", place.format(self.folder), *options[0]], waits=True)
        where = re.search(r"waits for one linker at (.*)\n", executor.stderr.readline().decode())[1]
        linker = subprocess.Popen([JITSCOPE, "run", "--inspectable", f"--executor={where}", *options[1], "hooked.o"], cwd=self.folder,
                                  env={**os.environ, **self.environment(), "JITSCOPE_RECORD": ""})
        self.addCleanup(linker.wait)
        self.addCleanup(linker.kill)
        self.assertEqual(executor.stdout.readline(), b"hello has 5 letters\n")
        return executor, linker

    def linker(self):
        listed = subprocess.run([JITSCOPE, "inspect", "--list"], cwd=self.folder, env={**os.environ, **self.environment()},
                                capture_output=True, text=True, check=True, timeout=LIMIT).stdout
        processes = [int(row.split()[0]) for row in listed.splitlines()[1:]]  # other people's, too
        (own,) = [process for process in processes if os.path.realpath(f"/proc/{process}/cwd") == os.path.realpath(self.folder)]
        return own

    def tell(self, program):
        program.stdin.write(b"\n")
        program.stdin.flush()

    def slot(self, terminal):
        return next((line for line in terminal.lines()[1:-1] if "strlen" in line), "")

    def test_slots_in_the_other_process(self):
        for way in WAYS:
            with self.subTest(way=way[1]):
                program = self.start(way)
                linker = self.linker()
                terminal = self.inspect("--pid", linker, columns=160)
                terminal.keys("6")
                terminal.wait_for(lambda: re.search(r"(0x\w+) .* \1 +0$", self.slot(terminal).rstrip()), "the slot as it was linked")
                self.tell(program)
                self.assertEqual(program.stdout.readline(), b"hello has 42 letters\n")
                terminal.wait_for(lambda: re.search(r"0x\w+ +1$", self.slot(terminal).rstrip()), "the new value")
                self.assertNotIn("memory cannot be read", terminal.text())
                self.tell(program)
                self.assertEqual(program.wait(LIMIT), 0)
                terminal.wait_text(f"process {linker} has ended")
                self.assertNotIn("memory cannot be read", terminal.text())
                self.quit(terminal)

    def test_by_the_number_of_the_other_process(self):
        for way in WAYS:
            with self.subTest(way=way[1]):
                program = self.start(way)
                linker = self.linker()
                (child,) = pathlib.Path(f"/proc/{linker}/task/{linker}/children").read_text().split() or [program.pid]
                terminal = self.inspect("--pid", child, columns=160)
                terminal.wait_text(f"{linker} jitscope")
                self.quit(terminal)
                program.kill()
                program.wait()

    def test_an_executor_that_waited(self):
        """By either number, memory included."""
        for place in PLACES:
            with self.subTest(place):
                executor, linker = self.meet(place)
                for number in (linker.pid, executor.pid):
                    terminal = self.inspect("--pid", number, columns=160)
                    terminal.wait_text(f"{linker.pid} jitscope")
                    terminal.keys("6")
                    terminal.wait_for(lambda: re.search(r"(0x\w+) .* \1 +0$", self.slot(terminal).rstrip()), "the slot as it was linked")
                    self.quit(terminal)
                self.tell(executor)
                self.assertEqual(executor.stdout.readline(), b"hello has 42 letters\n")
                self.tell(executor)
                self.assertEqual((executor.wait(LIMIT), linker.wait(LIMIT)), (0, 0))

    def test_an_executor_that_is_killed(self):
        program = self.start(WAYS[1])
        linker = self.linker()
        terminal = self.inspect("--pid", linker, columns=160)
        terminal.keys("6")
        terminal.wait_for(lambda: re.search(r" 0$", self.slot(terminal).rstrip()), "the slot")
        program.kill()
        terminal.wait_text(f"process {linker} has ended")
        self.assertIn("strlen", terminal.text())
        self.quit(terminal)


if __name__ == "__main__":
    unittest.main()
