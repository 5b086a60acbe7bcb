"""Relocations of thread-local storage and of APX code at their limits, and uses of them that mean nothing: each value that
just fits is written, one more is an error that says where, and nothing else comes of it."""
import shutil
import unittest

from harness import JITSCOPE, SystemTest

TLS = """
    .section .tdata,"awT",@progbits
    .globl value
    .type value, @object
    .p2align 3
first: .quad 5
value: .quad 21
    .size value, 8
    .data
    .globl plain
    .type plain, @object
plain: .quad 9
    .size plain, 8
    .section .note.GNU-stack,""
"""
# Types without a name in this assembler stand as one that has, and get their number afterwards.
NUMBERS = {"CODE_4_GOTPCRELX": 43, "CODE_4_GOTTPOFF": 44, "CODE_4_GOTPC32_TLSDESC": 45, "CODE_5_GOTPCRELX": 46, "CODE_5_GOTTPOFF": 47,
           "CODE_5_GOTPC32_TLSDESC": 48, "CODE_6_GOTPCRELX": 49, "CODE_6_GOTTPOFF": 50, "CODE_6_GOTPC32_TLSDESC": 51}
STANDS_IN = {"GOTPCRELX": ("REX_GOTPCRELX", 42), "GOTTPOFF": ("GOTTPOFF", 22), "GOTPC32_TLSDESC": ("GOTPC32_TLSDESC", 34)}

AT = 0x1110  # where in its section the field is: nothing else has that offset


class Assembled(SystemTest):
    def assemble(self, text, name="code.o", compiler="gcc"):
        self.must(compiler, "-c", self.text("code.s", text), "-o", name)
        return self.folder / name

    def relocated(self, kind, target, text=TLS, place=f".data\n.skip {AT}"):
        """The object with one field of eight bytes, which a relocation of KIND is to fill."""
        name, number = STANDS_IN[kind[len("CODE_4_"):]] if kind in NUMBERS else (kind, None)
        path = self.assemble(f".text\n.globl main\nmain: nop\n{place}\n.reloc ., R_X86_64_{name}, {target}\n.quad 0\n{text}")
        if number:
            self.retype(path, number, NUMBERS[kind])
        return path

    def written(self, path):
        """What the link does, and what it writes into the field."""
        outcome = self.jitscope("link", "--trace=edges", "--record", "field.jsr", path)
        if outcome.status:
            return outcome, None
        [row] = [row for row in self.show("events", self.folder / "field.jsr", "--filter", "event = fixup") if row["offset"] == AT]
        return outcome, row["after"]


