"""Thread-local storage: each access model that compilers have, run and compared with the system's own link."""
import os
import pathlib
import shutil
import unittest

from harness import COMPILERS, JITSCOPE, WITH_SANITIZER, SystemTest

COMPILERS = COMPILERS + [name for name in ("clang-19", "clang-22") if shutil.which(name)]
MODELS = ("global-dynamic", "local-dynamic", "initial-exec", "local-exec")


class Models(SystemTest):
    def build(self, source, compiler, flags):
        """None when the compiler does not know a flag."""
        target = self.folder / f"{source}.o"
        outcome = self.run_command(compiler, *flags, "-c", self.inputs() / f"{source}.c", "-o", target)
        return None if outcome.status else target

    @staticmethod
    def inputs():
        from harness import INPUTS
        return INPUTS

    def every_way(self, *more):
        done = 0
        for compiler in COMPILERS:
            for level in ("-O0", "-O2", "-O3"):
                with self.subTest(compiler=compiler, level=level, flags=more):
                    debug = () if "-mcmodel=large" in more else ("-g",)
                    objects = [self.build(name, compiler, (level, *debug, *more)) for name in ("tls_main", "tls_other")]
                    if None in objects:
                        continue
                    self.same(objects, flags=("-no-pie",))
                    done += 1
        self.assertGreater(done, 0)

    def test_default_of_position_independent_executables(self):
        self.every_way("-fPIE")

    def test_default_of_shared_libraries(self):
        self.every_way("-fPIC")

    def test_not_position_independent(self):
        self.every_way("-fno-pic")

    def test_models(self):
        for model in MODELS[1:]:
            self.every_way("-fPIC", f"-ftls-model={model}")

    def test_without_stubs(self):
        self.every_way("-fPIC", "-fno-plt")

    def test_large_code_model(self):
        self.every_way("-fPIC", "-mcmodel=large")

    def test_descriptors(self):
        self.every_way("-fPIC", "-mtls-dialect=gnu2")
        self.every_way("-fPIC", "-mtls-dialect=gnu2", "-ftls-model=local-dynamic")

    def test_separate_sections(self):
        self.every_way("-fPIC", "-fdata-sections", "-ffunction-sections")

    def test_models_mixed(self):
        """The definer's code thinks dynamically, its user's statically, and the other way round."""
        for first, second in (("-fPIC", "-fPIE"), ("-fPIE", "-fPIC")):
            self.same([self.compile("tls_main.c", first), self.compile("tls_other.c", second)], flags=("-no-pie",))

    def test_every_relocation_is_met(self):
        """What the tests above stand for: the objects have all relocation types of this kind."""
        types = set()
        for flags in (("-fPIE",), ("-fPIC", "-g"), ("-fPIC", "-mtls-dialect=gnu2"), ("-fPIC", "-ftls-model=local-dynamic")):
            for source in ("tls_main.c", "tls_other.c"):
                text = self.must("readelf", "-rW", self.compile(source, "-O2", *flags)).out.decode()
                types |= {line.split()[2].removeprefix("R_X86_64_") for line in text.splitlines() if "R_X86_64" in line}
        wanted = {"TLSGD", "TLSLD", "DTPOFF32", "GOTTPOFF", "TPOFF32", "GOTPC32_TLSDESC", "TLSDESC_CALL"}
        if "clang" in COMPILERS: # in DWARF, where gcc has DTPOFF32
            text = self.must("readelf", "-rW", self.compile("tls_main.c", "-g", compiler="clang")).out.decode()
            self.assertIn("R_X86_64_DTPOFF64", text)
        self.assertEqual(wanted - types, set())


