"""Symbols, groups, initialisers and relocations are resolved as the system's linker resolves them: the same program, linked
both ways, does the same."""
import itertools
import unittest

from harness import COMPILERS, JITSCOPE, SystemTest

PRINT = '#include <stdio.h>\n'


class Symbols(SystemTest):
    def objects(self, *texts, flags=("-O1", "-fPIC"), compiler="gcc"):
        return [self.compile(text + "\n", *flags, compiler=compiler, name=f"{number}.o") for number, text in enumerate(texts)]

    def status(self, *texts, flags=("-O1", "-fPIC"), link=(), compiler="gcc"):
        return self.same(self.objects(*texts, flags=flags, compiler=compiler), flags=link).status

    def refused(self, *texts, flags=("-O1", "-fPIC")):
        outcome = self.jitscope("run", *self.objects(*texts, flags=flags))
        self.assertEqual((outcome.status, outcome.out), (1, b""), outcome)
        return outcome.err.decode()

    def test_strong_weak_and_common_in_every_order(self):
        """Which definition wins depends on what they are; among weak ones, and among equals, on the order."""
        main = "extern int v; int main(void) { return v; }"
        definitions = {"strong": "int v = 10;", "weak": "__attribute__((weak)) int v = 20;",
                       "weaker": "__attribute__((weak)) int v = 30;", "common": "int v;"}
        for names in itertools.chain(itertools.permutations(definitions, 2), itertools.permutations(definitions, 3)):
            with self.subTest(order=names):
                self.status(main, *(definitions[name] for name in names), flags=("-O1", "-fPIC", "-fcommon"))

    def test_commons_take_the_largest_size_and_alignment(self):
        main = PRINT + """
extern char v[];
extern int last(void);
int main(void) {
    for (int i = 0; i < 64; i++)
        v[i] = 1;
    printf("%d %d\\n", (int)((unsigned long)v % 64), last());
    return 0;
}"""
        outcome = self.same(self.objects(main, "char v[8] __attribute__((aligned(64)));",
                                         "char v[64]; int last(void) { return v[63] + v[0]; }", "char v[4];",
                                         flags=("-O1", "-fPIC", "-fcommon")))
        self.assertEqual(outcome.out, b"0 2\n")

    def test_visibilities(self):
        """Hidden, protected and internal names bind across the objects of one batch."""
        for visibility in ("default", "hidden", "protected", "internal"):
            declared = f'__attribute__((visibility("{visibility}")))'
            for model in ("-fPIC", "-fPIE"):
                with self.subTest(visibility=visibility, model=model):
                    self.assertEqual(self.status(f"extern {declared} int f(int), v; int main(void) {{ return f(v); }}",
                                                 f"{declared} int v = 4; {declared} int f(int x) {{ return x * x + v; }}",
                                                 flags=("-O1", model)), 20)

    def test_undefined_hidden(self):
        text = self.refused('extern __attribute__((visibility("hidden"))) int f(void); int main(void) { return f(); }')
        self.assertRegex(text, r"unresolved symbol:\n  f\n    referred to by .*0\.o: \.text.*\+0x\w+ \(R_X86_64_")

    def test_weak_undefined(self):
        """Its address is 0, however it is reached."""
        text = """
extern int f(void) __attribute__((weak));
extern int v __attribute__((weak));
int (*table[])(void) = {f};
int main(void) { return (f != 0) * 1 + (&v != 0) * 2 + (table[0] != 0) * 4 + 8; }"""
        for compiler, level, model in itertools.product(COMPILERS, ("-O0", "-O2"), ("-fPIC", "-fPIE")):
            with self.subTest(compiler=compiler, level=level, model=model):
                self.assertEqual(self.status(text, flags=(level, model), compiler=compiler), 8)

    def test_duplicates(self):
        text = self.refused("int f(void) { return 1; } int main(void) { return f(); }", "int f(void) { return 2; }")
        self.assertIn("symbol 'f'", text)
        self.assertIn("0.o", text)
        self.assertIn("1.o", text)

    def test_absolute_symbols(self):
        """SHN_ABS, local and global: values, not places."""
        assembly = self.text("abs.s", ".globl answer\n.set answer, 42\n.set private, 7\n.text\n.globl local_value\nlocal_value:\n"
                                      "  mov $private, %eax\n  ret\n.section .note.GNU-stack,\"\"\n")
        self.must("gcc", "-c", assembly, "-o", "abs.o")
        main = self.compile("extern char answer[]; int local_value(void);\n"
                            "int main(void) { return (int)(long)answer + local_value(); }\n", "-O1", "-fPIC", name="main.o")
        self.assertEqual(self.same([main, self.folder / "abs.o"], flags=["-no-pie"]).status, 49)

    def test_comdat_groups(self):
        """One copy of an inline function, its static local, a template's statics and their guards; in either order."""
        header = """
#include <cstdio>
inline int next() { static int calls; return ++calls; }
template <typename T> struct Holder { static T value; static T take() { return value++; } };
template <typename T> T Holder<T>::value = T(100);
struct Loud { Loud() { std::puts("made"); } int x = 3; };
inline Loud &loud() { static Loud one; return one; }
"""
        one = header + "int two();\nint main() { return next() * 10 + two() + next() + Holder<int>::take() + loud().x++; }\n"
        two = header + "int two() { return next() + Holder<int>::take() + loud().x++; }\n"
        for compiler, level in itertools.product(COMPILERS, ("-O0", "-O2")):
            with self.subTest(compiler=compiler, level=level):
                objects = []
                for name, text in (("one", one), ("two", two)):
                    path = self.text(f"{name}.cpp", text)
                    self.must({"gcc": "g++", "clang": "clang++"}[compiler], level, "-fPIC", "-c", path, "-o", f"{name}.o")
                    objects.append(self.folder / f"{name}.o")
                for order in (objects, objects[::-1]):
                    outcome = self.same(order, ["-lstdc++"], linker="g++")
                    self.assertEqual(outcome.out, b"made\n")

    def test_order_of_initialisers(self):
        """Priorities over all objects; then files in order; finalisers mirrored; atexit functions before them."""
        def text(tag):
            lines = [PRINT, "#include <stdlib.h>", f'static void late_{tag}(void) {{ puts("atexit {tag}"); }}']
            for kind, verb in (("constructor", "begin"), ("destructor", "end")):
                for priority in ("", "(101)", "(200)", "(65535)"):
                    name = f"{verb}_{tag}_{priority.strip('()') or 'plain'}"
                    body = f'puts("{name}");' + (f" atexit(late_{tag});" if name.startswith("begin") and not priority else "")
                    lines.append(f"__attribute__(({kind}{priority})) static void {name}(void) {{ {body} }}")
            return "\n".join(lines)

        main = PRINT + 'int main(void) { puts("main"); return 0; }'
        outcome = self.same(self.objects(main, text("a"), text("b")))
        self.assertEqual(outcome.out.count(b"\n"), 1 + 2 * 8 + 2)

    def test_older_initialisers(self):
        """.ctors and .dtors, .preinit_array."""
        pointers = "".join(f'.section {section},"aw"\n.quad {name}\n' for section, name in (
            (".ctors", "one"), (".preinit_array", "two"), (".init_array", "three"), (".dtors", "four")))
        table = self.text("table.s", pointers + '.section .note.GNU-stack,""\n')
        self.must("gcc", "-c", table, "-o", "table.o")
        text = PRINT + "".join(f'void {name}(void) {{ puts("{what}"); }}\n' for name, what in (
            ("one", "ctor"), ("two", "preinit"), ("three", "init"), ("four", "dtor"))) + 'int main(void) { return puts("main") < 0; }'
        lines = self.jitscope("run", *self.objects(text), self.folder / "table.o").out.split()
        self.assertEqual(lines, [b"preinit", b"init", b"ctor", b"main", b"dtor"])

    def test_sections_by_name(self):
        """__start_X and __stop_X around what all objects put into section X."""
        entry = '__attribute__((used, section("numbers"))) static int {} = {};'
        main = "extern int __start_numbers[], __stop_numbers[];\n" + entry.format("a", 1) + """
int main(void) {
    int sum = 0;
    for (int *at = __start_numbers; at < __stop_numbers; at++)
        sum = sum * 10 + *at;
    return sum;
}"""
        self.assertEqual(self.status(main, entry.format("b", 2), entry.format("c", 3)), 123)


