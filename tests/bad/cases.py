"""The cases of bad_inputs.py: a name, the command line, and the files that it finds."""
import struct

from bad_elf import ALLOC, CIE, EXEC, LTO_NAME, NOBITS, SYMTAB, WRITE, Object, many_sections


class Case:
    def __init__(self, name, *words, files=None, before=(), after=None):
        self.name, self.words, self.files, self.before, self.after = name, words, files or {}, before, after


def of_object(name, thing, *words):
    content = thing.bytes() if isinstance(thing, Object) else thing
    return Case(f"object: {name}", "link", "x.o", *(words or ("--define", "target=0x10000100")), files={"x.o": content})


# --- objects ---

def eh_frame(name, content, relocation=None):
    thing = Object()
    thing.content(".eh_frame", 0, content).section(".eh_frame", sh_size=len(content))
    if relocation is None:
        thing.section(".rela.eh_frame", sh_size=0)
    else:
        thing.rela(".rela.eh_frame", r_offset=relocation)
    return of_object(f"eh_frame, {name}", thing)


def word(*values):
    return struct.pack(f"<{len(values)}I", *values)


OBJECTS = [
    of_object("empty", b""),
    of_object("text", b"hello, world\n"),
    of_object("LLVM bitcode", b"BC\xc0\xde" + bytes(60)),
    of_object("ends inside its header", Object().cut(40)),
    of_object("32-bit", Object().header(**{"class": 1})),
    of_object("big-endian", Object().header(data=2)),
    of_object("another machine", Object().header(e_machine=183)),
    of_object("an executable", Object().header(e_type=2)),
    of_object("a core file", Object().header(e_type=4)),
    of_object("no section table", Object().header(e_shoff=0)),
    of_object("short section headers", Object().header(e_shentsize=40)),
    of_object("section table out of the file", Object().header(e_shoff=0x7fffffffffffffff)),
    of_object("section table cut", Object().header(e_shnum=5000)),
    of_object("section table cut, count in section 0", Object().header(e_shnum=0).section("", sh_size=2 ** 63)),
    of_object("name table that does not exist", Object().header(e_shstrndx=99)),
    of_object("name table out of the file", Object().section(".shstrtab", sh_offset=1 << 40)),
    of_object("section name out of the name table", Object().section(".data", sh_name=5000)),
    of_object("name table without end", Object().section(".data", sh_name=1).section(".shstrtab", sh_size=3)),
    of_object("second symbol table", Object().section(".data", sh_type=SYMTAB, sh_entsize=24, sh_size=0, sh_link=10)),
    of_object("symbol table with odd entries", Object().section(".symtab", sh_entsize=16)),
    of_object("symbol table with an odd size", Object().section(".symtab", sh_size=100)),
    of_object("symbol table out of the file", Object().section(".symtab", sh_offset=1 << 50)),
    of_object("string table that does not exist", Object().section(".symtab", sh_link=77)),
    of_object("string table out of the file", Object().section(".strtab", sh_size=1 << 40)),
    of_object("string table without end", Object().section(".strtab", sh_size=3)),
    of_object("symbol name out of the string table", Object().symbol("main", st_name=9999)),
    of_object("global without a name", Object().symbol("main", st_name=0)),
    of_object("symbol in no section", Object().symbol("main", st_shndx=500)),
    of_object("symbol with an extended index and no table", Object().symbol("main", st_shndx=0xffff)),
    of_object("extended index out of range", many_sections(66000, undefined_index=True)),
    of_object("extended indices too few", Object().section(".data", sh_type=18)),
    of_object("symbol behind its section", Object().symbol("main", st_value=17)),
    of_object("common with an odd alignment", Object().symbol("shared_array", st_value=24)),
    of_object("common that is huge", Object().symbol("shared_array", st_size=1 << 60)),
    of_object("indirect function without a place", Object().symbol("main", st_info=0x1a, st_shndx=0xfff1)),
    of_object("slim LTO object", Object().symbol("shared_array", st_name=LTO_NAME)),
    of_object("thread-local symbol in an ordinary section", Object().symbol("main", st_info=0x16)),
    of_object("ordinary symbol in a thread-local section",
              Object().section(".data", sh_flags=WRITE | ALLOC | 0x400).symbol("main", st_shndx=3)),
    of_object("thread-local symbol, ordinary relocation", Object().symbol("target", st_info=0x16)),
    of_object("thread-local relocation, weak symbol that nobody defines",
              Object().symbol("target", st_info=0x26).rela(r_type=23), "--define", "other=1"),
    of_object("compressed section", Object().section(".data", sh_flags=WRITE | ALLOC | 0x800)),
    of_object("writable and executable", Object().section(".text", sh_flags=WRITE | ALLOC | EXEC)),
    of_object("section type that nobody has defined", Object().section(".data", sh_type=0x70000000)),
    of_object("section type of a program in memory", Object().section(".data", sh_type=0x80000000)),
    of_object("section type of an operating system that wants more than to be loaded",
              Object().section(".data", sh_type=0x60000001, sh_flags=ALLOC | 0x100)),
    of_object("string table in memory", Object().section(".data", sh_type=3)),
    of_object("content out of the file", Object().section(".data", sh_offset=0x7ffffffffffffff0)),
    of_object("content cut", Object().section(".data", sh_size=0x5000)),
    of_object("alignment that is no power of two", Object().section(".data", sh_addralign=12)),
    of_object("alignment larger than memory", Object().section(".data", sh_addralign=1 << 62)),
    of_object("section of more than 4 GiB", Object().section(".bss", sh_size=1 << 40)),
    of_object("sections of more than 4 GiB together",
              Object().section(".bss", sh_size=0xffffffff).section(".data", sh_type=NOBITS, sh_size=0xffffffff)),
    of_object("relocation table with odd entries", Object().section(".rela.text", sh_entsize=16)),
    of_object("relocation table out of the file", Object().section(".rela.text", sh_offset=1 << 41)),
    of_object("relocation table for no section", Object().section(".rela.text", sh_info=400)),
    of_object("relocation table with other symbols", Object().section(".rela.text", sh_link=3)),
    of_object("relocations without addend", Object().section(".rela.text", sh_type=9)),
    of_object("compact relocations", Object().section(".rela.text", sh_type=0x40000014)),
    of_object("relative relocations", Object().section(".rela.text", sh_type=19)),
    of_object("relocations for zero-fill", Object().section(".rela.text", sh_info=4)),
    of_object("relocation of unknown type", Object().rela(r_type=200)),
    of_object("relocation for the loader", Object().rela(r_type=5)),
    of_object("thread-local relocation, ordinary symbol", Object().rela(r_type=23)),
    of_object("relocation against no symbol", Object().rela(r_sym=4096)),
    of_object("relocation against the name of a source file", Object(relocation=(2, 4, 1, -4)).symbol("local", st_info=4)),
    of_object("relocation against a local symbol without a place",
              Object(relocation=(2, 4, 1, -4)).symbol("local", st_shndx=0)),
    of_object("relocation behind its section", Object().rela(r_offset=13)),
    of_object("relocation far behind its section", Object().rela(r_offset=0xfffffffffffffffe)),
    of_object("group that is cut", Object().section(".group", sh_size=6)),
    of_object("group out of the file", Object().section(".group", sh_offset=1 << 33)),
    of_object("group with an impossible signature", Object().section(".group", sh_info=1000)),
    of_object("group with a nameless signature", Object().section(".group", sh_info=3).symbol("main", st_name=0)),
    of_object("group with an impossible member", Object().content(".group", 4, word(99))),
    of_object("group with member 0", Object().content(".group", 4, word(0))),
    Case("object: relocation to a discarded section", "link", "x.o", "y.o", "--define", "target=0x10000100",
         files={"x.o": Object().bytes(), "y.o": Object().symbol("main", st_info=0x22).rela(r_sym=2).bytes()}),
]

