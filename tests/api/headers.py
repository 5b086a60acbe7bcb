"""headers.py FOLDER: each public header compiles alone, without a warning, in C17 and C++17, under gcc and clang."""
import pathlib
import subprocess
import sys
import unittest

FOLDER = pathlib.Path(sys.argv.pop())
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


if __name__ == "__main__":
    unittest.main()
