"""The program in another process: real inputs both ways, few messages, ends of either side."""
import os
import select
import signal
import shutil
import subprocess
import sys
import time
import unittest

import real_inputs
import tls
from harness import JITSCOPE, LIBRARIES, LIMIT, SystemTest, children_of

EXECUTOR = os.path.join(os.path.dirname(JITSCOPE), "jitscope-executor")

HELLO_C = """
#include <stdio.h>
int main(void) { puts("hello, world"); return 42; }
"""

ENDS = """
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static const char *what;
static void late(void) { puts("atexit"); }
static void die(const char *when) {
    char text[64];
    int status;
    if (sscanf(what, "%60[^:]:%d", text, &status) != 2 || strncmp(text, when, strlen(when)))
        return;
    const char *how = text + strlen(when) + 1;
    fflush(stdout);
    if (!strcmp(how, "exit")) exit(status);
    if (!strcmp(how, "_exit")) _exit(status);
    if (!strcmp(how, "raise")) raise(status);
    if (!strcmp(how, "fault")) *(volatile int *)0 = status;
    if (!strcmp(how, "hang")) for (;;) pause();
    if (!strcmp(how, "fork")) { if (fork() == 0) exit(status + 1); sleep(1); exit(status); }
    if (!strcmp(how, "close")) { for (int i = 3; i < 1024; i++) close(i); exit(status); }
}
__attribute__((constructor)) static void begin(int argc, char **argv) {
    what = argc > 1 ? argv[1] : "";
    puts("begin");
    die("begin");
}
__attribute__((destructor)) static void end(void) { puts("end"); die("end"); }
int main(void) {
    atexit(late);
    puts("main");
    fflush(stdout);
    die("main");
    return 3;
}
"""


class OutOfProcess(SystemTest):
    def run_command(self, *command, **options):
        command = list(command)
        if [str(word) for word in command[:2]] == [JITSCOPE, "run"] and "--in-process" not in command:
            command.insert(2, "--out-of-process")
        return super().run_command(*command, **options)


class RealInputs(OutOfProcess, real_inputs.RealInputs):
    """All that real_inputs.py does in process, with fewer ways of compiling it."""
    def each_way(self, build):
        for compiler, level, model in real_inputs.MATRIX[::3]:
            with self.subTest(compiler=compiler, level=level, model=model):
                build(compiler, (level, model, "-g"))


class ThreadLocals(OutOfProcess, tls.Libraries):
    pass


class Messages(OutOfProcess):
    def count(self, *inputs):
        """What strace would say: every frame begins with one write of its header."""
        peer = self.text("counting.py", COUNTING)
        counted = self.folder / "counted"
        outcome = self.jitscope("run", *inputs, env={"JITSCOPE_EXECUTOR": str(self.script(peer)), "COUNTED": str(counted),
                                                     "REAL": EXECUTOR})
        return outcome, counted.read_text().split()

    def script(self, path):
        starter = self.text("starter.sh", f"#!/bin/sh\nexec {sys.executable} -B {path} \"$@\"\n")
        starter.chmod(0o755)
        return starter

    def test_hello_world_takes_six(self):
        outcome, kinds = self.count(self.compile(HELLO_C))
        self.assertEqual((outcome.status, outcome.out), (42, b"hello, world\n"))
        self.assertEqual(kinds, ["hello", "lookup", "addresses", "finalize", "finalized", "exited"])

    def test_the_counter_of_stats(self):
        """Without main being called, since statistics come first: hello, lookup, addresses, finalize, finalized."""
        outcome = self.jitscope("run", "--stats", self.compile(HELLO_C))
        self.assertEqual(outcome.status, 42)
        self.assertRegex(outcome.err, rb"executor +5 messages")

    def test_none_is_found(self):
        """Named wrongly; not where it would be beside a copy of the program.  What is said says how to do without."""
        main = self.compile(HELLO_C)
        alone = self.folder / "alone"
        alone.mkdir()
        shutil.copy(JITSCOPE, alone / "jitscope")
        for tool, env in ((JITSCOPE, {"JITSCOPE_EXECUTOR": "/nowhere/executor"}), (alone / "jitscope", {})):
            outcome = self.run_command(tool, "run", main, env=env)
            self.assertEqual((outcome.status, outcome.out), (1, b""))
            self.assertIn(env.get("JITSCOPE_EXECUTOR", "jitscope-executor").encode() + b": posix_spawn: No such file or directory\n",
                          outcome.err)
            self.assertRegex(outcome.err, rb"beside this program, then at /.*/jitscope-executor; .*--in-process")
            self.assertEqual(self.run_command(tool, "run", "--in-process", main, env=env).out, b"hello, world\n")

    def test_what_excludes_it(self):
        main = self.compile(HELLO_C)
        outcome = self.run_command(JITSCOPE, "run", "--out-of-process", "--in-process", main)
        self.assertEqual((outcome.status, outcome.out), (2, b""))
        self.assertIn(b"exclude each other", outcome.err)

    def test_a_large_program_takes_no_more(self):
        host = self.compile("../../demo/host.c", "-O2", "-I/usr/include/lua5.4")
        script = self.text("one.lua", "print(1 + 1)\nreturn 'done'\n")
        outcome = self.jitscope("run", "--stats", host, LIBRARIES / "liblua5.4.a", "-lm", "--", script)
        self.assertRegex(outcome.err, rb"executor +5 messages")


