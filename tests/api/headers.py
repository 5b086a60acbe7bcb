"""headers.py FOLDER: each public header compiles alone, without a warning, in C17 and C++17, under gcc and clang; every
function in them has a comment and is called by an example."""
import pathlib
import re
import subprocess
import sys
import unittest

FOLDER = pathlib.Path(sys.argv.pop())
EXAMPLES = pathlib.Path(__file__).parent
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", f"-I{FOLDER}"]
HEADERS = sorted(path.relative_to(FOLDER) for path in FOLDER.glob("jitscope/*.h"))


class Headers(unittest.TestCase):
    def compile(self, *command):
        for header in HEADERS:
            with self.subTest(header=header, command=command):
                text = f'#include "{header}"\n#include "{header}"\n'
                done = subprocess.run([*command, *WARNINGS, "-"], input=text, text=True, capture_output=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_there_are_headers(self):
        self.assertGreater(len(HEADERS), 5)

    def test_c(self):
        for compiler in ("gcc", "clang"):
            self.compile(compiler, "-std=c17", "-xc")

    def test_cplusplus(self):
        for compiler in ("g++", "clang++"):
            self.compile(compiler, "-std=c++17", "-xc++")


class Functions(unittest.TestCase):
    def declarations(self):
        """Header, what stands before it, and name of each declared function."""
        for header in HEADERS:
            parts = re.split(r";\n", (FOLDER / header).read_text())
            for part in parts:
                found = re.search(r"(?:^|\n)[a-z][^\n{}#]*?\b(jitscope_\w+)\([^{}#]*\)$", part)
                if found and "typedef" not in part[found.start():]:
                    yield header, part[:found.start()], found.group(1)

    def test_each_has_a_comment(self):
        names = set()
        for header, before, name in self.declarations():
            names.add(name)
            with self.subTest(function=name, header=header):
                self.assertTrue(before.rstrip().endswith("*/"), "no comment above")
        self.assertGreater(len(names), 60)

    def test_each_is_called_by_an_example(self):
        examples = "".join(path.read_text() for path in EXAMPLES.iterdir() if path.suffix in (".c", ".cpp", ".h"))
        for _, _, name in self.declarations():
            with self.subTest(function=name):
                self.assertRegex(examples, rf"\b{name}\(")


if __name__ == "__main__":
    unittest.main()
