"""Each relocation type in assembled code, run and compared with the system's own link; what may be relaxed, to which bytes;
and the largest and smallest value that fits each field."""
import unittest

from harness import COMPILERS, JITSCOPE, SystemTest


class Relocations(SystemTest):
    DATA = """
    .section .rodata
    .globl word
    .p2align 3
word: .quad 0x1122334455667788
    .data
    .globl cell
cell: .quad 5
    .section .note.GNU-stack,""
"""

    VALUES = ("-no-pie", "-Wl,--defsym=small=200", "-Wl,--defsym=wide=0xab00")

    def run_code(self, body, *words, flags=("-no-pie",), extra=""):
        """BODY computes %eax; the status must be the same both ways."""
        source = self.text("code.s", f"    .text\n    .globl main\nmain:\n{body}\n    ret\n{extra}{self.DATA}")
        self.must("gcc", "-c", *words, source, "-o", "code.o")
        return self.same([self.folder / "code.o"], flags=flags).status

    def types(self):
        text = self.must("readelf", "-rW", "code.o").out.decode()
        return {line.split()[2] for line in text.splitlines() if "R_X86_64" in line}

    CASES = {
        "R_X86_64_64": ("movabs $word, %rax\n mov (%rax), %eax\n and $0x7f, %eax", ""),
        "R_X86_64_32": ("mov $word, %eax\n mov (%rax), %eax\n and $0x7f, %eax", ""),
        "R_X86_64_32S": ("mov $cell, %rax\n mov (%rax), %eax", ""),
        "R_X86_64_PC32": ("mov word(%rip), %eax\n and $0x7f, %eax", ""),
        "R_X86_64_PC64": ("lea here(%rip), %rdx\n mov (%rdx), %rax\n add %rdx, %rax\n mov (%rax), %eax",
                          ".section .rodata.here\nhere: .quad cell - .\n"),
        "R_X86_64_PLT32": ("call helper", ".text\n.globl helper\nhelper: mov $33, %eax\n ret\n"),
        "R_X86_64_GOTPCREL": ("mov pointer(%rip), %eax\n lea pointer(%rip), %rdx\n movslq (%rdx), %rax\n add %rdx, %rax\n"
                              " mov (%rax), %rax\n mov (%rax), %eax", ".data\npointer: .long cell@GOTPCREL\n"),
        "R_X86_64_GOTPCRELX": ("call *helper@GOTPCREL(%rip)", ".text\n.globl helper\nhelper: mov $34, %eax\n ret\n"),
        "R_X86_64_REX_GOTPCRELX": ("mov cell@GOTPCREL(%rip), %rax\n mov (%rax), %eax", ""),
        "R_X86_64_GOTPC32": ("lea _GLOBAL_OFFSET_TABLE_(%rip), %rdx\n movabs $cell@GOTOFF, %rax\n add %rdx, %rax\n"
                             " mov (%rax), %eax", ""),
        "R_X86_64_GOTOFF64": ("lea _GLOBAL_OFFSET_TABLE_(%rip), %rdx\n movabs $word@GOTOFF, %rax\n movzbl (%rdx,%rax), %eax", ""),
        "R_X86_64_GOTPC64": ("lea here(%rip), %rdx\n movabs $_GLOBAL_OFFSET_TABLE_ - (here - .), %rcx\nhere: nop\n lea here(%rip), %rdx\n"
                             " lea _GLOBAL_OFFSET_TABLE_(%rip), %rax\n sub %rdx, %rax\n mov table(%rip), %rcx\n"
                             " lea table(%rip), %rdx\n add %rdx, %rcx\n lea _GLOBAL_OFFSET_TABLE_(%rip), %rax\n sub %rcx, %rax\n add $7, %eax",
                             ".data\ntable: .quad _GLOBAL_OFFSET_TABLE_ - .\n"),
        "R_X86_64_GOT64": ("lea _GLOBAL_OFFSET_TABLE_(%rip), %rdx\n movabs $cell@GOT, %rax\n mov (%rdx,%rax), %rax\n mov (%rax), %eax", ""),
        "R_X86_64_GOTPLT64": ("lea _GLOBAL_OFFSET_TABLE_(%rip), %rdx\n movabs $cell@GOTPLT, %rax\n mov (%rdx,%rax), %rax\n"
                              " mov (%rax), %eax", ""),
        "R_X86_64_GOT32": ("lea _GLOBAL_OFFSET_TABLE_(%rip), %rdx\n mov $cell@GOT, %rax\n mov (%rdx,%rax), %rax\n mov (%rax), %eax", ""),
        "R_X86_64_GOTPCREL64": ("lea pointer(%rip), %rdx\n mov (%rdx), %rax\n mov (%rdx,%rax), %rax\n mov (%rax), %eax",
                                ".data\npointer: .quad cell@GOTPCREL\n"),
        "R_X86_64_PLTOFF64": ("lea _GLOBAL_OFFSET_TABLE_(%rip), %rdx\n movabs $helper@PLTOFF, %rax\n add %rdx, %rax\n call *%rax",
                              ".text\n.globl helper\nhelper: mov $35, %eax\n ret\n"),
        "R_X86_64_SIZE32": ("mov $sized@SIZE + 4, %eax", ".data\n.globl sized\n.type sized, @object\nsized: .quad 0\n.size sized, 37\n"),
        "R_X86_64_SIZE64": ("movabs $sized@SIZE, %rax", ".data\n.globl sized\n.type sized, @object\nsized: .quad 0\n.size sized, 38\n"),
        "R_X86_64_NONE": ("mov $3, %eax\n .reloc ., R_X86_64_NONE, cell", ""),
        "R_X86_64_8": ("mov $small, %al\n movzbl %al, %eax", ""),
        "R_X86_64_16": ("movzwl half(%rip), %eax\n shr $8, %eax", ".data\nhalf: .short wide\n"),
        "R_X86_64_PC8": ("movsbl near(%rip), %eax\n neg %eax\n and $0x7f, %eax",
                         ".section .rodata\n.globl first\nfirst: .fill 4\nnear: .reloc ., R_X86_64_PC8, first\n .byte 0\n"),
        "R_X86_64_PC16": ("movswl near(%rip), %eax\n neg %eax\n and $0x7f, %eax",
                          ".section .rodata\n.globl first\nfirst: .fill 9\nnear: .reloc ., R_X86_64_PC16, first\n .short 0\n"),
    }

    def test_each_type(self):
        for kind, (body, extra) in self.CASES.items():
            with self.subTest(kind=kind):
                (self.folder / "code.o").unlink(missing_ok=True)
                self.assertNotEqual(self.run_code(body, "-Wa,-mrelax-relocations=yes", extra=extra, flags=self.VALUES), 0)
                self.assertIn(kind, self.types())

    def same(self, inputs, flags=(), **options):
        """The names given to the system's linker with --defsym are given to jitscope too."""
        words = [flag.removeprefix("-Wl,") for flag in flags if flag.startswith("-Wl,--defsym")]
        if not words:
            return super().same(inputs, flags=flags, **options)
        program = self.folder / "program"
        self.must("gcc", *flags, *inputs, "-o", program)
        expected = self.run_command(program)
        actual = self.jitscope("run", *words, *inputs)
        self.assertEqual(repr(actual), repr(expected))
        return actual

    # Each computes what it compares with on another way, so that 6 is right wherever things lie.
    BINARY = """
    mov $0x12345678, %{left}
    mov %{left}, %{right}
    clc
    {operation} cell@GOTPCREL(%rip), %{left}
    setc %sil
    lea cell(%rip), %rax
    clc
    {operation} %{same}, %{right}
    setc %dil
    cmp %{left}, %{right}
    sete %al
    cmp %sil, %dil
    sete %cl
    and %cl, %al
    movzbl %al, %eax
    add $5, %eax"""
    OPERATIONS = ("adc", "add", "and", "cmp", "or", "sbb", "sub", "xor")
    REGISTERS = (("rdx", "r8", "rax"), ("r9", "r10", "rax"), ("edx", "r8d", "eax"), ("r15d", "r11d", "eax"))

    def relaxable(self):
        """Every form of psABI B.2 by name: the instruction alone, and code around it whose result is 6."""
        for operation in self.OPERATIONS:
            for left, right, same in self.REGISTERS:
                body = self.BINARY.format(operation=operation, left=left, right=right, same=same)
                if left == "r15d":
                    body = f"    push %r15\n{body}\n    pop %r15"
                yield f"{operation} {left}", f"{operation} cell@GOTPCREL(%rip), %{left}", body
        for left in ("rdx", "r9", "edx", "r9d"):
            yield (f"test {left}", f"test %{left}, cell@GOTPCREL(%rip)",
                   f" mov $-1, %{left}\n test %{left}, cell@GOTPCREL(%rip)\n setne %al\n movzbl %al, %eax\n add $5, %eax")
        for left in ("rdx", "r9"):
            yield (f"mov {left}", f"mov cell@GOTPCREL(%rip), %{left}",
                   f" mov cell@GOTPCREL(%rip), %{left}\n mov (%{left}), %eax\n inc %eax")
        yield ("mov edx", "mov cell@GOTPCREL(%rip), %edx", " mov cell@GOTPCREL(%rip), %edx\n lea cell(%rip), %rcx\n"
               " cmp %ecx, %edx\n sete %al\n movzbl %al, %eax\n add $5, %eax")
        yield "call", "call *helper@GOTPCREL(%rip)", " push %rax\n call *helper@GOTPCREL(%rip)\n pop %rdx"
        yield "jmp", "jmp *helper@GOTPCREL(%rip)", " jmp *helper@GOTPCREL(%rip)"

    HELPER = ".text\n.globl helper\nhelper: mov $6, %eax\n ret\n"

    def test_relaxed_forms(self):
        """Run where immediates reach (a 32-bit pointer brings the batch below 2 GiB) and where they do not."""
        for name, _, body in self.relaxable():
            for low in ("", " mov $cell, %eax\n"):
                with self.subTest(form=name, low=bool(low)):
                    source = self.text("code.s", f".text\n.globl main\nmain:\n{low}{body}\n ret\n{self.HELPER}{self.DATA}")
                    self.must("gcc", "-c", "-Wa,-mrelax-relocations=yes", source, "-o", "code.o")
                    outcome = self.jitscope("run", "--record", "code.jsr", "code.o")
                    self.assertEqual(outcome.status, 6, outcome)
                    if low or name.split()[0] in ("mov", "call", "jmp"):
                        self.assertEqual(len(self.relaxed(self.folder / "code.jsr")), 1)
                    else:
                        self.assertEqual(self.relaxed(self.folder / "code.jsr"), [])

    def text_of(self, source, *flags):
        self.must("ld", "-e", "main", *flags, source, "-o", "linked")
        self.must("objcopy", "-O", "binary", "-j", ".text", "linked", "linked.text")
        return (self.folder / "linked.text").read_bytes()

    def test_relaxed_forms_are_the_system_linkers(self):
        """All forms in one link, at one address: the same bytes."""
        forms = list(self.relaxable())
        code = "".join(f"{instruction}\n" for _, instruction, _ in forms)
        source = self.text("forms.s", f".text\n.globl main\nmain: nop\n{code}{self.HELPER}{self.DATA}")
        self.must("gcc", "-c", "-Wa,-mrelax-relocations=yes", source, "-o", "forms.o")
        fixed, movable = self.text_of("forms.o", "-Ttext=0x10000000"), self.text_of("forms.o", "-pie", "--no-dynamic-linker")
        self.must(JITSCOPE, "link", "--base", "0x10000000", "--record", "forms.jsr", "forms.o")
        # Those that need no address are relaxed before the others.
        rows = sorted(self.relaxed(self.folder / "forms.jsr"), key=lambda row: row["offset"])
        self.assertEqual(len(rows), len(forms))
        for (name, _, _), row in zip(forms, rows):
            with self.subTest(form=name):
                made = row["bytes_after"].to_bytes(8, "little")
                # GNU ld makes a mov an immediate where addresses are fixed, and the psABI's lea elsewhere.
                theirs = (movable if "mov" in name else fixed)[row["offset"] - 4:row["offset"] + 4]
                if name == "jmp":  # its displacement begins a byte earlier, and a nop ends it
                    self.assertEqual((made[2], made[7]), (theirs[2], theirs[7]))
                else:
                    rex = made[1] & 0xf0 == 0x40
                    self.assertEqual(made[1 if rex else 2:4].hex(), theirs[1 if rex else 2:4].hex())

    def test_bytes_before_a_call_are_no_prefix(self):
        """A constant that ends as the padding of a call of __tls_get_addr does."""
        user = self.compile("int same(int); int main(void) { return same(0x48661234) == 0x48661234 ? 6 : 0; }\n", "-O1", "-fPIC", "-fno-plt", name="user.o")
        self.assertIn(bytes.fromhex("bf34126648ff15"), user.read_bytes())
        self.assertEqual(self.same([user, self.compile("int same(int x) { return x; }\n", name="other.o")]).status, 6)

    def relaxed(self, recording):
        return self.show("events", recording, "--filter", "event = edge_relaxed")

    # Instructions of APX behind a REX2 prefix, before and after, by LLVM's assembler.
    REX2 = {
        "mov cell@GOTPCREL(%rip), %r16": ("d5488b05", "d5488d05"),
        "mov cell@GOTPCREL(%rip), %r31": ("d54c8b3d", "d54c8d3d"),
        "add cell@GOTPCREL(%rip), %r16": ("d5480305", "d51881c0"),
        "cmp cell@GOTPCREL(%rip), %r25": ("d54c3b0d", "d51981f9"),
        "xor cell@GOTPCREL(%rip), %r23": ("d548333d", "d51881f7"),
        "test %r18, cell@GOTPCREL(%rip)": ("d5488515", "d518f7c2"),
        "add cell@GOTPCREL(%rip), %r16d": ("d5400305", "d51081c0"),
        "imul cell@GOTPCREL(%rip), %r16": ("d5c8af05", "d5c8af05"),  # no form that can be rewritten
    }

    def apx_object(self, symbol, name):
        code = "".join(f".byte {','.join('0x' + before[i:i + 2] for i in range(0, 8, 2))}\n"
                       f".reloc ., R_X86_64_REX_GOTPCRELX, {symbol} - 4\n.long 0\n" for before, _ in self.REX2.values())
        source = self.text("apx.s", f".text\n.globl main\nmain:\n{code}\n{self.DATA}")
        self.must("gcc", "-c", source, "-o", name)
        self.retype(self.folder / name, 42, 43)
        self.assertIn("43", self.must("readelf", "-rW", name).out.decode().replace("2b ", "43 "))
        return self.folder / name

    def test_apx_loads(self):
        near = self.apx_object("cell", "near.o")
        self.must(JITSCOPE, "link", "--base", "0x10000000", "--trace=edges", "--record", "near.jsr", near)
        rows = {row["offset"]: row for row in self.relaxed(self.folder / "near.jsr")}
        for number, (instruction, (before, after)) in enumerate(self.REX2.items()):
            with self.subTest(instruction=instruction):
                row = rows.get(number * 8 + 4)
                if before == after:
                    self.assertIsNone(row)
                    continue
                self.assertEqual(row["before"], ("request-" if "mov" in instruction else "") + "got-rex2-load32")
                self.assertEqual(row["bytes_before"].to_bytes(8, "little").hex(), before + "00000000")
                self.assertEqual(row["bytes_after"].to_bytes(8, "little")[:4].hex(), after)
                self.assertEqual(row["after"], "near-load32" if "mov" in instruction else "pointer32s")

    def test_apx_loads_that_are_not_near(self):
        far = self.apx_object("far", "far.o")
        self.must(JITSCOPE, "link", "--define", "far=0x330000000000", "--trace=edges", "--record", "far.jsr", far)
        self.assertEqual(self.relaxed(self.folder / "far.jsr"), [])
        [slot] = self.show("got", self.folder / "far.jsr")
        fixups = self.show("events", self.folder / "far.jsr", "--filter", "event = fixup and fields ~ got-rex2-load32")
        self.assertEqual(len(fixups), len(self.REX2))
        [start] = [row["address"] for row in self.show("symbols", self.folder / "far.jsr") if row["name"] == "main"]
        for row in fixups:
            self.assertEqual((start + row["offset"] + 4 + row["after"]) & (1 << 64) - 1, slot["slot"])

    def test_far_targets_stay_in_the_table(self):
        source = self.text("far.s", ".text\n.globl main\nmain:\n mov far@GOTPCREL(%rip), %rax\n shr $40, %rax\n ret\n"
                                    '.section .note.GNU-stack,""\n')
        self.must("gcc", "-c", source, "-o", "far.o")
        outcome = self.jitscope("run", "--define", "far=0x330000000000", "--record", "far.jsr", self.folder / "far.o")
        self.assertEqual(outcome.status, 0x33, outcome)
        slots = self.show("got", self.folder / "far.jsr")
        self.assertEqual([(row["symbol"], row["target"]) for row in slots], [("far", 0x330000000000)])
        self.assertEqual(self.relaxed(self.folder / "far.jsr"), [])

    def limit(self, directive, value):
        source = self.text("limit.s", f".data\n.globl main\nmain: {directive}\n" '.section .note.GNU-stack,""\n')
        self.must("gcc", "-c", source, "-o", "limit.o")
        return self.jitscope("link", "--base", "0x10000000", "--define", f"far={value & (1 << 64) - 1:#x}", "limit.o")

    def test_limits(self):
        """The largest and the smallest value that fit, and one beyond each."""
        place = 0x10000000
        ranges = {
            ".reloc ., R_X86_64_32, far\n.long 0": (0, 0, 2**32 - 1), ".reloc ., R_X86_64_32S, far\n.long 0": (0, -2**31, 2**31 - 1),
            ".reloc ., R_X86_64_16, far\n.short 0": (0, -2**15, 2**16 - 1), ".reloc ., R_X86_64_8, far\n.byte 0": (0, -2**7, 2**8 - 1),
            ".long far - .": (place, -2**31, 2**31 - 1), ".short far - .": (place, -2**15, 2**15 - 1),
            ".byte far - .": (place, -2**7, 2**7 - 1)}
        for directive, (base, low, high) in ranges.items():
            for value, fits in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
                with self.subTest(directive=directive, value=value):
                    outcome = self.limit(directive, base + value)
                    self.assertEqual(outcome.status, 0 if fits else 1, outcome)
                    if not fits:
                        self.assertRegex(outcome.err, rb"does not fit")

    def reading(self, directive):
        apx = "CODE_4_GOTPCRELX" in directive
        directive = directive.replace("CODE_4_", "REX_")
        """The object with one such field, and the value that a link writes there."""
        source = self.text("field.s", ".text\n.globl main\nmain: nop\n.data\ncell: .quad 0\nfield:\n" + directive +
                           '\n.quad 0\n.section .note.GNU-stack,""\n')
        self.must("gcc", "-c", source, "-o", "field.o")
        if apx:
            self.retype(self.folder / "field.o", 42, 43)
        outcome = self.jitscope("link", "--trace=edges", "--record", "field.jsr", "--define", "far=0xfffffffffffffffe", "field.o")
        if outcome.status:
            return outcome, None
        [row] = [row for row in self.show("events", self.folder / "field.jsr", "--filter", "event = fixup")
                 if row["offset"] == 8]
        return outcome, row["after"]

    def test_limits_within_the_batch(self):
        """Where targets are near, the addend carries the value to the limits."""
        for kind, symbol in (("PC32", "main"), ("PLT32", "main"), ("GOTPCREL", "main"), ("GOTPCRELX", "main"),
                             ("REX_GOTPCRELX", "main"), ("GOTPC32", "_GLOBAL_OFFSET_TABLE_"), ("32S", "main"),
                             ("GOT32", "main"), ("CODE_4_GOTPCRELX", "main")):
            line = ".reloc ., R_X86_64_" + kind + ", " + symbol + "{:+d}"
            outcome, value = self.reading(line.format(0))
            self.assertEqual(outcome.status, 0, outcome)
            value -= (value >> 31) << 32
            for wanted, fits in ((2**31 - 1, True), (-2**31, True), (2**31, False), (-2**31 - 1, False)):
                with self.subTest(kind=kind, wanted=wanted):
                    outcome, written = self.reading(line.format(wanted - value))
                    self.assertEqual(outcome.status, 0 if fits else 1, outcome)
                    if fits:
                        self.assertEqual(written, wanted & (1 << 32) - 1)
                    else:
                        self.assertRegex(outcome.err, rb"field\.o: \.data\+0x8: .*R_X86_64_" + kind.encode() +
                                         rb" at 0x\w+ to 0x.* does not fit -2\^31 \.\. 2\^31-1 \(2 GiB\)")

    def test_eight_bytes_take_everything(self):
        """They wrap around as addresses do."""
        for kind in ("64", "PC64", "GOTOFF64", "GOT64", "GOTPLT64", "GOTPC64", "GOTPCREL64", "PLTOFF64"):
            line = ".reloc ., R_X86_64_" + kind + ", far{:+d}"
            first, last = self.reading(line.format(0))[1], self.reading(line.format(2))[1]
            with self.subTest(kind=kind):
                self.assertEqual((last - first) & (1 << 64) - 1, 2)
                largest, over = (self.reading(line.format(addend))[1] for addend in (2**63 - 1, -2**63))
                self.assertEqual((over - largest) & (1 << 64) - 1, 1)
        self.assertEqual([self.reading(f".quad far{n:+d}")[1] for n in (0, 1, 2)], [2**64 - 2, 2**64 - 1, 0])

    def test_addends_of_more_than_32_bits(self):
        """Whether somebody looks at each edge or nobody does."""
        addends = (2**31 - 1, 2**31, -2**31, -2**31 - 1, 2**32 - 4, 2**63 - 1, -2**63)
        words = "".join(f" .quad table{addend:+d}\n" for addend in addends)
        self.text("wide.s", f".data\n.globl table\ntable:\n{words}.reloc ., R_X86_64_32S, far{5 - 2**63:+d}\n.long 0\n"
                            ".section .note.GNU-stack,\"\"\n")
        checks = "".join(f"    wrong += table[{i}] - (unsigned long)table != {addend % 2**64}UL;\n" for i, addend in enumerate(addends))
        self.text("main.c", f"extern unsigned long table[];\nint main(void) {{\n    int wrong = 0;\n{checks}"
                            f"    return 2 * wrong + (*(int *)&table[{len(addends)}] != 5);\n}}\n")
        self.must("gcc", "-fPIC", "-c", "main.c", "wide.s")
        for level in ("block", "edges"):
            outcome = self.jitscope("run", f"--trace={level}", "--define", f"far={2**63:#x}", "main.o", "wide.o")
            self.assertEqual(outcome.status, 0, outcome)

    def test_errors_have_all_of_an_addend(self):
        for kind in ("PC32", "32S", "GOTPCREL", "REX_GOTPCRELX"):
            self.text("field.s", f".data\n.globl main\nmain: .quad 0\n.reloc ., R_X86_64_{kind}, main{2**40 - 4:+d}\n.quad 0\n"
                                 ".section .note.GNU-stack,\"\"\n")
            self.must("gcc", "-c", "field.s")
            for level in ("block", "edges"):
                outcome = self.jitscope("link", f"--trace={level}", "field.o")
                self.assertEqual(outcome.status, 1, outcome)
                self.assertRegex(outcome.err, rb"R_X86_64_" + kind.encode() + rb" at 0x\w+ to 0x\w+\+1099511627772, 0x\w+ bytes away|"
                                              rb"R_X86_64_" + kind.encode() + rb" at 0x\w+ to 0x\w+\+1099511627772, -0x\w+ bytes away")

    def size(self, kind, size, addend):
        width = int(kind[-2:])
        source = self.text("size.s", f".data\n.globl main, cell\nmain: .reloc ., R_X86_64_{kind}, cell{addend:+d}\n.{'long' if width == 32 else 'quad'} 0\n"
                                     f"cell: .quad 0\n.size cell, {size:#x}\n.section .note.GNU-stack,\"\"\n")
        self.must("gcc", "-c", source, "-o", "size.o")
        outcome = self.jitscope("link", "--trace=edges", "--record", "size.jsr", "size.o")
        if outcome.status:
            return outcome, None
        [row] = self.show("events", self.folder / "size.jsr", "--filter", "event = fixup")
        return outcome, row["after"]

    def test_sizes_at_their_limits(self):
        for kind, size, addend, wanted in (
                ("SIZE32", 0, 0, 0), ("SIZE32", 2**32 - 1, 0, 2**32 - 1), ("SIZE32", 2**32, 0, None), ("SIZE32", 2**32, -1, 2**32 - 1),
                ("SIZE32", 5, -5, 0), ("SIZE32", 5, -6, None), ("SIZE64", 2**64 - 1, 0, 2**64 - 1), ("SIZE64", 2**64 - 1, 1, 0),
                ("SIZE64", 0, -1, 2**64 - 1)):
            with self.subTest(kind=kind, size=size, addend=addend):
                outcome, value = self.size(kind, size, addend)
                self.assertEqual(value, wanted, outcome)
                if wanted is None:
                    self.assertRegex(outcome.err, rb"size\.o: \.data\+0x0: .*cell.*R_X86_64_SIZE32 .* the value Z \+ A = 0x\w+ "
                                                  rb"does not fit 0 \.\. 2\^32-1")

    def test_sizes_of_what_lies_outside(self):
        """A shared library tells them, an address alone does not; what nobody defines has none."""
        self.must("gcc", "-shared", "-fPIC", self.text("sized.c", "char outside[77] = {1};\n"), "-o", "libsized.so")
        body = ".globl main\nmain: movabs $outside@SIZE, %rax\n ret\n.section .note.GNU-stack,\"\"\n"
        self.must("gcc", "-c", self.text("outside.s", body), "-o", "outside.o")
        self.must("gcc", "outside.o", "-L.", "-lsized", "-Wl,-rpath," + str(self.folder), "-o", "program")
        self.assertEqual(self.run_command(self.folder / "program").status, 77)
        self.assertEqual(self.jitscope("run", "outside.o", self.folder / "libsized.so").status, 77)
        self.must(JITSCOPE, "link", "--record", "outside.jsr", "outside.o", "libsized.so")
        outcome = self.jitscope("run", "--define", "outside=0x1000", "outside.o")
        self.assertEqual(outcome.status, 1)
        self.assertRegex(outcome.err, rb"outside\.o: \.text\+0x2: symbol 'outside': R_X86_64_SIZE64: the size of what lies outside the batch is not known")
        self.must("gcc", "-c", self.text("weak.s", ".weak outside\n" + body), "-o", "weak.o")
        self.assertEqual(self.same([self.folder / "weak.o"]).status, 0)

    def test_program_of_code_models(self):
        """Whole programs: everything that the medium and the large code model do, by both compilers."""
        program = self.text("models.c", """
#include <stdio.h>
#include <stdlib.h>
int small_bss[10], small_data[3] = {1, 2, 3};
int large_bss[100000], large_data[100000] = {[99999] = 7};
const int large_const[100000] = {[5] = 11};
static int local_large[90000], local_small = 4;
static const char *const words[] = {"a", "bc", "def"};
int common_large[80000];
extern int common_small;
int common_small;
static int less(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
__attribute__((noinline)) static int add(int a, int b) { return a + b; }
int (*volatile pointer)(int, int) = add;
double half(double x) { return x * 0.5; }
int main(int argc, char **argv) {
    int unsorted[] = {5, 3, 9, argc};
    qsort(unsorted, 4, sizeof *unsorted, less);
    local_large[77] = unsorted[0];
    large_bss[99999] = local_small++;
    common_large[4] = common_small = 3;
    static int (*volatile table[])(const char *) = {puts, atoi};
    table[0](words[argc + 1]);
    switch (argc + local_small) { case 1: puts("one"); break; case 2: puts("two"); break; case 3: puts("three"); break;
    case 6: puts("six"); break; case 7: puts("seven"); break; default: puts("many"); }
    printf("%d %d %d %d %d %d %g %p\\n", large_bss[99999], large_data[99999], large_const[5], small_bss[1] + small_data[2],
           pointer(common_large[4], common_small), local_large[77], half(argc), (void *)(argv == NULL ? argv : NULL));
#ifdef __PIC__  /* else by a copy of the variable below 2 GiB, which only executables have */
    fputs(words[0], stdout);
#endif
    return table[1]("42") + local_small;
}
""")
        for compiler in COMPILERS:
            for model in ("medium", "large"):
                for form in ("-fno-pic", "-fPIE", "-fPIC"):
                    for level in ("-O0", "-O2"):
                        with self.subTest(compiler=compiler, model=model, form=form, level=level):
                            self.must(compiler, "-c", f"-mcmodel={model}", form, level, "-g", "-fcommon", program, "-o", "models.o")
                            outcome = self.same([self.folder / "models.o"], flags=("-no-pie",) if form == "-fno-pic" else ())
                            self.assertEqual(outcome.status, 47, outcome)
                            self.must(JITSCOPE, "link", "--phony-externals", "--record", "models.jsr", "models.o")

    def test_exceptions_of_code_models(self):
        program = self.text("thrown.cpp", """
#include <stdexcept>
#include <string>
#include <cstdio>
struct Guard { int *count; ~Guard() { ++*count; } };
static int thrower(int depth, int *count) { Guard guard{count}; if (!depth) throw std::runtime_error("deep"); return thrower(depth - 1, count) + 1; }
int main() {
    int count = 0;
    try { thrower(5, &count); } catch (const std::exception &error) { std::printf("%s %d\\n", error.what(), count); }
    return count;
}
""")
        for compiler in COMPILERS:
            for words in (("-mcmodel=large", "-fPIC"), ("-mcmodel=large", "-fno-pic"), ("-mcmodel=medium", "-fPIC")):
                with self.subTest(compiler=compiler, words=words):
                    self.must({"gcc": "g++", "clang": "clang++"}[compiler], "-c", "-O1", *words, program, "-o", "thrown.o")
                    flags = ("-no-pie",) if "-fno-pic" in words else ()
                    outcome = self.same([self.folder / "thrown.o"], libraries=["-lstdc++"], linker="g++", flags=flags)
                    self.assertEqual(outcome.status, 6, outcome)


if __name__ == "__main__":
    unittest.main()