# Stands between linker and executor, and notes what goes by.
COUNTING = """
import os, select, socket, struct, subprocess, sys
NAMES = {1: "hello", 2: "lookup", 3: "addresses", 4: "finalize", 5: "finalized", 6: "exited", 7: "deallocate", 9: "run"}
linker = socket.socket(fileno=int(sys.argv[2]))
here, there = socket.socketpair()
child = subprocess.Popen([os.environ["REAL"], "--fd", str(there.fileno())], pass_fds=[there.fileno()])
there.close()
seen = []
buffers = {linker: b"", here: b""}
ends = {linker: here, here: linker}
descriptors = {linker: [], here: []}
open_ends = {linker, here}
while here in open_ends:
    for side in select.select(list(open_ends), [], [])[0]:
        data, given, _, _ = socket.recv_fds(side, 1 << 20, 4)
        if not data:
            open_ends.discard(side)
            try:
                ends[side].shutdown(socket.SHUT_WR)
            except OSError:
                pass
            continue
        buffers[side] += data
        while len(buffers[side]) >= 24:
            size, version, kind, serial, answers = struct.unpack("<IHHQQ", buffers[side][:24])
            if len(buffers[side]) < 24 + size:
                break
            seen.append(NAMES.get(kind, str(kind)))
            buffers[side] = buffers[side][24 + size:]
        try:
            socket.send_fds(ends[side], [data], given)
        except OSError:
            pass
        for fd in given:
            os.close(fd)
status = child.wait()
open(os.environ["COUNTED"], "w").write(" ".join(seen))
sys.exit(status if status >= 0 else 128 - status)
"""


