"""Small programs, one for each thing that compilers and C libraries do, and programs made up from a seed: every compiler,
level and model, linked in memory and by the system's linker.  Both must say and return the same."""
import concurrent.futures
import itertools
import os
import pathlib
import re
import shutil
import unittest

from generated_programs import Program
from harness import INPUTS, JITSCOPE, WITH_SANITIZER, SystemTest
from table import Table

COMPILERS = [name for name in ("gcc", "clang", "clang-19", "clang-22") if shutil.which(name)]
CLANGS = [name for name in COMPILERS if name != "gcc"]
MODELS = ("-fPIC", "-fPIE", "-fno-pic")
PARTS = ("main", "threads", "jumps", "contexts", "numbers", "attributes", "other")
TOGETHER = ["together.c", "other.c"]
C = ("-fcommon", "-w")
TABLE = Table("Small and generated programs")


def plus(compiler):
    return compiler.replace("gcc", "g++").replace("clang", "clang++")


def different_parts(expected, actual):
    """Which parts of a program say something else: the words before the colons."""
    lines = set(expected.split(b"\n")) ^ set(actual.split(b"\n"))
    return " ".join(sorted({line.split(b":")[0].decode(errors="replace")[:20] for line in lines if line})) or "no"


class Case:
    """One program by one compiler with some flags.  theirs, ours: words for the system's link and for jitscope's."""

    def __init__(self, name, compiler, sources, flags, theirs=(), ours=(), libraries=("-lm",), arguments=()):
        self.name, self.compiler, self.sources, self.flags = name, compiler, sources, tuple(flags)
        self.theirs, self.ours, self.libraries, self.arguments = list(theirs), list(ours), list(libraries), list(arguments)
        if any(flag in self.flags for flag in ("-fno-pic", "-fno-pie")):
            self.theirs.insert(0, "-no-pie")

    def __str__(self):
        return f"{self.name} {self.compiler} {' '.join(self.flags)}"


class Programs(SystemTest):
    def compile_all(self, case, folder):
        """One call of the compiler for all sources."""
        paths = []
        for number, source in enumerate(case.sources):
            path = INPUTS / "programs" / source
            if "\n" in source:
                path = folder / f"{number}.c"
                path.write_text(source)
            paths.append(path)
        compiler = plus(case.compiler) if paths[0].suffix == ".cpp" else case.compiler
        self.must(compiler, *case.flags, "-c", *paths, cwd=folder)
        return compiler, [f"{path.stem}.o" for path in paths]

    def both(self, case, folder):
        compiler, objects = self.compile_all(case, folder)
        self.must(compiler, *case.theirs, *objects, *case.libraries, "-o", "program", cwd=folder)
        ours = self.run_command(JITSCOPE, "run", *case.ours, *objects, *case.libraries, "--", *case.arguments, cwd=folder)
        return self.run_command(folder / "program", *case.arguments, cwd=folder), ours

    def compare(self, case):
        """What is different, as text; None when nothing is."""
        folder = self.folder / re.sub("[^a-z0-9+]+", "_", str(case).lower())
        folder.mkdir()
        try:
            expected, actual = self.both(case, folder)
        except Exception as error:
            return f"{case}: {error}", "not compared"
        finally:
            shutil.rmtree(folder)
        if expected.status < 0:
            return f"{case}: the system's own link died: {expected!r}", "not compared"
        if repr(expected) == repr(actual):
            return None, "yes"
        return f"{case}: expected {expected!r}\nbut {actual!r}", f"no: {different_parts(expected.out, actual.out)}"

    def all_same(self, cases):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            results = list(pool.map(self.compare, cases))
        for case, (text, same) in zip(cases, results):
            TABLE.row(case.name, case.compiler, case.flags, objects=len(case.sources), same=same)
            with self.subTest(str(case)):
                self.assertIsNone(text, text)
        self.assertGreater(len(cases), 0)


