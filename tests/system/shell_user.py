"""A program that runs in another process than its shell has started: whatever a user of a shell does to it, it does what the
same program does that the system's linker has made.  Each script is run with both, and says the same."""
import fcntl
import functools
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from harness import JITSCOPE, LIMIT, RUN, WITH_SANITIZER, SystemTest

TEXT = rb"(?s).*?"


class ShellUser(SystemTest):
    def setUp(self):
        super().setUp()
        self.program = self.compile("shell_user.c", "-O1", "-w", "-fPIC")
        self.must("gcc", self.program, "-o", "native")
        self.kinds = {"native": "./native", "jitscope": " ".join([JITSCOPE, "run", *RUN, "shell_user.o", "--"])}

    def environment(self, kind):
        options = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"  # in a child of a process with threads it cannot look
        return {**os.environ, "P": self.kinds[kind], "ASAN_OPTIONS": options}


class Scripts(ShellUser):
    """Without a terminal, as cron would, but in a group whose parent is in the same session: in others SIGTSTP stops nobody."""
    def script(self, kind, text):
        done = subprocess.run(["bash", "-c", text], cwd=self.folder, env=self.environment(kind), capture_output=True, timeout=LIMIT,
                              stdin=subprocess.DEVNULL, process_group=0)
        for name in ("go", "gone"):
            (self.folder / name).unlink(missing_ok=True)
        return f"status {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}"

    def same(self, text):
        native, ours = (self.script(kind, text) for kind in self.kinds)
        self.assertEqual(ours, native, text)
        return ours

    def test_surroundings(self):
        said = self.same("umask 026; ulimit -n 500; ulimit -s 4096; cd /; cd - >/dev/null; trap '' USR1 HUP; export SHELL_USER=here\n"
                         "exec 5>five 7</dev/null; $P surroundings; cat five")
        self.assertIn(" 026 500 ", said)
        self.assertRegex(said, "has 5\nhas 7\nopens 3\nto five\n")

    def test_closed_streams(self):
        """What is not open is not opened for it."""
        for closed in ("<&-", "<&- 2>&-", ">&- 2>err"):
            self.same(f"exec 5>five; $P surroundings {closed}; cat five")

    def test_few_descriptors_and_little_memory(self):
        for limit in ("-n 16", "-n 64", "-s unlimited", *(() if WITH_SANITIZER else ("-v 4000000",))):  # it wants terabytes
            self.same(f"ulimit {limit}; exec 5>five; $P surroundings")

    def test_a_pipe_whose_reader_goes(self):
        """Shells say nothing of it, nor does who stands in."""
        self.same("$P yes | head -1; echo ${PIPESTATUS[0]}")
        said = self.same("trap '' PIPE; $P yes | head -1; echo ${PIPESTATUS[0]}")
        self.assertIn("Broken pipe", said)

    def test_a_pipe_that_the_program_closes(self):
        """Its other end sees that while the program runs on: nobody else has it."""
        self.same("$P close 1 | { cat; touch go; }; echo ${PIPESTATUS[0]}")
        self.same("{ trap '' PIPE; while echo yes; do :; done 2>/dev/null; touch go; } | $P close 0; echo ${PIPESTATUS[@]}")
        self.same("(exec 7>&1 >/dev/null; exec $P close 7) | { cat; touch go; }; echo ${PIPESTATUS[0]}")

    def test_what_is_in_the_way_of_a_program_that_becomes_another(self):
        said = self.same("exec 8</dev/null; $P exec sh -c 'ls /proc/self/fd | wc -l; ls -l /proc/self/fd | grep -c socket; exit 7'")
        self.assertIn("status 7\n", said)
        self.same("{ $P exec sh -c 'kill -9 $$'; } 2>/dev/null; echo $?")

    def test_children(self):
        self.same("$P children | sort")

    def test_a_child_that_stays(self):
        """The shell goes on when the program has ended, not when its child has."""
        said = self.same("touch go; echo $($P leave gone; echo $?); while [ ! -e gone ]; do sleep 0.02; done; echo done")
        self.assertEqual(said, "status 0\nleaving 6\ndone\n")

    def test_signals(self):
        """To the process that the shell knows."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGWINCH, signal.SIGALRM, signal.SIGCONT,
                       signal.SIGTSTP):
            with self.subTest(number):
                said = self.same(f"exec 3< <(exec $P wait {int(number)}; ); read -u 3 line; echo $line; kill -{int(number)} $!\n"
                                 "cat <&3; wait $!; echo $?")
                self.assertIn(f"got 1 times signal {int(number)}\n3\n", said)

    def test_killed(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR2):
            self.same(f"exec 3< <(exec $P hang 2>/dev/null); read -u 3; kill -{int(number)} $!; wait $!; echo $?")

    def test_stopped_and_continued(self):
        """As kill(1) does it to a job in the background."""
        state = "state() { sed 's/.*) //' /proc/$1/stat | cut -c1; }; until_it() { while [ $(state $2) != $1 ]; do sleep 0.02; done; }\n"
        self.same(state + "exec 3< <(exec $P wait 10); read -u 3; j=$!; kill -TSTP $j; until_it T $j; kill -USR1 $j; kill -CONT $j\n"
                  "cat <&3; wait $j; echo $?")


class Terminal:
    """A shell on a terminal of its own."""
    def __init__(self, test, kind):
        self.test, self.kind, self.seen = test, kind, b""
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chdir(test.folder)
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"],
                       {**test.environment(kind), "PS1": "\\$ ", "TERM": "dumb", "HISTFILE": "", "INPUTRC": "/dev/null"})
        test.addCleanup(self.close)
        self.expect(rb"[$#] ")
        self.type("bind 'set enable-bracketed-paste off' 2>/dev/null; PS1='% '", rb"\n% ")

    def close(self):
        os.close(self.terminal)
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)

    def expect(self, pattern):
        """Reads until PATTERN has come, and forgets what was before and in it."""
        end = time.monotonic() + LIMIT
        while not (found := re.match(TEXT + pattern, self.seen)):
            if not select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0]:
                self.test.fail(f"{self.kind}: no {pattern} in {self.seen}")
            try:
                self.seen += os.read(self.terminal, 4096).replace(b"\r", b"")
            except OSError:
                self.test.fail(f"{self.kind}: the terminal ended: {self.seen}")
        self.seen = self.seen[found.end():]
        return found[0]

    def keys(self, keys, *patterns):
        os.write(self.terminal, keys if isinstance(keys, bytes) else keys.encode())
        return b"".join(self.expect(pattern) for pattern in patterns)

    def type(self, line, *patterns):
        return self.keys(line + "\n", *patterns)

    def resize(self, columns, rows):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


CTRL_C, CTRL_D, CTRL_Z, CTRL_BACKSLASH = b"\x03", b"\x04", b"\x1a", b"\x1c"


def both(test):
    """A test with a terminal on which $P is the native program, then with one on which it is ours."""
    @functools.wraps(test)
    def each(self):
        for kind in self.kinds:
            with self.subTest(kind):
                test(self, Terminal(self, kind))
    return each


class Jobs(ShellUser):
    """With job control: every pattern comes with the native program, in this order; so it does with ours."""
    @both
    def test_input(self, shell):
        shell.type("$P lines", rb"ready\n")
        shell.type("one", rb"<one>\n")
        shell.keys(CTRL_D, rb"end of input\n", rb"% ")
        shell.type("echo $?", rb"\n4\n")

    @both
    def test_suspend(self, shell):
        shell.type("$P lines", rb"ready\n")
        shell.keys(CTRL_Z, rb"Stopped +\$P lines\n", rb"% ")
        shell.type("echo a; jobs", rb"\na\n", rb"Stopped")
        shell.type("fg", rb"\$P lines\n")
        shell.type("two", rb"<two>\n")
        shell.keys(CTRL_Z, rb"Stopped")
        shell.type("kill %1; fg", rb"Terminated|killed by signal 15", rb"% ")

    @both
    def test_a_program_that_stops_itself(self, shell):
        for number in (signal.SIGSTOP, signal.SIGTSTP):
            shell.type(f"$P stop {int(number)}", rb"Stopped", rb"% ")
            shell.type("fg", rb"went on\n", rb"% ")
            shell.type("echo $?", rb"\n5\n")

    @both
    def test_a_program_that_stops_slowly(self, shell):
        """The shell does not come before it is done."""
        shell.type("$P slowly", rb"ready\n")
        said = shell.keys(CTRL_Z, rb"Stopped", rb"% ")
        self.assertRegex(said, rb"(?s)in order\n.*Stopped")
        shell.type("fg", rb"back\n", rb"went on\n", rb"% ")

    @both
    def test_a_program_that_does_not_stop(self, shell):
        for number, key in ((signal.SIGTSTP, CTRL_Z), (signal.SIGINT, CTRL_C), (signal.SIGQUIT, CTRL_BACKSLASH)):
            shell.type(f"$P ignore {int(number)}", rb"ready\n")
            shell.keys(key)
            shell.type("still", rb"<still>\n")
            shell.keys(CTRL_D, rb"end of input\n", rb"% ")

    @both
    def test_a_job_that_is_stopped_by_kill(self, shell):
        """SIGSTOP by the job's number is for all of its group, however many processes that are."""
        shell.type("$P hang &", rb"ready\n")
        shell.type("kill -STOP %1; until jobs >list; grep Stopped list; do sleep 0.02; done", rb"Stopped +\$P hang", rb"% ")
        shell.type("sed -n \"s/.*) \\(.\\) [0-9]* $(jobs -p) .*/state \\1/p\" /proc/[0-9]*/stat 2>/dev/null | sort -u", rb"\nstate T\n% ")
        shell.type("kill -CONT %1; kill %1; wait %1; echo $?", rb"\n143\n")

    @both
    def test_background(self, shell):
        """Who reads there stops."""
        shell.type("$P lines &", rb"ready\n")
        shell.type("until jobs >list; grep Stopped list; do sleep 0.02; done", rb"Stopped +\$P lines", rb"% ")
        shell.type("fg", rb"\$P lines\n")
        shell.type("three", rb"<three>\n")
        shell.keys(CTRL_Z, rb"Stopped", rb"% ")
        shell.type("bg", rb"\$P lines &\n")
        shell.type("until jobs >list; grep Stopped list; do sleep 0.02; done", rb"Stopped +\$P lines", rb"% ")
        shell.type("fg", rb"\$P lines\n")
        shell.keys(CTRL_D, rb"end of input\n", rb"% ")

    @both
    def test_interrupt(self, shell):
        """Ctrl-C ends the program, and the loop around it; one that catches it goes on, and so does its loop."""
        shell.type("for i in 1 2 3; do echo round $i; $P hang; done; echo after", rb"round 1\nready\n")
        said = shell.keys(CTRL_C, rb"% ")
        self.assertNotIn(b"round 2", said)
        self.assertNotIn(b"killed", said)
        shell.type("echo $?", rb"\n130\n")
        shell.type("for i in 1 2; do $P wait 2; echo got $?; done; echo after", rb"ready\n")
        shell.keys(CTRL_C, rb"got 1 times signal 2\n", rb"got 3\n", rb"ready\n")
        shell.keys(CTRL_C, rb"got 1 times signal 2\n", rb"got 3\n", rb"after\n")

    @both
    def test_scripts_are_interrupted(self, shell):
        """So is a shell that runs a script."""
        (self.folder / "script.sh").write_text("$P hang\necho after\n")
        shell.type("bash script.sh", rb"ready\n")
        self.assertNotIn(b"after", shell.keys(CTRL_C, rb"% "))
        shell.type("echo $?", rb"\n130\n")

    @both
    def test_quit(self, shell):
        shell.type("ulimit -c 0; $P hang", rb"ready\n")
        shell.keys(CTRL_BACKSLASH, rb"Quit", rb"% ")
        shell.type("echo $?", rb"\n131\n")

    @both
    def test_size(self, shell):
        shell.resize(80, 24)
        shell.type("$P size", rb"ready\n")
        shell.resize(132, 50)
        shell.expect(rb"got 1 times signal 28\n132x50\n")

    @both
    def test_pipelines(self, shell):
        """A group of several."""
        shell.type("$P lines | sed -u s/^/:/", rb":ready\n")
        shell.type("four", rb":<four>\n")
        shell.keys(CTRL_Z, rb"Stopped", rb"% ")
        shell.type("fg", rb"sed -u")
        shell.keys(CTRL_D, rb":end of input\n", rb"% ")
        shell.type("$P hang | cat", rb"ready\n")
        shell.keys(CTRL_C, rb"% ")
        shell.type("echo ${PIPESTATUS[0]}", rb"\n130\n")


if __name__ == "__main__":
    unittest.main()
