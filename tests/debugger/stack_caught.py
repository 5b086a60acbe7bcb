"""jitscope stack: through a signal's handler, deep recursions, and in programs without symbols."""
import json
import shutil
import unittest

from gdb_harness import JITSCOPE, DebuggerTest


class Caught(DebuggerTest):
    def start_caught(self, depth, program=JITSCOPE):
        main = self.compile("caught.c", "-O2", "-g", "-fomit-frame-pointer", "-fno-optimize-sibling-calls")
        process = self.start(program, "run", main, "--", depth)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def stack(self, process):
        (stack,) = json.loads(self.must(JITSCOPE, "stack", "--json", process.pid).out)
        return stack["frames"]

    def check(self, frames, depth):
        names = [frame["function"] for frame in frames if frame["jit"]]
        self.assertEqual((names[:2], names[-1]), (["handler", "trap"], "main"))
        self.assertEqual(names[2:-1], ["deep"] * (depth + 1))

    def test_a_signal_at_the_first_instruction(self):
        """What was interrupted is looked up where it stands, not before it, as calls are."""
        process = self.start_caught(3)
        frames = self.stack(process)
        self.check(frames, 3)
        (place,) = [number for number, frame in enumerate(frames) if frame["signal"]]
        handler, between, trap = frames[place - 1:place + 2]
        self.assertEqual((handler["function"], between["function"], trap["function"]), ("handler", None, "trap"))
        self.assertEqual(trap["offset"], 0)
        text = self.must(JITSCOPE, "stack", process.pid).out.decode()
        self.assertRegex(text, r"handler\+0x\w+  \[jit\].*\n#\d+ +0x\w+  <signal handler called>  \(libc.*\)\n#\d+ +0x\w+  trap  \[jit\]\n")

    def test_deep_recursion(self):
        self.check(self.stack(self.start_caught(20000)), 20000)

    def test_a_program_without_symbols(self):
        """And one that is gone as well."""
        program = self.folder / "stripped"
        shutil.copy(JITSCOPE, program)
        self.must("strip", program)
        process = self.start_caught(3, program)
        self.check(self.stack(process), 3)
        program.unlink()
        self.check(self.stack(process), 3)


if __name__ == "__main__":
    unittest.main()