class Each(Programs):
    """Every compiler, level and model; of the slower ones, all of them in turn."""

    def test_parts(self):
        apart = [f"{part}.c" for part in PARTS]
        self.all_same([Case("parts", compiler, apart if level == "-O2" else TOGETHER, (level, model, *C)) for compiler in COMPILERS
                       for level in ("-O0", "-O2", "-O3") for model in MODELS])

    def test_classes(self):
        """C++ of two objects; code without position independence reaches the C++ library's data when that is linked too."""
        ways = (("-O0", "-fPIC"), ("-O2", "-fno-pic"), ("-O3", "-fPIE"), ("-O2", "-fPIC"))  # C++ takes its time: one for each compiler
        self.all_same([Case("classes", compiler, ["classes.cpp", "classes_other.cpp"], (level, model, "-std=c++17"),
                            libraries=["-l:libstdc++.a" if model == "-fno-pic" else "-lstdc++", "-lm"])
                       for compiler, (level, model) in zip(COMPILERS, ways)])

    def test_coroutines(self):
        self.all_same([Case("coroutines", compiler, ["coroutines.cpp"], (level, model, "-std=c++20"), libraries=["-lstdc++"])
                       for compiler in COMPILERS for level, model in (("-O0", "-fPIE"), ("-O2", "-fPIC"))])

    def test_generated(self):
        """A seed for each way to compile; seeds are numbers, so that a failure can be had again."""
        ways = [(compiler, level, model) for compiler in COMPILERS for level in ("-O0", "-O2", "-O3") for model in MODELS][::2]
        programs = [Program(seed) for seed in range(len(ways))]
        self.all_same([Case(f"generated {seed}", compiler, program.sources, (level, model, *C))
                       for seed, (program, (compiler, level, model)) in enumerate(zip(programs, ways))])
        features = set().union(*(program.features for program in programs))
        for what, _, count in sorted(features):
            self.assertEqual({choice for name, choice, _ in features if name == what}, set(range(count)), what)


class Flags(Programs):
    """One flag at a time; gcc, and every second one by one clang after the other."""
    BOTH = (
        ("-g", "-gz=zlib"), ("-fcf-protection=full",), ("-fPIC", "-fno-plt"), ("-fPIC", "-fno-plt", "-fno-jump-tables"),
        ("-fstack-protector-all",), ("-O2", "-D_FORTIFY_SOURCE=2"), ("-ftrapv",), ("-fPIC", "-fno-semantic-interposition"),
        ("-fpatchable-function-entry=4,2",), ("-falign-functions=64",), ("-fPIC", "-fvisibility=hidden"), ("-mcmodel=medium",),
        ("-mcmodel=large", "-fno-pic"), ("-fexceptions", "-fnon-call-exceptions"), ("-finstrument-functions",),
        ("-fno-asynchronous-unwind-tables",), ("-fmerge-all-constants",), ("-march=native",), ("-fstack-clash-protection",),
        ("-g", "-gdwarf-4", "-fdebug-types-section"), ("-fno-builtin",), ("-fno-pie", "-fno-jump-tables"),
    )
    GCC = (("-mindirect-branch=thunk", "-fcf-protection=none"), ("-flto", "-ffat-lto-objects"), ("-fzero-call-used-regs=all",),
           ("-freorder-blocks-and-partition", "-O2"), ("-fipa-pta", "-O3"))

    def case(self, compiler, flags, **options):
        return Case("parts", compiler, TOGETHER, ("-O1", *C, *flags), **options)

    def test_flags(self):
        cases = [self.case("gcc", flags) for flags in (*self.BOTH, *self.GCC)] if "gcc" in COMPILERS else []
        cases += [self.case(compiler, flags) for flags, compiler in zip(self.BOTH[::2], itertools.cycle(CLANGS))]
        self.all_same(cases)

    def test_garbage(self):
        words = ("-ffunction-sections", "-fdata-sections")
        self.all_same([self.case(compiler, words, theirs=["-Wl,--gc-sections"], ours=["--gc-sections"]) for compiler in COMPILERS])

    def test_newer_flags(self):
        """What clang 14 and gcc 12 here do not know."""
        newer = [name for name in ("clang-19", "clang-22") if name in COMPILERS]
        if not newer:
            self.skipTest("no such compiler")
        self.all_same([self.case(compiler, flags) for compiler in newer
                       for flags in (("-g", "-gz=zstd"), ("-flto", "-ffat-lto-objects"), ("-fzero-call-used-regs=all",))])

    def test_profiled(self):
        """The instrumented resolver of an indirect function would count before anything can: only where compilers spare it."""
        self.all_same([self.case("gcc", ("-pg",), theirs=["-pg"])] if "gcc" in COMPILERS else [])


