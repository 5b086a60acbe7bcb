"""Lazy links of programs in another process: all that lazy.py does, ends of either side, children of fork(2)."""
import select
import signal
import subprocess
import unittest

import executor
import lazy
from harness import JITSCOPE, LIMIT


class Calls(executor.OutOfProcess, lazy.Calls):
    pass


class Needed(executor.OutOfProcess, lazy.Needed):
    pass


class CPlusPlus(executor.OutOfProcess, lazy.CPlusPlus):
    pass


class Code(executor.OutOfProcess, lazy.Code):
    pass


class Failures(executor.OutOfProcess, lazy.Failures):
    pass


class Shown(executor.OutOfProcess, lazy.Shown):
    pass


# Each stands for an end of the program in some place; what[0] says where, and the rest how.
PARTS = {
    "main": r"""
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
const char *what = "";
int begins(void), nested(void), plain(void), ends(void);
void end_here(const char *where) {
    if (strncmp(what, where, strlen(where))) return;
    const char *how = what + strlen(where) + 1;
    printf("ends in %s\n", where);
    fflush(stdout);
    if (!strcmp(how, "exit")) exit(5);
    if (!strcmp(how, "_exit")) _exit(6);
    if (!strcmp(how, "kill")) kill(getpid(), 9);
    if (!strcmp(how, "fault")) *(volatile int *)8 = 0;
}
static void late(void) { puts("atexit"); fflush(stdout); }
static void *run(void *unused) { plain(); end_here("thread"); return unused; }
__attribute__((constructor)) static void begin(int argc, char **argv) {
    what = argc > 1 ? argv[1] : "";
    if (!strncmp(what, "first", 5)) printf("%d\n", plain());
    end_here("first");
}
__attribute__((destructor)) static void end(void) { printf("finaliser %d\n", ends()); fflush(stdout); }
int main(void) {
    pthread_t thread;
    atexit(late);
    printf("%d\n", plain());
    pthread_create(&thread, NULL, run, NULL);
    pthread_join(thread, NULL);
    if (!strncmp(what, "other", 5)) {
        pthread_create(&thread, NULL, (void *(*)(void *))begins, NULL);
        pthread_join(thread, NULL);
    }
    printf("%d %d\n", begins(), nested());
    end_here("main");
    return 3;
}
""",
    "plain": "int plain(void) { return 1; }",
    "begins": r"""
#include <stdio.h>
void end_here(const char *where);
int plain(void);
__attribute__((constructor)) static void first(void) { puts("begins"); fflush(stdout); }
__attribute__((destructor)) static void last(void) { puts("begins is over"); fflush(stdout); }
__attribute__((constructor)) static void begin(void) { plain(); end_here("begins"); end_here("other"); }
int begins(void) { return 20; }""",
    "nested": r"""
#include <stdio.h>
void end_here(const char *where);
int deeper(void);
static int got;
__attribute__((constructor)) static void begin(void) { got = deeper(); puts("nested"); fflush(stdout); }
__attribute__((destructor)) static void last(void) { puts("nested is over"); fflush(stdout); }
int nested(void) { return got; }""",
    "deeper": r"""
#include <stdio.h>
void end_here(const char *where);
__attribute__((constructor)) static void first(void) { puts("deeper"); fflush(stdout); }
__attribute__((constructor)) static void begin(void) { end_here("deeper"); }
__attribute__((destructor)) static void last(void) { puts("deeper is over"); fflush(stdout); }
int deeper(void) { return 300; }""",
    "ends": r"""
void end_here(const char *where);
__attribute__((constructor)) static void begin(void) { end_here("ends"); }
int ends(void) { return 7; }""",
}


