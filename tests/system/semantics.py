"""Symbols, groups and initialisers are resolved as the system's linker resolves them: the same program, linked both ways,
does the same."""
import itertools
import unittest

from harness import COMPILERS, JITSCOPE, SystemTest

PRINT = '#include <stdio.h>\n'
STACK = '.section .note.GNU-stack,"",@progbits\n'


class Semantics(SystemTest):
    def objects(self, *texts, flags=("-O1", "-fPIC"), compiler="gcc"):
        return [self.compile(text + "\n", *flags, compiler=compiler, name=f"{number}.o") for number, text in enumerate(texts)]

    def status(self, *texts, flags=("-O1", "-fPIC"), link=(), compiler="gcc"):
        return self.same(self.objects(*texts, flags=flags, compiler=compiler), flags=link).status

    def refused(self, *texts, flags=("-O1", "-fPIC")):
        outcome = self.jitscope("run", *self.objects(*texts, flags=flags))
        self.assertEqual((outcome.status, outcome.out), (1, b""), outcome)
        return outcome.err.decode()

    def defined(self, recording, name):
        rows = self.show("symbols", self.folder / recording, "--filter", f'name = "{name}"')
        return [row for row in rows if row["state"] == "defined"]

    def assemble(self, name, text):
        self.must("gcc", "-c", self.text(f"{name}.s", text + STACK), "-o", f"{name}.o")
        return self.folder / f"{name}.o"