class Limits(Assembled):
    def check(self, kind, target, low, high):
        """The addend carries the value to the limits."""
        bits = 1 << 32
        outcome, value = self.written(self.relocated(kind, target))
        self.assertEqual(outcome.status, 0, outcome)
        value -= bits if value >= bits >> 1 else 0
        for wanted, fits in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
            with self.subTest(kind=kind, wanted=wanted):
                outcome, written = self.written(self.relocated(kind, f"{target}{wanted - value:+d}"))
                self.assertEqual(outcome.status, 0 if fits else 1, outcome)
                if fits:
                    self.assertEqual(written, wanted & bits - 1)
                else:
                    self.assertRegex(outcome.err.decode(), rf"code\.o: \.data\+{AT:#x}: .*R_X86_64_{kind} at 0x\w+ to 0x\w+[+-]\d+, -?0x\w+ bytes "
                                                           rf"away: the value .* does not fit -2\^31 \.\. 2\^31-1 \(2 GiB\)\n")

    def test_thread_local_fields_of_four_bytes(self):
        for kind in ("TLSGD", "TLSLD", "GOTTPOFF", "GOTPC32_TLSDESC", "DTPOFF32", "TPOFF32"):
            self.check(kind, "value", -2**31, 2**31 - 1)

    def test_fields_of_apx_instructions(self):
        for kind in NUMBERS:
            self.check(kind, "plain" if "PCRELX" in kind else "value", -2**31, 2**31 - 1)

    def test_thread_local_fields_of_eight_bytes(self):
        """They wrap around."""
        for kind in ("DTPOFF64", "TPOFF64"):
            with self.subTest(kind=kind):
                first, last, over = (self.written(self.relocated(kind, f"value{addend:+d}"))[1] for addend in (0, 2**63 - 1, -2**63))
                self.assertEqual((last - first) % 2**64, 2**63 - 1)
                self.assertEqual((over - last) % 2**64, 1)

    def test_distances_are_those_of_the_block(self):
        """8 bytes into the batch's block; the thread pointer lies behind all of it."""
        self.assertEqual([self.written(self.relocated(kind, "value"))[1] for kind in ("DTPOFF32", "DTPOFF64")], [8, 8])
        [block] = self.show("events", self.folder / "field.jsr", "--filter", "event = tls_block")
        self.assertEqual((block["size"], block["fixed"]), (16, 0))
        near, far = (self.written(self.relocated(kind, "value"))[1] for kind in ("TPOFF32", "TPOFF64"))
        [block] = self.show("events", self.folder / "field.jsr", "--filter", "event = tls_block")
        self.assertEqual(block["fixed"], 1)
        self.assertEqual((near, far), ((block["tp_offset"] + 8) % 2**32, (block["tp_offset"] + 8) % 2**64))

    def test_sizes_of_thread_local_variables(self):
        body = ".text\n.globl main\nmain: movabs $value@SIZE, %rax\n mov $value@SIZE + 2, %ecx\n add %ecx, %eax\n ret\n"
        self.assertEqual(self.same([self.assemble(body + TLS)], flags=("-no-pie",)).status, 18)
        self.must("gcc", "-shared", "-fPIC", self.text("sized.c", "__thread char value[77] = {1};\n"), "-o", "libsized.so")
        code = self.assemble(body + ".type value, @tls_object\n.section .note.GNU-stack,\"\"\n")
        outcome = self.jitscope("run", code, self.folder / "libsized.so")
        self.assertEqual(outcome.status, 77 + 79, outcome)


