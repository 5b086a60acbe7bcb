"""`jitscope why` in lldb and the recording: the one that a live process writes, one that is named, and none."""
import re
import unittest

from gdb_harness import JITSCOPE, UNRECORDED
from lldb_harness import LldbTest, after, fails
from plugin_why import HINT


class Why(LldbTest):
    def setUp(self):
        super().setUp()
        self.object = self.compile("tables.c", "-g", "-O0")
        self.recording = self.folder / "a live one.jsr"
        self.program = [JITSCOPE, "run", "--record", self.recording, self.object]

    def tell(self, text):
        """lldb's own news of breakpoints may stand around it."""
        self.assertRegex(text, r"(?m)^0x\w+ belongs to batch 1:1 ")
        address = re.search(r"(?m)^(0x\w+) belongs to", text)[1]
        answer = self.must(JITSCOPE, "why", self.recording, address).out.decode()
        self.assertIn(f"Its recording {self.recording} says:\n{answer}", text + "\n")
        self.assertRegex(answer, rf"^{address} is byte 0x0 of square")

    def test_live(self):
        out = self.lldb(["b square", "run", "jitscope why square", "jitscope why malloc", "process kill"], *self.program,
                        plugin=True)
        self.tell(after(out, "jitscope why square"))
        self.assertRegex(after(out, "jitscope why malloc"), r"says nothing: nothing in the recording was ever at 0x\w+\.$")

    def test_core(self):
        core = self.folder / "a.core"
        self.gdb(["set breakpoint pending on", "break square", "run", f"gcore {core}", "kill"], *self.program, plugin=True)
        named = f"jitscope why --recording '{self.recording}' square"
        out = self.lldb([f"target create --core {core} {JITSCOPE}", "jitscope why square", named], plugin=True,
                        env={"JITSCOPE": str(JITSCOPE)})
        self.assertIn(HINT, after(out, "jitscope why square"))
        self.tell(after(out, named))

    def test_none_and_wrong(self):
        wrong, nothing = "jitscope why --recording /no/where square", "jitscope why --recording"
        out = self.lldb(["b square", "run", "jitscope why square", wrong, "jitscope why square", fails(nothing),
                         fails(f"{nothing} x")], JITSCOPE, "run", self.object, plugin=True, env=UNRECORDED)
        for which in (0, 1):  # what was named counts for one question
            self.assertRegex(after(out, "jitscope why square", which).splitlines()[-1],
                             rf"^{HINT}.*`jitscope why --recording FILE ADDRESS`")
        self.assertIn("Its recording /no/where says nothing: there is no recording under that name.", after(out, wrong))
        self.assertIn("the recording's name is missing", after(out, fails(nothing)))
        self.assertIn("an address, or an expression whose value is one, is missing", after(out, fails(f"{nothing} x")))


if __name__ == "__main__":
    unittest.main(verbosity=2)
