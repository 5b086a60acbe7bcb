"""Unload and reload in lldb, with and without the plug-in: one pending breakpoint is hit in each version of a function."""
import unittest

from gdb_harness import built
from lldb_harness import LldbTest, after

CHANGING = """int host_twice(int);
int changing(int value) {{
    int result = host_twice(value) + {n};
    return result;
}}
"""
COUNT = "script print(len(lldb.target.FindSymbols('changing')))"


class Reload(LldbTest):
    def test_each_version_is_hit(self):
        """`step` alone would go over the stub (gdb-plugin/lldb/README.md); `step -a false` stops in it, then behind it."""
        versions = [self.compile(self.text(f"version{n}.c", "\n" * n + CHANGING.format(n=n)), "-g", "-O0",
                                 name=f"version{n}.o") for n in (1, 2, 3)]
        for plugin, policy in ((False, "auto"), (False, "eager"), (True, "auto"), (True, "lazy")):
            with self.subTest(plugin=plugin, policy=policy):
                commands = ["b changing", "b between", "run"]
                for _ in versions:
                    commands += ["bt 2", "step -a false", "step -a false", "bt 1", "continue", COUNT, "continue"]
                out = self.lldb(commands, built("reload"), policy, *versions, plugin=plugin)
                for n in (1, 2, 3):
                    trace = after(out, "bt 2", n - 1)
                    self.assertRegex(trace, rf"#0: .*`changing\(value={n + 1}\) at version{n}\.c:{n + 3}")
                    self.assertRegex(trace, r"#1: .*`main\(.* at reload\.c")
                    self.assertRegex(after(out, "bt 1", n - 1), r"`host_twice\(value=\d+\) at reload\.c")
                    self.assertEqual(after(out, COUNT, n - 1), "0")
                self.assertIn("exited with status = 0", out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