class Meaningless(Assembled):
    """Errors that name the place, or what the bytes say; never a value that is wrong."""
    def refused(self, path, pattern):
        outcome = self.jitscope("run", path)
        self.assertEqual((outcome.status, outcome.out), (1, b""), outcome)
        self.assertRegex(outcome.err.decode(), pattern)

    KINDS = ("TLSGD", "GOTTPOFF", "GOTPC32_TLSDESC", "DTPOFF32", "DTPOFF64", "TPOFF32", "TPOFF64", *(kind for kind in NUMBERS if "PCRELX" not in kind))

    def test_symbols_that_are_not_thread_local(self):
        """GNU as makes of every symbol of such a relocation one of thread-local storage: the section's serves."""
        for kind in self.KINDS:
            self.refused(self.relocated(kind, ".data+8"), rf"code\.o: \.data\+{AT:#x}: .*R_X86_64_{kind} against a symbol that is not thread-local")
            self.refused(self.relocated(kind, "8"), rf"code\.o: \.data\+{AT:#x}: R_X86_64_{kind} against a symbol that is not thread-local")

    def test_thread_local_symbols_elsewhere(self):
        for kind in ("64", "32", "32S", "16", "8", "PC64", "PC32", "PC16", "PC8", "PLT32", "GOTPCREL", "GOTPCRELX", "REX_GOTPCRELX", "GOT32", "GOT64",
                     "GOTOFF64", "GOTPCREL64", "GOTPLT64", "PLTOFF64", "CODE_4_GOTPCRELX", "CODE_5_GOTPCRELX", "CODE_6_GOTPCRELX"):
            self.refused(self.relocated(kind, "value"), rf"code\.o: \.data\+{AT:#x}: symbol 'value': R_X86_64_{kind} against a thread-local symbol")

    def test_undefined(self):
        undefined = ".section .note.GNU-stack,\"\"\n.type nowhere, @tls_object\n"
        for kind in self.KINDS + ("TLSLD",):
            self.refused(self.relocated(kind, "nowhere", text=undefined), rf"nowhere\n    referred to by .*code\.o: \.data\+{AT:#x} \(R_X86_64_{kind}\)|"
                                                                          rf"code\.o: \.data\+{AT:#x}: symbol 'nowhere': R_X86_64_{kind}: the variable lies in no block")

    def test_weak_and_undefined(self):
        weak = ".section .note.GNU-stack,\"\"\n.weak nowhere\n.type nowhere, @tls_object\n"
        for kind in self.KINDS:
            self.refused(self.relocated(kind, "nowhere", text=weak), rf"code\.o: \.data\+{AT:#x}: symbol 'nowhere': R_X86_64_{kind}.*(nobody defines|lies in no block)")

    def test_types_of_finished_programs(self):
        for kind in ("TLSDESC", "DTPMOD64", "COPY", "GLOB_DAT", "JUMP_SLOT", "RELATIVE", "IRELATIVE"):
            self.refused(self.relocated(kind, "value"), rf"code\.o: \.data\+{AT:#x}: .*R_X86_64_{kind} stands in executables and shared libraries only")

    def move(self, path, before, offset):
        """The one relocation of type BEFORE gets another place."""
        content = bytearray(path.read_bytes())
        [(start, size)] = [(int(words[3], 16), int(words[4], 16)) for line in self.must("readelf", "-SW", path).out.decode().splitlines()
                           for words in [line.split("]")[-1].split()] if len(words) > 5 and words[0] == ".rela.data"]
        self.assertEqual((size, int.from_bytes(content[start + 8:start + 12], "little")), (24, before))
        content[start:start + 8] = (offset % 2**64).to_bytes(8, "little")
        path.write_bytes(content)

    def test_places_at_and_behind_the_end(self):
        """A field may end where its section does."""
        for kind, number, width, symbol in (("TLSGD", 19, 4, "value"), ("GOTTPOFF", 22, 4, "value"), ("TPOFF64", 18, 8, "value"), ("DTPOFF32", 21, 4, "value"),
                                            ("GOTPC32_TLSDESC", 34, 4, "value"), ("TLSDESC_CALL", 35, 2, "value"), ("PC32", 2, 4, "plain"), ("64", 1, 8, "plain")):
            path = self.relocated(kind, symbol)
            [size] = [int(words[4], 16) for line in self.must("readelf", "-SW", path).out.decode().splitlines()
                      for words in [line.split("]")[-1].split()] if len(words) > 5 and words[0] == ".data"]
            for offset in (size - width, size - width + 1, size - 1, size, size + 1, 2**32, 2**63, 2**64 - 8):
                with self.subTest(kind=kind, offset=offset):
                    self.move(path, number, offset)
                    if offset == size - width:
                        self.assertEqual(self.jitscope("link", path).status, 0)
                    else:
                        self.refused(path, rf"code\.o: \.data\+{offset:#x}: symbol '{symbol}': R_X86_64_{kind} .* behind the end of the section")

    def test_beside_an_entry(self):
        """In code these are the last four bytes of an instruction that takes an entry's address, or of one that reads it and has more to follow."""
        read, taken = (range(-8, -3), r"-8 \.\. -4"), (range(-4, -3), "-4")
        for kind, (good, words) in (("TLSGD", taken), ("TLSLD", taken), ("GOTPC32_TLSDESC", taken), ("CODE_5_GOTPC32_TLSDESC", taken), ("GOTTPOFF", read), ("CODE_6_GOTTPOFF", read)):
            for addend in (-2**31, -9, -8, -5, -4, -3, 0, 4, 8):
                with self.subTest(kind=kind, addend=addend):
                    path = self.relocated(kind, f"value{addend:+d}", place=f".skip {AT - 1}")
                    if addend in good:
                        self.assertEqual(self.jitscope("link", path).status, 0)
                    else:
                        self.refused(path, rf"code\.o: \.text\+{AT:#x}: symbol 'value': R_X86_64_{kind} with an addend of {addend}, not {words}: ")

    def test_without_the_instructions_they_stand_in(self):
        """No instruction is rewritten: each is the address of an entry, whatever reads it."""
        body = (".text\n.globl main\nmain: push %rbx\n lea value@tlsgd(%rip), %rbx\n mov %rbx, %rdi\n call __tls_get_addr@PLT\n mov (%rax), %ebx\n"
                " mov value@gottpoff(%rip), %rdx\n mov %fs:0, %rax\n sub (%rax,%rdx), %ebx\n lea value@tlsld(%rip), %rdi\n nop\n call __tls_get_addr@PLT\n"
                " lea value@dtpoff(%rax), %rcx\n add (%rcx), %ebx\n push %rbx\n lea value@tlsdesc(%rip), %rcx\n mov %rcx, %rax\n call *(%rcx)\n"
                " pop %rcx\n mov %fs:0, %rdx\n sub (%rdx,%rax), %ebx\n lea 7(%rbx), %eax\n pop %rbx\n ret\n")
        outcome = self.jitscope("run", self.assemble(body + TLS))
        self.assertEqual(outcome.status, 7, outcome)