class Addresses(Programs):
    """Code that wants what lies far away in 32 bits."""
    FUNCTIONS = ("""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
extern int (*other(void))(const char *, const char *);
extern int missing(void) __attribute__((weak));
static int (*const table[])(const char *, const char *) = {strcmp, strcasecmp};
static int by(const void *a, const void *b) { return table[0](*(char *const *)a, *(char *const *)b); }
int main(void) {
    int (*volatile compare)(const char *, const char *) = strcmp;
    void *(*volatile copy)(void *, const void *, size_t) = memcpy;
    int (*volatile nobody)(void) = missing;
    char text[8];
    const char *words[] = {"c", "a", "b"};
    copy(text, "abcdef", 7);
    qsort(words, 3, sizeof *words, by);
    printf("%d %d %d %s %s%s%s %d %d\\n", compare == table[0], other() == compare, compare("a", "a"), text, words[0], words[1],
           words[2], table[1]("A", "a"), nobody != NULL);
    return 3;
}
""", "#include <string.h>\nint (*other(void))(const char *, const char *) { return strcmp; }\n")

    def test_functions_of_libraries(self):
        """A function of a library has one address in the batch: below 2 GiB, where code without position independence looks."""
        for compiler in COMPILERS:
            for model in MODELS if compiler == COMPILERS[0] else ("-fPIC",):
                with self.subTest(compiler=compiler, model=model):
                    main = self.compile(self.FUNCTIONS[0], "-O1", "-fno-pic", compiler=compiler, name="main.o")
                    other = self.compile(self.FUNCTIONS[1], "-O1", model, compiler=compiler, name="other.o")
                    self.assertRegex(self.must("readelf", "-rW", main).out, rb"R_X86_64_32S? +0+ strcmp")
                    self.assertEqual(self.same([main, other], flags=["-no-pie"]).status, 3)
                    TABLE.row("addresses of functions", compiler, ("-O1", "-fno-pic", model), 2)

    def test_data_of_libraries(self):
        """It cannot be had there: which relocation in which object wants what, and what would help."""
        texts = {"c": ("#include <stdio.h>\nint main(void) { return fputs(\"x\", stdout); }\n", "stdout", "R_X86_64_PC32|R_X86_64_32S"),
                 "cpp": ("#include <iostream>\nint main() { std::cout << 1 << std::endl; }\n", "_ZSt4cout", "R_X86_64_32")}
        for compiler in COMPILERS:
            for suffix, (text, symbol, types) in texts.items():
                with self.subTest(compiler=compiler, suffix=suffix):
                    driver = plus(compiler) if suffix == "cpp" else compiler
                    self.must(driver, "-O2", "-fno-pic", "-c", self.text(f"data.{suffix}", text), "-o", "data.o")
                    outcome = self.jitscope("run", "--in-process", "data.o", "-lstdc++")
                    self.assertEqual((outcome.status, outcome.out), (1, b""))
                    self.assertRegex(outcome.err.decode(), rf"data\.o: \.text\S*: symbol '{symbol}': ({types}) at 0x.* does not fit")
                    self.assertIn("help: the target lies outside the batch: compile with -fPIC", outcome.err.decode())
        self.assertEqual(self.jitscope("run", "data.o", "-l:libstdc++.a").out, b"1\n")


    def test_size_of_a_function_of_a_library(self):
        """A stub is its address; the stub's size is not its size."""
        self.must("gcc", "-c", self.text("size.s", """
    .globl main
main: mov $strcmp, %edx
    mov $strcmp@size, %eax
    ret
    .section .note.GNU-stack,"",@progbits
"""), "-o", "size.o")
        outcome = self.jitscope("run", "size.o")
        self.assertEqual(outcome.status, 1)
        self.assertRegex(outcome.err, rb"size\.o: \.text\+0x6: symbol 'strcmp': R_X86_64_SIZE32: the size of what a stub stands for is not known")


