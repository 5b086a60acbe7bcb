"""What compilers emit besides plain code, a small program each: the same when the system's linker links it."""
import unittest

from harness import COMPILERS, JITSCOPE, SystemTest

PRINT = "#include <stdio.h>\n#include <stdlib.h>\n"
STACK = '.section .note.GNU-stack,"",@progbits\n'

# Name: the texts, what they are compiled with, and what the system's link and ours are given besides.
PROGRAMS = {
    "equal strings": ([PRINT + "extern const char *a(void); int main(void) { puts(a()); puts(\"hello world\"); const char *p = \"world\"; puts(p); return 0; }",
                       'const char *a(void) { return "hello world"; }'], ("-O2", "-fmerge-all-constants"), (), ()),
    "edges of the program": ([PRINT + "extern void *__dso_handle; extern char etext[], edata[], end[], _end[];"
                              "int main(void) { printf(\"%d %d %d\\n\", __dso_handle == &__dso_handle, edata <= end, end == _end); return etext == 0; }"],
                             ("-O1",), (), ()),
    "bounds of a section": ([PRINT + '__attribute__((section("mine"), used)) static int x = 1, y = 2; extern int __start_mine[], __stop_mine[];'
                             "extern int __start_none[] __attribute__((weak)), __stop_none[] __attribute__((weak));"
                             'int main(void) { int s = 0; for (int *p = __start_mine; p < __stop_mine; p++) s += *p; printf("%d %d\\n", s, __start_none == __stop_none); return 0; }',
                             '__attribute__((section("mine"), used)) static int z = 5;'], ("-O0",), (), ()),
    "handlers at exit": ([PRINT + 'static void a(void) { puts("a"); } static void b(void) { puts("b"); atexit(a); }'
                          'static void q(int s, void *p) { printf("on %d %s\\n", s, (char *)p); }'
                          '__attribute__((destructor)) static void d(void) { puts("d"); }'
                          'int main(void) { atexit(b); on_exit(q, "x"); atexit(a); exit(4); }'], ("-D_GNU_SOURCE",), (), ()),
    "quick exit": ([PRINT + 'static void a(void) { puts("quick"); fflush(stdout); } static void b(void) { puts("never"); }'
                    'int main(void) { atexit(b); at_quick_exit(a); quick_exit(5); }'], ("-O1",), (), ()),
    "profiled": ([PRINT + 'int f(int x) { return x + 1; } int main(void) { printf("%d\\n", f(1)); return 0; }'], ("-pg",), ("-pg",), ()),
    "profiled at entry": ([PRINT + 'int f(int x) { return x + 1; } int main(void) { printf("%d\\n", f(1)); return 0; }'], ("-pg", "-mfentry"), ("-pg",), ()),
    "compressed debug sections": ([PRINT + 'int main(void) { puts("gz"); return 0; }'], ("-g3", "-gz"), (), ()),
    "branch protection": ([PRINT + 'int main(int c, char **v) { (void)v; void *t[] = {&&a, &&b}; goto *t[c - 1]; a: puts("a"); return 0; b: puts("b"); return 1; }'],
                          ("-fcf-protection=full", "-O2"), (), ()),
    "stack protector": ([PRINT + 'int main(int c, char **v) { (void)v; char b[100]; snprintf(b, 100, "%d", c); puts(b); return 0; }'],
                        ("-fstack-protector-all",), (), ()),
    "patchable entries": ([PRINT + 'int f(int x) { return x + 1; } extern char __start___patchable_function_entries[], __stop___patchable_function_entries[];'
                           'int main(void) { printf("%d %d\\n", f(1), (int)(__stop___patchable_function_entries - __start___patchable_function_entries)); return 0; }'],
                          ("-fpatchable-function-entry=2", "-ffunction-sections"), (), ()),
    "undefined behaviour": ([PRINT + 'int main(int c, char **v) { (void)v; int x = 0x7fffffff; x += c; printf("%d\\n", x); return 0; }'],
                            ("-fsanitize=undefined",), ("-fsanitize=undefined",), ("-lubsan",)),
    "an old version": ([PRINT + '#include <string.h>\n__asm__(".symver old, memcpy@GLIBC_2.2.5"); void *old(void *, const void *, size_t);'
                        'int main(void) { char b[4]; old(b, "abc", 4); puts(b); return 0; }'], ("-O0",), (), ()),
}