class Apx(Assembled):
    LOADS = (".text\n.globl main\nmain:\n mov plain@GOTPCREL(%rip), %r16\n add plain@GOTPCREL(%rip), %r16\n cmp plain@GOTPCREL(%rip), %r25\n"
             " test %r18, plain@GOTPCREL(%rip)\n add plain@GOTPCREL(%rip), %r9\n")

    @unittest.skipUnless(shutil.which("clang-19"), "wants clang 19")
    def test_loads_that_clang_19_marks_as_those_of_rex(self):
        """The bits of their registers' numbers are elsewhere: all but mov stay loads."""
        code = self.assemble(self.LOADS + TLS, compiler="clang-19")
        self.assertIn(b"R_X86_64_REX_GOTPCRELX", self.must("readelf", "-rW", code).out)
        self.must(JITSCOPE, "link", "--base", "0x10000000", "--record", "rex.jsr", code)
        rows = self.show("events", self.folder / "rex.jsr", "--filter", "event = edge_relaxed")
        self.assertEqual([row["bytes_after"].to_bytes(8, "little").hex()[:8] for row in rows][0], "d5488d05")
        self.assertEqual([row["offset"] for row in rows], [4, 0x23])

    @unittest.skipUnless(shutil.which("clang-22"), "wants clang 22")
    def test_what_clang_22_assembles(self):
        code = self.assemble(self.LOADS + """ movq value@GOTTPOFF(%rip), %r16
 addq value@GOTTPOFF(%rip), %r16
 leaq value@tlsdesc(%rip), %r16
 addq value@GOTTPOFF(%rip), %r16, %rax
 {nf} addq %r16, value@GOTTPOFF(%rip), %rax
""" + TLS, compiler="clang-22")
        numbers = {int(line.split()[1], 16) & 0xffffffff for line in self.must("readelf", "-rW", code).out.decode().splitlines() if line.startswith("0000")}
        self.assertEqual(numbers, {42, 43, 44, 45, 50})
        self.must(JITSCOPE, "link", "--base", "0x10000000", "--trace=edges", "--record", "apx.jsr", code)
        self.assertEqual(len(self.show("events", self.folder / "apx.jsr", "--filter", "event = edge_relaxed")), 5)
        [entry, descriptor] = sorted(self.show("tls", self.folder / "apx.jsr"), key=lambda row: row["slot"])
        [start] = [row["address"] for row in self.show("symbols", self.folder / "apx.jsr") if row["name"] == "main"]
        ends = {row["offset"]: start + row["offset"] + 4 + (row["after"] ^ 1 << 31) - (1 << 31)
                for row in self.show("events", self.folder / "apx.jsr", "--filter", "event = fixup and fields ~ got-delta32")}
        self.assertEqual(sorted(ends.values()), [entry["slot"]] * 4 + [descriptor["slot"]])


if __name__ == "__main__":
    unittest.main()
