"""Debian's archives and programs of several objects do in memory what they do when the system's linker links them."""
import itertools
import unittest

from harness import COMPILERS, LIBRARIES, INPUTS, SystemTest

ENVIRONMENT = {"JITSCOPE_TEST": "a value with spaces"}
MATRIX = list(itertools.product(COMPILERS, ("-O0", "-O2"), ("-fPIC", "-fPIE")))


class RealInputs(SystemTest):
    def each_way(self, build):
        for compiler, level, model in MATRIX:
            with self.subTest(compiler=compiler, level=level, model=model):
                build(compiler, (level, model, "-g"))

    def test_c_of_several_objects(self):
        def build(compiler, flags):
            objects = [self.compile(f"matrix/{name}.c", *flags, "-fcommon", compiler=compiler)
                       for name in ("main", "operations", "data", "hidden")]
            outcome = self.same(objects, ["-lm"], ["one", "two words", ""], stdin=b"a\nbc\nlast", env=ENVIRONMENT)
            self.assertEqual(outcome.status, 42)
            self.assertIn(b"destructor 42", outcome.out)

        self.each_way(build)

    def test_empty_sections(self):
        """Sections without content are left out, unless something is about them."""
        (self.folder / "empty.s").write_text(
            ".data\n.globl here\nhere:\n.bss\n.globl there\nthere:\n.section marks,\"aw\"\n"
            ".section .unseen,\"aw\"\nlocal:\n.data\n.section .text\n.globl where\nwhere: lea local(%rip), %rax\n"
            "ret\n.section .note.GNU-stack,\"\"\n")
        text = """
            extern char here[], there[], __start_marks[], __stop_marks[];
            char *where(void);
            int main(void) {
                char *volatile places[] = {here, there, where()};
                return (places[0] != 0) + (places[1] != 0) * 2 + (places[2] != 0) * 4 +
                       (__start_marks == __stop_marks) * 8;
            }
            """
        empty = self.folder / "empty.o"
        self.must("gcc", "-c", self.folder / "empty.s", "-o", empty)
        self.assertEqual(self.same([self.compile(text, name="main.o"), empty]).status, 15)

    def test_c_without_position_independence(self):
        for compiler in COMPILERS:
            objects = [self.compile("plain/main.c", "-fno-pie", level, compiler=compiler) for level in ("-O0",)]
            outcome = self.same(objects, flags=["-no-pie"])
            self.assertIn(b"plain", outcome.out)

    def test_cplusplus(self):
        def build(compiler, flags):
            objects = [self.compile(f"cplusplus/{name}.cpp", *flags, "-std=c++17", compiler=compiler)
                       for name in ("main", "shapes")]
            outcome = self.same(objects, ["-lstdc++", "-lm"], linker="g++")
            self.assertEqual(outcome.status, 9)
            self.assertIn(b"thrown through qsort", outcome.out)

        self.each_way(build)

    def test_lua(self):
        host = self.compile("../../demo/host.c", "-O2", "-I/usr/include/lua5.4")
        script = INPUTS / "features.lua"
        library = LIBRARIES / "liblua5.4.a"
        outcome = self.same([host, library], ["-lm"], [script, "argument"], stdin=b"first\n17 rest", env=ENVIRONMENT)
        self.assertEqual(outcome.status, 5)
        self.assertIn(b"stack overflow", outcome.out)

    def test_sqlite(self):
        main = self.compile("sqlite.c", "-O2")
        outcome = self.same([main, LIBRARIES / "libsqlite3.a"], ["-lm"], [])
        self.assertEqual(outcome.status, 7)
        file = self.folder / "cities.db"
        for _ in range(2):
            outcome = self.jitscope("run", main, LIBRARIES / "libsqlite3.a", "-lm", "--", file)
            self.assertEqual(outcome.status, 7)
        # The table is there already: what the first run wrote to the disk is what the second found.
        self.assertIn(b"table city already exists", outcome.out)

    def test_zlib(self):
        for compiler in COMPILERS:
            main = self.compile("zlib.c", "-O2", compiler=compiler)
            outcome = self.same([main, LIBRARIES / "libz.a"])
            self.assertEqual(outcome.status, 3)
            self.assertEqual(outcome.out.count(b"same"), 4)


if __name__ == "__main__":
    unittest.main()
