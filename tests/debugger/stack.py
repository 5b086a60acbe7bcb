"""jitscope stack: the stacks of live processes, JIT'd frames named, by libunwind from outside."""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

from gdb_harness import HERE, JITSCOPE, LIMIT, PAUSE, SLEEP, DebuggerTest, built, children_of, lines_of, mark

LINES = lines_of("blocked.c")


class Stack(DebuggerTest):
    def sleeps(self, process, count):
        """Whether COUNT threads of the process wait in pause()."""
        tasks = list(pathlib.Path(f"/proc/{process.pid}/task").iterdir())
        return len(tasks) == count and all((task / "syscall").read_text().startswith(f"{PAUSE} ") for task in tasks)

    def state(self, process):
        return re.search(r"State:\s+(\w)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1]

    def start_blocked(self, *flags, policy="auto", compiler="gcc", program=JITSCOPE):
        main = self.compile(self.input("blocked.c"), *flags, compiler=compiler)
        process = self.start(program, "run", f"--debug={policy}", main)
        self.assertEqual(process.stdout.readline(), b"blocked\n")
        self.wait_for(lambda: self.sleeps(process, 3), "three threads in pause()")
        return process

    def host(self, source, *words, flags=("-g", "-O1"), **options):
        """A process that is not jitscope, which has said that it is ready."""
        program = self.folder / pathlib.Path(source).stem
        folder = HERE.parent.parent / "linker" / "src"
        self.must("gcc", *flags, f"-I{folder}", f"-I{folder.parent}/include", self.input(source), "-o", program)
        process = self.start(program, *words, **options)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def stacks(self, process):
        return json.loads(self.must(JITSCOPE, "stack", "--json", process.pid).out)

    def names(self, stack, jit=True):
        return [frame["function"] for frame in stack["frames"] if frame["jit"] == jit]

    def check(self, stacks, with_lines):
        main, sorter, diver = stacks
        self.assertEqual(self.names(main), ["stay", "main"])
        self.assertIn("pause", self.names(main, jit=False))
        self.assertIn("__libc_start_main", self.names(main, jit=False))
        self.assertIn("qsort_r", self.names(sorter, jit=False))
        self.assertEqual(self.names(sorter), ["stay", "compare", "sorting", "sorter"])
        functions = [frame["function"] for frame in sorter["frames"]]
        self.assertGreater(functions.index("sorting") - functions.index("compare"), 1, functions)
        self.assertEqual(self.names(diver), ["stay"] + ["deep"] * 21 + ["diver"])
        for stack in stacks:
            for frame in stack["frames"]:
                if frame["jit"] and with_lines:
                    self.assertTrue(frame["file"].endswith("blocked.c"), frame)
                    self.assertGreater(frame["line"], 0)
        if with_lines:
            self.assertEqual({frame["line"] for frame in diver["frames"] if frame["function"] == "deep"} - {LINES["deep"]},
                             {LINES["deep"] - 1})

    def test_each_build(self):
        """Without frame pointers, with and without -g; unwinding needs .eh_frame only."""
        for compiler in ("gcc", "clang"):
            for flags in (("-O0", "-g"), ("-O2", "-g", "-fomit-frame-pointer", "-fno-optimize-sibling-calls"),
                          ("-O1", "-fno-optimize-sibling-calls")):
                with self.subTest(compiler=compiler, flags=flags):
                    process = self.start_blocked(*flags, "-fno-inline", compiler=compiler)
                    self.check(self.stacks(process), "-g" in flags)
                    self.assertIsNone(process.poll())

    def test_each_policy(self):
        for policy in ("auto", "eager", "lazy"):
            with self.subTest(policy=policy):
                self.check(self.stacks(self.start_blocked("-O0", "-g", policy=policy)), True)

    def test_policy_off(self):
        """Nothing is told: the frames of files are there, and the process says nothing of others."""
        process = self.start_blocked("-O0", "-g", policy="off")
        for stack in self.stacks(process):
            self.assertEqual(self.names(stack), [])
        self.assertIsNone(process.poll())

    def test_text(self):
        process = self.start_blocked("-O0", "-g")
        text = self.must(JITSCOPE, "stack", process.pid).out.decode()
        self.assertEqual(text.count("thread "), 3)
        self.assertRegex(text, rf"#\d+ +0x\w{{16}}  stay\+0x\w+  \[jit\]  blocked\.c:{LINES['stay']}\n")
        self.assertRegex(text, r"#\d+ +0x\w{16}  __libc_start_main\+0x\w+  \(libc\.so\.6\)\n")

    def test_the_process_runs_on(self):
        text = "#include <unistd.h>\n#include <stdio.h>\nint main(void)\n{\n    for (int i = 0;; i++) {\n" \
               '        printf("%d\\n", i);\n        fflush(stdout);\n        usleep(1000);\n    }\n}\n'
        process = self.start(JITSCOPE, "run", self.compile(text, "-g"))
        process.stdout.readline()
        for _ in range(20):
            (stack,) = self.stacks(process)
            self.assertEqual(self.names(stack), ["main"])
        before = int(process.stdout.readline())
        time.sleep(0.1)
        self.assertIn(self.state(process), "SR")
        for _ in range(50):
            after = int(process.stdout.readline())
        self.assertGreater(after, before)

    def test_while_it_links_and_unloads(self):
        """Whatever is done at that moment: each JIT'd frame has its name, and under it is the host's main."""
        object_file = self.compile(self.input("jitted.c"), "-g", "-O1")
        for policy in ("auto", "eager", "lazy"):
            with self.subTest(policy=policy):
                process = self.start(built("many"), object_file, "20000", policy)
                seen = 0
                while process.poll() is None and seen < 20:
                    outcome = self.jitscope("stack", "--json", process.pid)
                    if process.poll() is None and b"has ended" not in outcome.err:  # nor is about to
                        self.assertEqual((outcome.status, outcome.err), (0, b""))
                        seen += 1
                    if outcome.status == 0:
                        self.check_moment(json.loads(outcome.out))
                self.assertGreater(seen, 5)
                self.assertEqual(process.wait(LIMIT), 0)

    def check_moment(self, stacks):
        for frame in (frame for stack in stacks for frame in stack["frames"] if frame["jit"]):
            self.assertRegex(frame["function"], r"^jitted_\d{6}$")
            self.assertIn("main", self.names(stacks[0], jit=False))

    def test_what_gdb_says(self):
        """Every return address, and for JIT'd code function and line, of each thread; gdb without the C library's debug
        information, from which it invents frames of tail calls."""
        for compiler, flags in (("gcc", ("-O0", "-g")), ("clang", ("-O2", "-g", "-fomit-frame-pointer", "-fno-inline",
                                                                   "-fno-optimize-sibling-calls"))):
            with self.subTest(compiler=compiler):
                process = self.start_blocked(*flags, compiler=compiler)
                stacks = {stack["thread"]: stack["frames"] for stack in self.stacks(process)}
                out = self.gdb(["set backtrace past-main on", mark("stacks"), "thread apply all bt"],
                               options=("-iex", "set debug-file-directory /nonexistent", "-p", str(process.pid)))
                threads = re.split(r"^Thread \d+ \(.*?LWP (\d+)\)?.*$", out.partition("@@stacks@@")[2], flags=re.MULTILINE)
                said = {int(thread): text for thread, text in zip(threads[1::2], threads[2::2])}
                self.assertEqual(set(said), set(stacks), out)
                for thread, text in said.items():
                    self.compare_with_gdb(stacks[thread], text)

    def compare_with_gdb(self, frames, text):
        theirs = re.findall(r"^#(\d+) +(?:(0x\w+) in )?(\S+) ?\(.*?\)(?: at \S*/(\S+):(\d+)| from \S+)?$", text, re.MULTILINE)
        theirs = [frame for frame in theirs if frame[0] == "0" or frame[1]]  # others are inlined
        self.assertGreater(len(theirs), 3, text)
        self.assertEqual(len(theirs), len(frames), text)
        for (number, address, function, file, line), ours in zip(theirs, frames):
            if address:
                self.assertEqual(int(address, 16), int(ours["address"], 16), (number, text))
            if ours["jit"]:
                self.assertEqual((function, file, int(line)),
                                 (ours["function"], os.path.basename(ours["file"]), ours["line"]))

    def test_cplusplus(self):
        """Methods and a callback through the C library; names are those of the symbols."""
        source = self.text("text.cpp", """
#include <cstdio>
#include <cstdlib>
#include <unistd.h>
namespace shapes {
struct Box {
    int side;
    __attribute__((noinline)) int wait() const { std::puts("ready"); std::fflush(stdout); pause(); return side; }
};
static int compare(const void *left, const void *) { return static_cast<const Box *>(left)->wait() + 1; }
__attribute__((noinline)) int sort(Box *boxes) { std::qsort(boxes, 2, sizeof *boxes, compare); return boxes->side; }
}
int main() { shapes::Box boxes[2] = {{1}, {2}}; try { return shapes::sort(boxes) + 1; } catch (...) { return 3; } }
""")
        for compiler in ("g++", "clang++"):
            with self.subTest(compiler=compiler):
                self.must(compiler, "-g", "-O2", "-fomit-frame-pointer", "-c", source, "-o", "text.o")
                process = self.start(JITSCOPE, "run", "text.o", "-lstdc++")
                self.assertEqual(process.stdout.readline(), b"ready\n")
                self.wait_for(lambda process=process: self.sleeps(process, 1), "pause()")
                (stack,) = self.stacks(process)
                self.assertEqual(self.names(stack), ["_ZNK6shapes3Box4waitEv", "_ZN6shapesL7compareEPKvS1_",
                                                     "_ZN6shapes4sortEPNS_3BoxE", "main"])
                self.assertIn("qsort_r", self.names(stack, jit=False))

    def test_deep_recursion(self):
        main = self.compile("#include <unistd.h>\n#include <stdio.h>\nint deep(int n)\n{\n    if (!n) {\n"
                            '        puts("deep");\n        fflush(stdout);\n        pause();\n    }\n'
                            "    return deep(n - 1) + 1;\n}\nint main(void)\n{\n    return deep(60000);\n}\n", "-O0")
        process = self.start(JITSCOPE, "run", main)
        self.assertEqual(process.stdout.readline(), b"deep\n")
        self.wait_for(lambda: self.sleeps(process, 1), "pause()")
        (stack,) = self.stacks(process)
        self.assertEqual(self.names(stack), ["deep"] * 60001 + ["main"])
        self.assertIn("__libc_start_main", self.names(stack, jit=False))

    def test_interrupted(self):
        """Ctrl-C in the middle: the tool ends by it, the process goes on."""
        main = self.compile("#include <unistd.h>\n#include <stdio.h>\nint deep(int n)\n{\n    if (!n) {\n"
                            '        puts("deep");\n        fflush(stdout);\n        for (;;)\n            pause();\n    }\n'
                            "    return deep(n - 1) + 1;\n}\nint main(void)\n{\n    return deep(150000);\n}\n", "-O0")
        process = self.start(JITSCOPE, "run", main)
        self.assertEqual(process.stdout.readline(), b"deep\n")
        self.wait_for(lambda: self.sleeps(process, 1), "pause()")
        tool = self.start(JITSCOPE, "stack", process.pid)
        self.wait_for(lambda: self.state(process) == "t", "the stop")
        tool.send_signal(signal.SIGINT)
        self.assertEqual((tool.wait(LIMIT), tool.stdout.read()), (-signal.SIGINT, b""))
        self.wait_for(lambda: self.state(process) == "S", "going on")

    def test_absolute_frames_and_no_size(self):
        """Call frame information with absolute addresses; a function of which assembly says no size."""
        main = self.compile("#include <unistd.h>\n#include <stdio.h>\nvoid through(void);\nvoid stay(void);\nvoid stay(void)\n{\n"
                            '    puts("ready");\n    fflush(stdout);\n    pause();\n}\nint main(void)\n{\n'
                            "    through();\n    return 0;\n}\n", "-O2", "-fomit-frame-pointer", "-fno-optimize-sibling-calls")
        process = self.start(JITSCOPE, "run", main, self.compile(self.input("absolute.s")))
        self.assertEqual(process.stdout.readline(), b"ready\n")
        self.wait_for(lambda: self.sleeps(process, 1), "pause()")
        (stack,) = self.stacks(process)
        self.assertEqual(self.names(stack), ["stay", "sizeless", "through", "main"])
        self.assertIn("__libc_start_main", self.names(stack, jit=False))

    def test_no_signal_is_lost(self):
        process = self.host("signalled.c", "200000")
        for _ in range(40):
            if process.poll() is None:
                self.jitscope("stack", process.pid)
        self.assertEqual(process.stdout.read(), b"200000\n")

    def test_a_stopped_process_stays_so(self):
        process = self.start_blocked("-O0", "-g")
        process.send_signal(signal.SIGSTOP)
        self.wait_for(lambda: self.state(process) == "T", "the stop")
        self.check(self.stacks(process), True)
        self.wait_for(lambda: self.state(process) == "T", "the stop, again")
        time.sleep(0.1)
        self.assertEqual(self.state(process), "T")
        process.send_signal(signal.SIGCONT)
        self.wait_for(lambda: self.state(process) == "S", "going on")

    def test_a_thread_that_does_not_stop(self):
        main = self.compile("#include <unistd.h>\n#include <stdio.h>\nint main(void)\n{\n"
                            '    puts("ready");\n    fflush(stdout);\n    if (vfork() == 0) {\n'
                            "        for (;;)\n            pause();\n    }\n    return 0;\n}\n", "-w")
        process = self.start(JITSCOPE, "run", main)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        self.wait_for(lambda: children_of(process.pid), "vfork")
        (stack,) = self.stacks(process)
        self.assertEqual((stack["stopped"], stack["frames"]), (False, []))
        self.assertIn(b": does not stop", self.must(JITSCOPE, "stack", process.pid).out)
        self.assertIsNone(process.poll())
        (child,) = children_of(process.pid)  # in the address space of its parent, at a place of its own
        (stack,) = json.loads(self.must(JITSCOPE, "stack", "--json", child).out)
        self.assertEqual(self.names(stack), ["main"])

    def test_a_first_thread_that_has_ended(self):
        main = self.compile("#include <pthread.h>\n#include <stdio.h>\n#include <unistd.h>\n"
                            "static void *stay(void *unused)\n{\n    pthread_join(*(pthread_t *)unused, NULL);\n"
                            '    puts("ready");\n    fflush(stdout);\n    pause();\n    return unused;\n}\n'
                            "int main(void)\n{\n    static pthread_t self, other;\n    self = pthread_self();\n"
                            "    pthread_create(&other, NULL, stay, &self);\n    pthread_exit(NULL);\n}\n", "-g")
        process = self.start(JITSCOPE, "run", main)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        self.wait_for(lambda: self.state(process) == "Z", "the end of the first thread")
        (stack,) = self.stacks(process)
        self.assertEqual(self.names(stack), ["stay"])

    def test_a_program_that_was_built_anew(self):
        copy = self.folder / "host"
        shutil.copy(JITSCOPE, copy)
        process = self.start_blocked("-O0", "-g", program=copy)
        copy.unlink()
        for stack in self.stacks(process):
            self.assertEqual(self.names(stack)[0], "stay")

    def test_damage(self):
        """What the process says of itself is believed as far as it can be true; the stack is printed in any case."""
        for lie in ("", "circle", "image-circle", "nowhere", "huge", "huge-symbols", "tables", "odd", "segment", "eh-frame",
                    "eh-frame-short", "changing", "version", "magic"):
            with self.subTest(lie=lie):
                process = self.host("liar.c", lie)
                outcome = self.must(JITSCOPE, "stack", "--json", process.pid)
                (stack,) = json.loads(outcome.out)
                self.assertIn("__libc_start_main", self.names(stack, jit=False))
                for said in {"version": b"another version", "magic": b"not what its name says", "image-circle": b"does not end",
                             "nowhere": b"cannot be read", "changing": b"in the middle of a link"}.get(lie, b"").splitlines():
                    self.assertIn(said, outcome.err)
                self.assertIsNone(process.poll())

    def test_damaged_modules(self):
        """Files that a process has mapped as code, with errors in their headers and tables, or cut off."""
        self.host("liar.c").kill()
        good, chance = (self.folder / "liar").read_bytes(), random.Random(8)
        tables = int.from_bytes(good[40:48], "little")  # e_shoff
        for number in range(60):
            bad = bytearray(good)
            for _ in range(chance.randrange(1, 12)):
                at = chance.choice([chance.randrange(16, 64), chance.randrange(64, 400), chance.randrange(tables, len(bad))])
                bad[at] = chance.choice([0, 1, 0x7f, 0xff, chance.randrange(256)])
            (self.folder / f"bad{number}").write_bytes(bad[:chance.randrange(1, len(bad))] if number % 3 == 0 else bad)
        mapper = self.text("mapper.py", """
import mmap, pathlib, signal
kept = []
for path in sorted(pathlib.Path('.').glob('bad*')):
    with path.open('rb') as file:
        kept.append(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ | mmap.PROT_EXEC, flags=mmap.MAP_PRIVATE))
print('ready', flush=True)
signal.pause()
""")
        process = self.start(sys.executable, mapper)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        self.wait_for(lambda: self.sleeps(process, 1), "pause()")
        (stack,) = self.stacks(process)
        self.assertIn("pause", self.names(stack, jit=False))

    @unittest.skipIf(os.geteuid() != 0, "only root can become someone else")
    def test_no_permission(self):
        process = self.start_blocked("-O0")
        done = subprocess.run([JITSCOPE, "stack", str(process.pid)], capture_output=True, user=65534, group=65534,
                              extra_groups=[], check=False)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertRegex(done.stderr, rb"Permission denied|not permitted")
        self.assertIn(b"a process of your own", done.stderr)

    def test_a_process_that_ends(self):
        """It is killed while it is looked at, or has ended without its parent's asking."""
        process = self.start("sleep", "100")
        process.kill()
        self.wait_for(lambda: self.state(process) == "Z", "the end")
        outcome = self.jitscope("stack", process.pid)
        self.assertEqual((outcome.status, outcome.out), (1, b""))
        self.assertIn(b"has ended", outcome.err)
        for delay in range(0, 20, 2):
            process = self.start_blocked("-O0", "-g")
            tool = self.start(JITSCOPE, "stack", "--json", process.pid)
            time.sleep(delay / 1000)
            process.kill()
            out = tool.communicate(timeout=LIMIT)[0]
            self.assertIn(tool.returncode, (0, 1), out)
            self.assertEqual(tool.returncode == 1, b"error:" in out, out)

    def test_a_process_without_jitscope(self):
        process = self.start("sleep", "100")
        self.wait_for(lambda: self.is_in(process, SLEEP), "sleep")
        outcome = self.must(JITSCOPE, "stack", process.pid)
        self.assertIn(b"it does not contain jitscope", outcome.err)
        self.assertRegex(outcome.out, rb"nanosleep\+0x\w+  \(libc\.so\.6\)")

    def test_errors(self):
        process = self.start("true")
        process.wait()
        for words, status, text in (([process.pid], 1, b"there is no process"), ([], 2, b"number of one process"),
                                    (["x"], 2, b"number of one process"), (["0"], 2, b"number of one process"),
                                    ([1, 2], 2, b"number of one process")):
            outcome = self.jitscope("stack", *words)
            self.assertEqual((outcome.status, outcome.out), (status, b""), outcome)
            self.assertIn(text, outcome.err)

    def test_a_process_that_is_traced(self):
        process = self.start("sleep", "100")
        gdb = self.start("gdb", "-nx", "-q", "-p", process.pid, "-ex", "echo attached\\n", "-ex", "shell sleep 100")
        self.wait_for(lambda: "TracerPid:\t0" not in pathlib.Path(f"/proc/{process.pid}/status").read_text(), "gdb's attach")
        outcome = self.jitscope("stack", process.pid)
        self.assertEqual(outcome.status, 1, outcome)
        self.assertIn(b"cannot stop the process", outcome.err)
        os.killpg(gdb.pid, signal.SIGKILL)


if __name__ == "__main__":
    unittest.main()
