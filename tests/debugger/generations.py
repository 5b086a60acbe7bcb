"""Code that is replaced while a thread is in it, and code that is linked when it is called: gdb sees all of it."""
import unittest

from gdb_harness import JITSCOPE, DebuggerTest, after, built, mark

OLD = """void host_swap(void);
int j_answer(void)
{
    int mine = 1;
    host_swap();
    return mine; /* old */
}
"""
NEW = """
int j_answer(void)
{
    int mine = 2; /* new */
    return mine;
}
"""
CALLER = """int j_answer(void);
int caller(void)
{
    return j_answer() * 10;
}
"""


class Generations(DebuggerTest):
    def objects(self, **sources):
        made = []
        for name, text in sources.items():
            (self.folder / f"{name}.c").write_text(text)
            made.append(self.compile(self.folder / f"{name}.c", "-g", "-O0", "-fPIC", name=f"{name}.o"))
        return made

    def test_both_are_there(self):
        """A thread in the old code is shown there, with its variables, and goes on there; the next call is the new one's."""
        old, caller, new = self.objects(old=OLD, caller=CALLER, new=NEW)
        out = self.gdb(["set breakpoint pending on", "break swapped", "run", mark("swapped"), "bt", "up 2", "print mine",
                        "info symbol $pc", "break j_answer", mark("breakpoints"), "info breakpoints", "delete 1", "tbreak old.c:6",
                        "continue", mark("old"), "bt 2", "continue", mark("new"), "bt 2", "next", "print mine", "delete",
                        "continue"], built("replaced"), old, caller, new)
        self.assertRegex(after(out, "swapped"), r"#1 .*host_swap .*\n#2 .*j_answer \(\) at .*old\.c:5\n#3 .*caller \(\) at .*caller\.c:4")
        self.assertRegex(after(out, "swapped"), r"= 1\nj_answer( \+ \d+)? in section \.text")
        self.assertRegex(after(out, "breakpoints"), r"j_answer at .*old\.c:4\n(.*\n)*.*j_answer at .*new\.c:4")
        self.assertRegex(after(out, "old"), r"#0 .*j_answer \(\) at .*old\.c:6\n#1 .*caller")
        self.assertRegex(after(out, "new"), r"#0 .*j_answer \(\) at .*new\.c:4\n#1 .*caller \(\) at .*caller\.c:4")
        self.assertRegex(after(out, "new"), r"\$\d+ = 2")
        self.assertIn("first 10\nsecond 20\n", out)

    def test_a_lazy_call(self):
        """A breakpoint in what is not linked yet is hit; the caller is found below the resolver, and stepping gets there."""
        main, part = self.objects(main="int j_part(int);\nint main(void)\n{\n    int got = j_part(3);\n    return got;\n}\n",
                                  part="int j_part(int a)\n{\n    return a * 2; /* here */\n}\n")
        out = self.gdb(["set breakpoint pending on", "break j_part", "run", mark("hit"), "bt 2", "info symbol $pc", "finish",
                        "next", "info locals", "continue"], JITSCOPE, "run", "--lazy", main, part)
        self.assertRegex(after(out, "hit"), r"#0 .*j_part \(a=3\) at .*part\.c:3\n#1 .*main \(\) at .*main\.c:4")
        self.assertRegex(after(out, "hit"), r"got = 6")
        self.assertIn("exited with code 06", out)


if __name__ == "__main__":
    unittest.main()
