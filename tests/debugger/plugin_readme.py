"""README's session with gdb: what the page shows is what a real gdb prints, but for addresses."""
import re
import unittest

from gdb_harness import HERE, JITSCOPE, DebuggerTest

ROOT = HERE.parent.parent
PROMPT = "(gdb) "


def plain(line):
    return re.sub(r"\s+", " ", re.sub(r"0x[0-9a-f]+", "HEX", line)).strip()


class Readme(DebuggerTest):
    def session(self):
        text = (ROOT / "README.md").read_text()
        block = re.search(r"<!-- session:.*?-->\n```\n(.*?)```\n<!-- end of session -->", text, re.S)
        self.assertTrue(block, "README.md shows a session")
        return block.group(1).splitlines()

    def test_the_session(self):
        lines = self.session()
        commands = [line.removeprefix(PROMPT) for line in lines if line.startswith(PROMPT)]
        self.assertEqual(len(commands), 4, "found in four commands")
        self.must("gcc", "-g", f"-ffile-prefix-map={ROOT}/=", "-c", ROOT / "tests" / "demo" / "prices.c", "-o", "prices.o")
        self.assertEqual(self.jitscope("run", "prices.o").out, b"13\n")
        out = self.gdb(["set breakpoint pending on", f"set substitute-path tests {ROOT}/tests",
                        *(word for command in commands for word in (f"echo {PROMPT}{command}\\n", command))],
                       JITSCOPE, "run", "prices.o", plugin=True)
        real = iter([plain(line) for line in out.splitlines()])
        for line in lines[lines.index(PROMPT + commands[0]):]:
            if line == "..." or "Make breakpoint pending" in line:
                continue
            self.assertTrue(any(found == plain(line) for found in real), f"gdb does not print, or not here: {line}\n{out}")


if __name__ == "__main__":
    unittest.main()