# --- an .eh_frame that is not sound: costs its records, not the link (unsound.py) ---

UNSOUND = [
    eh_frame("record longer than its section", CIE.replace(word(20), word(200), 1)),
    eh_frame("ends inside a length", CIE + b"\x10\0"),
    eh_frame("record too short for its id", word(2) + b"\0\0"),
    eh_frame("64-bit length without end", word(0xffffffff, 0xffffffff, 0xffffffff) + bytes(12)),
    eh_frame("CIE of unknown version", CIE[:8] + b"\x09" + CIE[9:24]),
    eh_frame("CIE with an unknown augmentation", CIE[:10] + b"X" + CIE[11:24]),
    eh_frame("CIE whose augmentation does not end", word(8, 0) + b"\x01zRR"),
    eh_frame("FDE without a CIE", CIE + word(12, 3, 0, 0), 32),
    eh_frame("FDE whose CIE lies before the section", CIE + word(12, 0x7fffffff, 0, 0), 32),
    eh_frame("FDE whose CIE is an FDE", CIE + word(12, 28, 0, 0) + word(4, 20), 32),
    eh_frame("FDE without a relocation", CIE + word(12, 28, 0, 0)),
    eh_frame("FDE that ends before its range", CIE + word(8, 28, 0), 32),
    eh_frame("relocation at a CIE pointer", CIE + word(12, 28, 0, 0), 28),
    eh_frame("relocation across two records", CIE + word(12, 28, 0, 0), 22),
]

