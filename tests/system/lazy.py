"""Lazy links: programs do what the system's own link of them does, and only what is called is linked."""
import pathlib
import unittest

from harness import COMPILERS, JITSCOPE, LIBRARIES, SystemTest

MAIN = r"""
#include <errno.h>
#include <fenv.h>
#include <stdarg.h>
#include <stdio.h>
int add(int, int);
double mix(int, double, int, double, long, float, long, long, long, double);
int sum(int, ...);
double sum_doubles(int, ...);
long double wide(long double, long double);
struct big { long words[5]; } copy(struct big, int);
_Complex double turn(_Complex double);
int errno_kept(void), rounding(void);
int never_called(int);
int counter = 5;
static int tail(int a) { return add(a, a); }
int main(int argc, char **argv) {
    printf("%d %d\n", add(2, 3), tail(argc));
    printf("%g\n", mix(1, 2.5, 3, 4.5, 5, 6.5f, 7, 8, 9, 10.25));
    printf("%d %g\n", sum(4, 1, 2, 3, 4), sum_doubles(3, 1.5, 2.5, 4.0));
    printf("%Lg\n", wide(1.25L, 2.5L));
    struct big big = {{1, 2, 3, 4, 5}};
    printf("%ld\n", copy(big, 2).words[4]);
    printf("%g\n", __real__ turn(2 + 3i));
    errno = 77;
    printf("%d\n", errno_kept());
    fesetround(FE_UPWARD);
    printf("%d\n", rounding() == FE_UPWARD && fegetround() == FE_UPWARD);
    return argc > 5 ? never_called(argc) : counter;
}
"""
PARTS = {
    "add": "extern int counter; int add(int a, int b) { counter++; return a * 10 + b; }",
    "mix": "double mix(int a, double b, int c, double d, long e, float f, long g, long h, long i, double j) {"
           " return a + b * 10 + c * 100 + d * 1000 + e + f * 2 + g * 3 + h * 5 + i * 7 + j; }",
    "sums": "#include <stdarg.h>\nint sum(int n, ...) { va_list l; va_start(l, n); int s = 0; while (n--) s += va_arg(l, int);"
            " va_end(l); return s; }\ndouble sum_doubles(int n, ...) { va_list l; va_start(l, n); double s = 0;"
            " while (n--) s += va_arg(l, double); va_end(l); return s; }",
    "wide": "long double wide(long double a, long double b) { return a * b; }\n_Complex double turn(_Complex double a)"
            " { return a * 1i; }",
    "copy": "struct big { long words[5]; } copy(struct big a, int b) { a.words[4] *= b; return a; }",
    "state": "#include <errno.h>\n#include <fenv.h>\nint errno_kept(void) { return errno; }\nint rounding(void)"
             " { return fegetround(); }",
    "never": "int never_called(int a) { return a; }",
}


class Lazy(SystemTest):
    def object(self, name, text, *flags, compiler="gcc", suffix=".c"):
        source = self.text(name + suffix, text + "\n")
        self.must({".cpp": {"gcc": "g++", "clang": "clang++"}[compiler]}.get(suffix, compiler), *flags, "-c", source,
                  "-o", f"{name}.o")
        return self.folder / f"{name}.o"

    def lazily(self, inputs, libraries=(), arguments=(), linker="gcc", flags=()):
        """Runs what the system's linker makes of the inputs, and a lazy link of them, recorded; both do the same."""
        self.must(linker, *flags, *inputs, *libraries, "-o", "program", "-lpthread")
        expected = self.run_command(self.folder / "program", *arguments)
        actual = self.jitscope("run", "--lazy", "--record", "lazy.jsr", *inputs, *libraries, "--", *arguments)
        self.assertEqual(repr(actual), repr(expected))
        self.must(JITSCOPE, "replay", "lazy.jsr")
        return actual

    def links(self):
        return [row["link"] for row in self.show("passes", "lazy.jsr") if row["name"] == "read-inputs"]

    def blocks_of(self, name):
        return [row for row in self.show("blocks", "lazy.jsr") if (row["input"] or "").endswith(name)]