class Stacks(Programs):
    @unittest.skipUnless("gcc" in COMPILERS, "an extension of gcc")
    def test_nested_functions(self):
        """Their trampolines lie on the stack: refused by name, or allowed."""
        self.all_same([Case("nested", "gcc", ["nested.c"], (level, model), theirs=["-Wl,-z,execstack"], ours=["-z", "execstack"])
                       for level, model in (("-O0", "-fPIC"), ("-O2", "-fPIE"), ("-O2", "-fno-pic"))])
        nested = self.compile("programs/nested.c")
        outcome = self.jitscope("run", nested)
        self.assertEqual((outcome.status, outcome.out), (1, b""))
        self.assertRegex(outcome.err.decode(), r"nested\.o: \.note\.GNU-stack: the code wants an executable stack.*\n *help: `jitscope run -z execstack`")

    def test_only_who_wants_it_gets_it(self):
        """Stacks are as they were unless an input wants it and is allowed to."""
        text = """
#include <stdio.h>
#include <string.h>
int main(void) {
    char line[512];
    int executable = 0, both = 0;
    for (FILE *file = fopen("/proc/self/maps", "r"); fgets(line, sizeof line, file);) {
        executable += strstr(line, "[stack]") && strstr(line, "x");
        both += strstr(line, " rwx") != NULL;
    }
    return !!executable * 2 + !!both; /* all stacks of the process are alike */
}
"""
        plain = self.compile(text, "-fPIC", name="plain.o")
        marked = self.compile(text + '__asm__(".section .note.GNU-stack,\\"x\\",@progbits\\n.text");\n', "-fPIC", name="marked.o")
        expected = {(plain, ()): 0, (plain, ("-zexecstack",)): 0, (marked, ()): 1, (marked, ("-zexecstack",)): 3}
        for (program, words), status in expected.items():
            with self.subTest(program=program.name, words=words):
                outcome = self.jitscope("run", *words, program)
                self.assertEqual(outcome.status, status, outcome)

    @unittest.skipUnless("gcc" in COMPILERS, "without variable arguments in clang")
    def test_split_stacks(self):
        """libgcc's __morestack is found by itself."""
        self.all_same([Case("split", compiler, ["split.c"], ("-O1", "-fsplit-stack"), theirs=["-fsplit-stack"])
                       for compiler in COMPILERS])


class Libraries(Programs):
    """What compilers leave to libraries: found without being asked for, or named."""

    def test_atomics_and_halves(self):
        self.all_same([Case("builtins", compiler, ["builtins.c"], ("-O1", *half), libraries=["-latomic"])
                       for compiler in COMPILERS for half in ((), ("-DHALF",)) if not (half and compiler == "clang")])

    @unittest.skipUnless("gcc" in COMPILERS, "its libraries")
    def test_quad(self):
        self.all_same([Case("quad", "gcc", ["quad.c"], (level, "-fPIC"), libraries=["-lquadmath", "-lm"]) for level in ("-O0", "-O2")])

    @unittest.skipUnless("gcc" in COMPILERS, "its libraries")
    def test_openmp(self):
        self.all_same([Case("openmp", "gcc", ["openmp.c"], ("-O1", "-fopenmp"), libraries=["-lgomp"])])

    def test_libraries_are_named(self):
        wanted = {"openmp.c": (("-fopenmp",), "-fopenmp wants -lgomp"), "builtins.c": (("-O1",), "what the processor does not do at once wants -latomic")}
        for source, (flags, help) in wanted.items() if "gcc" in COMPILERS else ():
            with self.subTest(source=source):
                outcome = self.jitscope("run", self.compile(f"programs/{source}", *flags))
                self.assertEqual((outcome.status, outcome.out), (1, b""))
                self.assertIn(help, outcome.err.decode())

    def test_bytecode(self):
        for compiler in COMPILERS:
            with self.subTest(compiler=compiler):
                outcome = self.jitscope("run", self.compile("programs/other.c", "-flto", "-O1", compiler=compiler))
                self.assertEqual((outcome.status, outcome.out), (1, b""))
                self.assertRegex(outcome.err.decode(), r"other.o: .*(LTO bytecode|bitcode), not machine code\n *help: compile without -flto")


