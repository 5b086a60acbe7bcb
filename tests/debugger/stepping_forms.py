"""Every form that debug information comes in: gdb finds lines, locals and types, and complains about nothing."""
import unittest

from stepping_harness import SteppingTest, after, line, mark

PROGRAM = r"""#define J_FACTOR 3
#define J_SCALE(x) ((x) * J_FACTOR)
struct j_box { int width; union { int height; float depth; } size; };
enum j_color { J_RED, J_GREEN = 7 };
static int j_total = 4;
__attribute__((noinline)) int j_area(struct j_box *box, enum j_color color)
{
    int area = box->width * box->size.height; // area
    j_total += area + (int)color; // total
    return J_SCALE(area); // scale
}
__attribute__((noinline)) int j_second(int value)
{
    struct j_box box = {value, {5}};
    return j_area(&box, J_GREEN) + 1; // second
}
int main(void)
{
    return j_second(2) != 31; // main
}
"""
SHARED = r"""struct J_Shape { virtual ~J_Shape() {} virtual int j_sides() = 0; int tag; };
template <typename T> struct J_Holder { T value; int j_get(T more); };
template <typename T> __attribute__((noinline)) int J_Holder<T>::j_get(T more)
{
    int sum = value + more; // sum
    return sum;
}
struct J_Square : J_Shape { int j_sides() override { return 4; } };
"""
FIRST = SHARED + r"""int j_other(int);
int main()
{
    J_Holder<int> holder{20};
    J_Square square;
    J_Shape *shape = &square;
    int got = holder.j_get(2); // got
    return shape->j_sides() + got + j_other(1) != 57; // first
}
"""
SECOND = SHARED + r"""int j_other(int value)
{
    J_Holder<int> holder{29};
    int here = holder.j_get(value); // here
    return here + 1; // second
}
"""
ASSEMBLY = """\t.text
\t.globl j_assembly
\t.type j_assembly, @function
j_assembly:
\t.cfi_startproc
\tpush %rbx
\t.cfi_adjust_cfa_offset 8
\t.cfi_rel_offset %rbx, 0
\tmov $5, %eax
j_label:
\tadd $2, %eax
\tpop %rbx
\t.cfi_adjust_cfa_offset -8
\t.cfi_restore %rbx
\tret
\t.cfi_endproc
\t.size j_assembly, .-j_assembly
\t.section .note.GNU-stack,"",@progbits
"""
CALLER = "int j_assembly(void);\nint main(void)\n{\n    return j_assembly() != 7; // call\n}\n"