class Ends(executor.OutOfProcess, lazy.Lazy):
    def setUp(self):
        super().setUp()
        self.parts = {name: self.object(name, text) for name, text in PARTS.items()}
        self.inputs = [self.parts["main"], self.archive("libparts.a", *(self.parts[name] for name in PARTS if name != "main"))]

    def run_lazily(self, what, *options):
        return self.jitscope("run", "--lazy", *options, *self.inputs, "--", what)

    def test_as_in_process(self):
        """Statuses, what is said on the way, and in which order; recordings replay (SystemTest sees to that)."""
        for where in ("", "first", "main", "thread", "begins", "other", "deeper", "ends"):
            for how in ("exit", "_exit") if where else ("",):
                what = f"{where}:{how}"
                with self.subTest(what=what):
                    there = self.run_lazily(what, "--record", f"{where}-{how}.jsr")
                    here = self.run_lazily(what, "--in-process")
                    self.assertEqual(repr(there), repr(here))
                    self.assertIn(f"ends in {where}".encode() if where else b"deeper is over", there.out)

    def test_while_another_thread_links(self):
        """An initialiser calls exit(3) when one of another thread's link, which began later, has not come to its end."""
        main = self.object("two", r"""
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
int exits(void), waits(void);
int may_exit[2];
static void *call_waits(void *unused) { (void)unused; return (void *)(long)waits(); }
static void *call_exits(void *unused) { (void)unused; return (void *)(long)exits(); }
int main(void) {
    pthread_t first, second;
    if (pipe(may_exit)) return 1;
    pthread_create(&first, NULL, call_exits, NULL);
    pthread_create(&second, NULL, call_waits, NULL);
    return pthread_join(first, NULL);
}
""")
        ends = self.object("exits", r"""
#include <stdlib.h>
#include <unistd.h>
extern int may_exit[2];
__attribute__((constructor)) static void begin(void) {
    char byte;
    if (read(may_exit[0], &byte, 1) == 1) exit(9);
}
int exits(void) { return 1; }""")
        waits = self.object("waits", r"""
#include <unistd.h>
extern int may_exit[2];
__attribute__((constructor)) static void begin(void) {
    if (write(may_exit[1], "x", 1) == 1) sleep(1);
}
int waits(void) { return 2; }""")
        archive = self.archive("libtwo.a", ends, waits)
        outcome = self.jitscope("run", "--lazy", "--record", "two.jsr", main, archive)
        self.assertEqual((outcome.status, outcome.out, outcome.err), (9, b"", b""))

    def test_a_crash_among_calls(self):
        """What other threads say in the meantime keeps its order: each of these many programs ends by its signal."""
        count = 64
        functions = [self.object(f"f{i}", f"int f{i}(void) {{ return {i}; }}") for i in range(count)]
        main = self.object("crowd", "#include <pthread.h>\n#include <stdlib.h>\n#include <unistd.h>\n"
                           + "".join(f"int f{i}(void);\n" for i in range(count))
                           + "".join(f"static void *call{t}(void *x) {{ (void)x; "
                                     + "".join(f"f{i}(); " for i in range(t, count, 4)) + "return NULL; }\n" for t in range(4))
                           + "int main(int argc, char **argv) { pthread_t thread; (void)argc;\n"
                           + "".join(f"pthread_create(&thread, NULL, call{t}, NULL);\n" for t in range(4))
                           + "usleep((unsigned)atoi(argv[1])); return *(volatile int *)8; }\n")
        archive = self.archive("libcrowd.a", *functions)
        for wait in range(0, 16000, 400):
            outcome = self.jitscope("run", "--lazy", main, archive, "--", str(wait))
            self.assertEqual((outcome.status, outcome.out), (128 + signal.SIGSEGV, b""), outcome)

    def test_when_the_program_has_closed_what_leads_to_the_linker(self):
        main = self.object("closes", r"""
#include <fcntl.h>
#include <unistd.h>
int plain(void);
int main(void) {
    int own = open("own", O_CREAT | O_RDWR, 0600);
    for (int i = 3; i < 512; i++) dup2(own, i);
    return plain();
}""")
        outcome = self.jitscope("run", "--lazy", main, self.archive("libplain.a", self.parts["plain"]))
        self.assertEqual((outcome.status, outcome.out), (127, b""))
        self.assertIn(b"closed the descriptor that leads to the linker", outcome.err)
        self.assertEqual((self.folder / "own").read_bytes(), b"")

    def test_signals(self):
        for where in ("first", "begins", "deeper", "other", "ends"):
            for how, number in (("kill", signal.SIGKILL), ("fault", signal.SIGSEGV)):
                with self.subTest(where=where, how=how):
                    there = self.run_lazily(f"{where}:{how}", "--record", f"{where}-{how}.jsr")
                    self.assertEqual(there.status, 128 + number, repr(there))
                    self.assertIn(b"killed by signal %d" % number, there.err)
                    if how == "fault":
                        self.assertRegex(there.err, rb"end_here\+0x\w+  \[jit\]")

    def test_what_is_told_of_an_exit(self):
        """Halves of actions, and what became of them, as in process; slots that were bound too."""
        keys = ("action", "half", "function", "result")
        for what in ("deeper", "first", "main"):
            names = f"{what}-here.jsr", f"{what}-there.jsr"
            self.run_lazily(f"{what}:exit", "--in-process", "--record", names[0])
            self.run_lazily(f"{what}:exit", "--record", names[1])
            here, there = ([tuple(row[key] for key in keys) for row in self.show("actions", name)] for name in names)
            self.assertEqual(sorted(map(str, here)), sorted(map(str, there)), what)
            self.assertGreater(len(here), 8)

    def test_the_linker_is_killed_while_a_thread_waits(self):
        main = self.object("waits", r"""
#include <stdio.h>
int plain(void);
int main(void) { puts("ready"); fflush(stdout); getchar(); return plain(); }""")
        process = subprocess.Popen([JITSCOPE, "run", "--out-of-process", "--lazy", main, self.parts["plain"]], cwd=self.folder,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with process.stdout, process.stdin:
            self.assertEqual(process.stdout.readline(), b"ready\n")
            child = executor.Ends.child_of(self, process.pid)
            process.send_signal(signal.SIGSTOP)
            process.stdin.write(b"x")
            process.stdin.flush()
            self.await_wait(child)
            process.kill()
            process.wait()
            executor.Ends.assert_ends(self, child)

    def await_wait(self, process):
        """Until its main thread waits for a lock's sake, as it does for an answer."""
        for _ in range(LIMIT * 100):
            with open(f"/proc/{process}/syscall") as file:
                if file.read().split()[0] == "202":
                    return
            select.select([], [], [], 0.01)
        self.fail("the program does not wait")


class Threads(executor.OutOfProcess, lazy.Lazy):
    def test_initialisers_run_where_they_do_without(self):
        """On the main thread before main; later on the thread that calls."""
        check = ("#define _GNU_SOURCE\n#include <stdio.h>\n#include <sys/syscall.h>\n#include <unistd.h>\nextern long expected;\n"
                 "__attribute__((constructor)) static void begin(void) { if (syscall(SYS_gettid) != expected) puts(\"%s\"); }\n")
        main = self.object("main", r"""
#include <pthread.h>
#include <unistd.h>
#include <sys/syscall.h>
long expected;
int e(void), f(void), g(void);
static void *run(void *unused) { expected = syscall(SYS_gettid); return (void *)(long)f(); }
__attribute__((constructor(101))) static void begin(void) { expected = getpid(); }
__attribute__((constructor)) static void again(void) { e(); }
int main(void) {
    pthread_t thread;
    void *got;
    pthread_create(&thread, NULL, run, NULL);
    pthread_join(thread, &got);
    expected = getpid();
    return (int)(long)got + g();
}""")
        parts = [self.object(name, check % name + f"int {name}(void) {{ return 20; }}") for name in "efg"]
        eager = self.object("eager", check % "eager")
        for _ in range(8):
            outcome = self.jitscope("run", "--lazy", main, eager, self.archive("libparts.a", *parts))
            self.assertEqual(repr(outcome), "status 40\n--- stdout\n--- stderr\n")


class Children(executor.OutOfProcess, lazy.Lazy):
    MAIN = r"""
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int before(void), after(void);
int main(void) {
    int status;
    printf("%d\n", before());
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        printf("child %d\n", before());
        fflush(stdout);
        return after();
    }
    waitpid(child, &status, 0);
    printf("child's status %d, %d\n", WEXITSTATUS(status), after());
    return 4;
}"""

    def test_a_child_of_fork(self):
        """Has no connection: it calls what is bound, and the rest ends it; its parent goes on."""
        outcome = self.jitscope("run", "--lazy", "--record", "forks.jsr", self.object("main", self.MAIN),
                                self.object("before", "int before(void) { return 1; }"), self.object("after", "int after(void) { return 2; }"))
        self.assertEqual((outcome.status, outcome.out), (4, b"1\nchild 1\nchild's status 127, 2\n"))
        self.assertIn(b"the function '?' could not be linked when it was first called: this child of fork() has no connection",
                      outcome.err)
        self.assertIn(b"help: call the function once before the fork", outcome.err)


if __name__ == "__main__":
    unittest.main()
