"""Code without position independence that uses data of shared libraries: it lies below 2 GiB, and an executor that is
started for it holds copies there, as a program that the system's linker makes does."""
import os
import subprocess
import unittest

from executor import OutOfProcess
from harness import JITSCOPE, LIMIT, WITH_SANITIZER
from programs import C, COMPILERS, Case, Programs, TOGETHER, plus
from table import Table

TABLE = Table("Code without position independence, with data of libraries")
WAYS = [(compiler, level) for compiler in COMPILERS for level in ("-O0", "-O2")]

DATA_C = """
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
extern char **environ;
FILE *volatile *const where = (FILE *volatile *)&stdout;
static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static int (*const functions[])(const char *) = {puts, atoi};
static __thread int local = 5;
static const char *name(int n) {
    switch (n) { case 1: return "one"; case 2: return "two"; case 3: return "three"; case 4: return "four";
    case 5: return "five"; case 6: return "six"; case 7: return "seven"; default: return "many"; }
}
int main(int argc, char **argv) {
    char *words[] = {"p", "-a", "-b", "x", "rest", NULL}, *names[] = {"c", "a", "b"};
    int set = 0, option;
    fputs("out\\n", stdout);
    fprintf(stderr, "err %d\\n", *where == stdout);
    setenv("LOW", "1", 1);
    for (char **at = environ; *at; at++)
        set += !strncmp(*at, "LOW=", 4);
    printf("environ %d\\n", set);
    environ = NULL;
    printf("cleared %d\\n", getenv("LOW") == NULL);
    opterr = 0;
    while ((option = getopt(5, words, "ab:")) != -1)
        printf("option %c %s\\n", option, optarg ? optarg : "none");
    printf("optind %d\\n", optind);
    setenv("TZ", "XYZ-3", 1);
    tzset();
    printf("zone %s %ld %d\\n", tzname[0], timezone, daylight);
    printf("name %s\\n", strrchr(program_invocation_name, '/') ? "path" : "word");
    signgam = 7;
    printf("gamma %.3f %d\\n", lgamma(-0.5), signgam);
    qsort(names, 3, sizeof *names, compare);
    errno = 0;
    local += functions[1]("37");
    printf("%s%s%s %s %s %d %d %d\\n", names[0], names[1], names[2], name(argc), name(7), local, functions[0] == puts, errno);
    FILE *old = stdout;
    stdout = stderr;
    puts("now on stderr");
    stdout = old;
    return functions[0]("done") < 0;
}
"""

CLASSES_CPP = """
#include <cstdio>
#include <iostream>
#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <vector>
struct Base { virtual ~Base() = default; virtual int value() const { return 1; } };
struct Left : virtual Base { int value() const override { return 2; } };
struct Right : virtual Base { int value() const override { return 3; } };
struct Both : Left, Right { int value() const override { return 4; } };
struct Mine : std::runtime_error { using std::runtime_error::runtime_error; };
struct Guard { int &count; ~Guard() { ++count; } };
static int thrower(int depth, int &count) { Guard guard{count}; if (!depth) throw Mine("mine"); return thrower(depth - 1, count); }
struct Static { Static() { std::cout << "begin\\n"; } ~Static() { std::cout << "end\\n"; } } object;
int main() {
    std::vector<Base *> all = {new Base, new Left, new Both};
    int count = 0;
    for (Base *one : all)
        std::cout << typeid(*one).name() << ' ' << one->value() << ' ' << (dynamic_cast<Right *>(one) != nullptr) << std::endl;
    std::cout << (typeid(int) == typeid(count)) << (&typeid(std::bad_alloc) == &typeid(std::bad_alloc)) << '\\n';
    try { thrower(5, count); } catch (const std::exception &error) { std::cerr << error.what() << typeid(error).name() << count << '\\n'; }
    try { std::string().at(3); } catch (const std::out_of_range &error) { std::clog << typeid(error).name() << '\\n'; }
    try { throw 5; } catch (int n) { std::cout << n << '\\n'; }
    try { std::stringstream text("x"); text.exceptions(std::ios::failbit); int n; text >> n; } catch (const std::ios_base::failure &) { std::puts("failure"); }
    std::cout.imbue(std::locale::classic());
    int number = 0;
    std::cin >> number;
    std::wcout << L"wide " << number << std::endl;
    std::ostringstream hex;
    hex << std::hex << std::showbase << 255 << std::use_facet<std::numpunct<char>>(std::locale()).decimal_point();
    std::cout << hex.str() << std::endl;
    for (Base *one : all) delete one;
    return number;
}
"""