class Assembled(SystemTest):
    """Relocations that no compiler here emits."""
    DATA = """
    .section .tdata,"awT",@progbits
    .globl value
    .type value, @object
    .p2align 3
value: .quad 21
    .size value, 8
    .section .note.GNU-stack,""
"""

    def run_code(self, body, extra=""):
        source = self.text("code.s", f"    .text\n    .globl main\nmain:\n{body}\n    ret\n{extra}{self.DATA}")
        self.must("gcc", "-c", source, "-o", "code.o")
        self.assertEqual(self.same([self.folder / "code.o"], flags=("-no-pie",)).status, 21)
        return self.must("readelf", "-rW", "code.o").out.decode()

    def test_tpoff64(self):
        text = self.run_code("    movabs $value@tpoff, %rdx\n    mov %fs:0, %rax\n    mov (%rax,%rdx), %eax")
        self.assertIn("R_X86_64_TPOFF64", text)

    def test_tpoff64_in_data(self):
        text = self.run_code("    mov distance(%rip), %rdx\n    mov %fs:(%rdx), %eax",
                             "    .data\ndistance: .quad value@tpoff\n")
        self.assertIn("R_X86_64_TPOFF64", text)

    def test_dtpoff64(self):
        """In code, which binutils 2.40 does not link."""
        source = self.text("code.s", "    .text\n    .globl main\nmain:\n    push %rbx\n    lea value@tlsld(%rip), %rdi\n    call __tls_get_addr@PLT\n"
                      "    movabs $value@dtpoff, %rdx\n    mov (%rax,%rdx), %eax\n    pop %rbx\n    ret\n" + self.DATA)
        self.must("gcc", "-c", source, "-o", "code.o")
        self.assertIn(b"R_X86_64_DTPOFF64", self.must("readelf", "-rW", "code.o").out)
        self.assertEqual(self.jitscope("run", "code.o").status, 21)

    def test_tlsld_against_another_block_s_variable(self):
        """It asks for the block of the code's own module, whatever symbol stands there."""
        code = ("    .text\n    .globl main\nmain:\n    push %rbx\n    lea x@tlsld(%rip), %rdi\n    call __tls_get_addr@PLT\n"
                "    mov value@dtpoff(%rax), %eax\n    pop %rbx\n    ret\n" + self.DATA)
        self.must("gcc", "-shared", "-fPIC", self.text("other.c", "__thread int padding[9] = {1, 2, 3}, x = 4;\n"), "-o", "libother.so")
        self.must("gcc", "-c", self.text("code.s", code), "-o", "code.o")
        outcome = self.same([self.folder / "code.o"], [self.folder / "libother.so"], flags=("-no-pie", f"-Wl,-rpath,{self.folder}"))
        self.assertEqual(outcome.status, 21)


class Libraries(SystemTest):
    LIBRARY = """
__thread int counted = 7;
__thread char more[{size}];
int *address_of_counted(void) {{ more[0]++; return &counted; }}
"""
    USER = """
#include <pthread.h>
#include <stdio.h>
extern __thread int counted;
int *address_of_counted(void);
static void *work(void *name) {
    counted += 2;
    printf("%s %d %d\\n", (char *)name, counted, address_of_counted() == &counted);
    return 0;
}
int main(void) {
    pthread_t thread;
    work("main");
    pthread_create(&thread, 0, work, "thread");
    pthread_join(thread, 0);
    return 0;
}
"""

    def library(self, size=8):
        self.text("library.c", self.LIBRARY.format(size=size))
        self.must("gcc", "-shared", "-fPIC", "library.c", "-o", "libcounted.so")
        return self.folder / "libcounted.so"

    def test_variable_of_a_library(self):
        library = self.library()
        rpath = f"-Wl,-rpath,{self.folder}"
        for flags in (("-fPIE",), ("-fPIC",), ("-fPIC", "-mtls-dialect=gnu2"), ("-fPIC", "-ftls-model=initial-exec")):
            with self.subTest(flags=flags):
                self.same([self.compile(self.USER, "-O1", *flags)], [library], flags=(rpath,))

    def test_too_large_for_static_storage(self):
        """Dynamic code does not mind; other code is refused by name."""
        library = self.library(1 << 20)
        self.same([self.compile(self.USER, "-fPIC")], [library], flags=(f"-Wl,-rpath,{self.folder}",))
        outcome = self.jitscope("run", self.compile(self.USER, "-fPIE", "-O1"), library)
        self.assertEqual((outcome.status, outcome.out), (1, b""))
        self.assertIn(b"symbol 'counted'", outcome.err)
        self.assertIn(b"static TLS", outcome.err)
        self.assertIn(b"-fPIC", outcome.err)

    def test_cxx_objects(self):
        for compiler in COMPILERS[:2]:
            for flags in (("-fPIE",), ("-fPIC", "-O2")):
                for library in ("-lstdc++", "-l:libstdc++.a"):
                    with self.subTest(compiler=compiler, flags=flags, library=library):
                        self.same([self.compile("tls_objects.cpp", "-g", *flags, compiler=compiler)], [library],
                                  linker="g++")


