"""README's pages about the inspector: the screens they show are those of the real program, but for numbers that a machine chooses.

A screen stands behind a comment that says how to come there, `screen COLUMNSxROWS of WHAT: LINE; LINE...`: WHAT is a recording or the
program that changes its own slot, lines are those of a script, and `tell` gives that program a line to read.  JITSCOPE_REWRITE=1
writes the screens anew.  Empty rows are left out."""
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import time
import unittest

from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
JITSCOPE = pathlib.Path(os.environ.get("JITSCOPE", "build/dev/jitscope")).absolute()
PAGE = ROOT / "README.md"
REWRITE = os.environ.get("JITSCOPE_REWRITE") == "1"
LIMIT = 180  # seconds
SCREEN = re.compile(r"(<!-- screen (\d+x\d+) of (\S+): (.*?) -->\n```\n)(.*?)(```\n<!-- end of screen -->)", re.S)


def plain(line):
    """Addresses, times, sizes and column widths differ from machine to machine; so does where a cell is cut that has no room."""
    line = re.sub(r"\b[0-9a-f]{2}( [0-9a-f]{2})+\b", "BYTES", line)
    line = re.sub(r"[$-]?0x[0-9a-f]+", "HEX", line)
    line = re.sub(r"█+", "█", line)
    line = re.sub(r"\b[0-9]+(\.[0-9]+)?\b", "N", line)
    line = re.sub(r"\S*…\S*", "…", line)
    return re.sub(r"\s+", " ", line).strip()


class Readme(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.place.name)
        (cls.folder / "build" / "release").mkdir(parents=True)
        (cls.folder / "build" / "release" / "jitscope").symlink_to(JITSCOPE)
        (cls.folder / "tests").symlink_to(ROOT / "tests")
        (cls.folder / "docs").mkdir()
        (cls.folder / "run").mkdir(mode=0o700)
        cls.environment = {**os.environ, "XDG_RUNTIME_DIR": str(cls.folder / "run"), "XDG_CONFIG_HOME": "/nonexistent"}
        for command in ("gcc -O2 -c -I/usr/include/lua5.4 tests/demo/host.c -o build/host.o",
                        "build/release/jitscope run --record build/demo.jsr build/host.o -l:liblua5.4.a -lm -- tests/demo/demo.lua",
                        "gcc -g -c tests/demo/prices.c -o build/prices.o",
                        "build/release/jitscope run --record build/prices.jsr build/prices.o", cls.commands()[0]):
            cls.do(shlex.split(command))

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    @classmethod
    def do(cls, command):
        done = subprocess.run(command, cwd=cls.folder, env=cls.environment, capture_output=True, text=True, timeout=LIMIT)
        if done.returncode:
            raise AssertionError(f"{command}: {done.stderr}")

    @staticmethod
    def block(name):
        found = re.search(rf"<!-- {name}:.*?-->\n```\n(.*?)```\n<!-- end of {name} -->", PAGE.read_text(), re.S)
        return found.group(1).splitlines()

    @classmethod
    def commands(cls):
        return [line.removeprefix("$ ") for line in cls.block("commands") if line.startswith("$ ")]

    def start_hooked(self):
        """The program that changes its slot, once it waits for a line."""
        program = subprocess.Popen(shlex.split(self.commands()[1]), cwd=self.folder, env=self.environment, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(program.wait, LIMIT)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.stdin.close)
        self.assertEqual(program.stdout.readline(), "hello has 5 letters\n")
        return program

    def until_slots_are_known(self, inspector):
        """What a slot held before it changes has to be seen, for the change to be one."""
        here = self.folder / "here"
        for _ in range(LIMIT * 100):
            inspector.stdin.write("save-screen here\n")
            inspector.stdin.flush()
            time.sleep(0.01)
            if here.exists() and re.search(r" strlen .* 0x[0-9a-f]+ +0$", here.read_text(), re.M):
                return
        self.fail("the inspector does not come so far")

    def shown(self, size, what, lines):
        """The screen that LINES lead to."""
        screen = self.folder / "screen"
        for path in (screen, self.folder / "here"):
            path.unlink(missing_ok=True)
        program = self.start_hooked() if what == "hooked" else None
        subject = ["--pid", str(program.pid)] if program else [what]
        inspector = subprocess.Popen([JITSCOPE, "inspect", "--size", size, "--script", "-", *subject], cwd=self.folder,
                                     env=self.environment, text=True, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for line in lines:
            if line == "tell":  # once the slots were looked at
                self.until_slots_are_known(inspector)
                program.stdin.write("\n")
                program.stdin.flush()
                self.assertEqual(program.stdout.readline(), "hello has 42 letters\n")
            else:
                inspector.stdin.write(line + "\n")
        trouble = inspector.communicate("save-screen screen\n", timeout=LIMIT)[1]
        self.assertEqual((inspector.returncode, trouble), (0, ""))
        return "".join(line + "\n" for line in screen.read_text().splitlines() if line)

    def test_screens(self):
        """Line by line, all of them."""
        text = PAGE.read_text()
        shown = []

        def again(match):
            begin, size, what, lines, old, end = match.groups()
            shown.append((lines, old, self.shown(size, what, [line.strip() for line in lines.split(";")])))
            return begin + shown[-1][2] + end

        rewritten = SCREEN.sub(again, text)
        self.assertGreaterEqual(len(shown), 7)
        if REWRITE:
            PAGE.write_text(rewritten)
            return
        for lines, old, new in shown:
            self.assertEqual([plain(line) for line in old.splitlines()], [plain(line) for line in new.splitlines()], lines)

    def test_what_the_program_prints(self):
        program = self.start_hooked()
        rest = program.communicate("\n\n", timeout=LIMIT)[0]
        self.assertEqual(self.block("commands")[2:], ["hello has 5 letters", "", rest.rstrip("\n")])

    def test_picture(self):
        """The command makes a picture like the one that is there: as large, and with the colours."""
        self.do(shlex.split(self.block("picture")[0].removeprefix("$ ")))
        pictures = [folder / "docs" / "inspector.png" for folder in (ROOT, self.folder)]
        if REWRITE:
            pictures[0].write_bytes(pictures[1].read_bytes())
        there, made = (Image.open(picture).convert("RGB") for picture in pictures)
        self.assertEqual(there.size, made.size)
        self.assertLess(pictures[0].stat().st_size, 100000)
        for image in (there, made):
            found = {colour for _, colour in image.getcolors(1 << 20)}
            orange = [colour for colour in found if colour[0] > 200 and 120 < colour[1] < 200 and colour[2] < 140]
            self.assertTrue(orange, "what the last step changed")


if __name__ == "__main__":
    unittest.main()
