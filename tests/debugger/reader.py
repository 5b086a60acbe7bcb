"""The jit-reader: names, lines and unwinding of JIT'd code that no list tells of, in a gdb without the plug-in."""
import os
import re
import unittest

from gdb_harness import JITSCOPE, PAUSE, DebuggerTest, after, built, lines_of, mark
from lldb_harness import LldbTest

READER = os.path.join(os.path.abspath(os.environ.get("BUILD", "build/dev")), "jitscope-reader.so")
LOAD = f"jit-reader-load {READER}"
LINES = lines_of("callbacks.c")
AGAIN = ["jit-reader-unload", LOAD]
BREAK = ["set breakpoint pending on", "break rand"]
NO_FRAME_POINTER = ["-O2", "-g", "-fomit-frame-pointer"]
LAZY = (JITSCOPE, "run", "--debug=lazy")
COMPLAINTS = r"(?i)warning|error|corrupt|cannot|unable|not compatible|problem"


def frames(text):
    """[(function, line or None)] of a backtrace."""
    found = re.findall(r"^#\d+ +(?:0x\w+ in )?([^(\n]+?) \(.*?\)(?: at \S+?:(\d+)| from \S+)?$", text, re.MULTILINE)
    return [(name, int(line) if line else None) for name, line in found]


@unittest.skipUnless(os.path.exists(READER), "built without the reader: libdwarf-dev is not installed")
class Reader(DebuggerTest):
    def program(self, *flags):
        return self.compile("callbacks.c", *(flags or NO_FRAME_POINTER))

    def own(self, text):
        """The frames of callbacks.c, by name and line."""
        names = ("differ", "compare", "sort_all")
        return [frame for frame in frames(text) if frame[0] in names or frame == ("main", LINES["sort"])]

    EXPECTED = [("differ", LINES["rand"]), ("compare", LINES["differ"]), ("sort_all", LINES["qsort"]), ("main", LINES["sort"])]

    def check_stack(self, text):
        self.assertEqual(self.own(text), self.EXPECTED, text)
        names = [name for name, _ in frames(text)]
        self.assertEqual(names[-1], "main", text)  # the tool's own
        self.assertIn("jitscope_session_run_main", names)
        self.assertNotIn("??", names)


