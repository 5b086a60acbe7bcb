"""Which loads of the GOT have an entry: those that cannot do without, each decided by itself."""
import unittest

from harness import COMPILERS, JITSCOPE, SystemTest

NO_STACK = '.section .note.GNU-stack,""\n'


class Got(SystemTest):
    def slots(self, recording):
        return sorted(row["symbol"] for row in self.show("got", self.folder / recording))

    def relaxed(self, recording):
        rows = self.show("events", self.folder / recording, "--filter", "event = edge_relaxed")
        return [(row["before"], row["after"]) for row in rows]

    def assemble(self, name, code):
        source = self.text(f"{name}.s", code + NO_STACK)
        self.must("gcc", "-c", "-Wa,-mrelax-relocations=yes", source, "-o", f"{name}.o")
        return self.folder / f"{name}.o"

    def run_recorded(self, *words, name="r.jsr", status=0):
        outcome = self.jitscope("run", "--record", name, *words)
        self.assertEqual(outcome.status, status, outcome)
        self.must(JITSCOPE, "replay", self.folder / name)

    EARLY = ("request-got-rex-load32", "near-load32")
    LATE = ("got-rex-load32", "delta32")

    # 5 + 5 + 1: a load that can be rewritten, one that cannot, and the entry itself, by its address.
    BOTH = """.text
.globl main
main: mov cell@GOTPCREL(%rip), %rax
 mov (%rax), %eax
 pushq cell@GOTPCREL(%rip)
 pop %rdx
 add (%rdx), %eax
 mov slot(%rip), %ecx
 lea slot(%rip), %rdx
 movslq %ecx, %rcx
 mov (%rdx,%rcx), %rcx
 lea cell(%rip), %rdx
 cmp %rcx, %rdx
 sete %cl
 movzbl %cl, %ecx
 add %ecx, %eax
 ret
.data
.globl cell
cell: .quad 5
slot: .long cell@GOTPCREL
"""

    def test_both_kinds_of_load(self):
        both = self.assemble("both", self.BOTH)
        self.assertEqual(self.same([both]).status, 11)
        for level in ("block", "edges"):
            self.run_recorded("--trace", level, both, status=11)
            self.assertEqual(self.slots("r.jsr"), ["cell"])
            self.assertEqual(self.relaxed("r.jsr"), [self.EARLY])
            text = self.must(JITSCOPE, "why", self.folder / "r.jsr", "got:cell").out.decode()
            self.assertIn("2 references asked for it; none was relaxed; 1 other reference was relaxed without asking", text)

    def test_calls_and_jumps(self):
        code = self.assemble("calls", """.text
.globl main
main: push %rbx
 call *helper@GOTPCREL(%rip)
 mov %eax, %ebx
 call tail
 add %ebx, %eax
 pop %rbx
 ret
tail: jmp *helper@GOTPCREL(%rip)
.globl helper
helper: mov $3, %eax
 ret
""")
        self.assertEqual(self.same([code]).status, 6)
        self.run_recorded(code, status=6)
        self.assertEqual(self.relaxed("r.jsr"), [("request-got-load32", "near-call32"), ("request-got-load32", "near-jump32")])
        self.assertEqual(self.show("got", self.folder / "r.jsr"), [])

    def test_instructions_that_other_relocations_change(self):
        """The linker has looked at the instruction before; an object that has two minds about it is no good."""
        load = "mov cell@GOTPCREL(%rip), %rax\n"
        for name, more in (("twice", ".reloc .-4, R_X86_64_REX_GOTPCRELX, cell-4\n"), ("opcode", ".reloc .-6, R_X86_64_8, hook\n"),
                           ("overlapping", ".reloc .-8, R_X86_64_32, hook\n")):
            with self.subTest(name):
                code = self.assemble(name, f".text\n.globl main\nmain: nop\n nop\n {load} {more}"
                                           " mov (%rax), %eax\n ret\n.data\n.globl cell\ncell: .quad 5\n")
                for level in ("block", "edges"):
                    outcome = self.jitscope("run", "--trace", level, "--define", "hook=0x12", code)
                    self.assertEqual(outcome.status, 1, outcome)
                    self.assertIn(b"another relocation changes the instruction", outcome.err, outcome)

    def test_weak_undefined(self):
        """Nobody defines it: 0, from an entry."""
        source = "extern int perhaps __attribute__((weak));\nint main(void) { return &perhaps ? 1 : 7; }\n"
        for compiler in COMPILERS:
            weak = self.compile(source, "-O1", "-fPIC", compiler=compiler, name="weak.o")
            self.run_recorded(weak, status=7)
            self.assertEqual(self.slots("r.jsr"), ["perhaps"])

    def test_indirect_function(self):
        """Its address, loaded and compared, called, and as data: one and the same, its stub's."""
        code = self.assemble("ifunc", """.text
.type chosen, @gnu_indirect_function
.globl chosen
chosen: lea five(%rip), %rax
 ret
five: mov $5, %eax
 ret
.globl main
main: push %rbx
 mov chosen@GOTPCREL(%rip), %rbx
 call *%rbx
 cmp %rbx, pointer(%rip)
 sete %bl
 movzbl %bl, %ebx
 add %eax, %ebx
 call *chosen@GOTPCREL(%rip)
 add %ebx, %eax
 pop %rbx
 ret
.data
pointer: .quad chosen
""")
        self.assertEqual(self.same([code]).status, 11)
        self.run_recorded(code, status=11)
        self.assertEqual(sorted(self.relaxed("r.jsr")), sorted([self.EARLY, ("request-got-load32", "near-call32")]))
        self.assertEqual(self.slots("r.jsr"), ["chosen"])  # what the stub jumps through

    def test_commons(self):
        source = "int shared[3];\nint main(void) { return shared[0] + (&shared[1] - shared) + 3; }\n"
        other = "int shared[5];\nint *where(void) { return shared; }\n"
        for compiler in COMPILERS:
            with self.subTest(compiler=compiler):
                objects = [self.compile(text, "-O1", "-fPIC", "-fcommon", compiler=compiler, name=f"{i}.o")
                           for i, text in enumerate((source, other))]
                self.run_recorded(*objects, status=4)
                self.assertEqual(self.show("got", self.folder / "r.jsr"), [])
                self.assertEqual(set(self.relaxed("r.jsr")), {self.EARLY})

    def test_gc_sections(self):
        source = ("int used = 2, unused = 3;\nint *gone(void) { return &unused; }\nint *kept(void) { return &used; }\n"
                  "int main(void) { return *kept(); }\n")
        code = self.compile(source, "-O0", "-fPIC", "-ffunction-sections", "-fdata-sections", name="code.o")
        self.run_recorded("--gc-sections", code, status=2)
        self.assertEqual(self.show("got", self.folder / "r.jsr"), [])
        self.assertEqual(self.relaxed("r.jsr").count(self.EARLY), 1)

    # A load of each, with the address that it gives against the one that 64 bits hold.
    LARGE = """.text
.globl main
main: mov big@GOTPCREL(%rip), %rax
 movabs $big, %rcx
 cmp %rax, %rcx
 setne %al
 mov cell@GOTPCREL(%rip), %rdx
 lea cell(%rip), %rcx
 cmp %rdx, %rcx
 setne %cl
 or %cl, %al
 movzbl %al, %eax
 ret
.data
.globl cell
cell: .quad 5
.section .lbss,"awl",@nobits
.globl big
big: .skip {size}
"""

    # What lies behind it.
    EDGE = """.globl edge
edge: .skip 1
.text
 mov edge@GOTPCREL(%rip), %rax
"""

    def test_large_sections(self):
        """What lies in a batch that is not near as a whole has entries, in reach or not."""
        small = self.assemble("small", self.LARGE.format(size=64))
        self.run_recorded(small, name="small.jsr")
        self.assertEqual(self.relaxed("small.jsr"), [self.EARLY] * 2)
        self.assertEqual(self.slots("small.jsr"), [])
        for name, size in (("large", 0x44000000), ("far", 0xa0000000)):
            code = self.assemble(name, self.LARGE.format(size=size) + self.EDGE)
            self.must(JITSCOPE, "link", "--base", "0x10000000", "--record", f"{name}.jsr", code)
            self.assertEqual(self.relaxed(f"{name}.jsr"), [self.LATE] * (3 if name == "large" else 2))
            slots = {row["symbol"]: row["target"] for row in self.show("got", self.folder / f"{name}.jsr")}
            self.assertEqual(sorted(slots), ["big", "cell", "edge"])
            self.assertEqual(slots["edge"] - slots["big"], size)

    def test_same_answers_with_and_without_entries(self):
        """-mrelax-relocations=no keeps every entry: the same program does the same."""
        source = """#include <stdio.h>
extern int counter;
extern int *where(void);
extern int (*choice)(int);
int twice(int x) { return x + x; }
int main(void) {
    counter += 2;
    printf("%d %d %d\\n", *where(), where() == &counter, choice == twice ? choice(4) : -1);
    return 0;
}
"""
        other = "int counter = 5;\nint twice(int);\nint *where(void) { return &counter; }\nint (*choice)(int) = twice;\n"
        for compiler in COMPILERS:
            for no_plt in ((), ("-fno-plt",)):
                for relax in ("yes", "no"):
                    with self.subTest(compiler=compiler, no_plt=no_plt, relax=relax):
                        flags = ("-O1", "-fPIC", f"-Wa,-mrelax-relocations={relax}", *no_plt)
                        objects = [self.compile(text, *flags, compiler=compiler, name=f"{i}.o")
                                   for i, text in enumerate((source, other))]
                        self.assertEqual(self.same(objects).out, b"7 1 8\n")
                        self.run_recorded(*objects)
                        own = {"counter", "twice", "where", "choice"} & set(self.slots("r.jsr"))
                        # A comparison with an address is none that can be rewritten so far from 0.
                        self.assertEqual(own - {"counter", "twice"}, set() if relax == "yes" else {"choice"} | own & {"where"})


if __name__ == "__main__":
    unittest.main()