# The library sees what the program writes, and the other way round; `alias` and `value` are one object; the constructor is
# run once, and not by an executor that the program does not run in.
LIBRARY_C = """
#include <stdio.h>
int value = 5;
extern int alias __attribute__((weak, alias("value")));
__attribute__((aligned(256))) char aligned[3] = "ab";
const char *const constant[] = {"zero", "one"};
struct { int numbers[1000]; } big = {{1, 2, 3}};
int get(void) { return value; }
int *address(void) { return &alias; }
void *address_of_constant(void) { return (void *)constant; }
__attribute__((constructor)) static void begin(void) { puts("library"); value += 1; }
"""
MAIN_C = """
#include <stdint.h>
#include <stdio.h>
#include <string.h>
extern int value, alias;
extern char aligned[3];
extern const char *const constant[];
extern struct { int numbers[1000]; } big;
int get(void), *address(void);
void *address_of_constant(void);
int main(void) {
    printf("%d %d %d\\n", value, alias, get());
    value = 70;
    *address() += 7;
    printf("%d %d %d %d\\n", value, alias, get(), &value == address());
    printf("%d %s %s %d\\n", (int)((uintptr_t)aligned % 256), aligned, constant[1], address_of_constant() == constant);
    printf("%d %d\\n", big.numbers[2], big.numbers[999]);
    return value;
}
"""


