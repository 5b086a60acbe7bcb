"""Indirect functions: what the system's linker and loader do with them, for every way to refer to one, and what is said of it."""
import os
import unittest

from harness import COMPILERS, JITSCOPE, SystemTest

LINKS = os.path.abspath(os.environ.get("LINKS", "build/dev/tests/system/system-links"))
STACK = '.section .note.GNU-stack,"",@progbits\n'

FUNCTIONS = """
#include <stdio.h>
static int one(void) { return 1; }
static int two(void) { return 2; }
static int three(void) { return 3; }
typedef int function(void);
static function *resolve_seen(void) { return one; }
static function *resolve_hidden(void) { return two; }
static function *resolve_local(void) { return three; }
static function *resolve_weak(void) { return three; }
int seen(void) __attribute__((ifunc("resolve_seen")));
__attribute__((visibility("hidden"))) int hidden(void) __attribute__((ifunc("resolve_hidden")));
__attribute__((visibility("protected"))) int guarded(void) __attribute__((ifunc("resolve_hidden")));
#ifdef __clang__
__attribute__((weak))
#else
__asm__(".weak weak");
#endif
int weak(void) __attribute__((ifunc("resolve_weak")));
static int local(void) __attribute__((ifunc("resolve_local")));
"""
OTHER = FUNCTIONS.replace("int seen(", "int other(").replace("int hidden(", "int h2(").replace("int guarded(", "int g2(")
OTHER = OTHER.replace("int weak(", "int w2(").replace(".weak weak", ".weak w2")

MAIN = FUNCTIONS + """
function *const in_data = seen, *in_writable = hidden;
static function *const table[] = { seen, hidden, local, guarded, weak };
extern function *from_elsewhere(void);
extern int call_from_elsewhere(void);
static int before;
__attribute__((constructor)) static void first(void) { before = seen() + 10 * hidden() + 100 * local() + 1000 * table[3]() + 10000 * weak(); }
int main(void) {
    function *volatile pointer = seen;
    printf("%d %d %d %d %d\\n", before, pointer(), in_data(), in_writable(), table[2]());
    printf("%d %d\\n", from_elsewhere()(), call_from_elsewhere());
#ifdef ONE_ADDRESS
    printf("%d %d %d\\n", pointer == in_data, in_data == table[0], pointer == from_elsewhere());
#endif
    return seen() + hidden() + local() + guarded();
}
"""
ELSEWHERE = """
extern int seen(void);
int (*from_elsewhere(void))(void) { return seen; }
int call_from_elsewhere(void) { return seen() + 41; }
"""