class Symbols(Semantics):
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

    def test_commons_grow_in_every_order(self):
        main = "extern int v[]; int main(void) { return v[15] == 0; }"
        sizes = {"v[4]": 16, "v[16] __attribute__((aligned(256)))": 256, "v[8] __attribute__((aligned(128)))": 128}
        for names in itertools.permutations(sizes):
            with self.subTest(order=names):
                objects = self.objects(main, *(f"int {name};" for name in names), flags=("-O1", "-fPIC", "-fcommon"))
                self.assertEqual(self.same(objects).status, 1)
                self.must(JITSCOPE, "link", "--record", "common.jsr", *objects)
                [symbol] = self.defined("common.jsr", "v")
                self.assertEqual((symbol["size"], symbol["address"] % 256), (64, 0), symbol)

    def test_a_member_with_data_beats_a_common_symbol(self):
        """An archive's member is taken for a common symbol when it defines it as data, and only then."""
        main, common, data, code = self.objects(
            "int v; int main(void) { return v; }", "int v; int more = 1;", "int v = 5;", "int v(void) { return 1; }",
            flags=("-O1", "-fPIC", "-fcommon"))
        for member, status in ((data, 5), (common, 0), (code, 0)):
            for flags in ("rcs", "rcS"):
                with self.subTest(member=member.name, flags=flags):
                    (self.folder / "lib.a").unlink(missing_ok=True)
                    archive = self.archive("lib.a", member, flags=flags)
                    if flags == "rcs":
                        self.assertEqual(self.same([main, archive]).status, status)
                    else:  # GNU ld wants an index
                        self.assertEqual(self.jitscope("run", main, archive).status, status)

    def test_the_member_with_data_stands_behind_others(self):
        """Members and archives that have the name as a common symbol too come first."""
        main, other, data = self.objects("int v; int main(void) { return v + 1; }", "int v; int more = 1;", "int v = 5;",
                                         flags=("-O1", "-fPIC", "-fcommon"))
        both = self.archive("both.a", other, data)
        first, second = self.archive("first.a", other), self.archive("second.a", data)
        for archives in ([both], [first, second], [self.archive("plain.a", other, data, flags="rcS")]):
            with self.subTest(archives=archives):
                if archives[0].name != "plain.a":
                    self.assertEqual(self.same([main, *archives]).status, 6)
                self.assertEqual(self.jitscope("run", main, *archives).status, 6)

    def test_hidden_references_stay_in_the_batch(self):
        """A shared library cannot answer for a hidden name: strong, it is missing; weak, it is 0."""
        hidden = 'extern __attribute__((visibility("hidden"){})) int puts(const char *);\n'
        text = self.refused(hidden.format("") + 'int main(void) { return puts("never"); }')
        self.assertIn("\n  puts (hidden: only an input of this link can define it)\n", text)
        self.assertEqual(self.status(hidden.format(", weak") + "int main(void) { return puts ? 1 : 2; }"), 2)
        # One hidden reference is enough, whoever else refers to it; and an archive's member is taken all the same.
        user, other, own = self.objects(hidden.format("") + 'int main(void) { return puts("own"); }',
                                        'extern int puts(const char *); int f(void) { return puts("other"); }',
                                        "int puts(const char *text) { return text[1]; }")
        self.assertEqual(self.same([user, other, self.archive("own.a", own)]).status, ord("w"))

    def test_visibilities(self):
        """Hidden, protected and internal names bind across the objects of one batch."""
        for visibility in ("default", "hidden", "protected", "internal"):
            declared = f'__attribute__((visibility("{visibility}")))'
            for model in ("-fPIC", "-fPIE"):
                with self.subTest(visibility=visibility, model=model):
                    self.assertEqual(self.status(f"extern {declared} int f(int), v; int main(void) {{ return f(v); }}",
                                                 f"{declared} int v = 4; {declared} int f(int x) {{ return x * x + v; }}",
                                                 flags=("-O1", model)), 20)

    def test_the_strictest_visibility_holds(self):
        """Whether the definition says it or a reference."""
        for texts in itertools.permutations(('extern __attribute__((visibility("hidden"))) int v; int f(void) { return v; }',
                                             "int v = 6;", "extern int v, f(void); int main(void) { return v + f(); }")):
            objects = self.objects(*texts)
            self.assertEqual(self.same(objects).status, 12)
            self.must(JITSCOPE, "link", "--record", "scope.jsr", *objects)
            [symbol] = self.defined("scope.jsr", "v")
            self.assertEqual(symbol["scope"], "hidden")

    def test_undefined_hidden(self):
        text = self.refused('extern __attribute__((visibility("hidden"))) int f(void); int main(void) { return f(); }')
        self.assertRegex(text, r"unresolved symbol:\n  f \(hidden: .*\)\n    referred to by .*0\.o: \.text.*\+0x\w+ \(R_X86_64_")

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

    def test_weak_undefined_in_position_dependent_code(self):
        text = """
extern int f(void) __attribute__((weak));
extern int v __attribute__((weak));
int *where = &v;
int main(void) { return (f ? f() : 0) + (&v ? v : 0) + (where != 0) * 4 + 8; }"""
        for compiler, level in itertools.product(COMPILERS, ("-O0", "-O2")):
            with self.subTest(compiler=compiler, level=level):
                self.assertEqual(self.status(text, flags=(level, "-fno-pic"), link=("-no-pie",), compiler=compiler), 8)

    def test_weak_undefined_through_each_access(self):
        """Loads that could be relaxed, pointers of both widths, a guarded call, a jump through the table."""
        accesses = {
            "load": "mov f@GOTPCREL(%rip), %rax\n test %rax, %rax\n setne %al\n movzbl %al, %eax",
            "test": "mov $-1, %rcx\n test %rcx, f@GOTPCREL(%rip)\n setne %al\n movzbl %al, %eax",
            "compare": "xor %ecx, %ecx\n cmp f@GOTPCREL(%rip), %rcx\n setne %al\n movzbl %al, %eax",
            "add": "xor %eax, %eax\n add f@GOTPCREL(%rip), %rax",
            "call": "xor %eax, %eax\n test %eax, %eax\n je 1f\n call f@PLT\n call *f@GOTPCREL(%rip)\n1:",
            "absolute": "mov $f, %eax\n add $f, %rax\n movabs $f, %rcx\n add %rcx, %rax",
            "data": "mov pointer(%rip), %eax\n.data\npointer: .quad f\n.text"}
        for name, body in accesses.items():
            with self.subTest(access=name):
                code = self.assemble("code", f".weak f\n.text\n.globl main\nmain: push %rbx\n{body}\n add $3, %eax\n pop %rbx\n ret\n")
                self.assertEqual(self.same([code], flags=("-no-pie",)).status, 3)

    def test_weak_references_take_no_member(self):
        user, f = self.objects("extern __attribute__((weak)) int f(void); int main(void) { return f ? f() : 9; }",
                               "int f(void) { return 1; }")
        archive = self.archive("f.a", f)
        self.assertEqual(self.same([user, archive]).status, 9)
        self.assertEqual(self.same([user, f]).status, 1)

    def test_default_libraries_are_read_as_far_as_names_want_them(self):
        """The C library, libgcc, libgcc_s, in this order; what is found there is what the system's linker finds."""
        unwind = """
extern int _Unwind_Backtrace(int (*)(void *, void *), void *);
static int count(void *context, void *frames) { (void)context; ++*(int *)frames; return 0; }
int main(void) { int frames = 0; _Unwind_Backtrace(count, &frames); return frames > 1; }"""
        libraries = ["libc.so.6", "libgcc.a", "libgcc_s.so.1"]
        for text, read in ((PRINT + 'int main(void) { return puts("one") > 0; }', 1),
                           ("int main(int n, char **words) { (void)words; return (int)(((__int128)84 << n) / ((__int128)n << 1)); }", 2),
                           (unwind, 3), ("extern int f(void) __attribute__((weak)); int main(void) { return f ? f() : 9; }", 3)):
            with self.subTest(read=read):
                objects = self.objects(text)
                self.same(objects)
                self.must(JITSCOPE, "run", "--record", "read.jsr", "--entry", "start", *objects,
                          self.compile("int main(void); int start(void) { main(); return 0; }\n", "-fPIC", name="start.o"))
                names = {row["name"].split("/")[-1] for row in self.show("inputs", self.folder / "read.jsr")}
                self.assertEqual([name for name in libraries if name in names], libraries[:read])

    def test_objects_that_a_default_library_is_made_of(self):
        """Its ld script names them: they are in the program, with what they define, refer to and run at its start."""
        own = ("extern int printf(const char *, ...); extern int half(int); int third(int x) { return half(x) - 1; }\n"
               "static __attribute__((constructor)) void begin(void) { printf(\"begin\\n\"); }\n")
        self.compile(own, "-fPIC", name="own.o")
        self.archive("half.a", self.compile("int half(int x) { return x / 2; }\n", "-fPIC", name="half.o"))
        real = self.must("gcc", "-print-file-name=libc.so").out.decode().strip()
        self.text("libc.so", f"/* GNU ld script */\nINPUT(own.o half.a {real})\n")
        weak = "extern int half(int) __attribute__((weak)); "
        for text in (PRINT + weak + 'extern int third(int); int main(void) { puts("main"); return third(12) + half(2); }',
                     PRINT + 'int main(void) { puts("main"); return 5; }'):
            with self.subTest(text):
                objects = self.objects(text)
                outcome = self.same(["-L.", *objects])
                self.assertEqual(outcome.out.split(), [b"begin", b"main"])

    def test_a_default_library_behind_an_archive(self):
        """An archive has the name, too: a strong reference takes its member, a weak one what the C library has."""
        own = self.compile("int getpagesize(void) { return 5; }\n", "-fPIC", name="own.o")
        archive = self.archive("own.a", own)
        for linkage, status in (("", 5), ("__attribute__((weak))", 1)):
            with self.subTest(linkage):
                main = self.compile(f"extern {linkage} int getpagesize(void);\n"
                                    "int main(void) { return getpagesize ? getpagesize() % 4095 : 9; }\n", "-fPIC", name="main.o")
                self.assertEqual(self.same([main, archive]).status, status)

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

    def test_one_number_defined_twice(self):
        """Absolute symbols of one name clash only when their values differ."""
        number = ".globl answer\n.set answer, {}\n"
        main = self.compile("extern char answer[]; int main(void) { return (int)(long)answer; }\n", "-O1", "-fPIC")
        once, again, other = (self.assemble(name, number.format(value))
                              for name, value in (("once", 42), ("again", 42), ("other", 43)))
        self.assertEqual(self.same([main, once, again], flags=["-no-pie"]).status, 42)
        outcome = self.jitscope("run", main, once, other)
        self.assertEqual(outcome.status, 1)
        self.assertRegex(outcome.err.decode(), "other.o: symbol 'answer': defined twice; first defined in .*once.o")

    def test_weak_definitions_and_archives(self):
        """A weak definition asks no archive; a member taken for another name brings its strong one along."""
        main, f, g, both = self.objects("__attribute__((weak)) int f(void) { return 3; } extern int g(void);"
                                        "int main(void) { return f() + g(); }", "int f(void) { return 4; }",
                                        "int g(void) { return 10; }",
                                        "int f(void) { return 5; } int g(void) { return 20; }")
        self.assertEqual(self.same([main, self.archive("apart.a", f, g)]).status, 13)
        self.assertEqual(self.same([main, self.archive("both.a", both)]).status, 25)

    def test_unusual_definitions(self):
        """STB_GNU_UNIQUE, a weak absolute value, and a group that is no COMDAT group."""
        cases = {'.section .data.v,"aw"\n.globl v\n.type v, @gnu_unique_object\nv: .long 5\n.size v, 4\n': ("extern int v;", "v"),
                 ".weak v\n.set v, 6\n": ("extern char v[] __attribute__((weak));", "(int)(long)v"),
                 '.section .text.v,"axG",@progbits,v\n.globl v\nv: mov $7, %eax\n ret\n': ("extern int v(void);", "v()")}
        for definition, (declaration, value) in cases.items():
            with self.subTest(definition=definition):
                main = self.compile(f"{declaration}\nint main(void) {{ return {value}; }}\n", "-O1", "-fPIC")
                self.assertIn(self.same([main, self.assemble("v", definition)], flags=["-no-pie"]).status, (5, 6, 7))

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


