"""Thread-local variables of code in memory: no debugger finds them, and none may show another variable's value."""
import shutil
import unittest

import lldb_harness
from gdb_harness import JITSCOPE, DebuggerTest, after, mark
from lldb_harness import LldbTest, fails

PROGRAM = """#include <stdio.h>
_Thread_local int counted = 7;
static _Thread_local struct { long first, second; } pair = {1, 2};
int ordinary = 4;
int stop(int x)
{
    counted += x;
    return counted + (int)pair.second;
}
int main(void)
{
    printf("%d\\n", stop(1));
    return 0;
}
"""
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]


class InGdb(DebuggerTest):
    def test_values(self):
        for compiler in COMPILERS:
            for flags in (("-fPIC",), ("-fPIE", "-gdwarf-4"), ("-fPIC", "-gdwarf-5", "-gz"), ("-fPIC", "-mcmodel=large")):
                with self.subTest(compiler=compiler, flags=flags):
                    code = self.compile(PROGRAM, "-g", *flags, compiler=compiler)
                    commands = ["set breakpoint pending on", "break stop", "run", mark("counted"), "print counted", mark("pair"), "print pair",
                                mark("others"), "print x + ordinary", mark("end"), "continue"]
                    out = self.gdb(commands, JITSCOPE, "run", code)
                    for name in ("counted", "pair"):
                        self.assertIn("Cannot access memory at address 0xffffffffffffffff", after(out, name), out)
                    self.assertRegex(after(out, "others"), r"\$1 = 5\b", out)
                    self.assertIn("10\n", after(out, "end"))


class InLldb(LldbTest):
    def test_values(self):
        code = self.compile(PROGRAM, "-g", "-fPIC")
        show = "target variable counted"
        out = self.lldb(["settings set plugin.jit-loader.gdb.enable on", "breakpoint set -n stop", "run", show, "target variable ordinary", fails("expression counted")],
                        JITSCOPE, "run", code)
        self.assertIn("counted = <invalid load address>", lldb_harness.after(out, show), out)
        self.assertIn("ordinary = 4", lldb_harness.after(out, "target variable ordinary"), out)


if __name__ == "__main__":
    unittest.main()