class Ifuncs(SystemTest):
    def test_every_reference(self):
        for compiler in COMPILERS:
            for form in (("-fPIC",), ("-fPIE",), ("-fno-pic",), ("-fPIC", "-fno-plt"), ("-mcmodel=large", "-fPIC"), ("-mcmodel=large", "-fno-pic")):
                for level in ("-O0", "-O2"):
                    with self.subTest(compiler=compiler, form=form, level=level):
                        inputs = [self.compile(MAIN, *form, level, "-g", compiler=compiler, name="main.o"),
                                  self.compile(ELSEWHERE, *form, level, compiler=compiler, name="elsewhere.o")]
                        if form == ("-mcmodel=large", "-fPIC"):  # GNU ld has no such relocations of indirect functions
                            outcome = self.jitscope("run", *inputs)
                        else:
                            outcome = self.same(inputs, flags=("-no-pie",) if "-fno-pic" in form else ())
                        self.assertEqual((outcome.status, outcome.out), (8, b"32321 1 1 2 3\n1 42\n"), outcome)

    def test_one_address(self):
        """Also where executables of the system's linker have several."""
        for form in ("-fPIC", "-fPIE", "-fno-pic"):
            inputs = [self.compile(MAIN, form, "-DONE_ADDRESS", name="main.o"), self.compile(ELSEWHERE, form, name="elsewhere.o")]
            self.assertEqual(self.jitscope("run", *inputs).out.splitlines()[-1], b"1 1 1")

    def test_in_assembled_data(self):
        """Absolute and relative, through the table."""
        code = """
    .text
one: mov $1, %eax
    ret
    .globl which
    .type which, @gnu_indirect_function
which: lea one(%rip), %rax
    ret
    .globl main
main: push %rbx
    xor %ebx, %ebx
    lea quad(%rip), %rdx
    mov (%rdx), %rax
    add %rdx, %rax
    call *%rax
    add %eax, %ebx
    lea long(%rip), %rdx
    movslq (%rdx), %rax
    add %rdx, %rax
    call *%rax
    add %eax, %ebx
    call *absolute(%rip)
    add %eax, %ebx
    mov absolute(%rip), %rax
    call *%rax
    add %eax, %ebx
    mov which@GOTPCREL(%rip), %rax
    call *%rax
    add %eax, %ebx
    call *which@GOTPCREL(%rip)
    add %eax, %ebx
    lea which(%rip), %rax
    call *%rax
    add %eax, %ebx
    call which@PLT
    add %ebx, %eax
    pop %rbx
    ret
    .section .data.rel.ro,"aw",@progbits
quad: .quad which - .
long: .long which - .
    .balign 8
absolute: .quad which
""" + STACK
        self.must("gcc", "-c", self.text("data.s", code), "-o", "data.o")
        # GNU ld links relative references to one where addresses are fixed, and none with an addend.
        self.assertEqual(self.same([self.folder / "data.o"], flags=("-no-pie",)).status, 8)

    def test_function_versions(self):
        """target_clones: the compiler writes resolvers, which ask libgcc for the processor."""
        program = """
#include <stdio.h>
__attribute__((target_clones("avx2", "sse4.2", "default"))) int sum(const int *values, int count) {
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += values[i] * values[i];
    return sum;
}
int (*pointer)(const int *, int) = sum;
int main(void) {
    int values[100];
    for (int i = 0; i < 100; i++)
        values[i] = i;
    printf("%d %d\\n", sum(values, 100), pointer(values, 50));
    return 0;
}
"""
        for compiler in COMPILERS:
            for level in ("-O0", "-O3"):
                with self.subTest(compiler=compiler, level=level):
                    self.same([self.compile(program, level, "-fPIC", compiler=compiler, name="versions.o")])

    def test_of_shared_libraries(self):
        """The loader resolves those: ours, and the C library's."""
        library = self.folder / "libwhich.so"
        self.must("gcc", "-shared", "-fPIC", self.text("which.c", FUNCTIONS), "-o", library)
        main = """
#include <string.h>
#include <stdio.h>
extern int seen(void);
int (*pointer)(void) = seen;
void *(*copy)(void *, const void *, size_t) = memcpy;
int main(int argc, char **argv) {
    char text[20];
    copy(text, "hello", 6);
    printf("%s %zu %d\\n", text, strlen(argv[0] ? text : ""), argc);
    return seen() + 10 * pointer();
}
"""
        program = [self.compile(main, "-O1", "-fPIC", "-fno-builtin", name="main.o"), library]
        outcome = self.same(program, flags=[f"-Wl,-rpath,{self.folder}"])
        self.assertEqual(outcome.status, 11)

    def test_resolvers_run_in_order_before_initialisers(self):
        program = """
#include <stdio.h>
#include <unistd.h>
static int order;
static int implementation(void) { return 5; }
#define FUNCTION(n) static int (*resolve##n(void))(void) { order = order * 10 + n; return implementation; } \\
    int f##n(void) __attribute__((ifunc("resolve" #n)));
FUNCTION(1) FUNCTION(2) FUNCTION(3)
static int seen;
static void before(int argc, char **argv) { (void)argc; (void)argv; seen = order; }
__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char **) = before;
int main(void) { printf("%d %d %d\\n", seen, order, f1() + f2() + f3()); return 0; }
"""
        outcome = self.jitscope("run", "--record", "order.jsr", self.compile(program, "-fPIC", name="order.o"))
        self.assertEqual(outcome.out, b"123 123 15\n", outcome)
        actions = self.show("actions", "order.jsr", "--filter", 'half = finalize')
        self.assertEqual([row["function"] for row in actions], ["register-debug-image", "register-eh-frames", "resolve-ifuncs",
                                                               "run-initialisers"])

    def test_what_is_said(self):
        objects = [self.compile(MAIN, "-fPIC", name="main.o"), self.compile(ELSEWHERE, "-fPIC", name="elsewhere.o")]
        self.assertEqual(self.jitscope("run", "--record", "said.jsr", *objects).status, 8)
        symbols = {(row["name"], row["kind"]): row for row in self.show("symbols", "said.jsr")}
        choice = symbols["one", "function"]["address"]
        [slot] = self.show("got", "said.jsr", "--filter", "symbol = seen and where = ifunc")
        [stub] = self.show("plt", "said.jsr", "--filter", "symbol = seen")
        self.assertEqual((slot["target"], stub["target"], stub["slot"]), (choice, choice, slot["slot"]))
        self.assertEqual(stub["stub"], symbols["seen", "function"]["address"])
        self.assertEqual(symbols["seen", "ifunc"]["address"], symbols["resolve_seen", "function"]["address"])
        segments = self.show("segments", "said.jsr")
        [at] = [row for row in segments if row["address"] <= slot["slot"] < row["end"]]
        self.assertEqual(at["prot"], "rw-")
        self.assertTrue(all(row["prot"] in ("r-x", "r--", "rw-") for row in segments))
        why = self.must(JITSCOPE, "why", "said.jsr", "got:seen").out.decode()
        self.assertIn(f"the GOT slot of seen is at {slot['slot']:#x} and holds {choice:#x}, the function for seen", why)
        self.assertRegex(why, rf"seen is {choice:#x}: the resolver of the indirect function ran and chose it")
        self.assertRegex(why, r"action \d+ is attached for .*: resolve-ifuncs")
        self.assertIn(f"seen is {choice:#x}, which its resolver chose", self.must(JITSCOPE, "why", "said.jsr", "seen").out.decode())
        answers = self.show("events", "said.jsr", "--filter", "event = answer_ifunc")
        self.assertEqual([row["index"] for row in answers], list(range(5)))
        self.assertIn(choice, [row["address"] for row in answers])
        fixups = self.must(JITSCOPE, "show", "edges", "said.jsr").out.decode()
        self.assertIn("seen", fixups)
        self.must(JITSCOPE, "export", "--to", "elf", "said.jsr", "-o", "said.elf")

    def test_later_links_and_unloading(self):
        """A later link refers to the stub; after an unload and a new link all is made anew."""
        first = self.compile(FUNCTIONS + "int call_first(void) { return seen() + hidden() + local() + guarded() + weak(); }", "-fPIC", name="first.o")
        second = self.compile(ELSEWHERE + "int call_second(void) { return from_elsewhere()() + call_from_elsewhere(); }", "-fPIC",
                              name="second.o")
        outcome = self.must(LINKS, "later.jsr", first, ".call_first", second, ".call_second", "-2", "-1", first, ".call_first", ".seen")
        self.assertEqual(outcome.out, b"call_first 11\ncall_second 43\ncall_first 11\nseen 1\n")

    def test_recording_from_the_middle(self):
        first = self.compile(FUNCTIONS + "int call_first(void) { return seen() + hidden() + local() + guarded() + weak(); }", "-fPIC", name="first.o")
        second = self.compile(ELSEWHERE + OTHER + "int call_second(void) { return from_elsewhere()() + other(); }", "-fPIC", name="second.o")
        outcome = self.must(LINKS, "", first, "@middle.jsr", second, ".call_second", "-2", "-1")
        self.assertEqual(outcome.out, b"call_second 2\n")

    def test_resolvers_that_end_the_program(self):
        for body, status in (("exit(7)", 7), ("_exit(8)", 8)):
            program = f"""
#include <stdlib.h>
#include <unistd.h>
#include <stdio.h>
static int f(void) {{ return 1; }}
static void *resolve_first(void) {{ return f; }}
static void *resolve(void) {{ {body}; return f; }}
int first(void) __attribute__((ifunc("resolve_first")));
int which(void) __attribute__((ifunc("resolve")));
__attribute__((constructor)) static void early(void) {{ puts("never"); }}
__attribute__((destructor)) static void late(void) {{ puts("never"); }}
int main(void) {{ return first() + which(); }}
"""
            outcome = self.jitscope("run", "--record", "ends.jsr", self.compile(program, "-fPIC", name="ends.o"))
            self.assertEqual((outcome.status, outcome.out), (status, b""), outcome)
            self.must(JITSCOPE, "replay", "ends.jsr")

    def test_a_resolver_without_a_choice(self):
        """Nobody calls it: no error for the system's loader, and none here."""
        program = FUNCTIONS + """
static function *resolve_none(void) { return 0; }
int none(void) __attribute__((ifunc("resolve_none")));
int main(int argc, char **argv) { return argc > 5 ? none() : seen(); }
"""
        inputs = [self.compile(program, "-fPIC", name="none.o")]
        self.assertEqual(self.same(inputs).status, 1)
        self.jitscope("run", "--record", "none.jsr", *inputs)
        [slot] = self.show("got", "none.jsr", "--filter", "symbol = none")
        self.assertEqual(slot["target"], 0)

    def test_garbage_is_dropped(self):
        inputs = [self.compile(MAIN, "-fPIC", "-ffunction-sections", "-fdata-sections", name="main.o"),
                  self.compile(ELSEWHERE, "-fPIC", "-ffunction-sections", name="elsewhere.o"),
                  self.compile(OTHER, "-fPIC",
                               "-ffunction-sections", name="unused.o")]
        outcome = self.jitscope("run", "--gc-sections", "--record", "garbage.jsr", *inputs)
        self.assertEqual((outcome.status, outcome.out), (8, b"32321 1 1 2 3\n1 42\n"), outcome)
        self.assertEqual(len(self.show("got", "garbage.jsr", "--filter", "where = ifunc")), 5)
        self.assertEqual(self.show("got", "garbage.jsr", "--filter", "symbol = other"), [])

    def test_nothing_runs(self):
        """A simulated link refuses what only a resolver knows; addresses can be made up as others are."""
        objects = [self.compile(FUNCTIONS + "int main(void) { return seen() + local(); }", "-O1", "-fPIC", name="main.o")]
        outcome = self.jitscope("link", *objects)
        self.assertEqual(outcome.status, 1)
        self.assertRegex(outcome.err.decode(), r"2 unresolved symbols:\n  local \(an indirect function: .*\)\n    referred to by .*\n  seen \(.*\)\n"
                                               r"    referred to by .*main\.o: \.text\+0x\w+ \(R_X86_64_PLT32\)\n  help: .*--phony-externals")
        self.must(JITSCOPE, "link", "--phony-externals", "--record", "phony.jsr", *objects)
        rows = self.show("got", "phony.jsr", "--filter", "symbol = seen or symbol = local")
        self.assertEqual([row["where"] for row in rows], ["--phony-externals"] * 2)
        self.assertEqual(len({row["target"] for row in rows}), 2)
        # Those that nobody refers to do not matter.
        self.must(JITSCOPE, "link", "--record", "unused.jsr", self.compile(FUNCTIONS + "int main(void) { return 0; }", "-fPIC", name="unused.o"))

    def test_malformed(self):
        """A resolver that is nowhere."""
        for text in (".globl which\n.type which, @gnu_indirect_function\nwhich = 0x1234\n",
                     ".type which, @gnu_indirect_function\n.comm which, 8, 8\n"):
            self.must("gcc", "-c", self.text("bad.s", ".globl main\nmain: call which\nret\n" + text + STACK), "-o", "bad.o")
            outcome = self.jitscope("run", "bad.o")
            types = self.must("readelf", "-sW", "bad.o").out.decode()
            if "IFUNC" not in types:
                continue
            self.assertEqual(outcome.status, 1)
            self.assertRegex(outcome.err, rb"bad\.o: symbol 'which': an indirect function \(STT_GNU_IFUNC\) whose resolver lies in no section")


if __name__ == "__main__":
    unittest.main()