class Lazy(Reader):
    def test_stack_through_the_c_library(self):
        for flags in (NO_FRAME_POINTER, ["-O2", "-gdwarf-4", "-fomit-frame-pointer"], ["-O0", "-g"],
                      ["-Os", "-g", "-fomit-frame-pointer", "-ffunction-sections"]):
            with self.subTest(flags=flags):
                out = self.gdb([LOAD, *BREAK, "run", mark("bt"), "bt", mark("end"), "delete", "continue"],
                               *LAZY, self.program("-fno-optimize-sibling-calls", "-fno-inline", *flags))
                self.check_stack(after(out, "bt"))
                self.assertIn("exited normally", out)

    def test_without_debug_information(self):
        """Names come from symbols, unwinding from .eh_frame."""
        out = self.gdb([LOAD, *BREAK, "run", mark("bt"), "bt", mark("end")], *LAZY,
                       self.program("-O2", "-fomit-frame-pointer", "-fno-inline"))
        self.assertEqual([name for name, _ in self.own(after(out, "bt"))], ["differ", "compare", "sort_all"])
        self.assertIn("jitscope_session_run_main", after(out, "bt"))

    def test_saved_registers(self):
        """Those that JIT'd frames saved are as the frames of the C library around them have them."""
        program = self.program(*NO_FRAME_POINTER, "-fno-inline")
        names = ("rbx", "rbp", "r12", "r13", "r14", "r15", "rsp", "rip")
        register = [f"printf \"{name} %lx\\n\", ${name}" for name in names]
        out = self.gdb([LOAD, *BREAK, "run", "delete", mark("bt"), "bt 4", "frame 3", mark("unwound"), *register,
                        mark("then"), "frame 2", "finish", mark("returned"), *register, mark("end"), "continue"],
                       *LAZY, program)
        self.assertEqual(frames(after(out, "bt"))[2], ("compare", LINES["differ"]))
        self.assertEqual(after(out, "unwound"), after(out, "returned"))
        self.assertEqual(len(after(out, "unwound").splitlines()), len(names))

    def test_finish_and_step(self):
        out = self.gdb([LOAD, *BREAK, "run", "delete", mark("first"), "finish", mark("second"), "finish", mark("third"),
                        "next", mark("bt"), "bt", mark("fourth"), f"tbreak callbacks.c:{LINES['qsort'] + 1}", "continue",
                        mark("fifth"), "finish", mark("end"), "continue"], *LAZY, self.program("-O0", "-g", "-fomit-frame-pointer"))
        self.assertRegex(after(out, "first"), rf"differ \(\) at .*callbacks\.c:{LINES['rand']}\n")
        self.assertRegex(after(out, "first"), rf"\n{LINES['rand']}\t +int shuffled")
        self.assertRegex(after(out, "second"), rf"compare \(\) at .*callbacks\.c:{LINES['differ']}\n")
        self.assertRegex(after(out, "third"), rf"^{LINES['differ'] + 1}\t +return result < 0")
        self.assertEqual(self.own(after(out, "bt")),
                         [("compare", LINES["differ"] + 1), ("sort_all", LINES["qsort"]), ("main", LINES["sort"])])
        self.assertRegex(after(out, "fourth"), rf"sort_all \(\) at .*callbacks\.c:{LINES['qsort'] + 1}\n")
        self.assertRegex(after(out, "fifth"), rf"main \(\) at .*callbacks\.c:{LINES['sort']}\n")
        self.assertIn("exited normally", out)

    DEEP = [*NO_FRAME_POINTER, "-fno-optimize-sibling-calls"]

    def test_line_behind_an_inlined_function(self):
        """As gdb finds it itself."""
        lines = lines_of("inlined_line.c")
        program = self.compile("inlined_line.c", *self.DEEP)
        expected = [("roll", lines["rand"]), *[("deep", lines["deep"])] * 3, ("main", lines["main"])]
        for commands, policy in (([LOAD], "lazy"), ([], "eager")):
            with self.subTest(policy):
                out = self.gdb([*commands, *BREAK, "run", mark("bt"), "bt", mark("end")],
                               JITSCOPE, "run", f"--debug={policy}", program, "--", "2")
                self.assertEqual(frames(after(out, "bt"))[1:6], expected, out)

    def test_deep_recursion(self):
        out = self.gdb([LOAD, *BREAK, "run", mark("bt"), "bt", mark("end")], *LAZY, self.compile("inlined_line.c", *self.DEEP),
                       "--", "3000")
        names = [name for name, _ in frames(after(out, "bt"))]
        self.assertEqual(names[:3003], ["rand", "roll", *["deep"] * 3001], names[:5])
        self.assertEqual((names[3003], names[-1]), ("main", "main"))

    def test_signal(self):
        """The interrupted frame is looked up where it stands: before it is another function."""
        lines = lines_of("interrupted.c")
        out = self.gdb([LOAD, *BREAK, "handle SIGILL nostop noprint pass", "run", mark("bt"), "bt", mark("end")], *LAZY,
                       self.compile("interrupted.c", *NO_FRAME_POINTER))
        self.assertRegex(after(out, "bt"), r"#2 +<signal handler called>\n#3 .* in trap \(\)\n#4 .* in outer \(\) at .*:%d\n"
                         % lines["trap"])
        self.assertIn("jitscope_session_run_main", after(out, "bt"))

    def test_threads(self):
        program = self.compile("blocked.c", *self.DEEP, "-fno-inline")
        process = self.start(*LAZY, program)
        self.assertEqual(process.stdout.readline(), b"blocked\n")
        self.wait_for(lambda: self.is_in(process, PAUSE), "pause()")
        out = self.gdb([LOAD, f"attach {process.pid}", mark("bt"), "thread apply all bt", mark("end"), "kill"])
        stacks = [[name for name, _ in frames(part)] for part in after(out, "bt").split("\nThread ")]
        own = ("stay", "compare", "sorting", "sorter", "deep", "diver", "main")
        found = sorted([name for name in stack if name in own] for stack in stacks if stack)
        self.assertEqual(found, [["stay", "compare", "sorting", "sorter"], ["stay", *["deep"] * 21, "diver"], ["stay", "main", "main"]], out)

    def test_run_again(self):
        out = self.gdb([LOAD, *BREAK, "run", mark("one"), "bt", mark("again"), "run", mark("two"), "bt", mark("end")],
                       *LAZY, self.program(*NO_FRAME_POINTER, "-fno-inline"))
        for name in ("one", "two"):
            self.check_stack(after(out, name))

    def test_names_of_cpp(self):
        source = self.text("shop.cpp", """#include <cstdlib>
            namespace shop { struct Item { int price(int) const; };
            __attribute__((noinline)) int Item::price(int n) const { return n * (std::rand() & 1) * 0; } }
            int main() { return shop::Item().price(2); }
            """)
        program = self.folder / "shop.o"
        self.must("g++", "-O2", "-g", "-c", source, "-o", program)
        out = self.gdb([LOAD, *BREAK, "run", mark("bt"), "bt", mark("end")], *LAZY, program)
        self.assertRegex(after(out, "bt"), r"in shop::Item::price\(int\) const \(\) at .*shop\.cpp:3\n")

    def test_attach(self):
        """gdb gives the reader what it has not read itself before."""
        program = self.compile("""#include <unistd.h>
            #include <stdio.h>
            __attribute__((noinline)) int wait_here(void) { volatile int room[99]; puts("ready"); fflush(stdout);
                return room[pause() & 1] * 0; }
            int main(void) { return wait_here(); }
            """, "-O2", "-g", "-fomit-frame-pointer")
        for order in (lambda attach: [LOAD, attach], lambda attach: [attach, LOAD, *AGAIN]):
            process = self.start(*LAZY, program)
            self.assertEqual(process.stdout.readline(), b"ready\n")
            self.wait_for(lambda process=process: self.is_in(process, PAUSE), "pause()")
            out = self.gdb([*order(f"attach {process.pid}"), mark("bt"), "bt", mark("end"), "kill"])
            self.assertIn(("wait_here", 4), frames(after(out, "bt")), out)
            self.assertIn("jitscope_session_run_main", after(out, "bt"))

    def test_core(self):
        core = self.folder / "core"
        self.gdb([*BREAK, "run", f"gcore {core}"], *LAZY, self.program(*NO_FRAME_POINTER, "-fno-inline"))
        out = self.gdb([f"file {JITSCOPE}", LOAD, f"core-file {core}", mark("bt"), "bt", mark("end")])
        self.check_stack(after(out, "bt"))

    def test_gdbserver(self):
        connect = self.gdbserver(*LAZY, self.program(*NO_FRAME_POINTER, "-fno-inline"))
        out = self.gdb([LOAD, f"file {JITSCOPE}", connect, "break main", "continue", "break rand", "continue", mark("bt"), "bt",
                        mark("end"), "kill"])
        self.check_stack(after(out, "bt"))

    def test_code_that_comes_later(self):
        """Is unwound at once, and has its name when gdb reads the list again."""
        program = self.compile("calls_rand.c", *NO_FRAME_POINTER)
        out = self.gdb([LOAD, *BREAK, "run", mark("first"), "bt", mark("go"), "continue 2", mark("third"), "bt",
                        mark("load"), *AGAIN, mark("named"), "bt", mark("end"), "delete", "continue"],
                       built("many"), program, "3", "lazy")
        line = lines_of("calls_rand.c")["rand"]
        self.assertEqual(frames(after(out, "first"))[-2:][0], ("jitted_000000", line))
        self.assertRegex(after(out, "third"), r"in \?\? \(\)\n#\d +.* in main \(argc=")
        self.assertEqual(frames(after(out, "named"))[-2:][0], ("jitted_000002", line))
        self.assertIn("exited normally", out)

    def test_damaged_tables(self):
        """What leads nowhere, or in a circle, costs JIT frames their callers, and nothing else."""
        def spoil(what):
            return [mark("before"), "bt", mark("spoil"), *what, "set var jitscope_debuggee.change += 2", mark("after"), "bt -2", "bt 1",
                    mark("end"), "delete", "continue"]
        image = "((struct debuggee_image *) jitscope_debuggee.image)"
        header = f"((unsigned long *) {image}->address)"
        for what in ([f"set var {image}->next = jitscope_debuggee.image"], ["set var jitscope_debuggee.image = 8"],
                     [f"set var {image}->address = 16"], [f"set var {image}->size = 70", f"set var {image}->change = 99"],
                     [f"set var {header}[5] = -64", f"set var {image}->change = 99"],
                     ["set var jitscope_debuggee.version = 77"], ["set var jitscope_debuggee.magic[0] = 0"]):
            with self.subTest(what=what):
                out = self.gdb([LOAD, *BREAK, "run", *spoil(what)], *LAZY,
                               self.program(*NO_FRAME_POINTER, "-fno-inline"))
                self.check_stack(after(out, "before"))
                self.assertRegex(after(out, "after"), r"#0 .*rand \(\)")
                self.assertNotIn("jitscope_session_run_main", after(out, "after"))


