"""Small programs, one for each thing that compilers and C libraries do, and programs made up from a seed: every compiler,
level and model, linked in memory and by the system's linker.  Both must say and return the same."""
import concurrent.futures
import os
import pathlib
import re
import shutil
import unittest

from generated_programs import Program
from harness import INPUTS, JITSCOPE, SystemTest
from table import Table

COMPILERS = [name for name in ("gcc", "clang", "clang-19", "clang-22") if shutil.which(name)]
CLANGS = [name for name in COMPILERS if name != "gcc"]
MODELS = ("-fPIC", "-fPIE", "-fno-pic")
PARTS = ("main", "threads", "jumps", "contexts", "numbers", "attributes", "other")
C = ("-fcommon", "-w")
TABLE = Table("Small and generated programs")
SANITIZED = b"AddressSanitizer" in pathlib.Path(JITSCOPE).read_bytes() if pathlib.Path(JITSCOPE).exists() else False


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
    """Every compiler, level and model."""

    def test_parts(self):
        sources = [f"{part}.c" for part in PARTS]
        self.all_same([Case("parts", compiler, sources, (level, model, *C)) for compiler in COMPILERS
                       for level in ("-O0", "-O2", "-O3") for model in MODELS])

    def test_classes(self):
        """C++ of two objects; code without position independence reaches the C++ library's data when that is linked too."""
        ways = (("-O0", "-fPIC"), ("-O2", "-fPIE"), ("-O2", "-fno-pic"), ("-O3", "-fPIC"))  # C++ takes its time: not each by each compiler
        self.all_same([Case("classes", compiler, ["classes.cpp", "classes_other.cpp"], (level, model, "-std=c++17"),
                            libraries=["-l:libstdc++.a" if model == "-fno-pic" else "-lstdc++", "-lm"])
                       for number, compiler in enumerate(COMPILERS) for level, model in ways[number % 2::2]])

    def test_coroutines(self):
        self.all_same([Case("coroutines", compiler, ["coroutines.cpp"], (level, model, "-std=c++20"), libraries=["-lstdc++"])
                       for compiler in COMPILERS for level, model in (("-O0", "-fPIE"), ("-O2", "-fPIC"))])

    def test_generated(self):
        """A seed for each way to compile; seeds are numbers, so that a failure can be had again."""
        ways = [(compiler, level, model) for compiler in COMPILERS for level in ("-O0", "-O2", "-O3") for model in MODELS]
        self.all_same([Case(f"generated {seed}", compiler, Program(seed).sources, (level, model, *C))
                       for seed, (compiler, level, model) in enumerate(ways)])


class Flags(Programs):
    """One flag at a time; gcc, and one clang after the other."""
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
        return Case("parts", compiler, ["together.c", "other.c"], ("-O1", *C, *flags), **options)

    def test_flags(self):
        cases = [self.case("gcc", flags) for flags in (*self.BOTH, *self.GCC)] if "gcc" in COMPILERS else []
        for number, flags in enumerate(self.BOTH if CLANGS else ()):
            cases.append(self.case(CLANGS[number % len(CLANGS)], flags))
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


if __name__ == "__main__":
    unittest.main()