class Emitted(SystemTest):
    def objects(self, texts, words, compiler):
        return [self.compile(text + "\n", "-fPIC", *words, compiler=compiler, name=f"{number}.o") for number, text in enumerate(texts)]

    def test_programs(self):
        for compiler in COMPILERS:
            for name, (texts, words, theirs, ours) in PROGRAMS.items():
                if compiler == "clang" and "-lubsan" in ours:  # the runtime of the other compiler tells it in fewer lines
                    continue
                with self.subTest(name=name, compiler=compiler):
                    objects = self.objects(texts, words, compiler)
                    self.must(compiler, *theirs, *objects, "-o", "program")
                    expected = self.run_command(self.folder / "program")
                    self.assertEqual(repr(self.jitscope("run", *objects, *ours)), repr(expected))

    def test_runtimes_are_named(self):
        text = PRINT + 'int main(int c, char **v) { (void)v; char *p = malloc(9); p[c] = 1; c += p[c] * 7; free(p); return c; }'
        for words, help in (("-fsanitize=address", "-lasan"), ("-fsanitize=undefined", "-lubsan"), ("-fsanitize=thread", "-ltsan"), ("--coverage", "-lgcov")):
            with self.subTest(words=words):
                outcome = self.jitscope("run", *self.objects([text], [words], "gcc"))
                self.assertEqual(outcome.status, 1)
                self.assertRegex(outcome.err.decode(), "help: .* wants " + help)

    def test_tagged_addresses(self):
        """What -fsanitize=hwaddress makes of an object's symbol is told, and is not damage."""
        text = ".data\n.globl g\n.set g, .data + 0x2200000000000000\n.quad 1\n.text\n.globl main\nmain: ret\n"
        source = self.folder / "tagged.s"
        source.write_text(text + '.section .note.GNU-stack,"",@progbits\n')
        self.must("gcc", "-c", source, "-o", self.folder / "tagged.o")
        outcome = self.jitscope("run", self.folder / "tagged.o")
        self.assertEqual(outcome.status, 1)
        self.assertIn(b"symbol 'g': the symbol's address has a tag", outcome.err)
        self.assertIn(b"-fsanitize=hwaddress", outcome.err)

    def test_no_file_header(self):
        """Weak it is 0, as where a linker loads no headers."""
        text = PRINT + "extern char __ehdr_start[] __attribute__((%svisibility(\"hidden\"))); int main(void) { return __ehdr_start != 0; }"
        self.assertEqual(self.jitscope("run", *self.objects([text % "weak, "], ["-O1"], "gcc")).status, 0)
        outcome = self.jitscope("run", *self.objects([(text % "").replace("!= 0", "[1] == 69")], ["-O1"], "gcc"))
        self.assertEqual(outcome.status, 1)
        self.assertIn(b"__ehdr_start (the ELF header of a file: there is none in memory)", outcome.err)

    def test_versions(self):
        """The version that is asked for; a default one without; none that is not there."""
        self.text("map", "V1 { global: which; local: *; };\nV2 { global: which; } V1;\n")
        self.must("gcc", "-shared", "-fPIC", "-Wl,--version-script=map", self.text("lib.c",
            'int one(void) { return 1; } int two(void) { return 2; }\n__asm__(".symver one, which@V1"); __asm__(".symver two, which@@V2");\n'),
            "-o", "libwhich.so")
        main = '__asm__(".symver %s, which@%s"); int %s(void); int which(void); int main(void) { return %s() * 10 + which(); }'
        for version, expected in (("V1", 12), ("V2", 22), ("V3", None)):
            objects = self.objects([main % ("asked", version, "asked", "asked")], ["-O1"], "gcc")
            outcome = self.jitscope("run", *objects, "libwhich.so")
            if expected:
                self.must("gcc", *objects, "libwhich.so", f"-Wl,-rpath,{self.folder}", "-o", "program")
                self.assertEqual((self.run_command(self.folder / "program").status, outcome.status), (expected, expected), outcome)
            else:
                self.assertEqual(outcome.status, 1)
                self.assertIn(b"which@V3", outcome.err)

    def test_what_is_linked_to_another_section(self):
        """SHF_LINK_ORDER: it goes when the other goes, and keeps nothing."""
        text = """
.section .text.used,"ax",@progbits
.globl used
used: mov $1, %eax
    ret
.section .text.unused,"ax",@progbits
.globl unused
unused: mov $2, %eax
    ret
.section told,"ao",@progbits,.text.used
.quad used - .
.section told,"ao",@progbits,.text.unused,unique,1
.quad unused - .
.section told,"a",@progbits
.quad 0
""" + STACK
        # A section whose bounds a program asks for is kept as a whole; GNU ld collects no garbage there either.
        main = ("extern char __start_told[], __stop_told[]; int used(void);\n"
                "int main(void) { return (int)(__stop_told - __start_told) + used(); }")
        self.must("gcc", "-c", self.text("told.s", text), "-o", "told.o")
        objects = [self.folder / "told.o", *self.objects([main], ["-O1"], "gcc")]
        for words in ((), ("-Wl,--gc-sections",)):
            with self.subTest(words=words):
                self.must("gcc", *words, *objects, "-o", "program")
                expected = self.run_command(self.folder / "program").status
                self.assertEqual(self.jitscope("run", *words, *objects).status, expected)

    @unittest.skipUnless("clang" in COMPILERS, "gcc 12 makes one section for all functions")
    def test_garbage_takes_along_what_is_linked_to_it(self):
        text = PRINT + "__attribute__((noinline)) int used(int x) { return x + 2; } int unused(void) { return 4; } int main(int c, char **v) { (void)v; return used(c); }"
        objects = self.objects([text], ("-O1", "-fpatchable-function-entry=2", "-ffunction-sections"), "clang")
        self.assertIn(b"__patchable_function_entries", self.must("readelf", "-SW", objects[0]).out)
        for words, names in ((), {"main", "used", "unused"}), (("--gc-sections",), {"main", "used"}):
            with self.subTest(words=words):
                self.assertEqual(self.jitscope("run", *words, "--record", "linked.jsr", *objects).status, 3)
                rows = [row for row in self.show("blocks", "linked.jsr") if row["section"] == "__patchable_function_entries"]
                live = [row for row in rows if row["address"] is not None]
                self.assertEqual(len(live), len(names), rows)

    def test_excluded_sections(self):
        text = '.section .secret,"ae",@progbits\n.quad 1\n.section .notes,"e",@progbits\n.ascii "x"\n.text\n.globl main\nmain: xor %eax, %eax\n ret\n' + STACK
        self.must("gcc", "-c", self.text("excluded.s", text), "-o", "excluded.o")
        self.assertEqual(self.same([self.folder / "excluded.o"]).status, 0)

    def test_more_sections_than_16_bits(self):
        """SHN_XINDEX: numbers of sections stand in a table of their own."""
        count = 66000
        text = "".join(f'.section .text.f{i},"ax",@progbits\n{".globl f%d" % i if i % 1000 == 0 else ""}\nf{i}: mov ${i % 251}, %eax\n ret\n' for i in range(count))
        calls = [0, 1000, 64000, 65000]
        text += ".text\n.globl main\nmain: push %rbx\n xor %ebx, %ebx\n" + "".join(f" call f{i}\n add %eax, %ebx\n" for i in (*calls, 65300, 65999))
        text += " mov %ebx, %eax\n and $0x7f, %eax\n pop %rbx\n ret\n.data\n.quad f65998\n" + STACK
        self.must("as", self.text("many.s", text), "-o", "many.o")
        self.assertRegex(self.must("readelf", "-h", "many.o").out.decode(), r"Number of section headers: +0 \(")
        self.assertEqual(self.same([self.folder / "many.o"]).status, sum(i % 251 for i in (*calls, 65300, 65999)) & 0x7f)


if __name__ == "__main__":
    unittest.main()
