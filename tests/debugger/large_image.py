"""A batch whose debug image is an ELF file in the linker's own memory: every way to it that debuggers have."""
import re
import unittest

from gdb_harness import JITSCOPE, after, mark
from lldb_harness import LldbTest
from lldb_harness import after as after_command

FUNCTIONS = 1500
LAST = f"large_{FUNCTIONS - 1:04}"
READERS = [["readelf", "-aW"], ["readelf", "-wf"], ["llvm-dwarfdump", "--verify"], ["eu-readelf", "-a"]]


def program():
    """Each function takes three lines; the last one's second line is FUNCTIONS * 3 + 1."""
    lines = ["#include <stdio.h>", "#include <unistd.h>"]
    for number in range(FUNCTIONS):
        lines += [f"int large_{number:04}(int a) {{", f"    return a + {number};", "}"]
    return "\n".join([*lines, "int main(int argc, char **argv) {",
                      '    if (argc > 1) { puts("ready"); fflush(stdout); for (volatile int go = 0; !go;) usleep(1000); }',
                      f"    return {LAST}(argc) != {FUNCTIONS};", "}", ""])


class LargeImage(LldbTest):
    def setUp(self):
        super().setUp()
        (self.folder / "large.c").write_text(program())
        self.object = self.compile(self.folder / "large.c", "-g", "-O0", "-fPIC", name="large.o")

    def check_stop(self, text):
        """It stands in the last function, called by main."""
        self.assertRegex(text, rf"#0 .*{LAST} (\[jit\] )?\(a=1\) at .*large\.c:{FUNCTIONS * 3 + 1}\n#1 .*main .*\) at .*large\.c:")

    def waiting(self, *options):
        process = self.start(JITSCOPE, "run", *options, self.object, "--", "wait")
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def test_live(self):
        """Under both policies that tell gdb, with and without the plug-in; the image is content with all readers."""
        for policy in ("auto", "eager", "lazy"):
            for plugin in (False, True):
                if policy == "lazy" and not plugin:
                    continue
                with self.subTest(policy=policy, plugin=plugin):
                    first = "__jit_debug_descriptor.first"
                    dump = f"dump binary memory image.elf {first}->symfile {first}->symfile+{first}->size"
                    out = self.gdb(["set breakpoint pending on", f"break {LAST}", "run", mark("stop"), "bt 2", mark("symbol"),
                                    "info symbol $pc", mark("end"), dump, "continue"],
                                   JITSCOPE, "run", f"--debug={policy}", self.object, plugin=plugin)
                    self.check_stop(after(out, "stop"))
                    self.assertRegex(after(out, "symbol"), rf"{LAST} \+ \d+ in section \.text")
                    self.assertIn("exited normally", out)
                    for words in READERS:
                        done = self.must(*words, self.folder / "image.elf")
                        self.assertFalse(re.search(rb"(?i)warning|error:", done.out + done.err), words)

    def test_attach(self):
        """What nobody was told of is found by a debugger that comes later, and by the plug-in."""
        for policy, plugin in (("auto", False), ("lazy", True)):
            with self.subTest(policy=policy):
                process = self.waiting(f"--debug={policy}")
                out = self.gdb([f"attach {process.pid}", mark("main"), "info scope main", mark("line"), f"info line {LAST}",
                                mark("end"), "kill"], plugin=plugin)
                self.assertIn("Symbol argc is", after(out, "main"))
                self.assertRegex(after(out, "line"), rf'Line {FUNCTIONS * 3} of ".*large\.c" starts at address')

    def test_core(self):
        core = self.folder / "core"
        self.gdb(["set breakpoint pending on", f"break {LAST}", "run", f"gcore {core}"], JITSCOPE, "run", self.object)
        out = self.gdb([f"core-file {core}", mark("stop"), "bt 2"], options=[JITSCOPE])
        self.check_stop(after(out, "stop"))

    def test_lldb(self):
        out = self.lldb([f"breakpoint set -n {LAST}", "run", "bt 2"], JITSCOPE, "run", self.object)
        self.assertRegex(after_command(out, "bt 2"), rf"#0: .*`{LAST}\(a=1\) at large\.c:{FUNCTIONS * 3 + 1}")
        process = self.waiting()
        out = self.lldb([f"process attach -p {process.pid}", f"image lookup -n {LAST}", "process kill"])
        self.assertRegex(after_command(out, f"image lookup -n {LAST}"), rf"{LAST} at large\.c:{FUNCTIONS * 3}")

    def test_reader(self):
        """A stack by our own reader of these images."""
        process = self.waiting()
        out = self.must(JITSCOPE, "stack", process.pid).out.decode()
        self.assertRegex(out, r"main.* large\.c:\d+")


if __name__ == "__main__":
    unittest.main()
