"""Corners of sections and symbols: what the system's linker makes of them, or an error that says where."""
import os
import shutil
import unittest

from harness import JITSCOPE, LIBRARIES, SystemTest

LINKS = os.path.abspath(os.environ.get("LINKS", "build/dev/tests/system/system-links"))
STACK = '\n.section .note.GNU-stack,"",@progbits\n'


class Corners(SystemTest):
    def objects(self, *texts, flags=("-O1", "-fPIC")):
        return [self.compile(text + "\n", *flags, name=f"{number}.o") for number, text in enumerate(texts)]

    def assemble(self, name, text):
        self.must("gcc", "-c", self.text(f"{name}.s", text + STACK), "-o", f"{name}.o")
        return self.folder / f"{name}.o"

    def refused(self, objects, *patterns, words=()):
        outcome = self.jitscope("run", *words, *objects)
        self.assertEqual((outcome.status, outcome.out), (1, b""), outcome)
        for pattern in patterns:
            self.assertRegex(outcome.err.decode(), pattern)


class Commons(Corners):
    """Common symbols of the names of a library's data are that data, as with GNU ld, and as large as it is."""
    LIBRARY = ("int value = 11, later, array[4] = {1, 2, 3, 4}; const int constant = 13; int weak __attribute__((weak)) = 14; int code(void) { return 5; }\n"
               "int *place(int n) { return n == 0 ? &value : n == 1 ? &later : n == 2 ? array : (int *)&constant; }\nint next(void) { return ++value + ++later; }")
    USER = ("#include <stdio.h>\nint value, later, array[2], constant; int *place(int), next(void);\n"
            'int main(void) { printf("%d %d %d %d", value, later, array[0], constant); later = 20; printf(" %d", next()); printf(" %d %d", value, later);\n'
            'printf(" %d %d %d %d\\n", &value == place(0), &later == place(1), array == place(2), &constant == place(3)); return 0; }')

    def setUp(self):
        super().setUp()
        self.must("gcc", "-shared", "-fPIC", self.text("data.c", self.LIBRARY), "-o", "data.so")
        self.library = [self.folder / "data.so"]

    def common(self, text, *flags, name="common.o"):
        return [self.compile(text + "\n", "-O1", "-fcommon", *flags, name=name)]

    def test_they_are_the_library_s(self):
        for flags, words in ((("-fPIC",), ()), (("-fPIE",), ()), (("-fno-pic",), ("-no-pie",))):
            with self.subTest(flags=flags):
                same = self.same(self.common(self.USER, *flags), self.library, flags=("-w", *words))
                self.assertEqual(same.out, b"11 0 1 13 33 12 21 1 1 1 1\n")

    def test_of_the_c_library(self):
        text = ("#include <stdio.h>\nint getopt(int, char *const *, const char *); int optind, opterr; char *optarg;\n"
                'int main(int argc, char **argv) { int n = 0; opterr = 0; while (getopt(argc, argv, "ab:") != -1) n++; printf("%d %d %s\\n", n, optind, optarg); return 0; }')
        for flags, words in ((("-fPIC",), ()), (("-fno-pic",), ("-no-pie",))):
            self.assertEqual(self.same(self.common(text, *flags), arguments=("-a", "-b", "x", "-c", "y"), flags=words).out, b"3 5 (null)\n")

    def test_what_stays_the_program_s(self):
        """What is larger than the library's, or weak there, or a function, or hidden; each with what defines it beside."""
        for text, beside in (("int array[5], weak, code; int main(void) { return array[0] + array[4] + weak + code; }", ""),
                             ('int value __attribute__((visibility("hidden"))); int main(void) { return value; }', ""),
                             ("int value; int main(void) { return value; }", "int value = 3;")):
            objects = self.common(text, "-fPIC") + (self.common(beside, name="beside.o") if beside else [])
            expected = 3 if beside else 0
            self.assertEqual(self.jitscope("run", *objects, *self.library).status, expected)
        self.same(self.common("int weak, code; int main(void) { return weak + code; }", "-fPIC"), self.library, flags=("-w",))

    def test_what_is_told(self):
        self.must(JITSCOPE, "run", "--record", "told.jsr", *self.common("int value; int main(void) { return value != 11; }", "-fPIC"), *self.library)
        self.assertRegex(self.must(JITSCOPE, "why", "told.jsr", "value").out, rb"common.o.*(?s:.*)data\.so.*strong over common")