# --- symbols and fixups ---

FAR = "0x7f0000000000"


def fixup(name, kind, target, addend=-4, offset=2, base="0x10000000"):
    thing = Object(relocation=(offset, kind, 4, addend)).bytes()
    return Case(f"fixup: {name}", "link", "x.o", "--base", base, "--define", f"target={target}", files={"x.o": thing})


def referring(count):
    """An object in which .text refers to each of COUNT undefined symbols."""
    names = [f"missing_{number}" for number in range(count)]
    return "".join(f"extern void {name}(void);\n" for name in names) + \
        "int main(void) {\n" + "".join(f"  {name}();\n" for name in names) + "  return 0;\n}\n"


COMPILE = [("gcc", "-O0", "-fno-asynchronous-unwind-tables", "-c", "x.c", "-o", "x.o")]
FIXUPS = [
    fixup("PC32 too far", 2, FAR),
    fixup("PC32 too far below", 2, 0, base="0x7f0000000000"),
    fixup("32 too large", 10, FAR, 0),
    fixup("32S too large", 11, "0x80000000", 0),
    fixup("16 too large", 12, "0x10000", 0),
    fixup("8 too large", 14, "0x100", 0),
    fixup("PC8 too far", 15, "0x10000200", 0),
    Case("symbols: unresolved", "link", "x.o", files={"x.o": Object().bytes()}),
    Case("symbols: unresolved, referred to by several", "link", "x.o", "y.o", "z.o",
         files={"x.o": Object().bytes(), "y.o": Object().symbol("main", st_info=0x22).bytes(),
                "z.o": Object().symbol("main", st_info=0x22).bytes()}),
    Case("symbols: many unresolved", "link", "x.o", files={"x.c": referring(23)}, before=COMPILE),
    Case("symbols: unresolved at run", "run", "x.o", files={"x.o": Object().bytes()}),
    Case("symbols: defined twice", "link", "x.o", "y.o", files={"x.o": Object().bytes(), "y.o": Object().bytes()}),
    Case("symbols: defined twice, in an archive", "link", "x.o", "--whole-archive", "lib.a",
         files={"x.o": Object().bytes(), "y.o": Object().bytes()}, before=[("ar", "rcs", "lib.a", "y.o")]),
    Case("symbols: no entry", "link", "--entry", "begin", "x.o", "--define", "target=0x10000000",
         files={"x.o": Object().bytes()}),
    Case("symbols: with control bytes", "link", "x.o",
         files={"x.o": Object().content(".strtab", 25, b"\x1b]0;").bytes()}),
]


# --- archives ---

def member(name, content, size=None, end=b"`\n"):
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(content) if size is None else size:<10}".encode() + end
    return head + content + b"\n" * (len(content) % 2)


def index(entries, names, count=None):
    content = struct.pack(">I", len(entries) if count is None else count)
    return member("/", content + b"".join(struct.pack(">I", entry) for entry in entries) + names)


MAIN = Object().bytes()
HELPER = Object().symbol("main", st_info=0x22).bytes()
TARGET = Object().symbol("main", st_info=0x22).symbol("target", st_shndx=1, st_value=8).bytes()


def archive(name, *parts, options=(), magic=b"!<arch>\n"):
    return Case(f"archive: {name}", "link", "x.o", *options, "lib.a", files={"x.o": MAIN, "lib.a": magic + b"".join(parts)})


