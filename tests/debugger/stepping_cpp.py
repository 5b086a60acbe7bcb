"""C++ in a plain gdb: exceptions thrown through JIT'd frames and libc's, templates, namespaces, COMDAT functions."""
import unittest

from gdb_harness import JITSCOPE, DebuggerTest, after, lines_of, mark

LINES = lines_of("throwing.cpp")


class Throwing(DebuggerTest):
    def walk(self, commands, *flags, compiler="gcc"):
        main = self.compile(self.input("throwing.cpp"), "-g", *flags, compiler=compiler)
        return self.gdb(["set breakpoint pending on", *commands], JITSCOPE, "run", main, "-lstdc++")

    def each_build(self, test):
        for compiler in ("gcc", "clang"):
            for level in ("-O0", "-O2"):
                with self.subTest(compiler=compiler, level=level):
                    test(compiler, level)

    def test_catch_throw(self):
        def test(compiler, level):
            out = self.walk(["break shapes::sort", "run", "catch throw", "continue", mark("throw"), "bt", "delete",
                             "tbreak shapes::say", "continue", mark("catch"), "bt", "print *text@10", "delete", "continue"],
                            level, compiler=compiler)
            stack = after(out, "throw")
            for name, line in (("shapes::refuse", "throw"), ("shapes::sort", "qsort"), ("main", "try")):
                self.assertRegex(stack, rf"#\d+ .*{name} ?\(.*throwing\.cpp:{LINES[line]}")
            self.assertIn("qsort", stack)
            self.assertRegex(after(out, "catch"), r"#0 +shapes::say \(text=0x\w+ .not comparable.\)(.*\n)+#1 .*main \(\)")
            self.assertIn("leaving refuse\nleaving sort\ncaught not comparable", out)
            self.assertIn("exited with code 052", out)

        self.each_build(test)

    def test_names_of_cplusplus(self):
        out = self.walk(["break shapes::sort", "break shapes::Box<long>::area", "run", mark("sort"), "bt 2", "print numbers[1]",
                         "info locals", "continue", mark("area"), "bt 2", "print *this", "print this->width", "ptype this",
                         "info symbol $pc", "finish"], "-O0")
        self.assertRegex(after(out, "sort"), r"#0 +shapes::sort \(numbers=0x\w+, count=3\)")
        self.assertIn("guard = {name = ", after(out, "sort"))
        self.assertRegex(after(out, "area"), r"#0 +shapes::Box<long>::area \(this=")
        self.assertIn("{width = 6, height = 7}", after(out, "area"))
        self.assertRegex(after(out, "area"), r"shapes::Box<long>::area\(\) const \+ \d+ in section \.text")
        self.assertRegex(after(out, "area"), r"Value returned is \$\d+ = 42")

    def test_comdat_functions_of_two_objects(self):
        """Both objects hold the inline function; the copy that lost must not shadow the one that runs."""
        header = "inline int shared(int x)\n{\n    static int calls;\n    return x + ++calls;\n}\n"
        one = self.compile_text("one.cpp", header + "int two(int);\nint main()\n{\n    return shared(1) + two(2);\n}\n")
        two = self.compile_text("two.cpp", header + "int two(int x)\n{\n    return shared(x);\n}\n")
        out = self.gdb(["set breakpoint pending on", "break shared", "run", mark("one"), "bt", "print calls", "continue",
                        mark("two"), "bt", "print calls", "delete", "continue"], JITSCOPE, "run", one, two, "-lstdc++")
        self.assertRegex(after(out, "one"), r"#0 +shared \(x=1\).*\n#1 .* main \(\)")
        self.assertRegex(after(out, "two"), r"#0 +shared \(x=2\).*\n#1 .* two \(x=2\).*two\.cpp:8\n#2 .* main \(\)")
        self.assertIn("exited with code 06", out)

    def compile_text(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return self.compile(path, "-g", "-O0")


if __name__ == "__main__":
    unittest.main()