@unittest.skipIf(WITH_SANITIZER, "the runtime of a sanitizer must come before all libraries of a program")
class NonPic(OutOfProcess, Programs):
    def both_ways(self, title, text, suffix, libraries=(), ways=tuple(WAYS), **options):
        for compiler, level in ways:
            with self.subTest(title, compiler=compiler, level=level):
                driver = plus(compiler) if suffix == "cpp" else compiler
                source = self.text(f"{title}.{suffix}", text)
                self.must(driver, level, "-fno-pic", "-w", "-c", source, "-o", f"{title}.o")
                outcome = TABLE.same(self, title, compiler, (level, "-fno-pic"), [self.folder / f"{title}.o"], libraries,
                                     link_flags=["-no-pie"], **options)
        return outcome

    def test_data_of_the_c_library(self):
        outcome = self.both_ways("data", DATA_C, "c", ["-lm"])
        self.assertEqual(outcome.status, 0)
        self.assertIn(b"environ 1\ncleared 1\n", outcome.out)
        self.assertTrue(outcome.err.endswith(b"now on stderr\n"))

    def test_data_of_the_cplusplus_library(self):
        outcome = self.both_ways("classes", CLASSES_CPP, "cpp", ["-lstdc++"], stdin=b"41\n", linker="g++")
        self.assertEqual(outcome.status, 41)

    def test_programs(self):
        """Those of programs.py; the C++ library's data is that of the shared library here."""
        self.all_same([Case("parts", compiler, TOGETHER, (level, "-fno-pic", *C)) for compiler, level in WAYS[::3]] +
                      [Case("classes", compiler, ["classes.cpp", "classes_other.cpp"], (level, "-fno-pic", "-std=c++17", "-w"),
                            libraries=["-lstdc++", "-lm"]) for compiler, level in (WAYS[1], WAYS[2])])

    def test_objects_of_both_kinds(self):
        """Position-independent objects of the same batch use the copies, too, by the GOT or by a distance."""
        main = self.compile("""
            #include <stdio.h>
            FILE **other(void), **third(void);
            int main(void) { fputs("main\\n", stdout); return 1 + (&stdout == other()) + (&stdout == third()); }
            """, "-O1", "-fno-pic", name="main.o")
        text = "#include <stdio.h>\nFILE **%s(void) { fputs(\"%s\\n\", stdout); return &stdout; }\n"
        others = [self.compile(text % (name, name), "-O1", model, name=f"{name}.o")
                  for name, model in (("other", "-fPIC"), ("third", "-fPIE"))]
        self.assertEqual(self.same([main, *others], flags=["-no-pie"]).status, 3)

    def library(self, text=LIBRARY_C, *flags):
        self.must("gcc", "-O1", "-shared", "-fPIC", *flags, self.text("library.c", text), "-o", "libdata.so")

    def test_data_of_a_library(self):
        for hash_style in ("gnu", "sysv"):
            for compiler, level in WAYS[:4]:
                with self.subTest(compiler=compiler, level=level, hash_style=hash_style):
                    self.library(LIBRARY_C, f"-Wl,--hash-style={hash_style}")
                    self.must(compiler, level, "-fno-pic", "-c", self.text("main.c", MAIN_C), "-o", "main.o")
                    outcome = self.same(["main.o"], ["./libdata.so"], flags=["-no-pie"])
                    self.assertEqual((outcome.status, outcome.out.count(b"library")), (77, 1))

    def test_versions(self):
        """The default version is copied, and what the library has for old programs stays where it is."""
        self.text("versions", "OLD { global: value; };\nNEW { global: value; old; local: *; } OLD;\n")
        self.library("""
            int value_old = 1, value_new = 2;
            __asm__(".symver value_old, value@OLD\\n.symver value_new, value@@NEW");
            int old(void) { return value_old; }
            """, f"-Wl,--version-script={self.folder}/versions")
        self.must("gcc", "-fno-pic", "-c", self.text("main.c", """
            #include <stdio.h>
            extern int value;
            int old(void);
            int main(void) { value += 40; printf("%d %d\\n", value, old()); return 0; }
            """), "-o", "main.o")
        self.assertEqual(self.same(["main.o"], ["./libdata.so"], flags=["-no-pie"]).out, b"42 1\n")

    def test_a_name_that_two_libraries_have(self):
        """The first library's is everybody's; the second one's object, wanted by another name, is its own."""
        self.must("gcc", "-shared", "-fPIC", self.text("first.c", "int one = 1;\nint first(void) { return one; }\n"), "-o", "libfirst.so")
        self.must("gcc", "-shared", "-fPIC", self.text("second.c", """
            int two = 2;
            extern int one __attribute__((alias("two")));
            int second(void) { return one * 10 + two; }
            """), "-o", "libsecond.so")
        self.must("gcc", "-fno-pic", "-c", self.text("main.c", """
            #include <stdio.h>
            extern int one, two;
            int first(void), second(void);
            int main(void) { two = 5; printf("%d %d %d %d\\n", one, two, first(), second()); return 0; }
            """), "-o", "main.o")
        self.assertEqual(self.same(["main.o"], ["./libfirst.so", "./libsecond.so"], flags=["-no-pie"]).out, b"1 5 1 15\n")

    def test_the_program_that_is_made(self):
        """What tools say of it: an executable like others."""
        self.must("g++", "-fno-pic", "-c", self.text("main.cpp", """
            #include <fstream>
            #include <iostream>
            #include <typeinfo>
            int main() {
                try { throw 1; } catch (int) {}
                std::ofstream("program") << std::ifstream("/proc/self/exe").rdbuf();
                std::ifstream comm("/proc/self/comm");
                std::string name, line;
                std::getline(comm, name);
                std::cout << name << std::endl;
                for (std::ifstream maps("/proc/self/maps"); std::getline(maps, line) && line < "01000000";)
                    std::cout << line << std::endl;
                return 0;
            }
            """), "-o", "main.o")
        outcome = self.jitscope("run", "main.o", "-lstdc++")
        self.assertEqual((outcome.status, outcome.err), (0, b""), outcome)
        lines = outcome.out.decode().splitlines()
        self.assertEqual(lines[0], "jitscope-execut")
        kinds = [line.split()[1] for line in lines[1:]]
        self.assertEqual(kinds[:3], ["r--p", "r-xp", "r--p"])  # dynamic section and constant copies are protected
        self.assertTrue({"rw-p"} >= set(kinds[3:]) - {"r--p"}, kinds)
        told = self.must("readelf", "-aW", "program")
        self.assertNotRegex(told.err + told.out, rb"(?i)warning|error|corrupt|invalid")
        self.assertRegex(told.out, rb"R_X86_64_COPY +0*[0-9a-f]+ +_ZSt4cout@GLIBCXX_3.4 \+ 0")
        self.assertRegex(told.out, rb"OBJECT +WEAK +DEFAULT +12 _ZTIi@")
        frames = self.must("readelf", "--debug-dump=frames", "program").out
        self.assertRegex(frames, rb"FDE cie=00000000 pc=0000000000401000\.\.0000000000401022\n +DW_CFA_undefined: r16 \(rip\)")
        (self.folder / "program").chmod(0o755)
        usage = self.run_command(self.folder / "program")
        self.assertEqual(usage.status, 2)
        self.assertIn(b"usage: jitscope-executor", usage.err)

    def test_recordings(self):
        self.must("gcc", "-fno-pic", "-c", self.text("data.c", DATA_C), "-o", "data.o")
        self.jitscope("run", "--record", "low.jsr", "data.o", "-lm")
        answers = [row for row in self.show("symbols", "low.jsr") if row["name"] == "stdout"]
        self.assertEqual(len(answers), 1)
        self.assertLess(answers[0]["address"], 1 << 31)
        self.assertTrue(all(row["address"] < 1 << 31 for row in self.show("segments", "low.jsr")))

    def test_messages(self):
        """One more round trip than hello world's (whose last message statistics come before): for room below 2 GiB."""
        main = self.compile("#include <stdio.h>\nint main(void) { fputs(\"x\\n\", stdout); return 4; }\n", "-O1", "-fno-pic")
        outcome = self.jitscope("run", "--stats", main)
        self.assertEqual((outcome.status, outcome.out), (4, b"x\n"))
        self.assertRegex(outcome.err, rb"executor +7 messages")

    LAZY = "#include <stdio.h>\nint %s(void) { return fputs(\"x\\n\", %s); }\n"

    def lazy(self, main, *arguments, later="stderr"):
        """A program whose `later` is called under some condition, linked lazily and by the system's linker."""
        inputs = [self.compile("int later(void);\n" + main, "-O1", "-fno-pic", name="main.o"),
                  self.compile(self.LAZY % ("later", later), "-O1", "-fno-pic", name="later.o")]
        expected = self.same(inputs, flags=["-no-pie"], arguments=arguments)
        return expected, self.jitscope("run", "--lazy", "--record", "lazy.jsr", *inputs, "--", *arguments)

    def test_lazy(self):
        """What is called later can want copies, too: they are there; and it waits all the same."""
        main = self.LAZY % ("first", "stdout") + "int main(int argc, char **argv) { return argc > 1 ? first() + later() : first(); }\n"
        for arguments, batches in (("call",), [1, 2]), ((), [1]):
            expected, outcome = self.lazy(main, *arguments)
            self.assertEqual((outcome.status, outcome.out, outcome.err), (expected.status, expected.out, expected.err))
            self.must(JITSCOPE, "replay", "lazy.jsr")
            self.assertEqual([row["link"] for row in self.show("passes", "lazy.jsr") if row["name"] == "read-inputs"], batches)
        copies = [row["address"] for row in self.show("symbols", "lazy.jsr") if row["name"] == "stdout"]
        self.assertTrue(copies and all(address < 1 << 31 for address in copies), copies)

    def test_lazy_when_only_what_waits_wants_copies(self):
        """As far as that is known before the program begins: else what is said tells how to have them."""
        main = "#include <stdio.h>\nint main(void) { puts(\"first\"); fflush(NULL); return later(); }\n"
        expected, outcome = self.lazy(main)
        self.assertEqual((outcome.status, outcome.out, outcome.err), (expected.status, expected.out, expected.err))
        self.assertEqual([row["link"] for row in self.show("passes", "lazy.jsr") if row["name"] == "read-inputs"], [1, 2])
        self.must("ar", "rcs", "liblater.a", "later.o")
        outcome = self.jitscope("run", "--lazy", "main.o", "liblater.a")
        self.assertEqual((outcome.status, outcome.out), (127, b"first\n"))
        self.assertRegex(outcome.err, rb"'later' could not be linked when it was first called: .*later\.o\): \.text\+0x\w+: symbol 'stderr': "
                                      rb"R_X86_64_\w+ wants it below 2 GiB.*\n  help: a link that is not lazy tells before the program begins")

    def test_lazy_with_data_that_has_a_library_s_name(self):
        """It is the program's own: nothing is copied, and all waits that can."""
        main = "#include <stdio.h>\nFILE *stderr;\nint main(void) { stderr = stdin; puts(\"first\"); return later() != 0; }\n"
        main = main.replace("stdin", "fopen(\"/dev/stdout\", \"w\")")
        expected, outcome = self.lazy(main)
        self.assertEqual((outcome.status, outcome.out, outcome.err), (expected.status, expected.out, expected.err))
        self.assertEqual([row["link"] for row in self.show("passes", "lazy.jsr") if row["name"] == "read-inputs"], [1, 2])

    def test_a_crash(self):
        self.must("gcc", "-fno-pic", "-c", self.text("crash.c", """
            #include <stdio.h>
            void inner(int *at) { *at = 1; }
            int main(void) { fputs("before\\n", stdout); fflush(stdout); inner(0); return 0; }
            """), "-o", "crash.o")
        outcome = self.jitscope("run", "crash.o")
        self.assertEqual((outcome.status, outcome.out), (128 + 11, b"before\n"))
        self.assertRegex(outcome.err, rb"(?s)signal 11.* inner.* main")

    def test_a_debugger(self):
        """It is told where the program is, which has no file; libraries, code and copies it finds then."""
        self.must("gcc", "-g", "-O0", "-fno-pic", "-c", self.text("waits.c", """
            #include <stdio.h>
            #include <unistd.h>
            void inner(int pid) { fprintf(stdout, "%d\\n", pid); fflush(stdout); getchar(); }
            int main(void) { inner(getpid()); return 0; }
            """), "-o", "waits.o")
        process = subprocess.Popen([JITSCOPE, "run", "--out-of-process", "waits.o"], cwd=self.folder, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        try:
            pid = int(process.stdout.readline())
            told = self.run_command("gdb", "-nx", "-q", "-batch", f"/proc/{pid}/exe", pid, "-ex", "bt", "-ex", "print &stdout").out
        finally:
            process.stdin.close()
            self.assertEqual(process.wait(LIMIT), 0)
            process.stdout.close()
        self.assertRegex(told, rb"inner \(pid=\d+\) at .*waits\.c:4\n.* main \(\) at .*waits\.c:5\n")
        self.assertRegex(told, rb" 0x0*401021 in \?\? \(\)\n\$1")  # there it ends
        self.assertRegex(told, rb"\(FILE \*\*\) 0x40\w+ <stdout>")

    def test_the_terminals_signals(self):
        """The second executor finds them as jitscope was started with: not as it leaves them to the program."""
        self.must("gcc", "-fno-pic", "-c", self.text("signals.c", """
            #include <signal.h>
            #include <stdio.h>
            int main(void) {
                struct sigaction now;
                sigaction(SIGINT, NULL, &now);
                fprintf(stdout, "%d", now.sa_handler == SIG_IGN);
                sigaction(SIGQUIT, NULL, &now);
                fprintf(stdout, "%d\\n", now.sa_handler == SIG_IGN);
                return 0;
            }
            """), "-o", "signals.o")
        self.assertEqual(self.same(["signals.o"], flags=["-no-pie"]).out, b"00\n")
        ignored = self.must("sh", "-c", f"trap '' INT; exec {JITSCOPE} run --out-of-process signals.o")
        self.assertEqual(ignored.out, b"10\n")


@unittest.skipIf(WITH_SANITIZER, "the runtime of a sanitizer must come before all libraries of a program")
class Refused(OutOfProcess):
    """Which relocation, in which object, wants what."""

    def refuse(self, library, main, pattern, *flags):
        self.must("gcc", "-shared", *flags, self.text("library.s" if ".globl" in library else "library.c", library), "-o", "libdata.so")
        self.must("gcc", "-O1", "-fno-pic", "-c", self.text("main.c", main), "-o", "main.o")
        outcome = self.jitscope("run", "--record", "refused.jsr", "main.o", "./libdata.so")
        self.assertEqual((outcome.status, outcome.out), (1, b""), outcome)
        self.assertRegex(outcome.err.decode(), pattern)

    MAIN = "#include <stdio.h>\nextern int value;\nint main(void) { puts(\"x\"); return value; }\n"

    def test_protected(self):
        self.refuse("int value __attribute__((visibility(\"protected\"))) = 5;\n", self.MAIN,
                    r"error: main\.o: \.text\+0x\w+: symbol 'value': R_X86_64_PC32 wants it below 2 GiB, "
                    r"but the library protects it.*\n  help: compile with -fPIC", "-fPIC")

    def test_without_a_size(self):
        self.refuse(".globl value\n.data\n.type value, @object\nvalue: .long 5\n.section .note.GNU-stack,\"\",@progbits\n", self.MAIN,
                    r"error: main\.o: \.text\+0x\w+: symbol 'value': R_X86_64_PC32 wants it below 2 GiB, "
                    r"but the library does not say how many bytes it has")

    def test_too_large(self):
        self.refuse("char value[300 << 20];\n", "extern char value[];\nint main(int argc, char **argv) { return value[argc]; }\n",
                    r"error: copies of the data of libraries would have more than 256 MiB", "-fPIC")

    def test_in_process(self):
        main = self.compile("#include <stdio.h>\nint main(void) { return fputs(\"x\", stdout); }\n", "-O1", "-fno-pic")
        outcome = self.run_command(JITSCOPE, "run", "--in-process", main)
        self.assertEqual((outcome.status, outcome.out), (1, b""))
        self.assertRegex(outcome.err.decode(), r"text\.o: \.text\+0x\w+: symbol 'stdout': R_X86_64_PC32 at .* does not fit")
        self.assertIn("`jitscope run` does so by itself without --in-process", outcome.err.decode())

    def test_without_the_library(self):
        """An executor of one's own that has none beside it is not in the way of the one beside jitscope."""
        main = self.compile("#include <stdio.h>\nint main(void) { fputs(\"x\\n\", stdout); return 4; }\n", "-O1", "-fno-pic")
        executor = os.path.join(os.path.dirname(JITSCOPE), "jitscope-executor")
        starter = self.text("starter", f"#!/bin/sh\nexec {executor} \"$@\"\n")
        starter.chmod(0o755)
        outcome = self.jitscope("run", main, env={"JITSCOPE_EXECUTOR": str(starter)})
        self.assertEqual((outcome.status, outcome.out, outcome.err), (4, b"x\n", b""))


if __name__ == "__main__":
    unittest.main()