ALL = ("--whole-archive",)
ARCHIVES = [
    archive("header cut", member("y.o/", TARGET)[:30]),
    archive("size that is no number", member("y.o/", TARGET, size="12x4")),
    archive("size without digits", member("y.o/", TARGET, size="")),
    archive("size that needs 65 bits", member("y.o/", TARGET, size="9999999999"), options=ALL),
    archive("no header where one should be", member("y.o/", TARGET, end=b"xy")),
    archive("second header missing", member("y.o/", TARGET), b"garbage" * 10),
    archive("member cut", member("y.o/", TARGET)[:200]),
    archive("long name out of the table", member("//", b"long_name.o/\n"), member("/500", TARGET)),
    archive("long name without a table", member("/0", TARGET)),
    archive("long name without end", member("//", b"long_name.o/xx"), member("/3", TARGET)),
    archive("BSD name longer than its member", member("#1/9000", TARGET)),
    archive("index without a count", member("/", b"\0\0"), member("y.o/", TARGET)),
    archive("index with more symbols than bytes", index([8], b"target\0", count=70000), member("y.o/", TARGET)),
    archive("index whose names end early", index([100, 100], b"target\0"), member("y.o/", TARGET)),
    archive("index that points behind the end", index([0x7fffffff], b"target\0"), member("y.o/", TARGET)),
    archive("index that points into a member", index([101], b"target\0"), member("y.o/", TARGET)),
    archive("index that points to no definition", index([84], b"target\0\0"), member("y.o/", HELPER)),
    archive("member that is no object", member("readme/", b"just text\n"), options=ALL),
    archive("member that is no object, by index", index([84], b"target\0\0"), member("y.o/", b"just text\n")),
    archive("member for another machine", member("y.o/", Object().header(e_machine=40).bytes())),
    archive("thin, member missing", index([84], b"target\0\0"), member("y.o/", b"", size=1000), magic=b"!<thin>\n"),
    archive("thin, member missing, whole", member("y.o/", b"", size=1000), magic=b"!<thin>\n", options=ALL),
]


# --- scripts, libraries ---

def script(name, text, *words, **files):
    return Case(f"script: {name}", "link", "x.ld", *words, files={"x.ld": text, **{k + ".ld": v for k, v in files.items()}})


SCRIPTS = [
    script("unknown command", "INPUT(x.o)\nSECTIONS { .text : { *(.text) } }\n"),
    script("no parenthesis", "INPUT x.o\n"),
    script("parenthesis without end", "GROUP ( a.o b.o\n"),
    script("AS_NEEDED inside AS_NEEDED", "GROUP ( AS_NEEDED ( AS_NEEDED ( a.so ) ) )\n"),
    script("quote without end", "INPUT ( \"a.o )\n"),
    script("comment without end", "INPUT ( a.o )\n/* and so on\n"),
    script("input missing", "INPUT ( nowhere.o )\n"),
    script("library missing", "INPUT ( -lnowhere_at_all )\n"),
    script("names itself", "INPUT ( x.ld )\n"),
    script("grows without end", "INPUT ( a.ld a.ld a.ld a.ld a.ld a.ld a.ld a.ld )\n",
           **{chr(ord("a") + i): f"INPUT ( {' '.join([chr(ord('b') + i) + '.ld'] * 8)} )\n" for i in range(12)},
           **{chr(ord("a") + 12): "INPUT ( )\n"}),
    script("zero bytes", b"INPUT ( a.o )\n" + b" " * 5000 + b"\0"),
]

SO = [("gcc", "-shared", "-nostdlib", "-fPIC", "y.c", "-o", "y.so")]
LIBRARY = {"x.o": MAIN, "y.c": "int target(void) { return 1; }\n"}


def damage(name, offset, data, size=None):
    def after(folder):
        image = bytearray((folder / "y.so").read_bytes())
        image[offset:offset + len(data)] = data
        (folder / "y.so").write_bytes(bytes(image[:size]))
    return Case(f"library: {name}", "link", "x.o", "y.so", files=LIBRARY, before=SO, after=after)


LIBRARIES = [
    damage("for another machine", 18, struct.pack("<H", 183)),
    damage("cut", 40, struct.pack("<Q", 0x4000), 4000),
    damage("section table out of the file", 40, struct.pack("<Q", 0xffffffffffffffc0)),
    damage("odd section headers", 58, struct.pack("<H", 10)),
    damage("program headers out of the file", 32, struct.pack("<Q", 1 << 60)),
]

# --- arguments ---