class Forms(SteppingTest):
    def check(self, *inputs, macros=False, unwinds=True):
        """Lines, arguments, locals, statics and types are right."""
        at = lambda name: line(PROGRAM, name)  # noqa: E731
        out = self.run_gdb([f"break program.c:{at('total')}", "run", mark("stop"), "bt 3", "info locals", "print *box",
                            "print color", "ptype box", "print j_total", *(["print J_SCALE(2)"] if macros else []),
                            mark("next"), "next", "print j_total", "finish", mark("end"), "delete", "c"], *inputs)
        text = after(out, "stop")
        self.assertFrames(text, "j_area", "j_second", "main")
        self.assertIn(f"program.c:{at('total')}\n", text)
        self.assertIn(f"j_second (value=2) at program.c:{at('second')}\n", text)
        self.assertIn("area = 10\n$1 = {width = 2, size = {height = 5, depth = ", text)
        self.assertIn("$2 = J_GREEN\n", text)
        self.assertIn("    union {\n        int height;\n        float depth;\n    } size;\n} *\n$3 = 4", text)
        if macros:
            self.assertIn("$4 = 6", text)
        self.assertIn(" = 21\n", after(out, "next"))
        self.assertIn("Value returned is", after(out, "next"))
        self.assertIn("exited normally", after(out, "end"))
        self.assertClean(out)
        return out

    def try_forms(self, forms, **options):
        self.source("program.c", PROGRAM)
        for compiler, flags in forms:
            with self.subTest(compiler=compiler, flags=flags):
                self.check(self.build("program.c", "-O0", *flags.split(), compiler=compiler), **options)

    def test_versions_and_sections(self):
        self.try_forms((compiler, f"{version} {more}".strip()) for compiler in ("gcc", "clang")
                       for version in ("-gdwarf-4", "-gdwarf-5")
                       for more in ("", "-ffunction-sections -fdata-sections", "-fdebug-types-section"))

    def test_older_and_wider(self):
        self.try_forms([("gcc", "-gdwarf-2"), ("gcc", "-gdwarf-3"), ("gcc", "-g -gdwarf64"), ("gcc", "-gdwarf-4 -gdwarf64"), ("clang", "-gdwarf-5 -gdwarf64"),
                        ("gcc", "-gdwarf-5 -gstrict-dwarf"), ("gcc", "-ggdb3 -gno-column-info")])

    def test_compressed(self):
        self.try_forms([("gcc", "-g -gz=zlib"), ("clang", "-g -gz=zlib"), ("gcc", "-g -gz=zlib-gnu")])

    def test_compressed_with_zstd(self):
        self.source("program.c", PROGRAM)
        self.build("program.c", "-g", "-O0")
        if self.run_command("objcopy", "--compress-debug-sections=zstd", "program.o", "small.o").status:
            self.skipTest("this objcopy does not know zstd")
        self.check("small.o")

    def test_split(self):
        """The rest stays in the .dwo file; gdb finds it from the folder in which the object was compiled."""
        self.try_forms((compiler, f"{version} -gsplit-dwarf") for compiler in ("gcc", "clang")
                       for version in ("-gdwarf-4", "-gdwarf-5"))

    def test_macros(self):
        self.try_forms([("gcc", "-g3"), ("gcc", "-gdwarf-4 -g3"), ("clang", "-g -fdebug-macro"),
                        ("clang", "-gdwarf-4 -fdebug-macro")], macros=True)

    def test_frames_only_in_debug_frame(self):
        self.try_forms((compiler, f"-fno-asynchronous-unwind-tables -fno-unwind-tables -fomit-frame-pointer {version}")
                       for compiler in ("gcc", "clang") for version in ("-gdwarf-4", "-gdwarf-5"))

    def test_without_debug_information(self):
        self.source("program.c", PROGRAM)
        for level in ("-O0", "-O1 -fomit-frame-pointer -fno-inline"):
            with self.subTest(level):
                name = self.build("program.c", "-fPIC", *level.split())
                out = self.run_gdb(["break j_area", "run", mark("stop"), "bt 3", "info symbol $pc", "finish", mark("up"), "bt 1",
                                    "info functions j_"], name)
                self.assertFrames(after(out, "stop"), "j_area", "j_second", "main")
                self.assertRegex(after(out, "stop"), r"j_area.* in section .text")
                self.assertIn("j_second", after(out, "up"))
                self.assertClean(out)

    def test_some_with_and_some_without(self):
        self.source("first.cpp", FIRST)
        self.source("second.cpp", SECOND)
        self.build("first.cpp")
        self.build("second.cpp", "-g")
        out = self.run_gdb([f"break second.cpp:{line(SECOND, 'here')}", "run", mark("stop"), "bt 2", "print holder.value"],
                           "first.o", "second.o", "-l", "stdc++")
        self.assertRegex(after(out, "stop"), r"#0 +j_other \(value=1\) at second.cpp:.*\n#1 +(0x\w+ in )?main \(\)\n")
        self.assertIn("$1 = 29", after(out, "stop"))

    def test_discarded_copies(self):
        """One template in two objects: one copy is in memory, and no breakpoint is set at address 0."""
        self.source("first.cpp", FIRST)
        self.source("second.cpp", SECOND)
        for flags in (("-gdwarf-5",), ("-gdwarf-4",), ("-gdwarf-4", "-fdebug-types-section")):
            for compiler in ("g++", "clang++"):
                with self.subTest(flags=flags, compiler=compiler):
                    self.build("first.cpp", *flags, compiler=compiler)
                    self.build("second.cpp", *flags, compiler=compiler)
                    out = self.run_gdb(["set print address on", f"break first.cpp:{line(FIRST, 'sum')}", "break J_Holder<int>::j_get",
                                        "run", mark("one"), "bt 2", "info breakpoints", "print *this", "ptype this", "c",
                                        mark("two"), "bt 2", "print more", "delete", "c"],
                                       "first.o", "second.o", "-l", "stdc++")
                    self.assertFrames(after(out, "one"), "J_Holder<int>::j_get", "main")
                    self.assertFrames(after(out, "two"), "J_Holder<int>::j_get")
                    self.assertIn("= {value = 20}", after(out, "one"))
                    self.assertNotRegex(after(out, "one"), r"0x0{10,16}[01]?\b")
                    self.assertNotIn("MULTIPLE", after(out, "one"))
                    self.assertIn("exited normally", out)
                    self.assertClean(out)

    def at_virtual_call(self, *commands):
        """What gdb prints for these commands where SHAPE is a square."""
        self.source("first.cpp", FIRST)
        self.source("second.cpp", SECOND)
        self.build("first.cpp", "-g")
        self.build("second.cpp", "-g")
        out = self.run_gdb([f"break first.cpp:{line(FIRST, 'first')}", "run", mark("stop"), *commands],
                           "first.o", "second.o", "-l", "stdc++")
        return after(out, "stop")

    def test_virtual_types(self):
        text = self.at_virtual_call("set print object on", "print *shape", "info vtbl shape")
        self.assertIn("$1 = (J_Square) {<J_Shape> = {_vptr.J_Shape = <vtable for J_Square+16>", text)
        self.assertIn("J_Square::j_sides", text)

    def test_calling_a_virtual_function(self):
        self.need_calls()
        self.assertEqual(self.at_virtual_call("print shape->j_sides()"), "$1 = 4")

    def test_assembler(self):
        self.source("words.s", ASSEMBLY)
        self.source("caller.c", CALLER)
        for flags in ((), ("-g",)):
            with self.subTest(flags=flags):
                inputs = [self.build("words.s", *flags), self.build("caller.c", "-g")]
                out = self.run_gdb(["break j_assembly", "break j_label", "run", mark("first"), "bt 2", "stepi", "bt 2", "c",
                                    mark("label"), "bt 2", "info symbol $pc", "print $eax", "finish", mark("end"), "c"], *inputs)
                self.assertRegex(after(out, "label"), rf"\n#1 +(0x\w+ in )?main \(\) at caller.c:{line(CALLER, 'call')}\n")
                self.assertIn("j_assembly + 6 in section .text", after(out, "label"))
                self.assertIn("$1 = 5", after(out, "label"))
                if flags:
                    self.assertIn("words.s:11", after(out, "label"))
                self.assertIn("exited normally", out)
                self.assertClean(out)


if __name__ == "__main__":
    unittest.main()
