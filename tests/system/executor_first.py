"""An executor that starts its linker: to whoever started it, and to the program, it is the program's only process."""
import os
import pathlib
import signal
import subprocess
import time
import unittest

from executor import ENDS
from harness import JITSCOPE, LIMIT, SystemTest, children_of

EXECUTOR = os.path.join(os.path.dirname(JITSCOPE), "jitscope-executor")
CHILDREN = """
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static int signals;
static void count(int signal) { (void)signal; signals++; }
int main(void) {
    int seen = 0, status, line;
    signal(SIGCHLD, count);
    for (int i = 0; i < 3; i++)
        if (fork() == 0)
            _exit(i);
    while (wait(&status) > 0)
        seen++;
    printf("%d children, any signal: %d, variable: %d, leads its group: %d\\n", seen, signals > 0, getenv("JITSCOPE_EXECUTOR") != NULL,
           getpgrp() == getpid());
    for (; (line = getchar()) != EOF;)
        putchar(line);
    return 9;
}
"""


class First(SystemTest):
    def setUp(self):
        super().setUp()
        self.program = self.compile(ENDS)

    def command(self, *words):
        return [EXECUTOR, "--linker", JITSCOPE, "run", *map(str, words)]

    def run_first(self, *words, **options):
        return self.run_command(*self.command(*words), **options)

    def test_ends_as_the_program_does(self):
        """What a debugger says of its end is true; reports of crashes come besides."""
        native = self.folder / "native"
        self.must("gcc", self.program, "-o", native)
        for what in ("", "main-exit:7", "main-_exit:8", "main-raise:15", "main-raise:9", "main-fault:0", "begin-exit:4", "begin-_exit:5",
                     "begin-raise:6", "end-exit:3", "end-raise:11", "main-fork:2", "main-close:6"):
            with self.subTest(what=what):
                expected, actual = self.run_command(native, what), self.run_first(self.program, "--", what)
                self.assertEqual((actual.status, sorted(actual.out.split())), (expected.status, sorted(expected.out.split())), actual)

    def test_what_the_program_sees(self):
        outcome = self.run_first(self.compile(CHILDREN), stdin=b"one\ntwo\n")
        self.assertEqual((outcome.status, outcome.err), (9, b""))
        self.assertEqual(outcome.out, b"3 children, any signal: 1, variable: 0, leads its group: 0\none\ntwo\n")

    def test_recordings_are_whole(self):
        """When the executor has ended, so has the linker; the replay is SystemTest's."""
        for number, what in enumerate(("", "main-exit:7", "begin-exit:4")):
            self.run_first("--record", f"{number}.jsr", self.program, "--", what)
            self.jitscope("run", "--out-of-process", "--record", "same.jsr", self.program, "--", what)
            events, same = ([row["event"] for row in self.show("events", self.folder / name)] for name in (f"{number}.jsr", "same.jsr"))
            self.assertEqual(events, same)

    def test_the_linker_says_what_is_wrong(self):
        for words, status, text in (("there-is-none.o",), 1, b"there-is-none.o: cannot open"), (("--nonsense",), 2, b"--nonsense"):
            outcome = self.run_first(*words)
            self.assertEqual((outcome.status, outcome.out), (status, b""), outcome)
            self.assertIn(text, outcome.err)
            self.assertNotIn(b"jitscope-executor: ", outcome.err)
        outcome = self.run_command(EXECUTOR, "--linker", "there-is-no-such-program")
        self.assertEqual((outcome.status, outcome.err), (127, b"jitscope-executor: cannot start 'there-is-no-such-program'\n"))
        self.assertEqual(self.run_command(EXECUTOR, "--linker").status, 2)

    def test_in_process_is_what_it_says(self):
        outcome = self.run_first("--in-process", self.program, "--", "main-exit:7")
        self.assertEqual((outcome.status, outcome.out.split()), (7, [b"begin", b"main", b"atexit", b"end"]))

    def test_nothing_is_left_when_it_is_killed(self):
        process = subprocess.Popen(self.command(self.program, "--", "main-hang:0"), stdout=subprocess.PIPE, cwd=self.folder,
                                   start_new_session=True)
        with process.stdout:
            while process.stdout.readline() != b"main\n":
                pass
            (keeper,) = children_of(process.pid)
            (linker,) = children_of(keeper)
            os.killpg(process.pid, signal.SIGINT)  # as the terminal does: the linker is in another group, and hears of it
            self.assertEqual(process.wait(LIMIT), -signal.SIGINT)
        for pid in (keeper, linker):
            end = time.monotonic() + LIMIT
            while self.is_there(pid):
                self.assertLess(time.monotonic(), end, "a process is left")
                time.sleep(0.02)

    def is_there(self, pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    def test_the_linker_is_waited_for(self):
        """By what the executor has, and not by what the program has opened under the numbers of its descriptors."""
        program = self.compile("""
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
    int ends[2], alive[2];
    char byte;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || pipe(alive)) return 1;
    if (fork()) return 7;
    close(alive[1]);
    read(alive[0], &byte, 1); /* until the parent is no more */
    puts(send(ends[0], "x", 1, MSG_NOSIGNAL) == 1 ? "open" : "shut down");
    fflush(stdout);
    _exit(0);
}
""", "-fPIC")
        script = self.text("slow.sh", f"{JITSCOPE} run --out-of-process \"$@\"\nsleep 0.3\ntouch ended\n")
        outcome = self.run_command(EXECUTOR, "--linker", "sh", script, program)
        self.assertEqual((outcome.status, outcome.out, outcome.err), (7, b"open\n", b""))
        self.assertTrue((self.folder / "ended").exists())

    def test_one_connection_for_the_first_who_asks(self):
        """The variable is good for one session; another one starts an executor of its own."""
        script = self.text("two.sh", f"{JITSCOPE} run --out-of-process \"$@\"\n{JITSCOPE} run --out-of-process \"$@\"\n")
        outcome = self.run_command(EXECUTOR, "--linker", "sh", script, self.program, "--", "main-exit:7")
        self.assertEqual(outcome.status, 7)


if __name__ == "__main__":
    unittest.main()