class Versions(Corners):
    """.symver in inputs: name@@version is what the name means, name@version only itself."""
    DEFAULT = 'int impl(void) { return 7; }\n__asm__(".symver impl, which@@V2");'
    OLD = 'int old(void) { return 5; }\n__asm__(".symver old, which@V1");'
    USER = "int which(void); int main(void) { return which(); }"
    BY_VERSION = '__asm__(".symver asked, which@%s"); int asked(void); int main(void) { return asked(); }'

    def test_definitions(self):
        for texts, expected in (((self.USER, self.DEFAULT), 7), ((self.USER, self.OLD + self.DEFAULT), 7), ((self.BY_VERSION % "V2", self.DEFAULT), 7),
                                ((self.BY_VERSION % "V1", self.OLD + self.DEFAULT), 5), ((self.BY_VERSION % "V2", self.OLD + self.DEFAULT), 7),
                                (("int which(void); int main(void) { return which(); }", 'int which(void) { return 3; }\n__asm__(".symver which, which@@V3, remove");'), 3)):
            for order in (texts, texts[::-1]):
                with self.subTest(texts=order):
                    self.assertEqual(self.same(self.objects(*order)).status, expected)

    def test_what_is_defined(self):
        """Data, thread-local variables, and a name that a shared library has too."""
        for definition, user, expected in (('int v_ = 7;\n__asm__(".symver v_, v@@V2");', "extern int v; int main(void) { return v; }", 7),
                                           ('_Thread_local int t_ = 8;\n__asm__(".symver t_, t@@V2");', "extern _Thread_local int t; int main(void) { return t; }", 8),
                                           ('int up(int x) { return x + 9; }\n__asm__(".symver up, toupper@@V2");', "int toupper(int); int main(void) { return toupper(0); }", 9)):
            self.assertEqual(self.same(self.objects(user, definition)).status, expected)

    def test_archives(self):
        for user, expected in ((self.USER, 7), (self.BY_VERSION % "V2", 7), (self.BY_VERSION % "V1", 5)):
            user, *members = self.objects(user, self.DEFAULT, self.OLD)
            self.assertEqual(self.same([user, self.archive("with.a", *members)]).status, expected)
            self.assertEqual(self.jitscope("run", user, self.archive("without.a", *members, flags="rcS")).status, expected)
            for name in ("with.a", "without.a"):
                (self.folder / name).unlink()

    def test_twice(self):
        for texts in ((self.USER, self.DEFAULT, "int which(void) { return 1; }"), (self.USER, self.DEFAULT + "int which(void) { return 1; }")):
            self.refused(self.objects(*texts), r"\d\.o: symbol 'which': defined twice; first defined in .*1\.o")

    def test_later_links(self):
        user, by_version, definition = self.objects("int which(void); int f(void) { return which(); }",
                                                    '__asm__(".symver asked, which@V2"); int asked(void); int g(void) { return asked(); }', self.DEFAULT)
        self.assertEqual(self.must(LINKS, "", definition, user, by_version, ".f", ".g").out, b"f 7\ng 7\n")


class Unique(Corners):
    """STB_GNU_UNIQUE: one object in the process, whichever link had it first, and it is initialised once."""
    TEXT = """
#include <cstdio>
template <class T> struct Shared { static int value; };
template <class T> int Shared<T>::value = 3;
inline int &counter() { static int count = 10; return count; }
struct Made { int x; Made() : x(7) { std::puts("made"); } };
inline Made &made() { static Made it; return it; }
extern "C" int NAME() { return ++Shared<int>::value * 10000 + ++counter() * 100 + ++made().x; }
"""

    def test_one_over_all_links(self):
        for flags in (("-fPIC",), ("-fPIE",)):
            with self.subTest(flags=flags):
                source = self.text("unique.cpp", self.TEXT)
                for name in ("first", "second"):
                    self.must("g++", *flags, f"-DNAME={name}", "-c", source, "-o", f"{name}.o")
                self.assertIn(b" u ", self.must("nm", "first.o").out)
                outcome = self.must(LINKS, "", ":/usr/lib/gcc/x86_64-linux-gnu/12/libstdc++.so", self.folder / "first.o", self.folder / "second.o", ".first", ".second", ".first", "-2")
                self.assertEqual(outcome.out, b"made\nfirst 41108\nsecond 51209\nfirst 61310\n")
                outcome = self.run_command(LINKS, "", ":/usr/lib/gcc/x86_64-linux-gnu/12/libstdc++.so", self.folder / "first.o", self.folder / "second.o", "-1")
                self.assertEqual(outcome.status, 1)
                self.assertIn(b"link 1 cannot be unloaded: 1 later link refers to it", outcome.err)


