"""README's front door: what the page shows is what `./dev demo` prints, but for numbers that a machine chooses."""
import os
import re
import subprocess
import unittest

from harness import JITSCOPE, LIMIT, SystemTest

ROOT = __import__("pathlib").Path(__file__).resolve().parents[2]


def plain(line):
    """Addresses, times, sizes and column widths differ from machine to machine, and with the libraries' versions."""
    line = re.sub(r"0x[0-9a-f]+", "HEX", line)
    line = re.sub(r"\b[0-9]+(\.[0-9]+)?\b", "N", line) if not line.startswith("$") else line
    return re.sub(r"  +", "  ", line.strip())


class Readme(SystemTest):
    def demo_lines(self):
        text = (ROOT / "README.md").read_text()
        block = re.search(r"<!-- demo:.*?-->\n```\n(.*?)```\n<!-- end of demo -->", text, re.S)
        self.assertTrue(block, "README.md shows the demo")
        return block.group(1).splitlines()

    def demo_output(self):
        script = (ROOT / "dev").read_text()
        body = re.search(r"^demo\(\) \{\n(.*?)^\}", script, re.S | re.M).group(1)
        for part in ("setup", "build release"):
            self.assertIn(f"    {part}\n", body)
            body = body.replace(f"    {part}\n", "")
        (self.folder / "build" / "release").mkdir(parents=True)
        (self.folder / "build" / "release" / "jitscope").symlink_to(JITSCOPE)
        (self.folder / "tests").symlink_to(ROOT / "tests")
        show = re.search(r"^show\(\) \{\n.*?^\}", script, re.S | re.M).group(0)
        done = subprocess.run(["sh", "-eu", "-c", f"{show}\ndemo() {{\n{body}}}\ndemo"], cwd=self.folder, timeout=LIMIT,
                              capture_output=True, text=True, env=os.environ)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def test_the_demo_prints_what_the_page_shows(self):
        """Line by line, in order; `...` stands for lines left out."""
        real = iter([plain(line) for line in self.demo_output()])
        for line in self.demo_lines():
            if line.strip() in ("", "..."):
                continue
            wanted = plain(line)
            self.assertTrue(any(found == wanted for found in real), f"the demo does not print, or not here: {line}")

    def test_the_page_of_events(self):
        """docs/EVENTS.md is what the tool prints; JITSCOPE_REWRITE=1 rewrites it."""
        page = ROOT / "docs" / "EVENTS.md"
        printed = self.must(JITSCOPE, "help", "events").out.decode()
        if os.environ.get("JITSCOPE_REWRITE"):
            page.write_text(printed)
        self.assertEqual(page.read_text(), printed)
        for name in ("table_entry", "fixup", "debug_image"):
            self.assertIn(f"### {name}\n", printed)
        self.assertIn("\n| delta32 | 4 | S + A - P |", printed)

    def test_the_two_commands_come_first(self):
        first = re.search(r"```\n(.*?)```", (ROOT / "README.md").read_text(), re.S).group(1).splitlines()
        self.assertEqual([line.split()[:2] for line in first], [["./dev", "demo"], ["./dev", "test"]])


if __name__ == "__main__":
    unittest.main()