class Ends(OutOfProcess):
    def setUp(self):
        super().setUp()
        self.program = self.compile(ENDS)

    def both(self, what):
        options = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"  # in a child of a process with threads it cannot look
        ours = self.jitscope("run", self.program, "--", what, env={"ASAN_OPTIONS": options})
        native = self.folder / "native"
        self.must("gcc", self.program, "-o", native)
        theirs = self.run_command(native, what)
        self.assertEqual(ours.out, theirs.out, what)
        return ours, theirs

    def test_exit_statuses(self):
        for what in ("", "main:exit:0", "main:exit:7", "main:exit:255", "main:_exit:9", "begin:exit:4", "begin:_exit:5",
                     "main:close:6", "main:fork:2", "end:_exit:8"):
            with self.subTest(what=what):
                ours, theirs = self.both(what.replace(":", " ", 1).replace(" ", "-", 1))
                self.assertEqual((ours.status, ours.err), (theirs.status, b""))

    def test_signals(self):
        for when in ("begin", "main", "end"):
            for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP):
                with self.subTest(when=when, signal=number):
                    ours, theirs = self.both(f"{when}-raise:{int(number)}")
                    self.assertEqual(theirs.status, -number)
                    self.assertEqual(ours.status, 128 + number)
                    self.assertIn(b"killed by signal %d" % number, ours.err)

    def test_where_it_crashed(self):
        """JIT'd frames with names and lines, those between them too."""
        program = self.compile("""
#include <stdlib.h>
static int compare(const void *a, const void *b) { return *(volatile int *)8 + (a < b); }
__attribute__((noinline)) static void sort(void) { int n[3] = {3, 1, 2}; qsort(n, 3, sizeof *n, compare); }
int main(void) { sort(); return 0; }
""", "-g", "-O0", "-fPIC")
        outcome = self.jitscope("run", program)
        self.assertEqual((outcome.status, outcome.out), (128 + signal.SIGSEGV, b""))
        self.assertRegex(outcome.err, rb"signal 11 \(Segmentation fault\), about address 0x8:\n")
        lines = outcome.err.splitlines()
        self.assertRegex(lines[1], rb"^#0 .* compare\+0x\w+  \[jit\]  text.c:3$")
        jit = [line.split()[2].split(b"+")[0] for line in lines if b"[jit]" in line]
        self.assertEqual(jit, [b"compare", b"sort", b"main"])

    def test_a_stack_that_overflows(self):
        program = self.compile("volatile int n;\nint deeper(int x) { volatile char room[512]; room[0] = x; return deeper(x + 1) + room[0]; }\n"
                               "int main(void) { return deeper(n); }\n", "-O0", "-fPIC")
        outcome = self.jitscope("run", program)
        self.assertEqual(outcome.status, 128 + signal.SIGSEGV)
        self.assertRegex(outcome.err, rb"deeper\+0x\w+  \[jit\]")

    def test_a_program_that_handles_its_own(self):
        program = self.compile("""
#include <setjmp.h>
#include <signal.h>
static sigjmp_buf back;
static void handle(int n) { siglongjmp(back, n); }
int main(void) {
    signal(SIGSEGV, handle);
    int n = sigsetjmp(back, 1);
    if (n) return n;
    return *(volatile int *)8;
}
""", "-fPIC")
        outcome = self.jitscope("run", program)
        self.assertEqual((outcome.status, outcome.err), (signal.SIGSEGV, b""))

    def test_a_system_call_that_is_forbidden(self):
        """It is not made again when the handler returns, as an instruction that faults is."""
        program = self.compile("""
#include <stddef.h>
#include <stdio.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    struct sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
                                   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog all = {4, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all)) return 1;
    getppid();
    puts("went on");
    return fflush(stdout);
}
""", "-fPIC")
        outcome = self.jitscope("run", program)
        self.assertEqual((outcome.status, outcome.out), (128 + signal.SIGSYS, b""))

    def test_a_program_that_takes_all_descriptors(self):
        """What it opens in their place is its own: nothing is written there, nor closed in a child; and it goes on."""
        program = self.compile("""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static int missing(void) { int n = 0; for (int i = 3; i < 512; i++) n += fcntl(i, F_GETFD) < 0; return n; }
int main(void) {
    int own, left, child;
    for (int i = 3; i < 512; i++) close(i);
    own = open("own", O_CREAT | O_RDWR, 0600);
    for (int i = 4; i < 512; i++) dup2(own, i);
    if ((child = fork()) == 0) _exit(missing());
    waitpid(child, &left, 0);
    printf("%d %d\\n", missing(), left);
    fflush(stdout);
    usleep(300000);
    return 5;
}
""", "-fPIC")
        outcome = self.jitscope("run", program)
        self.assertEqual((outcome.status, outcome.out, outcome.err), (5, b"0 0\n", b""))
        self.assertEqual((self.folder / "own").read_bytes(), b"")

    def test_main_ends_before_other_threads(self):
        """By pthread_exit(3): the program is over when its last thread is, or exit(3) has been called by one."""
        program = self.compile("""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static void *work(void *status) { usleep(100000); puts("work"); if (status) exit(*(int *)status); return NULL; }
__attribute__((destructor)) static void end(void) { puts("end"); }
int main(int argc, char **argv) {
    static int status = 7;
    pthread_t thread;
    (void)argv;
    puts("main");
    if (argc < 3)
        pthread_create(&thread, NULL, work, argc == 2 ? &status : NULL);
    pthread_exit(NULL);
}
""", "-fPIC")
        native = self.folder / "native"
        self.must("gcc", program, "-o", native)
        for arguments in ((), ("exit",), ("no", "thread")):
            theirs = self.run_command(native, *arguments)
            for options in ((), ("--lazy",)):
                with self.subTest(arguments=arguments, options=options):
                    self.assertEqual(self.jitscope("run", *options, program, "--", *arguments), theirs)

    def test_signals_reach_the_program(self):
        program = self.compile("""
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    sigset_t set;
    int got;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, 0);
    puts("ready");
    fflush(stdout);
    sigwait(&set, &got);
    return got;
}
""", "-fPIC")
        for number in (signal.SIGTERM, signal.SIGUSR1):
            process = subprocess.Popen([JITSCOPE, "run", "--out-of-process", str(program)], stdout=subprocess.PIPE)
            with process.stdout:
                self.assertEqual(process.stdout.readline(), b"ready\n")
                process.send_signal(number)
                self.assertEqual(process.wait(LIMIT), number)

    def test_recordings_of_ends(self):
        """However it ends, the recording replays (SystemTest sees to that); exit(3) in an initialiser is told as in process."""
        for number, what in enumerate(("", "main-exit:7", "main-raise:11", "begin-exit:4", "begin-raise:6", "end-exit:3")):
            self.jitscope("run", "--record", f"{number}.jsr", self.program, "--", what)
        rows = [row for row in self.show("actions", self.folder / "3.jsr") if row["half"] == "rollback"]
        self.assertEqual({row["result"] for row in rows}, {"ok"})
        self.jitscope("run", "--in-process", "--record", "same.jsr", self.program, "--", "begin-exit:4")
        keys = ("action", "half", "function", "result")
        def told(name):
            return [[row[key] for key in keys] for row in self.show("actions", self.folder / name)]
        self.assertEqual(told("3.jsr"), told("same.jsr"))

    def test_recordings_of_both_processes(self):
        """What differs is no decision of the linker: who has the memory, and where that lies."""
        for name, where in (("here.jsr", "--in-process"), ("there.jsr", "--out-of-process")):
            outcome = self.jitscope("run", where, "--record", name, self.compile("shell_user.c", "-w", name="children.o"), "--", "children")
            self.assertEqual(outcome.status, 9)
        outcome = self.jitscope("diff", "here.jsr", "there.jsr")
        self.assertEqual(outcome.status, 1)
        lines = outcome.out.decode().splitlines()
        self.assertEqual(lines[0], "memory manager changed: 'in-process' -> 'executor'")
        self.assertRegex(lines[1], r"^everything linked lies elsewhere by .* \(no decision of the linker\)$")
        self.assertEqual(len(lines), 2, outcome)

    def start(self, what):
        process = subprocess.Popen([JITSCOPE, "run", "--out-of-process", str(self.program), "--", what], stdout=subprocess.PIPE,
                                   cwd=self.folder)
        self.addCleanup(process.stdout.close)
        child = self.child_of(process.pid)
        return process, child

    def child_of(self, process):
        for _ in range(LIMIT * 100):
            found = children_of(process)
            if found:
                return found[0]
            time.sleep(0.01)
        self.fail("no executor was started")

    def assert_ends(self, process):
        """As a number that may be another's by then, but not within seconds."""
        for _ in range(LIMIT * 10):
            try:
                with open(f"/proc/{process}/stat") as file:
                    if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                        return
            except OSError:
                return
            time.sleep(0.1)
        self.fail("the executor is still there")

    def test_a_linker_that_is_killed_ends_the_executor(self):
        for what in ("main-hang:0", "begin-hang:0"):
            with self.subTest(what=what):
                process, child = self.start(what)
                self.assertTrue(select.select([process.stdout], [], [], LIMIT)[0])
                process.kill()
                process.wait()
                self.assert_ends(child)

    def test_an_executor_that_is_killed(self):
        process, child = self.start("main-hang:0")
        self.assertTrue(select.select([process.stdout], [], [], LIMIT)[0])
        os.kill(child, signal.SIGKILL)
        self.assertEqual(process.wait(LIMIT), 128 + signal.SIGKILL)