class Places(Corners):
    def test_edges_of_the_program(self):
        text = """
#include <stdio.h>
extern char __executable_start[], etext[], _etext[], __etext[], __data_start[], data_start[], edata[], _edata[], __bss_start[], end[], _end[];
DATA
const int constant = 4;
int main(void) {
    printf("%d%d%d%d%d%d%d%d\\n", __executable_start <= (char *)main, (char *)main < etext, etext == _etext && etext == __etext,
           edata == _edata && end == _end, __data_start == data_start && data_start <= edata, edata <= __bss_start, __bss_start <= end, INSIDE);
    return 0;
}"""
        for data, inside in (("int d = 3; int zero[1000];", "data_start <= (char *)&d && (char *)&d < edata && __bss_start <= (char *)zero && (char *)(zero + 1000) <= end"),
                             ("int d = 3;", "(char *)&d < edata"), ("int zero[1000];", "__bss_start <= (char *)zero && (char *)(zero + 1000) <= end"), ("", "1")):
            for flags in (("-fPIC",), ("-fPIE",)):
                with self.subTest(data=data, flags=flags):
                    outcome = self.same(self.objects(text.replace("DATA", data).replace("INSIDE", inside), flags=flags))
                    self.assertEqual(outcome.out, b"11111111\n")

    def test_parts_that_only_files_have(self):
        for name, remark in (("_DYNAMIC", "dynamic section of a file"), ("__init_array_start", "run by the linker"), ("__fini_array_end", "run by the linker"),
                             ("_init", "start-up files"), ("_start", "start-up files"), ("__ehdr_start", "ELF header of a file")):
            self.refused(self.objects(f"extern char {name}[]; int main(void) {{ char *volatile p = {name}; return p == 0; }}"),
                         rf"1 unresolved symbol:\n  {name} \(.*{remark}.*\)\n    referred to by .*0\.o: \.text")

    def test_more_than_two_gigabytes(self):
        """Nothing of it is touched: the error names what is too large."""
        for text, section, flags in (("char big[3000000000u], small[100];", r"\.bss", ("-fPIC",)), ("char big[3000000000u];", "LARGE_COMMON", ("-fPIC", "-fcommon", "-mcmodel=medium")),
                                     ("char big[3000000000u];", "COMMON", ("-fPIC", "-fcommon"))):
            objects = self.objects(text + " int main(void) { return big[2999999999u]; }", flags=flags)
            self.refused(objects, rf"0\.o: {section}\+0x\w+: symbol 'big': the largest part, 0xb2d05e\w\w bytes, of a batch with a segment of 0x\w+ bytes", r"help: ")
        objects = self.objects("char small[1500000000u]; int main(void) { return small[0]; }", "char big[1500000001u];")
        self.refused(objects, r"1\.o: \.bss\+0x0: symbol 'big': the largest part")
        self.refused(self.objects("char big[5000000000u]; int main(void) { return big[2999999999u]; }"), r"0\.o: \.bss: a section of 4 GiB or more")

    def test_what_is_merged_elsewhere(self):
        """SHF_MERGE: nothing is merged, so addends into the middle, before the beginning and behind the end mean what they mean."""
        widths = {1: "byte", 2: "short", 4: "long"}
        for width, directive in widths.items():
            code = self.assemble("strings", f"""
    .section .rodata.strings,"aMS",@progbits,{width}
    .p2align 5
.LC0: .{directive} 104, 105, 0
.LC1: .{directive} 106, 105, 0
    .section .rodata
table: .quad .LC1 + {width}, .rodata.strings + {width}, .LC1 - {3 * width}, .LC0 + {3 * width}
    .text
    .globl main
main: lea table(%rip), %rdx
    mov (%rdx), %rax
    movzbl (%rax), %eax
    mov 8(%rdx), %rcx
    movzbl (%rcx), %ecx
    sub %ecx, %eax
    mov 16(%rdx), %rcx
    movzbl (%rcx), %ecx
    sub %ecx, %eax
    mov 24(%rdx), %rcx
    movzbl (%rcx), %ecx
    add %ecx, %eax
    lea .LC0(%rip), %rcx
    and $31, %ecx
    add %ecx, %eax
    ret""")
            self.assertEqual(self.jitscope("run", code).status, 2)
        for width in (4, 8, 16, 32):
            code = self.assemble("constants", f"""
    .section .rodata.constants,"aM",@progbits,{width}
    .p2align {width.bit_length() - 1}
.LC0: .long 104
    .zero {width - 4}
.LC1: .long 107
    .zero {width - 4}
    .text
    .globl main
main: mov .rodata.constants + {width}(%rip), %eax
    sub .LC0(%rip), %eax
    lea .LC1(%rip), %rcx
    and ${width - 1}, %ecx
    add %ecx, %eax
    ret""")
            self.assertEqual(self.same([code]).status, 3)

    def retype(self, path, name, kind):
        """The assembler has its own mind about the types of some names."""
        [index] = [int(line.split("]")[0].split("[")[1]) for line in self.must("readelf", "-SW", path).out.decode().splitlines() if f"] {name} " in line]
        content = bytearray(path.read_bytes())
        at = int.from_bytes(content[40:48], "little") + 64 * index + 4
        content[at:at + 4] = kind.to_bytes(4, "little")
        path.write_bytes(content)

    def test_types_that_nobody_has_defined(self):
        """Those of operating systems are contents, and so are notes and what only files have as tables; an array stays one by its name."""
        user = self.objects('#include <stdio.h>\nextern long __start_array[], __stop_array[];\n'
                            'int main(void) { printf("%ld %d\\n", *__start_array, (int)(__stop_array - __start_array)); return 0; }')[0]
        for kind in (0x60000000, 0x60000001, 0x6fff4c03, 0x6ffffff4, 0x6ffffff6, 0x6fffffff, 0x70000001, 5, 6, 7, 11):
            with self.subTest(kind=kind):
                code = self.assemble("typed", f'.section array,"aw",@{kind:#x}\n.quad 42\n.section beside,"",@{kind:#x}\n.quad 1')
                self.assertEqual(self.same([user, code]).out, b"42 1\n")
        user = self.objects("int main(void) { return 3; }")[0]
        for name in (".init_array", ".init_array.5", ".ctors"):
            with self.subTest(name=name):
                code = self.assemble("typed", f'.section {name},"aw"\n.quad f\n.text\nf: mov $7, %edi\n mov $231, %eax\n syscall')
                self.retype(code, name, 0x60000001)
                self.assertEqual(self.same([user, code]).status, 7)

    def test_notes_that_something_refers_to(self):
        code = self.assemble("noted", '.section .note.mine,"a",@note\nhere: .long 0, 4, 1, 9\n.text\n.globl main\nmain: mov here+12(%rip), %eax\n ret')
        self.assertEqual(self.same([code]).status, 9)

    def test_types_that_are_refused(self):
        for kind in (0x100, 0x5fffffff, 0x70000000, 0x7fffffff, 0x80000000, 0xffffffff):
            with self.subTest(kind=kind):
                code = self.assemble("typed", f'.section array,"aw",@{kind:#x}\n.quad 42\n.text\n.globl main\nmain: ret')
                self.refused([code], rf"typed\.o: array: sections of type {kind:#x} are not read\n")
                self.assertNotEqual(self.run_command("gcc", code, "-o", "program").status, 0)
        code = self.assemble("typed", '.section array,"",@0x80000000\n.quad 42\n.text\n.globl main\nmain: mov $3, %eax\n ret')
        self.assertEqual(self.same([code]).status, 3)

    @unittest.skipUnless(shutil.which("clang-22"), "wants clang 22")
    def test_compact_relocations(self):
        source = self.text("compact.c", "int f(void) { return 4; } int main(void) { return f(); }")
        self.must("clang-22", "-Wa,--crel,--allow-experimental-crel", "-c", source, "-o", "compact.o")
        self.refused([self.folder / "compact.o"], r"compact\.o: \.crel\.\w+: compact relocations \(section type SHT_CREL, 0x40000014\)\n  help: compile without -Wa,--crel\n")

    def test_calls_for_start_up_files(self):
        """Calls are all that .init can hold by itself; they run before constructors, in the order of the inputs."""
        user = self.objects('#include <stdio.h>\nint calls, before; __attribute__((constructor(101))) void made(void) { before = calls; }\n'
                            'int main(void) { printf("%d %d\\n", before, calls); return 0; }')[0]
        one = self.assemble("one", '.section .init,"ax"\n call first\n call hidden\n.text\n.globl first\nfirst: addl $2, calls(%rip)\n ret\n ud2\nhidden: shll $3, calls(%rip)\n ret')
        two = self.assemble("two", '.section .init,"ax"\n call second\n.text\nsecond: subl $3, calls(%rip)\n ret\n.section .init\n call first')
        self.assertEqual(self.same([user, one, two]).out, b"15 15\n")
        self.assertEqual(self.same([two, one, user]).out, b"8 8\n")
        unwound = self.assemble("unwound", '.section .init,"ax"\n.cfi_startproc\n call act\n.cfi_endproc\n.text\nact: .cfi_startproc\n movl $6, calls(%rip)\n ret\n.cfi_endproc')
        self.assertEqual(self.same([user, unwound]).out, b"6 6\n")

    def test_code_that_only_start_up_files_make_whole(self):
        main = ".text\n.globl main\nmain: xor %eax, %eax\n ret"
        for name, code, words in ((".init", "nop", r"_init.*\n  help: .*constructor"), (".init", "call main\n nop", "_init"), (".init", "jmp main", "_init"),
                                  (".init", "nop\n nop\n nop\n nop\n nop", "_init"), (".init", "1: call 1b", "_init"), (".init", "named: call main", "_init"),
                                  (".init", "lea main(%rip), %rax", "_init"), (".fini", "call main", r"_fini.*\n  help: .*destructor")):
            with self.subTest(name=name, code=code):
                self.refused([self.assemble("piece", f'.section {name},"ax"\n {code}\n{main}')], rf"piece\.o: \{name}: a piece of the function {words}")
        self.refused([self.assemble("piece", main), LIBRARIES / "crti.o"], r"crti\.o: \.(init|fini): a piece of the function")
        self.assertEqual(self.same([self.assemble("piece", f'.section .init,"ax"\n.section .fini,"ax"\n{main}')]).status, 0)

    def test_thread_local_common_symbols(self):
        code = self.assemble("common", """
    .text
    .globl main
main: mov %fs:0, %rax
    lea shared@tpoff(%rax), %rcx
    movl $5, (%rcx)
    mov %fs:shared@tpoff, %eax
    and $63, %ecx
    add %ecx, %eax
    ret
    .type shared, @tls_object
    .comm shared, 400, 64""")
        self.assertEqual(self.same([code], flags=("-no-pie",)).status, 5)
        for flags in (("-fPIC", "-fcommon"), ("-fPIE", "-fcommon")):
            objects = self.objects("_Thread_local int t; int f(void); int main(void) { t = 4; return f(); }", "extern _Thread_local int t; int f(void) { return t; }",
                                   flags=flags)
            self.assertEqual(self.same(objects).status, 4)

    def test_compressed_in_memory(self):
        """No section of memory is (gABI chapter 4): one that says so is refused, as GNU ld does not unpack it either."""
        code = self.assemble("packed", '.section .packed,"a",@progbits\n.zero 64\n.text\n.globl main\nmain: xor %eax, %eax\n ret')
        content = bytearray(code.read_bytes())
        table, count = int.from_bytes(content[40:48], "little"), int.from_bytes(content[60:62], "little")
        for at in range(table, table + count * 64, 64):
            if int.from_bytes(content[at + 4:at + 8], "little") == 1 and int.from_bytes(content[at + 32:at + 40], "little") == 64:
                content[at + 8:at + 16] = (2 | 1 << 11).to_bytes(8, "little")
        code.write_bytes(content)
        self.refused([code], r"packed\.o: \.packed: compressed")

    def test_debug_sections_that_cannot_be_unpacked(self):
        """An unknown kind of compression costs the debug information, with a warning, not the link."""
        code = self.objects("int main(void) { return 3; }", flags=("-g", "-gz"))[0]
        content = bytearray(code.read_bytes())
        table, count = int.from_bytes(content[40:48], "little"), int.from_bytes(content[60:62], "little")
        changed = 0
        for at in range(table, table + count * 64, 64):
            if int.from_bytes(content[at + 8:at + 16], "little") & 1 << 11:
                offset = int.from_bytes(content[at + 24:at + 32], "little")
                content[offset:offset + 4] = (99).to_bytes(4, "little")
                changed += 1
        self.assertGreater(changed, 0)
        code.write_bytes(content)
        self.assertEqual(self.jitscope("run", "--debug=eager", code).status, 3)


if __name__ == "__main__":
    unittest.main()