class Relocations(SystemTest):
    """Each relocation type in assembled code, run, and compared with the system's own link."""

    DATA = """
    .section .rodata
    .globl word
    .p2align 3
word: .quad 0x1122334455667788
    .data
    .globl cell
cell: .quad 5
    .section .note.GNU-stack,""
"""

    def run_code(self, body, *words, flags=("-no-pie",), extra=""):
        """BODY computes %eax; the status must be the same both ways."""
        source = self.text("code.s", f"    .text\n    .globl main\nmain:\n{body}\n    ret\n{extra}{self.DATA}")
        self.must("gcc", "-c", *words, source, "-o", "code.o")
        return self.same([self.folder / "code.o"], flags=flags).status

    def types(self):
        text = self.must("readelf", "-rW", "code.o").out.decode()
        return {line.split()[2] for line in text.splitlines() if "R_X86_64" in line}

    CASES = {
        "R_X86_64_64": ("movabs $word, %rax\n mov (%rax), %eax\n and $0x7f, %eax", ""),
        "R_X86_64_32": ("mov $word, %eax\n mov (%rax), %eax\n and $0x7f, %eax", ""),
        "R_X86_64_32S": ("mov $cell, %rax\n mov (%rax), %eax", ""),
        "R_X86_64_PC32": ("mov word(%rip), %eax\n and $0x7f, %eax", ""),
        "R_X86_64_PC64": ("lea here(%rip), %rdx\n mov (%rdx), %rax\n add %rdx, %rax\n mov (%rax), %eax",
                          ".section .rodata.here\nhere: .quad cell - .\n"),
        "R_X86_64_PLT32": ("call helper", ".text\n.globl helper\nhelper: mov $33, %eax\n ret\n"),
        "R_X86_64_GOTPCREL": ("mov pointer(%rip), %eax\n lea pointer(%rip), %rdx\n movslq (%rdx), %rax\n add %rdx, %rax\n"
                              " mov (%rax), %rax\n mov (%rax), %eax", ".data\npointer: .long cell@GOTPCREL\n"),
        "R_X86_64_GOTPCRELX": ("call *helper@GOTPCREL(%rip)", ".text\n.globl helper\nhelper: mov $34, %eax\n ret\n"),
        "R_X86_64_REX_GOTPCRELX": ("mov cell@GOTPCREL(%rip), %rax\n mov (%rax), %eax", ""),
        "R_X86_64_GOTPC32": ("lea _GLOBAL_OFFSET_TABLE_(%rip), %rdx\n movabs $cell@GOTOFF, %rax\n add %rdx, %rax\n"
                             " mov (%rax), %eax", ""),
        "R_X86_64_GOTOFF64": ("lea _GLOBAL_OFFSET_TABLE_(%rip), %rdx\n movabs $word@GOTOFF, %rax\n movzbl (%rdx,%rax), %eax", ""),
        "R_X86_64_NONE": ("mov $3, %eax\n .reloc ., R_X86_64_NONE, cell", ""),
        "R_X86_64_8": ("mov $small, %al\n movzbl %al, %eax", ".globl small\n.set small, 200\n"),
        "R_X86_64_16": ("movzwl half(%rip), %eax\n shr $8, %eax", ".globl wide\n.set wide, 0xab00\n.data\nhalf: .short wide\n"),
        "R_X86_64_PC8": ("movsbl near(%rip), %eax\n neg %eax\n and $0x7f, %eax",
                         ".section .rodata\n.globl first\nfirst: .fill 4\nnear: .reloc ., R_X86_64_PC8, first\n .byte 0\n"),
        "R_X86_64_PC16": ("movswl near(%rip), %eax\n neg %eax\n and $0x7f, %eax",
                          ".section .rodata\n.globl first\nfirst: .fill 9\nnear: .reloc ., R_X86_64_PC16, first\n .short 0\n"),
    }

    def test_each_type(self):
        for kind, (body, extra) in self.CASES.items():
            with self.subTest(kind=kind):
                extern = extra.replace(".globl small\n.set small, 200\n", "").replace(".globl wide\n.set wide, 0xab00\n", "")
                self.folder.joinpath("code.o").unlink(missing_ok=True)
                status = self.run_code(body, "-Wa,-mrelax-relocations=yes", extra=extern,
                                       flags=("-no-pie", "-Wl,--defsym=small=200", "-Wl,--defsym=wide=0xab00")
                                       ) if extern != extra else self.run_code(body, "-Wa,-mrelax-relocations=yes", extra=extra)
                self.assertNotEqual(status, 0)
                self.assertIn(kind, self.types())

    def same(self, inputs, flags=(), **options):
        """The names given to the system's linker with --defsym are given to jitscope too."""
        words = [flag.removeprefix("-Wl,") for flag in flags if flag.startswith("-Wl,--defsym")]
        if not words:
            return super().same(inputs, flags=flags, **options)
        program = self.folder / "program"
        self.must("gcc", *flags, *inputs, "-o", program)
        expected = self.run_command(program)
        actual = self.jitscope("run", *words, *inputs)
        self.assertEqual(repr(actual), repr(expected))
        return actual

    def test_relaxed_forms(self):
        """mov to lea, call and jump direct, test and arithmetic on immediates: with near and with far targets the same."""
        forms = {"mov": "mov cell@GOTPCREL(%rip), %rcx\n mov (%rcx), %eax", "test": "xor %eax, %eax\n mov $-1, %rcx\n"
                 " test %rcx, cell@GOTPCREL(%rip)\n setne %al\n inc %eax", "jmp": "jmp *helper@GOTPCREL(%rip)"}
        forms.update({name: f"lea cell(%rip), %rcx\n {name} cell@GOTPCREL(%rip), %rcx\n sete %al\n movzbl %al, %eax\n add $5, %eax"
                      for name in ("cmp", "sub", "xor")})
        for name, body in forms.items():
            with self.subTest(form=name):
                helper = ".text\n.globl helper\nhelper: mov $35, %eax\n ret\n"
                self.assertGreater(self.run_code(body, "-Wa,-mrelax-relocations=yes", extra=helper), 0)

    def relaxed(self, recording):
        return {(row["before"], row["after"]) for row in self.show("events", recording, "--filter", "event = edge_relaxed")}

    def test_far_targets_stay_in_the_table(self):
        source = self.text("far.s", ".text\n.globl main\nmain:\n mov far@GOTPCREL(%rip), %rax\n shr $40, %rax\n ret\n"
                                    '.section .note.GNU-stack,""\n')
        self.must("gcc", "-c", source, "-o", "far.o")
        outcome = self.jitscope("run", "--define", "far=0x330000000000", "--record", "far.jsr", self.folder / "far.o")
        self.assertEqual(outcome.status, 0x33, outcome)
        slots = self.show("got", self.folder / "far.jsr")
        self.assertEqual([(row["symbol"], row["target"]) for row in slots], [("far", 0x330000000000)])
        self.assertEqual(self.relaxed(self.folder / "far.jsr"), set())

    def limit(self, directive, value):
        source = self.text("limit.s", f".data\n.globl main\nmain: {directive}\n" '.section .note.GNU-stack,""\n')
        self.must("gcc", "-c", source, "-o", "limit.o")
        return self.jitscope("link", "--base", "0x10000000", "--define", f"far={value & (1 << 64) - 1:#x}", "limit.o")

    def test_limits(self):
        """The largest and the smallest value that fit, and one beyond each."""
        place = 0x10000000
        ranges = {
            ".reloc ., R_X86_64_32, far\n.long 0": (0, 0, 2**32 - 1), ".reloc ., R_X86_64_32S, far\n.long 0": (0, -2**31, 2**31 - 1),
            ".reloc ., R_X86_64_16, far\n.short 0": (0, -2**15, 2**16 - 1), ".reloc ., R_X86_64_8, far\n.byte 0": (0, -2**7, 2**8 - 1),
            ".long far - .": (place, -2**31, 2**31 - 1), ".short far - .": (place, -2**15, 2**15 - 1),
            ".byte far - .": (place, -2**7, 2**7 - 1)}
        for directive, (base, low, high) in ranges.items():
            for value, fits in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
                with self.subTest(directive=directive, value=value):
                    outcome = self.limit(directive, base + value)
                    self.assertEqual(outcome.status, 0 if fits else 1, outcome)
                    if not fits:
                        self.assertRegex(outcome.err, rb"does not fit")


if __name__ == "__main__":
    unittest.main()