ARGUMENTS = [
    Case("arguments: none"),
    Case("arguments: unknown command", "lnk", "x.o"),
    Case("arguments: unknown option", "link", "--entri", "main", "x.o"),
    Case("arguments: option without its value", "link", "x.o", "--entry"),
    Case("arguments: no input", "link"),
    Case("arguments: input missing", "link", "nowhere.o"),
    Case("arguments: input is a folder", "link", "folder", files={"folder": None}),
    Case("arguments: input without end", "link", "/dev/zero"),
    Case("arguments: library missing", "link", "-lnowhere_at_all"),
    Case("arguments: exact library missing", "link", "-l:nowhere.a"),
    Case("arguments: define without an address", "link", "x.o", "--define", "target"),
    Case("arguments: define with a bad address", "link", "x.o", "--define", "target=0xgg"),
    Case("arguments: base is no number", "link", "x.o", "--base", "high"),
    Case("arguments: base is no page", "link", "x.o", "--base", "0x10000001", files={"x.o": MAIN}),
    Case("arguments: base has no room", "link", "x.o", "--base", "0xfffffffffffff000", "--define", "target=0",
         files={"x.o": MAIN}),
    Case("arguments: unknown level", "link", "x.o", "--trace", "all"),
    Case("arguments: program arguments for link", "link", "x.o", "--", "a", files={"x.o": MAIN}),
    Case("arguments: response file missing", "link", "@nowhere"),
    Case("arguments: response file names itself", "link", "@x.rsp", files={"x.rsp": "@x.rsp\n"}),
    Case("arguments: response file with an open quote", "link", "@x.rsp", files={"x.rsp": "'x.o\n"}),
    Case("arguments: response file with zero bytes", "link", "@x.rsp", files={"x.rsp": b"x\0y"}),
    Case("arguments: phony externals at run", "run", "--phony-externals", "x.o", files={"x.o": MAIN}),
    Case("arguments: recording into no folder", "link", "--record", "nowhere/x.jsr", "x.o", files={"x.o": MAIN}),
    Case("arguments: checks missing", "link", "--phony-externals", "--check", "nowhere", "x.o", files={"x.o": MAIN}),
    Case("arguments: check that does not hold", "link", "--phony-externals", "--check", "c", "x.o",
         files={"x.o": MAIN, "c": "main == 0x10000000\nmain == 1\n"}),
    Case("arguments: check that is no expression", "link", "--phony-externals", "--check", "c", "x.o",
         files={"x.o": MAIN, "c": "main ==\n"}),
    Case("arguments: show nothing", "show"),
    Case("arguments: show something unknown", "show", "everything", "x.jsr"),
]

# --- recordings ---

RECORD = [("jitscope", "link", "--phony-externals", "--record", "x.jsr", "x.o")]


def recording(name, offset=0, data=b"", size=None, words=("show", "summary", "x.jsr")):
    def after(folder):
        image = bytearray((folder / "x.jsr").read_bytes())
        image[offset:offset + len(data)] = data
        (folder / "x.jsr").write_bytes(bytes(image[:size]))
    return Case(f"recording: {name}", *words, files={"x.o": MAIN}, before=RECORD, after=after)


RECORDINGS = [
    Case("recording: missing", "show", "summary", "nowhere.jsr"),
    Case("recording: empty", "show", "summary", "x.jsr", files={"x.jsr": b""}),
    Case("recording: is an object", "show", "summary", "x.o", files={"x.o": MAIN + bytes(4096)}),
    recording("cut inside its header", size=40),
    recording("of a later version", 8, word(9)),
    recording("schema out of the file", 16, struct.pack("<Q", 1 << 40)),
    recording("header damaged", 12, word(0x40008)),
    recording("schema damaged", 4200, b"XX"),
    recording("view that does not exist", words=("show", "nothing", "x.jsr")),
    recording("filter with an unknown column", words=("show", "symbols", "x.jsr", "--filter", "colour = red")),
    recording("filter without a value", words=("show", "symbols", "x.jsr", "--filter", "size >")),
    recording("filter with a bad number", words=("show", "symbols", "x.jsr", "--filter", "size > big")),
    recording("place that is no number", words=("show", "symbols", "x.jsr", "--at", "end")),
]

CASES = OBJECTS + FIXUPS + ARCHIVES + SCRIPTS + LIBRARIES + ARGUMENTS + RECORDINGS