class Limits(SystemTest):
    LARGE = """
#include <string.h>
_Thread_local char buffer[{size}];
_Thread_local int three = 3;
int main(void) {{ memset(buffer, 1, sizeof buffer); return three + buffer[sizeof buffer - 1]; }}
"""

    def test_large_block(self):
        for flags in (("-fPIC",), ("-fPIC", "-mtls-dialect=gnu2")):
            self.assertEqual(self.same([self.compile(self.LARGE.format(size=3 << 20), *flags)]).status, 4)

    def test_no_static_room(self):
        code = self.compile(self.LARGE.format(size=100000), "-fPIE")
        outcome = self.jitscope("run", code)
        self.assertEqual((outcome.status, outcome.out), (1, b""))
        for text in (b"text.o: .text+0x", b"symbol 'buffer'", b"R_X86_64_", b"static TLS", b"glibc.rtld.optional_static_tls"):
            self.assertIn(text, outcome.err)
        self.assertEqual(self.jitscope("run", code, env={"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=200000"}).status, 4)

    def test_alignment(self):
        text = """
#include <stdint.h>
_Thread_local char odd = 1;
_Thread_local _Alignas({n}) char value = 2;
int main(void) {{ return (uintptr_t)&value % {n} == 0 ? odd + value : 9; }}
"""
        for n in (64, 128, 4096, 1 << 16):
            self.assertEqual(self.same([self.compile(text.format(n=n), "-fPIC")]).status, 3)
        self.assertEqual(self.same([self.compile(text.format(n=64), "-fPIE")]).status, 3)
        outcome = self.jitscope("run", self.compile(text.format(n=4096), "-fPIE"))
        self.assertEqual(outcome.status, 1)
        self.assertIn(b"static TLS to spare, aligned to 4096", outcome.err)
        self.assertIn(b"compile with -fPIC, or align to 64 bytes at most", outcome.err)

    def test_kinds_do_not_agree(self):
        self.text("a.c", "extern int x; int main(void) { return x; }\n")
        self.text("b.c", "_Thread_local int x = 3;\n")
        for name in "ab":
            self.must("gcc", "-c", f"{name}.c")
        for order in (("a.o", "b.o"), ("b.o", "a.o")):
            outcome = self.jitscope("run", *order)
            self.assertEqual(outcome.status, 1)
            self.assertIn(b"symbol 'x'", outcome.err)
            self.assertIn(b"thread_local everywhere", outcome.err)
            self.assertNotEqual(self.run_command("gcc", *order).status, 0)

    def test_weak_and_undefined(self):
        code = self.compile("extern __thread int x __attribute__((weak));\nint main(void) { return x; }\n", "-fPIC")
        outcome = self.jitscope("run", code)
        self.assertEqual(outcome.status, 1)
        self.assertIn(b"symbol 'x'", outcome.err)