class Groups(Semantics):
    def test_the_whole_group_goes(self):
        """Code, data and unwind records of the loser, and what only its group defines."""
        def member(number, name):
            return self.assemble(name, f"""
    .section .text.f,"axG",@progbits,f,comdat
    .weak f
    .type f, @function
f:  .cfi_startproc
    mov value_of_f(%rip), %eax
    ret
    .cfi_endproc
    .section .data.f,"awG",@progbits,f,comdat
    .weak value_of_f
value_of_f: .long {number}
    .text
    .globl user_{name}
user_{name}:
    jmp f
""")
        main = self.compile("extern int user_a(void), user_b(void), f(void), value_of_f;\n"
                            "int main(void) { return user_a() * 25 + user_b() * 5 + f() + value_of_f * 0; }\n", "-O1", "-fPIC")
        a, b = member(2, "a"), member(3, "b")
        for order, status in (((a, b), 62), ((b, a), 93)):
            self.assertEqual(self.same([main, *order]).status, status)
        self.must(JITSCOPE, "link", "--record", "group.jsr", main, a, b)
        gone = self.show("events", self.folder / "group.jsr", "--filter", "event = section_discarded")
        self.assertEqual(sorted(row["name"] for row in gone), [".data.f", ".rela.text.f", ".text.f"])
        self.assertEqual({(row["group"], row["reason"]) for row in gone}, {("f", "COMDAT group already present")})

    def test_a_group_and_a_strong_definition(self):
        """The group stays, its weak symbol loses."""
        group = self.assemble("group", '.section .text.f,"axG",@progbits,f,comdat\n.weak f\n.globl beside\nf: mov $1, %eax\n ret\n'
                              "beside: mov $10, %eax\n ret\n")
        for order in ((0, 1), (1, 0)):
            main = self.objects("extern int beside(void), f(void); int main(void) { return f() + beside(); }",
                                "int f(void) { return 5; }")
            self.assertEqual(self.same([main[0], *((main[1], group)[at] for at in order)]).status, 15)

    def test_groups_of_two_compilers(self):
        """The same inline function, template and static, made by gcc and by clang."""
        header = """
#include <cstdio>
#include <vector>
inline int &counter() { static int calls; return calls; }
template <typename T> int sum(const std::vector<T> &list) { int all = 0; for (T one : list) all += one, counter()++; return all; }
"""
        one = self.text("one.cpp", header + "int two();\nint main() { std::vector<int> l{1, 2, 3}; int s = sum(l); "
                        'std::printf("%d %d", s, two()); std::printf(" %d\\n", counter()); }\n')
        two = self.text("two.cpp", header + "int two() { std::vector<int> l{4, 5}; l.push_back(6); return sum(l); }\n")
        if "clang" not in COMPILERS:
            self.skipTest("needs clang")
        for first, second in (("g++", "clang++"), ("clang++", "g++")):
            for level in ("-O0", "-O2"):
                with self.subTest(first=first, level=level):
                    self.must(first, level, "-fPIC", "-c", one, "-o", "one.o")
                    self.must(second, level, "-fPIC", "-c", two, "-o", "two.o")
                    outcome = self.same([self.folder / "one.o", self.folder / "two.o"], ["-lstdc++"], linker="g++")
                    self.assertEqual(outcome.out, b"6 15 6\n")

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


