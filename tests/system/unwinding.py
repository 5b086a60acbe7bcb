"""Unwinding through JIT'd frames: C++ exceptions, backtraces, threads that are cancelled, by each unwinder there is.

What a program says is compared with the same program linked by the system's linker: as a program, or, where a C++ runtime
is linked into it, as a shared library, since libraries are bound to what a program exports but not to what is JIT'd.
"""
import os
import pathlib
import shutil
import unittest

from harness import COMPILERS, JITSCOPE, LIBRARIES, WITH_SANITIZER, SystemTest

COMPILERS = COMPILERS + [name for name in ("clang-19", "clang-22") if shutil.which(name)]
CXX = {"gcc": "g++", "clang": "clang++", "clang-19": "clang++-19", "clang-22": "clang++-22"}
FOLDER = pathlib.Path("unwinding")
UNWINDERS, UNWINDERS_STATIC = (os.environ.get(name, f"build/dev/tests/system/{program}") for name, program in
                               (("UNWINDERS", "system-unwinders"), ("UNWINDERS_STATIC", "system-unwinders-static")))
ENDS = ("end0", "end1", "end2", "end3")
LLVM = [LIBRARIES / f"lib{name}.so.1" for name in ("c++", "c++abi", "unwind")]
LLVM_ARCHIVES = sorted(pathlib.Path("/usr/lib").glob("llvm-*/lib/libunwind.a"))
NEEDS_LLVM = unittest.skipUnless(all(path.exists() for path in LLVM), "libc++1-14 is not installed")
NEEDS_OWN_THROW = unittest.skipIf(WITH_SANITIZER, "AddressSanitizer's __cxa_throw and _Unwind_RaiseException come between, and lead to libgcc's")


def source(name):
    from harness import INPUTS
    return INPUTS / FOLDER / name


class Unwinding(SystemTest):
    def build(self, name, *flags, compiler="gcc", target=None):
        target = self.folder / (target or f"{pathlib.Path(name).stem}.o")
        self.must(CXX[compiler] if name.endswith(".cpp") else compiler, *flags, "-c", source(name), "-o", target)
        return target

    def native_half(self, *flags, name="libnative.so", libraries=()):
        self.must("g++", "-fPIC", "-shared", "-O1", *flags, source("native.cpp"), *libraries, "-o", name)
        return self.folder / name


