"""installed.py CMAKE BUILD FIB_SOURCE FLAGS: installs BUILD into an empty folder, and compiles and runs the program that
jitscope.h shows, as its user would: with the installed headers, the static library and what pkg-config says."""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

CMAKE, BUILD, FIB, FLAGS = sys.argv[1:]
SANITIZERS = [word for word in shlex.split(FLAGS) if word.startswith("-fsanitize")]


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    if done.returncode:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Installed(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="jitscope-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.prefix = self.folder / "usr"
        run(CMAKE, "--install", BUILD, "--prefix", self.prefix)

    def pkg_config(self, *words):
        [description] = self.prefix.rglob("jitscope.pc")
        environment = {**os.environ, "PKG_CONFIG_PATH": str(description.parent)}
        return run("pkg-config", f"--define-variable=prefix={self.prefix}", *words, "jitscope", env=environment).split()

    def example(self):
        """The lines of jitscope.h that are indented in its opening comment, as a program."""
        comment = (self.prefix / "include" / "jitscope" / "jitscope.h").read_text().split("*/")[0]
        lines = re.findall(r"^ \*     (.*)$", comment, re.M)
        self.assertGreater(len(lines), 8)
        body = "\n".join(lines)
        return f'#include <jitscope/jitscope.h>\n#include <stdio.h>\nint main(void) {{\n{body}\nprintf("%d\\n", answer);\n}}\n'

    def test_the_example_in_the_header(self):
        (self.folder / "example.c").write_text(self.example())
        run("gcc", "-c", "-fPIC", FIB, "-o", "fib.o", cwd=self.folder)
        # A sanitizer's runtime is that of the compiler that built the library.
        compilers = ("gcc", "g++") if SANITIZERS else ("gcc", "g++", "clang", "clang++")
        for compiler in compilers:
            language = ("-xc++", "-std=c++17") if compiler.endswith("++") else ("-xc", "-std=c17")
            with self.subTest(compiler=compiler):
                run(compiler, *language, "-Wall", "-Wextra", "-Wpedantic", "-Werror", *SANITIZERS,
                    *self.pkg_config("--cflags"), "example.c", "-xnone", *self.pkg_config("--libs"), "-o", "example",
                    cwd=self.folder)
                self.assertEqual(run("./example", cwd=self.folder), "832040\n")

    def test_only_headers_and_their_tables_are_installed(self):
        headers = {path.name for path in (self.prefix / "include").rglob("*") if path.is_file()}
        self.assertEqual(headers, {"error.h", "errors.def", "event.h", "executor.h", "graph.h", "jitscope.h", "memory.h", "session.h"})

    def test_the_version(self):
        self.assertRegex(self.pkg_config("--modversion")[0], r"^\d+\.\d+\.\d+$")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