class Calls(Lazy):
    def test_every_kind_of_call(self):
        """With stubs, through the GOT, with absolute addresses; everything a call passes arrives."""
        for compiler in COMPILERS:
            for flags in (("-O0", "-fPIE"), ("-O2", "-fPIC"), ("-O2", "-fPIC", "-fno-plt"), ("-O1", "-fno-pic"),
                          ("-O2", "-g", "-ffunction-sections")):
                with self.subTest(compiler=compiler, flags=flags):
                    parts = [self.object(name, text, *flags, compiler=compiler) for name, text in PARTS.items()]
                    main = self.object("main", MAIN, *flags, compiler=compiler)
                    self.lazily([main, *parts], ["-lm"], flags=("-no-pie",))
                    self.assertGreater(len(self.links()), len(PARTS) // 2)
                    self.assertEqual(self.blocks_of("never.o"), [])

    def test_archive_members(self):
        parts = [self.object(name, text) for name, text in PARTS.items()]
        main = self.object("main", MAIN)
        self.lazily([main, self.archive("libparts.a", *parts)], ["-lm"])
        self.assertGreaterEqual(len(self.links()), len(PARTS), "each part by a link of its own, but one; and libgcc's")

    def test_vector_registers(self):
        flags = set(pathlib.Path("/proc/cpuinfo").read_text().split())
        for feature, size in (("sse2", 16), ("avx", 32), ("avx512f", 64)):
            if feature not in flags:
                continue
            with self.subTest(feature=feature):
                vector = f"typedef double v __attribute__((vector_size({size})));"
                main = self.object("main", vector + r"""
#include <stdio.h>
v mul(v, v, v, v, v, v, v, v);
int main(void) {
    union { v vector; double parts[sizeof(v) / 8]; } a[8];
    for (int i = 0; i < 8; i++) for (unsigned p = 0; p < sizeof(v) / 8; p++) a[i].parts[p] = i * 10 + p;
    a[0].vector = mul(a[0].vector, a[1].vector, a[2].vector, a[3].vector, a[4].vector, a[5].vector, a[6].vector, a[7].vector);
    for (unsigned p = 0; p < sizeof(v) / 8; p++) printf("%g\n", a[0].parts[p]);
}""", f"-m{feature}")
                part = self.object("part", vector + "v mul(v a, v b, v c, v d, v e, v f, v g, v h)"
                                   " { return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8; }", f"-m{feature}")
                self.lazily([main, part])
                self.assertEqual(len(self.links()), 2)

    def test_other_registers(self):
        """rax beyond the number of vector registers, r10, and what a callee must keep, on a stack that is not aligned."""
        main = self.object("main", """
    .text
    .globl main
main:
    push %rbx
    push %rbp
    push %r12
    sub $24, %rsp           # 8 more than a call wants
    mov $0x11, %rbx
    mov $0x22, %rbp
    movabs $0x1122334455667788, %rax
    mov $0x33, %r10
    mov $0x44, %r12
    mov $1, %edi
    mov $2, %esi
    mov $3, %edx
    mov $4, %ecx
    mov $5, %r8d
    mov $6, %r9d
    call part@PLT
    add %rbx, %rax
    add %rbp, %rax
    add %r12, %rax
    add $24, %rsp
    pop %r12
    pop %rbp
    pop %rbx
    ret
    .section .note.GNU-stack,""
""", suffix=".s")
        part = self.object("part", """
    .text
    .globl part
part:
    movabs $0x1122334455667788, %r11
    sub %r11, %rax
    add %r10, %rax
    add %rdi, %rax
    add %rsi, %rax
    add %rdx, %rax
    add %rcx, %rax
    add %r8, %rax
    add %r9, %rax
    ret
    .section .note.GNU-stack,""
""", suffix=".s")
        self.assertEqual(self.lazily([main, part]).status, 0x11 + 0x22 + 0x33 + 0x44 + 21)


class Needed(Lazy):
    def test_data_is_needed_at_once(self):
        main = self.object("main", "extern int value; int f(void); int g(void); int main(void) { return value + f() + g(); }")
        first = self.object("first", "int value = 3; int f(void) { return 4; }")
        other = self.object("other", "int g(void) { return 5; }")
        self.assertEqual(self.lazily([main, first, other]).status, 12)
        self.assertEqual(len(self.links()), 2)

    def test_a_function_has_one_address(self):
        main = self.object("main", r"""
#include <stdio.h>
int f(void), is_f(int (*)(void)), calls(int (*)(void));
int (*take(void))(void);
static int (*table[])(void) = {f};
int main(void) { printf("%d %d %d\n", is_f(f), take() == table[0], calls(table[0])); }""")
        f = self.object("f", "int f(void) { return 7; } int is_f(int (*p)(void)) { return p == f; }")
        g = self.object("g", "int f(void); int (*take(void))(void) { return f; } int calls(int (*p)(void)) { return p() + f(); }")
        self.lazily([main, f, g])

    def test_stronger_definitions_win(self):
        """Also those in objects that nothing else needs."""
        main = self.object("main", "#include <stdio.h>\nint __attribute__((weak)) f(void) { return 1; }\nint common[4];\nint g(void);\n"
                           'int main(void) { printf("%d %d %d\\n", f(), common[1], g()); }', "-fcommon")
        strong = self.object("strong", "int f(void) { return 2; }")
        data = self.object("data", "int common[] = {5, 6, 7, 8};")
        weak = self.object("weak", "int __attribute__((weak)) h(void) { return 1; } int g(void) { return h(); }")
        other = self.object("other", "int h(void) { return 9; }")
        self.lazily([main, strong, data, weak, other])

    def test_weak_references(self):
        main = self.object("main", "__attribute__((weak)) int f(void), g(void); int main(void) { return (f ? f() : 1) + (g ? 2 : 5); }")
        f = self.object("f", "int f(void) { return 40; }")
        self.assertEqual(self.lazily([main, f]).status, 45)

    def test_hidden_names(self):
        main = self.object("main", "__attribute__((visibility(\"hidden\"))) int f(void); int v = 3; int main(void) { return f(); }",
                           "-fvisibility=hidden")
        f = self.object("f", "extern int v; int g(void); int f(void) { return g() + v; }", "-fvisibility=hidden")
        g = self.object("g", "int g(void) { return 30; }", "-fvisibility=hidden")
        self.assertEqual(self.lazily([main, self.archive("libfg.a", f, g)]).status, 33)

    def test_duplicates(self):
        main = self.object("main", "int f(void); int main(void) { return f(); }")
        again = self.object("again", "int f(void) { return 1; } int main(void) { return 2; }")
        outcome = self.jitscope("run", "--lazy", main, again)
        self.assertEqual(outcome.status, 1)
        self.assertIn(b"symbol 'main': defined twice", outcome.err)

    def test_thread_local_variables(self):
        main = self.object("main", "extern __thread int v; int f(void); int main(void) { v += 2; return f() + v; }")
        v = self.object("v", "__thread int v = 5;")
        f = self.object("f", "extern __thread int v; static __thread int own = 10; int f(void) { return own + ++v; }")
        self.lazily([main, v, f])


CPP_SHARED = r"""
#include <cstdio>
#include <stdexcept>
#include <string>
struct Base { virtual ~Base() {} virtual int value() { return 1; } };
inline int &counter() { static int count = 100; return count; }
template <class T> struct Store { static T value; };
template <class T> T Store<T>::value = 7;
Base *make();
int thrower(int);
int catcher(int);
int after();
"""


class CPlusPlus(Lazy):
    def test_one_of_everything(self):
        """Inline functions' variables, templates' members, types: one each, whichever link came first; exceptions pass."""
        for compiler in COMPILERS:
            with self.subTest(compiler=compiler):
                make = lambda name, text: self.object(name, CPP_SHARED + text, "-O1", compiler=compiler, suffix=".cpp")
                main = make("main", r"""
int main() {
    counter()++;
    Store<int>::value++;
    Base *made = make();
    std::printf("%d %d\n", counter(), Store<int>::value);
    std::printf("%d %d\n", dynamic_cast<Base *>(made) == made, made->value());
    try { thrower(3); } catch (const std::runtime_error &e) { std::printf("caught %s\n", e.what()); }
    std::printf("%d\n", catcher(4));
    delete made;
    return after();
}""")
                parts = [make("made", "struct Derived : Base { int value() override { return 2; } };\n"
                              "Base *make() { counter()++; Store<int>::value++; return new Derived; }"),
                         make("throws", 'int thrower(int a) { counter()++; throw std::runtime_error("number " + std::to_string(a)); }'),
                         make("catches", "int catcher(int a) { try { thrower(a); } catch (const std::exception &e) { return counter(); }"
                              " return 0; }"),
                         make("last", "struct Last { ~Last() { std::puts(\"bye\"); after(); } }; int after() { static Last last;"
                              " return counter() % 50; }")]
                self.lazily([main, *parts], linker="g++" if compiler == "gcc" else "clang++", libraries=["-lstdc++"])
                self.assertGreater(len(self.links()), 3)


class Code(Lazy):
    """Code that a link runs, and that calls what waits."""

    def test_initialisers_and_finalisers(self):
        main = self.object("main", r"""
#include <stdio.h>
int f(void), late(void);
static int early;
__attribute__((constructor)) static void begin(void) { early = f(); }
__attribute__((destructor)) static void end(void) { printf("end %d\n", late()); fflush(stdout); }
int main(void) { printf("%d\n", early); return 0; }""")
        f = self.object("f", "int g(void); static int own; __attribute__((constructor)) static void c(void) { own = g(); }"
                        " int f(void) { return own + 1; }")
        g = self.object("g", "int h(void); static int own; __attribute__((constructor)) static void c(void) { own = h() * 10; }"
                        " int g(void) { return own; } int unused(void) { return 0; }")
        h = self.object("h", "int h(void) { return 4; }")
        late = self.object("late", '#include <stdio.h>\n__attribute__((destructor)) static void d(void) { puts("late is over"); }'
                           " int late(void) { return 9; }")
        outcome = self.jitscope("run", "--lazy", "--record", "lazy.jsr", main, self.archive("libparts.a", f, g, h, late))
        self.assertEqual((outcome.status, outcome.out, outcome.err), (0, b"41\nend 9\nlate is over\n", b""))

    def test_finalisers_find_everything(self):
        """Of all links code ends before anything else does: unwind tables and slots of later ones are still there."""
        main = self.object("main", r"""
#include <cstdio>
int first(int), late();
struct Last { ~Last() { std::printf("%d %d\n", first(3), late()); std::fflush(stdout); } };
static Last last;
int main() { return first(1) - 2; }""", suffix=".cpp")
        first = self.object("first", "int thrower(int); int first(int a) { try { return thrower(a); } catch (int got) { return got; } }",
                            suffix=".cpp")
        thrower = self.object("thrower", "int thrower(int a) { throw a + 1; }", suffix=".cpp")
        late = self.object("late", "int deeper(); int late() { return deeper(); }", suffix=".cpp")
        deeper = self.object("deeper", "int deeper() { try { throw 6; } catch (int got) { return got; } }", suffix=".cpp")
        self.lazily([main, self.archive("libparts.a", first, thrower, late, deeper)], ["-lstdc++"], linker="g++")

    def test_an_initialiser_waits_for_a_thread(self):
        """Which calls lazily: it borrows the session from the thread that waits."""
        main = self.object("main", r"""
#include <pthread.h>
#include <stdio.h>
int f(void), g(void);
static int from_thread;
static void *run(void *unused) { from_thread = f(); return unused; }
__attribute__((constructor)) static void begin(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, run, NULL);
    pthread_join(thread, NULL);
}
int main(void) { printf("%d %d\n", from_thread, g()); return 0; }""")
        f = self.object("f", "int h(void); static int own; __attribute__((constructor)) static void c(void) { own = h(); }"
                        " int f(void) { return own; }")
        g = self.object("g", "int g(void) { return 2; }")
        h = self.object("h", "int h(void) { return 1; }")
        outcome = self.jitscope("run", "--lazy", "--record", "lazy.jsr", main, self.archive("libparts.a", f, g, h))
        self.assertEqual((outcome.status, outcome.out, outcome.err), (0, b"1 2\n", b""))

    def test_threads_race(self):
        """For the same functions and for different ones; each is linked once and initialised before it is called."""
        count = 24
        names = ", ".join(f"f{i}" for i in range(count))
        main = self.object("main", r"""
#include <pthread.h>
#include <stdio.h>
""" + "".join(f"int f{i}(void);" for i in range(count)) + r"""
static pthread_barrier_t barrier;
static long sums[8];
static void *run(void *argument) {
    long me = (long)argument, sum = 0;
    pthread_barrier_wait(&barrier);
""" + "".join(f"    sum += f{i}();\n" for i in range(count)) + r"""
    sums[me] = sum;
    return NULL;
}
int main(void) {
    pthread_t threads[8];
    pthread_barrier_init(&barrier, NULL, 8);
    for (long i = 0; i < 8; i++) pthread_create(&threads[i], NULL, run, (void *)i);
    for (long i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    for (long i = 0; i < 8; i++) printf("%ld\n", sums[i]);
    return 0;
}""")
        self.assertTrue(names)
        parts = [self.object(f"f{i}", f"static int own; __attribute__((constructor)) static void c(void) {{ own += {i}; }}"
                             f" int f{i}(void) {{ return own; }}") for i in range(count)]
        for _ in range(3):
            self.lazily([main, self.archive("libparts.a", *parts)])
            self.assertEqual(len(self.links()), count + 1)

    def test_frames(self):
        """From an initialiser that runs below a lazy call the caller's frame is found."""
        main = self.object("main", "int f(void); int outermost(void) { return f() + 1; } int main(void) { return outermost(); }",
                           "-O0", "-g")
        f = self.object("f", r"""
#define _GNU_SOURCE
#include <unwind.h>
extern int outermost(void);
static int seen;
static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *unused) {
    seen += (void *)_Unwind_FindEnclosingFunction((void *)_Unwind_GetIP(context)) == (void *)outermost;
    return _URC_NO_REASON;
}
__attribute__((constructor)) static void c(void) { _Unwind_Backtrace(step, 0); }
int f(void) { return seen * 10; }""", "-O0")
        outcome = self.jitscope("run", "--lazy", main, self.archive("libf.a", f))
        self.assertEqual(outcome.status, 11, repr(outcome))


class Failures(Lazy):
    def test_what_cannot_be_linked_ends_the_program(self):
        main = self.object("main", '#include <stdio.h>\nint f(void); int main(void) { puts("on"); fflush(stdout); return f(); }')
        f = self.object("f", "int missing(void); int data; int f(void) { return missing(); }")
        outcome = self.jitscope("run", "--lazy", "--record", "lazy.jsr", main, f)
        self.assertEqual((outcome.status, outcome.out), (127, b"on\n"))
        self.assertIn(b"jitscope: the function 'f' could not be linked when it was first called: 1 unresolved symbol:\n  missing\n"
                      b"    referred to by ", outcome.err)
        self.must(JITSCOPE, "replay", "lazy.jsr")

    def test_late_duplicates(self):
        main = self.object("main", "int f(void); int g(void); int main(void) { return f() + g(); }")
        f = self.object("f", "int f(void) { return 1; } int common_name(void) { return 1; }")
        g = self.object("g", "int g(void) { return 1; } int common_name(void) { return 2; }")
        outcome = self.jitscope("run", "--lazy", main, self.archive("libfg.a", f, g))
        self.assertEqual(outcome.status, 127)
        self.assertIn(b"symbol 'common_name': defined twice", outcome.err)

    def test_not_with_gc_sections(self):
        main = self.object("main", "int main(void) { return 0; }")
        outcome = self.jitscope("run", "--lazy", "--gc-sections", main)
        self.assertEqual(outcome.status, 2)


class Shown(Lazy):
    def record(self):
        main = self.object("main", "int f(void); int g(void); int main(int c, char **v) { return f() + (c > 3 ? g() : 0); }")
        f = self.object("f", "int f(void) { return 0; }")
        g = self.object("g", "int g(void) { return 0; }")
        self.lazily([main, f, g])

    def test_entries_turn_from_lazy_to_bound(self):
        self.record()
        bound = [row for row in self.show("events", "lazy.jsr") if row["event"] == "slot_bound"]
        self.assertEqual(len(bound), 1)
        for table in ("got", "plt"):
            rows = {row["symbol"]: row for row in self.show(table, "lazy.jsr") if row["link"] == 1}
            self.assertEqual((rows["f"]["where"], rows["g"]["where"], rows["g"]["target"]), ("link 2", "lazy", None))
            before = {row["symbol"]: row for row in self.show(table, "lazy.jsr", "--at", bound[0]["sequence"] - 1)}
            self.assertEqual((before["f"]["where"], before["f"]["target"]), ("lazy", None))
        f = [row for row in self.show("symbols", "lazy.jsr") if row["name"] == "f" and row["link"] == 2][0]
        self.assertEqual(rows["f"]["target"], f["address"])

    def test_why(self):
        self.record()
        text = self.must(JITSCOPE, "why", "lazy.jsr", "got:f").out.decode()
        self.assertIn("f of link 2, since it was called", text)
        text = self.must(JITSCOPE, "why", "lazy.jsr", "plt:g").out.decode()
        self.assertIn("jumps to the resolver: g is linked when it is called", text)
        self.assertIn("calls of g go through slot 1, which has it linked first", text)

    def test_redacted(self):
        self.record()
        self.must(JITSCOPE, "bug-report", "--redact", "paths,names", "lazy.jsr", "-o", "redacted.jsr")
        self.must(JITSCOPE, "replay", "redacted.jsr")

    def test_simulated(self):
        main = self.object("main", "int f(void); int main(void) { return f(); }")
        f = self.object("f", "int f(void) { return 0; }")
        self.must(JITSCOPE, "link", "--lazy", "--entry", "main", "--record", "lazy.jsr", main, f)
        self.assertEqual([row["where"] for row in self.show("plt", "lazy.jsr")], ["lazy"])


class Lua(Lazy):
    def test_a_whole_interpreter(self):
        demo = pathlib.Path(__file__).resolve().parents[1] / "demo"
        self.must("gcc", "-O2", "-c", "-I/usr/include/lua5.4", demo / "host.c", "-o", "host.o")
        self.lazily([self.folder / "host.o"], [LIBRARIES / "liblua5.4.a", "-lm", "-ldl"], [demo / "demo.lua"])
        self.assertGreater(len(self.links()), 10)


if __name__ == "__main__":
    unittest.main()