class Throwing(Unwinding):
    def both(self, objects, libraries, words, linker="g++", flags=()):
        """Linked once, run with each of the words."""
        self.must(linker, *flags, *objects, *libraries, f"-Wl,-rpath,{self.folder}", "-o", "program")
        for word in words:
            expected = self.run_command(self.folder / "program", word)
            self.assertIn(expected.status, (0, 9), expected)
            self.assertEqual(repr(self.jitscope("run", *objects, *libraries, "--", word)), repr(expected), word)

    def test_shared_runtime(self):
        native = self.native_half()
        for compiler in COMPILERS:
            for flags in (("-O0", "-fPIE"), ("-O2", "-fPIC"), ("-O1", "-fPIC", "-ffunction-sections", "-g")):
                with self.subTest(compiler=compiler, flags=flags):
                    words = ("all", *ENDS) if flags[0] == "-O2" else ("all",)
                    self.both([self.build("throwing.cpp", *flags, compiler=compiler)], [native, "-lstdc++"], words)

    def test_runtime_linked_by_us(self):
        """Two runtimes are in the process then, and with libgcc_eh.a two unwinders, of which each has to find all frames."""
        native = self.native_half()
        folder = pathlib.Path(self.must("gcc", "-print-libgcc-file-name").out.decode().strip()).parent
        self.must("gcc", source("opening.c"), "-o", "opening")
        for compiler in ("gcc", "clang") if "clang" in COMPILERS else ("gcc",):
            code = self.build("throwing.cpp", "-O1", "-fPIC", compiler=compiler)
            for archives in (["-l:libstdc++.a"], ["-l:libstdc++.a", "-l:libgcc_eh.a", "-l:libgcc.a"], ["-lstdc++", "-l:libgcc_eh.a"]):
                libraries = [native, *archives, "-lm"]
                self.must("gcc", "-shared", "-Wl,--exclude-libs,ALL", "-Wl,-Bsymbolic", "-Wl,-z,defs", code, *libraries, "-o", "plugin.so")
                for word in ("all", "end0", "end2"):
                    with self.subTest(compiler=compiler, archives=archives, word=word):
                        expected = self.run_command(self.folder / "opening", self.folder / "plugin.so", word)
                        self.assertIn(expected.status, (0, 9), expected)
                        actual = self.jitscope("run", "-L", folder, code, *libraries, "--", word)
                        self.assertEqual(repr(actual), repr(expected))

    def test_static_unwinder_is_adopted(self):
        code = self.build("throwing.cpp", "-O1", "-fPIC")
        folder = pathlib.Path(self.must("gcc", "-print-libgcc-file-name").out.decode().strip()).parent
        self.must(JITSCOPE, "run", "--record", "adopted.jsr", "-L", folder, code, self.native_half(), "-lstdc++", "-l:libgcc_eh.a")
        rows = [(row["function"], row["half"]) for row in self.show("actions", "adopted.jsr") if row["result"] == "ok"]
        self.assertIn(("adopt-unwinder", "finalize"), rows)

    @NEEDS_LLVM
    @NEEDS_OWN_THROW
    def test_libcxx(self):
        """Its unwinder is LLVM's, which cannot be mixed with the C library's choice for threads that are cancelled."""
        native = self.native_half("-DBARE", "-nostdinc++", "-nodefaultlibs", libraries=[*LLVM, "-lc"])
        for compiler in COMPILERS:
            with self.subTest(compiler=compiler):
                code = self.build("throwing.cpp", "-O1", "-DBARE", "-nostdinc++", compiler=compiler)
                self.both([code], [native, *LLVM], ("unforced", *ENDS), linker="gcc", flags=("-nodefaultlibs", "-lc"))

    @NEEDS_LLVM
    @NEEDS_OWN_THROW
    def test_two_unwinders_for_libcxx(self):
        """Who throws and who resumes ask the same one, wherever the other stands."""
        code = self.build("throwing.cpp", "-O1", "-DBARE", "-nostdinc++")
        for number, needed in enumerate(([*LLVM], [*LLVM[:2], "-lgcc_s"], ["-lgcc_s", *LLVM])):
            native = self.native_half("-DBARE", "-nostdinc++", "-nodefaultlibs", name=f"libnative{number}.so", libraries=[*needed, "-lc"])
            for given in (LLVM[:2], LLVM):
                with self.subTest(needed=needed, given=given):
                    self.both([code], [native, *given], ("unforced", "end0"), linker="gcc")

    @unittest.skipUnless(LLVM_ARCHIVES, "no libunwind.a of LLVM's is installed")
    def test_static_unwinder_of_llvm(self):
        """Nothing refers to the functions by which it is told of sections."""
        code = self.text("walk.c", "#include <stdio.h>\nint collect(void **, int);\nint main(void) { void *a[64]; printf(\"%d\\n\", collect(a, 64) > 3); }\n")
        self.must("gcc", "-c", code, "-o", "walk.o")
        for words in ((), ("--gc-sections",)):
            outcome = self.must(JITSCOPE, "run", *words, "walk.o", self.build("collect.c", "-O1", "-fPIC"), LLVM_ARCHIVES[-1])
            self.assertEqual(outcome.out, b"1\n")


class Threads(Unwinding):
    def test_cleanups(self):
        for compiler in COMPILERS:
            for flags in (("-O0", "-fexceptions"), ("-O2", "-fexceptions", "-fPIC")):
                with self.subTest(compiler=compiler, flags=flags):
                    outcome = self.same([self.build("cleanups.c", *flags, compiler=compiler)])
                    self.assertEqual(outcome.out.count(b"frame 4 is left"), 5)


class Stepping(Unwinding):
    def test_nongnu(self):
        for compiler in COMPILERS:
            for level in ("-O0", "-O2"):
                with self.subTest(compiler=compiler, level=level):
                    outcome = self.same([self.build("stepping.c", level, compiler=compiler)], ["-lunwind"])
                    self.assertEqual(outcome.out, b"5 of 5 found\n" * 2)