class Libraries(OutOfProcess):
    def test_a_library_that_cannot_be_opened(self):
        """The loader's own words, and the recording of the link that failed replays."""
        self.text("needed.c", "int needed(void) { return 3; }\n")
        self.text("user.c", "int needed(void);\nint use(void) { return needed(); }\n")
        self.must("gcc", "-shared", "-fPIC", "needed.c", "-o", "libneeded.so")
        self.must("gcc", "-shared", "-fPIC", "user.c", "-L.", "-lneeded", "-o", "libuser.so")
        (self.folder / "libneeded.so").unlink()
        main = self.compile("int use(void);\nint main(void) { return use(); }\n", "-fPIC")
        outcome = self.jitscope("run", "--record", "failed.jsr", main, "libuser.so")
        self.assertEqual(outcome.status, 1)
        self.assertIn(b"libneeded.so: cannot open shared object file", outcome.err)
        self.assertIn(b"libuser.so", outcome.err)

    def refused(self, *inputs):
        """The same words, and the same help, as of a library that is opened in the linker's process."""
        here = self.jitscope("run", "--in-process", *inputs)
        there = self.jitscope("run", *inputs)
        self.assertEqual(here.status, 1)
        self.assertIn(b"help: ", here.err)
        self.assertEqual((there.status, there.out, there.err), (here.status, here.out, here.err))

    def test_what_is_said_of_libraries(self):
        main = self.compile("extern int ask(void);\nint answer(void) { return 24; }\nint main(void) { return ask(); }\n", name="main.o")
        quiet = self.compile("int main(void) { return 0; }\n", name="quiet.o")
        local = self.compile("extern __thread int kept;\nint main(void) { return kept; }\n", "-fPIC", name="local.o")
        self.text("ask.c", "extern int answer(void);\n__thread int kept;\nint ask(void) { return answer(); }\n")
        self.text("large.c", '__attribute__((tls_model("initial-exec"))) __thread char large[1 << 20];\n'
                  "int ask(void) { return large[0]; }\n")
        for name in ("ask", "large"):
            self.must("gcc", "-shared", "-fPIC", f"{name}.c", "-o", f"lib{name}.so")
        for program, library in ((main, "libask.so"), (quiet, "libask.so"), (local, "libask.so"), (main, "liblarge.so"),
                                 (quiet, "liblarge.so")):
            with self.subTest(program=program.name, library=library):
                self.refused(program, self.folder / library)

    def test_a_library_that_nothing_is_taken_from(self):
        """It is opened all the same: its constructors run."""
        self.text("loud.c", '#include <stdio.h>\n__attribute__((constructor)) static void f(void) { puts("loud"); }\n')
        self.must("gcc", "-shared", "-fPIC", "loud.c", "-o", "libloud.so")
        main = self.compile("int main(void) { return 0; }\n")
        self.assertEqual(self.jitscope("run", main, "libloud.so").out, b"loud\n")


if __name__ == "__main__":
    unittest.main()