class Initialisers(Semantics):
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

    ARRAYS = {
        "a": {".ctors": "a1,a2", ".init_array": "a3", ".dtors": "a4,a5", ".fini_array": "a6,a7", ".preinit_array": "a8"},
        "b": {".init_array": "b1", ".ctors.65400": "b2,b3", ".init_array.00200": "b4", ".dtors.65400": "b5", ".fini_array": "b6"},
        "c": {".ctors": "c1,c2", ".init_array.00050": "c3", ".dtors": "c4,c5", ".fini_array.00150": "c6", ".init_array.135": "c7"},
    }

    # Suffixes that are no numbers: with arrays of the newer kind, of the older, and of both.
    NAMED = ({"a": {".ctors.zzz": "a1,a2", ".init_array.00100": "a3", ".dtors.zzz": "a4,a5", ".fini_array.00100": "a6"},
              "b": {".init_array": "b1", ".ctors.abc": "b2,b3", ".init_array.foo": "b4", ".dtors.abc": "b5", ".fini_array": "b6"}},
             {"a": {".ctors.zzz": "a1", ".ctors.65400": "a2", ".ctors": "a3", ".dtors.65400": "a4,a5", ".dtors.zzz": "a6"},
              "b": {".ctors.100": "b1", ".ctors.abc": "b2", ".init_array.foo": "b3", ".dtors.abc": "b4", ".dtors": "b5"}})

    def same_arrays(self, files):
        names = [name for arrays in files.values() for list in arrays.values() for name in list.split(",")]
        text = PRINT + "".join(f'void {name}(void) {{ puts("{name}"); }}\n' for name in names)
        main = self.compile(text + 'int main(void) { puts("main"); return 0; }\n', "-O1", "-fPIC", name="main.o")
        tables = {}
        for tag, arrays in files.items():
            kind = {name: f",@{name[1:].split('.')[0]}" if "array" in name else "" for name in arrays}
            tables[tag] = self.assemble(tag, "".join(f'.section {name},"aw"{kind[name]}\n.quad {list}\n'
                                                     for name, list in arrays.items()))
        for order in itertools.permutations(files):
            with self.subTest(order=order):
                outcome = self.same([main, *(tables[tag] for tag in order)])
                self.assertEqual(len(outcome.out.split()), len(names) + 1)

    def test_older_initialisers(self):
        """.ctors and .dtors, with priorities and without, among .init_array and .fini_array; .preinit_array."""
        for files in (self.ARRAYS, *self.NAMED):
            self.same_arrays(files)

    def test_what_runs_at_exit(self):
        """atexit and __cxa_atexit, registered by initialisers, by main and while exiting; by return and by exit()."""
        text = PRINT + """
#include <stdlib.h>
extern int __cxa_atexit(void (*)(void *), void *, void *);
extern void *__dso_handle;
static void say(void *text) { puts(text); }
static void nested(void) { puts("nested"); }
static void late(void) { puts("late"); atexit(nested); }
__attribute__((constructor)) static void begin(void) { __cxa_atexit(say, "cxa of a constructor", &__dso_handle); }
__attribute__((destructor)) static void end(void) { puts("destructor"); fflush(stdout); }
int main(int argc, char **argv) {
    atexit(late);
    __cxa_atexit(say, "cxa of main", &__dso_handle);
    if (argc > 1)
        exit(4);
    return 3;
}"""
        for arguments, status in (((), 3), (("exit",), 4)):
            outcome = self.same(self.objects(text), arguments=arguments)
            self.assertEqual(outcome.status, status)
            self.assertEqual(outcome.out.decode().splitlines(),
                             ["cxa of main", "late", "nested", "cxa of a constructor", "destructor"])

    def test_exit_inside_an_initialiser(self):
        """What was registered and what finalisers there are run, though main never does."""
        text = PRINT + """
#include <stdlib.h>
static void registered(void) { puts("registered"); }
__attribute__((constructor(101))) static void first(void) { puts("first"); atexit(registered); }
__attribute__((constructor(102))) static void second(void) { puts("second"); exit(5); }
__attribute__((constructor(103))) static void third(void) { puts("third"); }
__attribute__((destructor)) static void end(void) { puts("end"); }
int main(void) { puts("main"); return 0; }"""
        objects = self.objects(text)
        outcome = self.same(objects)
        self.assertEqual((outcome.status, outcome.out.split()), (5, [b"first", b"second", b"registered", b"end"]))
        self.jitscope("run", "--record", "exit.jsr", *objects)
        results = [row["result"] for row in self.show("actions", self.folder / "exit.jsr") if row["half"] == "rollback"]
        self.assertEqual(set(results), {"ok"})


if __name__ == "__main__":
    unittest.main()