class Embedded(SystemTest):
    """In a program that links: tls_host.c says what must be."""
    COUNT = """
__thread int value = 5;
__thread char zero[{size}];
int count(int more) {{ zero[sizeof zero - 1]++; return value += more; }}
long module(void) {{
    long number = 0;
#ifdef __PIC__
    __asm__("lea value@tlsgd(%%rip), %0\\n mov (%0), %0" : "=r"(number));
#endif
    return number;
}}
"""

    def counting(self, *flags, size=100, name="count.o"):
        return self.compile(self.COUNT.format(size=size), "-O1", *flags, name=name)

    def host(self, *words, program=None, env=None):
        outcome = self.run_command(program or os.environ["TLS_HOST"], *words, env=env)
        self.assertEqual((outcome.status, outcome.out, outcome.err), (0, b"as it should be\n", b""), outcome)

    def library(self):
        self.must("gcc", "-shared", "-fPIC", self.text("with_tls.c", "__thread int x = 3; int *f(void) { return &x; }\n"), "-o", "libwith.so")
        return self.folder / "libwith.so"

    def test_threads_of_before(self):
        library = self.library()
        for flags in (("-fPIC",), ("-fPIE",), ("-fno-pic",), ("-fPIC", "-mtls-dialect=gnu2"), ("-fPIC", "-ftls-model=initial-exec")):
            with self.subTest(flags=flags):
                self.host("threads", self.counting(*flags), library)

    def test_many_batches(self):
        """All are unloaded: what they had is there again, for any number of others."""
        without_quarantine = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
        self.host("many", self.counting("-fPIC"), "-", env={"ASAN_OPTIONS": without_quarantine})

    def test_use_that_comes_too_late(self):
        """What a thread has found dynamically cannot lie at one distance from the thread pointer any more."""
        user = self.compile("extern __thread int value;\nint use(void) { return ++value; }\n", "-fPIE", name="user.o")
        links = os.environ["LINKS"]
        outcome = self.run_command(links, "", self.counting("-fPIC"), ".module", ".count", user, ".use")
        self.assertEqual(outcome.status, 1, outcome)
        self.assertRegex(outcome.err.decode(), r"user\.o: \.text\+0x\w+: symbol 'value': R_X86_64_GOTTPOFF reaches it .* its block must be in static TLS, or fit "
                                               r"there and not have been used")

    def test_users_of_another_batch(self):
        for flags in (("-fPIC",), ("-fPIE",), ("-fPIC", "-ftls-model=initial-exec")):
            user = self.compile("extern __thread int value;\nint use(void) { return ++value; }\n", "-O1", *flags, name="user.o")
            self.host("users", self.counting("-fPIC"), user)

    def test_any_order(self):
        small = self.counting("-fno-pic", size=3, name="small.o")
        self.host("order", small, self.counting("-fno-pic", size=200, name="large.o"))

    def test_two_copies_of_the_library(self):
        for flags in (("-fPIC",), ("-fPIE",)):
            self.host("copies", self.counting(*flags), os.environ["TLS_PLUGIN"])

    def test_sanitized_programs(self):
        """AddressSanitizer and ThreadSanitizer know threads and their storage: they hear of ours as of any library's."""
        if WITH_SANITIZER:
            self.skipTest("the library has a sanitizer's code already")
        here = pathlib.Path(__file__).resolve()
        include = here.parents[2] / "linker/include"
        for sanitizer in ("address", "thread"):
            with self.subTest(sanitizer=sanitizer):
                self.must("gcc", "-g", f"-fsanitize={sanitizer}", "-I", include, here.with_name("tls_host.c"), os.environ["LIBRARY"],
                          "-lxxhash", "-lz", "-lzstd", "-o", "host")
                self.host("threads", self.counting("-fPIC"), self.library(), program=self.folder / "host", env={"TSAN_OPTIONS": "die_after_fork=0"} if sanitizer == "thread" else None)


class Recorded(SystemTest):
    def test_views_and_replay(self):
        objects = [self.compile("tls_main.c", "-fPIC"), self.compile("tls_other.c", "-fPIC")]
        self.must(JITSCOPE, "run", "--record", "tls.jsr", "--trace", "edges", *objects)
        entries = self.show("tls", "tls.jsr")
        names = {entry["symbol"] for entry in entries}
        self.assertLessEqual({"global", "other", "bytes"}, names)
        self.assertIn(b"the TLS entry of other", self.must(JITSCOPE, "why", "tls.jsr", "tls:other").out)
        segments = [row for row in self.show("segments", "tls.jsr") if row["lifetime"] == "thread"]
        self.assertEqual(len(segments), 1)
        self.assertEqual(self.must(JITSCOPE, "replay", "tls.jsr").out.split()[-1], b"identical")
        self.must(JITSCOPE, "export", "--to", "elf", "tls.jsr", "-o", "tls.elf")

    def test_simulated(self):
        """Local exec in made-up memory: offsets differ as the symbols' do."""
        objects = [self.compile("tls_main.c", "-fPIE", "-O1"), self.compile("tls_other.c", "-fPIE")]
        self.must(JITSCOPE, "link", "--phony-externals", "--record", "link.jsr", "--trace", "edges", *objects)
        self.assertIn(b"tp-offset32", self.must(JITSCOPE, "show", "edges", "link.jsr").out)


if __name__ == "__main__":
    unittest.main()