class Runtimes(Programs):
    """What instrumented code calls, each compiler's own library named."""
    WRONG = """
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **words) {
    int number = 0x7fffffff, *numbers = malloc(40);
    (void)words;
    numbers[count] = number;
    printf("%d\\n", numbers[count]);
    fflush(stdout);
    if (count > 1)
        number += count;
    else
        number = numbers[count + 9];
    free(numbers);
    return number == 77;
}
"""

    def runtime(self, compiler, name):
        """A library of the compiler's, or a skipped test."""
        command = [compiler, f"-print-file-name=lib{name}" if compiler == "gcc" else "-print-resource-dir"]
        path = pathlib.Path(self.must(*command).out.decode().strip())
        return path if compiler == "gcc" else path / "lib" / "linux" / f"libclang_rt.{name}"

    def built(self, compiler, *flags):
        self.text("wrong.c", self.WRONG)
        self.must(compiler, "-g", *flags, "-c", "wrong.c", "-o", "wrong.o")
        self.must(compiler, *flags, "wrong.o", "-o", "program")

    def each(self, name):
        """Every compiler whose library is there."""
        found = [(compiler, path) for compiler in COMPILERS if compiler != "gcc" and (path := self.runtime(compiler, name)).exists()]
        return found or self.skipTest(f"no {name}")

    def test_undefined_behaviour(self):
        for compiler, library in self.each("ubsan_standalone-x86_64.a"):
            with self.subTest(compiler=compiler):
                self.built(compiler, "-fsanitize=signed-integer-overflow")
                expected = self.run_command(self.folder / "program", "more")
                actual = self.jitscope("run", "wrong.o", library, "--", "more")
                self.assertIn(b"signed integer overflow", actual.err)
                self.assertEqual(repr(actual), repr(expected))
                TABLE.row("undefined behaviour", compiler, ["-fsanitize=undefined"], 1)

    def count_lines(self, compiler, library):
        """The counts that each of two runs leaves behind."""
        counts = []
        self.built(compiler, "--coverage")
        for command in ([self.folder / "program", "more"], [JITSCOPE, "run", "wrong.o", *library, "--", "more"]):
            self.must(*command)
            counts.append((self.folder / "wrong.gcda").read_bytes())
            (self.folder / "wrong.gcda").unlink()
        self.assertEqual(*counts)
        TABLE.row("coverage", compiler, ["--coverage"], 1)

    def test_coverage(self):
        if "gcc" in COMPILERS:
            self.count_lines("gcc", ["-lgcov"])
        for compiler, library in self.each("profile-x86_64.a"):
            with self.subTest(compiler=compiler):
                self.count_lines(compiler, [library])

    @unittest.skipIf(WITH_SANITIZER, "jitscope has one of its own")
    def test_addresses(self):
        """The library has to be in the process from its start."""
        libraries = [("gcc", self.runtime("gcc", "asan.so"), ["-lasan"])] if "gcc" in COMPILERS else []
        for compiler in CLANGS:
            library = self.runtime(compiler, "asan-x86_64.so")
            libraries += [(compiler, library, [library])] if library.exists() else []
        for compiler, library, words in libraries:
            with self.subTest(compiler=compiler):
                self.built(compiler, "-fsanitize=address")
                environment = {"LD_PRELOAD": str(library), "ASAN_OPTIONS": "detect_leaks=0"}
                outcome = self.jitscope("run", "wrong.o", *words, env=environment)
                self.assertEqual((outcome.status, outcome.out), (self.run_command(self.folder / "program").status, b"2147483647\n"))
                self.assertRegex(outcome.err, rb"AddressSanitizer: heap-buffer-overflow on address")
                TABLE.row("wrong addresses", compiler, ["-fsanitize=address"], 1)


if __name__ == "__main__":
    unittest.main()