class Others(Reader):
    def test_auto_has_all_that_gdb_reads_itself(self):
        for policy in ("auto", "eager"):
            with self.subTest(policy):
                out = self.gdb([LOAD, "set breakpoint pending on", "break compare", "run", mark("args"), "info args", mark("bt"), "bt",
                                mark("finish"), "finish", mark("end")], JITSCOPE, "run", f"--debug={policy}",
                               self.program("-O0", "-g", "-fomit-frame-pointer"))
                # gdb stops before they are stored, so the values are anything, and may be a function's.
                self.assertRegex(after(out, "args"), r"one = 0x\w+(?: <.*>)?\nother = 0x\w+")
                self.assertEqual([name for name, _ in self.own(after(out, "bt"))], ["compare", "sort_all", "main"])
                self.assertRegex(after(out, "finish"), r"Value returned is \$1 = -?[01]")

    def test_file_of_another_jit(self):
        """Is gdb's to read: arguments are more than a reader can give."""
        source = self.text("other_jit.c", "int other_jit(int x)\n{\n    int twice = 2 * x;\n    return twice + 1;\n}\n")
        code = self.folder / "other_jit"
        self.must("gcc", "-g", "-O0", "-nostdlib", "-static", "-fcf-protection=none", "-Wl,-Ttext=0x10001000,-e,other_jit",
                  "-Wl,--build-id=none", source, "-o", code)
        out = self.gdb([LOAD, "set breakpoint pending on", "break other_jit", "run", mark("bt"), "bt", mark("step"), "next", "next",
                        "info locals", mark("finish"), "finish", mark("end"), "continue"],
                       built("foreign"), code, "0x10001000", "4096")
        self.assertEqual(frames(after(out, "bt"))[0], ("other_jit", 3), out)
        self.assertIn("other_jit (x=20)", after(out, "bt"))
        self.assertEqual(frames(after(out, "bt"))[1][0], "main")
        self.assertIn("twice = 40", after(out, "step"))
        self.assertIn("Value returned is $1 = 41", after(out, "finish"))
        self.assertIn("exited normally", out)


class WithoutReader(DebuggerTest):
    """The beacon is an ELF file with nothing in it."""

    def test_gdb_says_nothing(self):
        program = self.compile("callbacks.c", *NO_FRAME_POINTER)
        out = self.gdb([*BREAK, "run", mark("list"), "maint info jit", mark("end"), "delete", "continue"], *LAZY, program)
        self.assertEqual(len(re.findall(r"^0x\w+ +0x\w+ +\d+ *$", after(out, "list"), re.MULTILINE)), 1, out)
        self.assertIn("exited normally", out)
        self.assertNotRegex(out, COMPLAINTS)


class WithoutReaderInLldb(LldbTest):
    def test_lldb_says_nothing(self):
        program = self.compile("callbacks.c", *NO_FRAME_POINTER)
        out = self.lldb(["breakpoint set -n rand -s libc.so.6", "run", "image list", "breakpoint delete -f", "continue"], *LAZY, program)
        self.assertRegex(out, r"JIT\(0x\w+\)")
        self.assertIn("exited with status = 0", out)
        self.assertNotRegex(out.replace("WARNING:  Unable to resolve breakpoint to any actual locations.", ""), COMPLAINTS)


if __name__ == "__main__":
    unittest.main(verbosity=2)
