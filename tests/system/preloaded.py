"""Libraries that a process is started with before all others (LD_PRELOAD): what they define, code in memory finds before what
other libraries do, as a program does that the system's linker has linked."""
import os
import subprocess
import unittest

from harness import JITSCOPE, LIMIT, SystemTest, WITH_SANITIZER

EXECUTOR = os.path.join(os.path.dirname(JITSCOPE), "jitscope-executor")

PRINT = "#include <stdio.h>\n"
MODES = ((), ("--in-process",), ("--lazy",))


@unittest.skipIf(WITH_SANITIZER, "its runtime must be the first library of all")
class Preloaded(SystemTest):
    def library(self, name, text, *flags):
        path = self.folder / name
        self.must("gcc", "-shared", "-fPIC", "-O1", "-fno-builtin", self.text(f"{name}.c", text), "-o", path, *flags)
        return f"./{name}"

    def versioned(self, name, text, script, *flags):
        return self.library(name, text, f"-Wl,--version-script={self.text(f'{name}.map', script)}", *flags)

    def alike(self, preload, inputs, *libraries, flags=(), modes=MODES):
        """What the system's own link writes, which all that jitscope does must match; recordings are replayed at the end."""
        program, env = self.folder / "program", {"LD_PRELOAD": preload}
        self.must("gcc", *flags, *inputs, *libraries, "-o", program)
        expected = self.run_command(program, env=env)
        for number, words in enumerate(modes):
            with self.subTest(preload=preload, words=words):
                recording = self.folder / f"{number}.jsr"
                actual = self.jitscope("run", *words, "--record", recording, *inputs, *libraries, env=env)
                self.assertEqual(repr(actual), repr(expected))
                self.must(JITSCOPE, "replay", recording)
        return expected.out

    def test_functions(self):
        """Of the C library, called and with their addresses taken; the first library that has one gives it."""
        main = self.compile(PRINT + "#include <stdlib.h>\n#include <unistd.h>\nint (*volatile taken)(int) = abs;\n"
                            'int main(void) { printf("%d %d %d %d\\n", abs(-3), taken(-4), getppid(), atoi("12")); return 0; }', "-O0", "-fno-builtin")
        self.library("one.so", "int abs(int x) { return 1000 + x; }\nint getppid(void) { return 41; }")
        self.library("two.so", "int abs(int x) { return 2000 + x; }\nint getppid(void) { return 42; }\nint atoi(const char *x) { return *x; }")
        for preload, expected in (("./one.so", b"997 996 41 12\n"), ("./one.so ./two.so", b"997 996 41 49\n"),
                                  (f" {self.folder}/two.so:./one.so", b"1997 1996 42 49\n")):
            self.assertEqual(self.alike(preload, [main]), expected)

    def test_allocation(self):
        """What the program allocates is counted, once each; the library's own calls and the C library's go on."""
        main = self.compile("#include <stdlib.h>\n#include <string.h>\nint main(void) { char *p = malloc(71717); p = realloc(p, 81818); strcpy(p, \"x\"); free(p);"
                            " free(calloc(1, 91919)); free(strdup(p = malloc(71717))); free(p); return 0; }", "-O1", "-fno-builtin")
        library = self.library("counts.so", "#include <stdio.h>\n#include <unistd.h>\nvoid *__libc_malloc(size_t), *__libc_realloc(void *, size_t), *__libc_calloc(size_t, size_t);\n"
                               "static int counts[3];\n"
                               "void *malloc(size_t size) { counts[0] += size == 71717; return __libc_malloc(size); }\n"
                               "void *realloc(void *p, size_t size) { counts[1] += size == 81818; return __libc_realloc(p, size); }\n"
                               "void *calloc(size_t n, size_t size) { counts[2] += size == 91919; return __libc_calloc(n, size); }\n"
                               "__attribute__((destructor)) static void tell(void) { char text[64]; if (counts[0]) write(1, text, "
                               'sprintf(text, "%d %d %d\\n", counts[0], counts[1], counts[2])); }')
        self.assertEqual(self.alike(library, [main]), b"2 1 1\n")

    def test_data(self):
        """Variables of libraries, in the program by GOT, by distance or as a copy, and thread-local ones."""
        text = (PRINT + "extern int value, next(void); extern _Thread_local int mine;\n"
                'int main(void) { printf("%d %d", value, mine); value = 5; mine = 6; printf(" %d\\n", next()); return 0; }')
        plain = self.library("plain.so", "int value = 3; _Thread_local int mine = 4; int next(void) { return value + mine; }")
        first = self.library("first.so", "int value = 30; _Thread_local int mine = 40; int next(void) { return 100 + value + mine; }")
        self.assertEqual(self.alike(first, [self.compile(text, "-fPIC")], plain), b"30 40 111\n")
        self.assertEqual(self.alike(first, [self.compile(text, "-fPIE")], plain, modes=((), ("--in-process",))), b"30 40 111\n")
        self.assertEqual(self.alike(first, [self.compile(text, "-fno-pic")], plain, flags=("-no-pie",), modes=((),)), b"30 40 111\n")
        self.assertEqual(self.alike("", [self.compile(text, "-fno-pic")], plain, flags=("-no-pie",), modes=((),)), b"3 4 11\n")

    def test_versions(self):
        """A reference has the version of the library it was linked with: that one, or a definition without any, is what it finds."""
        functions = ('int old(void) { return %d; }\nint new(void) { return %d; }\n__asm__(".symver old, f@V1");\n__asm__(".symver new, f@@V2");\n')
        both = "V1 { global: f; local: *; };\nV2 { global: f; } V1;\n"
        needed = self.versioned("needed.so", functions % (1, 2), both)
        one = 'int impl(void) { return %d; }\n__asm__(".symver impl, f@@%s");\n'
        preloads = [self.library("none.so", "int f(void) { return 10; }"), self.versioned("both.so", functions % (21, 22), both),
                    self.versioned("only1.so", one % (31, "V1"), "V1 { global: f; local: *; };\n"),
                    self.versioned("only2.so", one % (42, "V2"), "V2 { global: f; local: *; };\n"),
                    self.versioned("other.so", one % (59, "V9"), "V9 { global: f; local: *; };\n"),
                    self.versioned("hidden2.so", 'int impl(void) { return 62; }\n__asm__(".symver impl, f@V2");\n', "V2 { global: f; local: *; };\n"),
                    self.versioned("base.so", "int f(void) { return 70; }\nint g(void) { return 0; }\n", "V7 { global: g; };\n")]
        main = PRINT + '%sint f(void); int main(void) { printf("%%d\\n", f()); return 0; }'
        newest, oldest = (self.compile(main % asked, "-fPIC", name=name) for asked, name in (("", "new.o"), ('__asm__(".symver f, f@V1");\n', "old.o")))
        self.assertEqual([self.alike(preload, [newest], needed) for preload in preloads], [b"10\n", b"22\n", b"2\n", b"42\n", b"2\n", b"62\n", b"70\n"])
        self.assertEqual([self.alike(preload, [oldest], needed) for preload in preloads], [b"10\n", b"21\n", b"31\n", b"1\n", b"1\n", b"1\n", b"70\n"])
        self.library("needed.so", "int f(void) { return 5; }")  # now without versions
        self.assertEqual([self.alike(preload, [newest], needed) for preload in preloads],
                         [b"10\n", b"21\n", b"31\n", b"42\n", b"59\n", b"62\n", b"70\n"])

    def test_what_is_the_programs_own(self):
        """Its objects, members of its archives, which are taken as if nothing were preloaded, and what no library has."""
        library = self.library("all.so", "int f(void) { return 10; }\nint g(void) { return 20; }\nint h(void) { return 30; }\nint k(void) { return 40; }")
        text = (PRINT + "int f(void), g(void); __attribute__((weak)) int h(void);\n__attribute__((weak)) int k(void) { return 4; }\nint f(void) { return 1; }\n"
                'int main(void) { printf("%d %d %d %d\\n", f(), g(), h ? h() : 0, k()); return 0; }')
        archive = self.archive("lib.a", self.compile("int g(void) { return 2; }\n", name="g.o"))
        for flags in (("-fPIC",), ("-fPIE",)):
            self.assertEqual(self.alike(library, [self.compile(text, *flags)], archive), b"1 2 30 4\n")
        self.assertEqual(self.alike(library, [self.compile(text, "-fno-pic")], archive, flags=("-no-pie",), modes=((),)), b"1 2 0 4\n")
        refused = self.jitscope("run", self.compile("int g(void); int main(void) { return g(); }\n"), env={"LD_PRELOAD": library})
        self.assertEqual(refused.status, 1)
        self.assertRegex(refused.err, b"g")

    def test_variable_is_taken_out(self):
        """So that children are started without it, the library takes itself out of the environment of each process that has it."""
        library = self.library("once.so", "#include <stdlib.h>\n__attribute__((constructor)) static void once(void) { unsetenv(\"LD_PRELOAD\"); }\n"
                               "int getppid(void) { return 41; }")
        main = self.compile(PRINT + '#include <stdlib.h>\n#include <unistd.h>\nint main(void) { printf("%d %d\\n", getppid(), getenv("LD_PRELOAD") != 0); return 0; }')
        self.assertEqual(self.alike(library, [main], modes=(("--in-process",),)), b"41 0\n")

    def test_executor_that_waits(self):
        """Its process is what counts, not the linker's; and what it has is in the recording."""
        library, recording = self.library("one.so", "int getppid(void) { return 41; }"), self.folder / "elsewhere.jsr"
        main = self.compile("#include <unistd.h>\n#include <stdio.h>\nint main(void) { return printf(\"%d\", getppid()) != 2; }\n")
        path = self.folder / "socket"
        executor = subprocess.Popen([EXECUTOR, "--listen", f"unix:{path}"], env={**os.environ, "LD_PRELOAD": library}, cwd=self.folder,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(executor.kill)
        executor.stderr.readline()  # it waits
        self.assertEqual(self.jitscope("run", f"--executor=unix:{path}", "--record", recording, main).status, 0)
        self.assertEqual(executor.communicate(timeout=LIMIT)[0], b"41")
        self.assertIn(str((self.folder / "one.so").resolve()), [row["name"] for row in self.show("inputs", recording)])

    def test_file_is_gone(self):
        library = self.library("gone.so", f'#include <unistd.h>\n__attribute__((constructor)) static void go(void) {{ unlink("{self.folder}/gone.so"); }}')
        outcome = self.jitscope("run", "--in-process", self.compile("int main(void) { return 3; }\n"), env={"LD_PRELOAD": library})
        self.assertEqual(outcome.status, 1)
        self.assertRegex(outcome.err, rb"gone\.so.*\n  help: .*was started with it \(LD_PRELOAD")

    @unittest.skipUnless(os.geteuid() == 0 and not subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode,
                         "only root can have /proc go")
    def test_without_proc(self):
        """What is named from the root on is found all the same; else it is an error, which replays."""
        library = self.library("one.so", "int getppid(void) { return 41; }")
        main = self.compile(PRINT + '#include <unistd.h>\nint main(void) { return printf("%d", getppid()) != 2; }\n')
        def without(name, *words):
            command = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc; LD_PRELOAD=$0 exec "$@"', name, JITSCOPE, "run", "--record", "proc.jsr", *words, main]
            return self.run_command(*command, env={"JITSCOPE_EXECUTOR": EXECUTOR})
        for words in ((), ("--in-process",)):
            found = without(self.folder / "one.so", *words)
            self.assertEqual((found.status, found.out, found.err), (0, b"41", b""))
            refused = without(library, *words)
            self.assertEqual((refused.status, refused.out), (1, b""))
            self.assertRegex(refused.err, rb"which libraries were preloaded: cannot find out: ")
        self.must(JITSCOPE, "replay", "proc.jsr")

    def test_what_is_told(self):
        """Where a slot's function is, and that the library came in."""
        library, recording = self.library("one.so", "int getppid(void) { return 41; }"), self.folder / "told.jsr"
        main = self.compile("#include <unistd.h>\n#include <stdio.h>\nint main(void) { return printf(\"%d\", getppid()); }\n")
        self.assertEqual(self.jitscope("run", "--record", recording, main, env={"LD_PRELOAD": library}).out, b"41")
        path = str((self.folder / "one.so").resolve())
        self.assertEqual([row["name"] for row in self.show("inputs", recording) if row["kind"] == "shared"][0], path)
        self.assertEqual({row["symbol"]: row["where"] == path for row in self.show("got", recording)}, {"getppid": True, "printf": False})
        small = self.folder / "report.jsr"
        self.must(JITSCOPE, "bug-report", "--redact=paths", "--redact=names", recording, "-o", small)
        self.must(JITSCOPE, "replay", small)


if __name__ == "__main__":
    unittest.main()