class Unwinders(Unwinding):
    """Unwinders that come and go."""

    def through(self, number):
        return self.build("through.c", "-O1", f"-Dthrough=through{number}", target=f"through{number}.o")

    def walker(self, kind):
        name = f"lib{kind}.so"
        program, libraries = {"libgcc": ("collect.c", ["-lgcc_s", "-lc"]), "llvm": ("collect.c", [LIBRARIES / "libunwind.so.1", "-lc"]),
                              "nongnu": ("collect_nongnu.c", ["-lunwind", "-lc"])}[kind]
        self.must("gcc", "-shared", "-fPIC", "-nodefaultlibs", source(program), *libraries, "-o", name)
        return self.folder / name

    def tell(self, *words, program=UNWINDERS):
        outcome = self.run_command(os.path.abspath(program) if "/" in program else program, *words)
        self.assertEqual(outcome.status, 0, outcome)
        return outcome.out.decode().splitlines()

    def setUp(self):
        super().setUp()
        self.objects = [self.through(number) for number in range(4)]
        self.kinds = ["libgcc", "nongnu"] + (["llvm"] if LLVM[2].exists() else [])

    def first(self):
        """Two frames: without a table nongnu libunwind guesses by rbp, and misses the outer one."""
        return "session", f"link:{self.objects[0]},{self.objects[1]}", "get:through0", "get:through1"

    def test_comes_before(self):
        for kind in self.kinds:
            with self.subTest(kind=kind):
                self.assertEqual(self.tell(f"walker:{self.walker(kind)}", *self.first(), "walk:through0,through1"), ["through0 through1 main"])

    def test_comes_later(self):
        """Between links, and behind all of them: then a lookup is when it is seen."""
        for kind in self.kinds:
            with self.subTest(kind=kind):
                walker = f"walker:{self.walker(kind)}"
                self.assertEqual(self.tell(*self.first(), walker, f"link:{self.objects[2]}", "get:through2", "walk:through2,through1"),
                                 ["through2 through1 main"])
                self.assertEqual(self.tell(*self.first(), f"link:{self.objects[2]}", walker, "get:through2", "walk:through1,through2,through1"),
                                 ["through1 through2 through1 main"])

    @NEEDS_OWN_THROW
    def test_unseen(self):
        """When nothing asks jitscope for anything behind its arrival, the walk ends at JIT'd code."""
        for kind in self.kinds[1:]:  # the first is there from the first link on
            words = [*self.first(), f"walker:{self.walker(kind)}", "walk:through0,through1"]
            self.assertNotEqual(self.tell(*words), ["through0 through1 main"], kind)
            self.assertEqual(self.tell(*words[:-1], "get:through0", words[-1]), ["through0 through1 main"], kind)

    def test_all_at_once(self):
        """Closed by whom they were opened; each still hears what leaves, and of what comes to the same place."""
        walkers = [f"walker:{self.walker(kind)}" for kind in self.kinds]
        words = [*self.first(), f"link:{self.objects[2]}", "get:through2"]
        for walker in walkers:
            words += [walker, f"link:{self.objects[3]}", "get:through3", "walk:through1,through2,through3", "close"]
        words += ["unload:1", *(f"unload:{3 + i}" for i in range(len(walkers)))]
        again = self.build("through.c", "-O0", "-Dthrough=again", target="again.o")
        words += [f"link:{again}", "get:again"]
        for walker in walkers:
            words += [walker, "walk:through2,again", "close"]
        expected = ["through1 through2 through3 main"] * len(walkers) + ["through2 again main"] * len(walkers)
        self.assertEqual(self.tell(*words), expected)

    def test_again_and_again(self):
        """A place is used by code with other frames each time."""
        for kind in self.kinds:
            words = [*self.first(), f"walker:{self.walker(kind)}"]
            for number in range(8):
                deep = self.build("through.c", "-O1" if number % 2 else "-O0", f"-Dthrough=deep{number}", target=f"deep{number}.o")
                words += [f"link:{deep}", f"get:deep{number}", f"walk:through1,deep{number}", f"unload:{number + 2}"]
            self.assertEqual(self.tell(*words), [f"through1 deep{number} main" for number in range(8)])

    def test_of_another_session(self):
        """What a batch brings knows the frames of all sessions, those that were there and those that come."""
        archive = self.must("gcc", "-print-file-name=libgcc_eh.a").out.decode().strip()
        collect = self.build("collect.c", "-O1", "-fexceptions", target="collect.o")
        words = [*self.first(), "session", f"link:{collect},{archive}", "jit-walker", "walk:through1", "session", f"link:{self.objects[2]}",
                 "get:through2", "walk:through2,through1", "unload:1", f"link:{self.objects[3]}", "get:through3", "walk:through3,through2"]
        self.assertEqual(self.tell(*words), ["through1 main", "through2 through1 main", "through3 through2 main"])
        words = [*self.first(), f"link:{collect},{archive}", "unload:2", f"link:{self.objects[2]}", "get:through2", f"walker:{self.walker('libgcc')}",
                 "walk:through1,through2"]
        self.assertEqual(self.tell(*words), ["through1 through2 main"])

    def test_of_the_program(self):
        """Linked statically into the program, where its symbols are hidden."""
        symbols = self.must("nm", os.path.abspath(UNWINDERS_STATIC)).out.decode()
        self.assertIn("t _Unwind_Find_FDE", symbols.replace(" T ", " t "))
        self.assertEqual(self.tell(*self.first(), "own-walker", "walk:through1", program=UNWINDERS_STATIC), ["through1 main"])


if __name__ == "__main__":
    unittest.main()
