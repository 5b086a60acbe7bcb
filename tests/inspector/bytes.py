"""What the inspector shows of memory: bytes, instructions, names and lines, from the recording alone, against the memory of
the program itself, and against objdump, readelf and addr2line on what `jitscope export --to elf` writes."""
import bisect
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "replay"))
from harness import COMPILERS, JITSCOPE, LIBRARIES, SystemTest, children_of  # noqa: E402
from jsr import Recording  # noqa: E402

BYTES_ROWS = os.path.abspath(os.environ.get("BYTES_ROWS", "build/dev/tests/inspector/bytes_rows"))
RECORD_LINKS = os.path.abspath(os.environ.get("RECORD_LINKS", "build/dev/tests/system/record_links"))
INSPECTED = os.path.abspath(os.environ.get("INSPECTED", "build/dev/tests/system/inspected_program"))
LUA = LIBRARIES / "liblua5.4.a"
ROOT = pathlib.Path(__file__).resolve().parent.parent

# Prints the bytes that a running program has at some of its own symbols.
MAIN = r"""
#include <stdio.h>
#include <math.h>
extern int counter;
int helper(int);
extern char __dso_handle[];
__attribute__((weak)) int absent(int);
int zeros[100];
int data[4] = {1, 2, 3, 4};
int *pointer = &data[2];
int (*printer)(const char *) = puts;
static const char text[] = "a text of the program";
static int hidden(int x) { return x * 3 + counter; }
int (*indirect)(int) = hidden;
static void dump(const char *name, const void *address, unsigned size) {
    printf("%s %p", name, address);
    for (unsigned i = 0; i < size; i++)
        printf(" %02x", ((const unsigned char *)address)[i]);
    printf("\n");
}
int work(int x) {
    if (x > 100)
        return absent ? absent(x) : (int)strtod_like(x);
    return helper(x) + counter + indirect(x);
}
int main(void) {
    dump("work", (void *)work, 120);
    dump("main", (void *)main, 64);
    dump("pointer", &pointer, sizeof pointer);
    dump("printer", &printer, sizeof printer);
    dump("indirect", &indirect, sizeof indirect);
    dump("data", data, sizeof data);
    dump("zeros", zeros, sizeof zeros);
    dump("text", text, sizeof text);
    dump("helper", (void *)helper, 8);
    return work(3) == 4 + 5 + 14 ? 0 : 1;
}
""".replace("(int)strtod_like(x)", "(int)sqrt(x)")
OTHER = "int counter = 5;\nint helper(int x) { return x + 1; }\n"
TEXT = """
int counter_NAME = 3;
__attribute__((noinline)) int add_NAME(int a, int b) { return a + b + counter_NAME; }
int call_NAME(int a) { return add_NAME(a, a); }
"""


class Talk:
    """A program that is asked lines and answers: one line, or rows up to a dot."""

    def __init__(self, *words):
        self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line):
        self.say(line)
        return self.process.stdout.readline()

    def rows(self, line):
        self.say(line)
        return [json.loads(row) for row in iter(self.process.stdout.readline, ".\n")]

    def state(self, link):
        state, reason = self.rows(f"ask {link:x}")
        return state["state"], reason["reason"]

    def children(self):
        return children_of(self.process.pid)

    def end(self):
        self.process.kill()
        self.process.communicate()


class Bytes(SystemTest):
    def ask(self, recording, *questions):
        """The lines of each answer."""
        text = "".join(question + "\n" for question in questions)
        out = self.must(BYTES_ROWS, recording, stdin=text.encode()).out.decode()
        answers = [[]]
        for line in out.splitlines():
            if line == ".":
                answers.append([])
            else:
                answers[-1].append(json.loads(line))
        self.assertEqual(len(answers), len(questions) + 1, out)
        return answers[:-1]

    def read(self, recording, *places):
        """Bytes at (link, address, size)."""
        answers = self.ask(recording, *[f"ask {link:x}" for link, _, _ in places[:1]],
                           *["read {:x} {:x} {:x}".format(*place) for place in places])
        self.assertEqual(answers[0][0], {"state": "ready"}, answers)
        return [bytes.fromhex(answer[0]["bytes"]) for answer in answers[1:]]

    def state(self, recording, link):
        (state, reason), = self.ask(recording, f"ask {link:x}")
        return state["state"], reason["reason"]

    def program(self, compiler, *words, flags=("-O1", "-fPIC", "-g")):
        main = self.compile(MAIN, *flags, compiler=compiler, name="main.o")
        other = self.compile(OTHER, *flags, compiler=compiler, name="other.o")
        recording = self.folder / "r.jsr"
        out = self.must(JITSCOPE, "run", *words, "--record", recording, main, other, "-lm").out
        memory = {}
        for line in out.decode().splitlines():
            name, address, *content = line.split()
            memory[name] = int(address, 16), bytes.fromhex("".join(content))
        return recording, memory

    def links(self, *names, end="end"):
        """A recording of one session with a link for each name."""
        objects = [self.compile(TEXT.replace("NAME", name), "-O1", "-g", name=f"{name}.o") for name in names]
        recording = self.folder / "links.jsr"
        self.must(RECORD_LINKS, recording, end, *objects)
        return recording

    def segments(self, recording, prot=None):
        return [s for s in self.show("segments", recording) if prot is None or s["prot"] == prot]


class Contents(Bytes):
    def test_the_bytes_of_a_process(self):
        """What a program says of its own memory, whatever the level of the recording."""
        for compiler in COMPILERS:
            for level in ("session", "phase", "block", "edges"):
                with self.subTest(compiler=compiler, level=level):
                    recording, memory = self.program(compiler, "--trace", level)
                    places = [(1, address, len(content)) for address, content in memory.values()]
                    self.assertEqual(self.read(recording, *places), [content for _, content in memory.values()])

    def test_the_bytes_of_an_elf_image(self):
        """All segments of Lua, as the exporter writes them from a replay of its own."""
        host = self.compile("../../demo/host.c", "-O2", "-I/usr/include/lua5.4")
        recording = self.folder / "lua.jsr"
        self.must(JITSCOPE, "run", "--record", recording, host, LUA, "-lm", "--", ROOT / "demo" / "demo.lua")
        elf = self.folder / "lua.elf"
        self.must(JITSCOPE, "export", "--to", "elf", recording, "-o", elf)
        image = elf.read_bytes()
        headers = re.findall(r"^ +LOAD +(0x\S+) (0x\S+) \S+ (0x\S+) (0x\S+) ",
                             self.must("readelf", "-lW", elf).out.decode(), re.M)
        self.assertEqual(len(headers), 3)
        for offset, address, content, size in (tuple(int(word, 16) for word in header) for header in headers):
            expected = image[offset:offset + content] + bytes(size - content)
            self.assertEqual(self.read(recording, (1, address, size)), [expected])

    def test_outside(self):
        recording, memory = self.program("gcc")
        segments = self.segments(recording)
        end = max(s["end"] for s in segments)
        first = min(s["address"] for s in segments)
        self.assertEqual(self.read(recording, (1, end - 1, 1), (1, end, 1), (1, end - 1, 2), (1, first - 1, 2),
                                   (1, 0, 1), (1, 2 ** 64 - 1, 1), (1, first, 2 ** 64 - 1), (2, first, 1)),
                         [self.read(recording, (1, end - 1, 1))[0], b"", b"", b"", b"", b"", b"", b""])

    def test_many_links(self):
        recording = self.links("one", "two", "three")
        for link, name in enumerate(("one", "two", "three"), 1):
            symbol = next(s for s in self.show("symbols", recording) if s["name"] == f"counter_{name}")
            self.assertEqual(self.read(recording, (link, symbol["address"], 4)), [b"\3\0\0\0"])
        self.assertEqual(self.state(recording, 4), ("never", "the recording has no such batch"))
        self.assertEqual(self.state(recording, 0), ("never", "it is of no batch"))

    def test_a_link_that_fails(self):
        bad = self.compile("extern int nobody(void);\nint main(void) { return nobody(); }\n", "-O1")
        recording = self.folder / "fails.jsr"
        self.assertEqual(self.jitscope("link", "--record", recording, bad).status, 1)
        self.assertEqual(self.state(recording, 1), ("never", "the link failed before its memory was complete"))

    def test_a_recording_that_does_not_replay(self):
        """Batches before the event that differs are told."""
        recording = Recording(self.links("one", "two"))
        block = next(record for record in recording.named("block_placed") if record.link == 2)
        recording.change(block, "address", block.get("address") + 16)
        recording.save(self.folder / "bad.jsr")
        self.assertEqual(self.state(self.folder / "bad.jsr", 1), ("ready", ""))
        self.assertEqual(self.state(self.folder / "bad.jsr", 2), (
            "never", f"the recording does not replay: diverged at event {block.sequence}, link 2, pass "
            "8 allocate differs: address"))

    def test_a_recording_without_an_end(self):
        recording = self.links("one", "two", end="leave")
        self.may_be_short = True
        self.assertEqual([self.state(recording, link)[0] for link in (1, 2, 3)], ["ready", "ready", "never"])

    def test_a_recording_that_was_cut(self):
        """Without the parts in which inputs are nothing can be linked again; the last of them are the last ones that matter."""
        content = self.links("one", "two").read_bytes()
        for percent in range(99, 50, -1):
            (self.folder / "cut.jsr").write_bytes(content[:len(content) * percent // 100])
            state, reason = self.state(self.folder / "cut.jsr", 1)
            if state != "ready":
                break
        self.assertEqual(state, "never")
        self.assertIn("the recording ends here, because what comes next is missing from the file", reason)

    def test_what_was_linked_before(self):
        """A recording that begins in the middle of a session has no bytes of what was there."""
        middle = ROOT / "replay" / "golden" / "middle.jsr"
        self.assertEqual(self.state(middle, 1), ("never", "it was linked before the recording begins"))
        self.assertEqual(self.state(middle, 3), ("ready", ""))

    def test_a_recording_that_grows(self):
        """A program that still runs: what it has linked so far is known, and what it links then, too."""
        main = self.compile('#include <stdio.h>\n#include <unistd.h>\nint kept = 77;\n'
                            'int main(void) { printf("%p\\n", (void *)&kept); fflush(stdout); pause(); return kept; }\n')
        recording = self.folder / "grows.jsr"
        self.may_be_short = True
        process = subprocess.Popen([JITSCOPE, "run", "--record", recording, main], stdout=subprocess.PIPE)
        try:
            address = int(process.stdout.readline(), 16)
            self.assertEqual(self.read(recording, (1, address, 4)), [b"M\0\0\0"])
            answers = self.ask(recording, "ask 2", "renew", "ask 2", "ask 1", "renew", "ask 1", f"read 1 {address:x} 4")
            self.assertEqual([a[0]["state"] for a in (answers[0], answers[2], answers[3], answers[5])],
                             ["never", "never", "ready", "ready"])
            self.assertEqual(answers[6][0]["bytes"], "4d000000")
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()

    def test_a_recording_that_is_followed(self):
        """The child that replays goes on with each batch, as the program links it; and ends with the program."""
        objects = [self.compile(TEXT.replace("NAME", name), "-O1", "-g", name=f"{name}.o") for name in ("one", "two", "three")]
        bad = self.compile("extern int nobody(void);\nint fails(void) { return nobody(); }\n", "-O1", name="fails.o")
        recording = self.folder / "followed.jsr"
        self.may_be_short = True
        program, reader = Talk(INSPECTED), None
        try:
            program.ask(f"create {recording}")
            program.ask(f"link 1 {objects[0]}")
            reader = Talk(BYTES_ROWS, "--follow", recording)
            states = [reader.state(1), reader.state(2)]
            child = reader.children()
            self.assertEqual(len(child), 1)
            program.ask(f"link 1 {objects[1]}")
            states.append(reader.state(2))  # nobody has looked at the file again
            reader.rows("refresh")
            states.append(reader.state(2))
            program.ask(f"link 1 {bad}")
            program.ask(f"link 1 {objects[2]}")
            reader.rows("refresh")
            states += [reader.state(1), reader.state(2), reader.state(3), reader.state(4), reader.state(5)]
            self.assertEqual(reader.children(), child)
            address = next(s for s in self.show("symbols", recording) if s["name"] == "counter_three")["address"]
            self.assertEqual(reader.rows(f"read 4 {address:x} 4"), [{"bytes": "03000000"}])
            program.process.kill()
            program.process.wait()
            reader.rows("writer-is-gone")
            states.append(reader.state(6))
            self.assertEqual([state for state, _ in states], ["ready", "never", "never", "ready", "ready", "ready",
                                                              "never", "ready", "never", "never"])
            self.assertEqual([reason for state, reason in states if state == "never"],
                             ["it is not linked yet", "it is not linked yet", "the link failed before its memory was complete",
                              "it is not linked yet", "the recording has no such batch"])
            self.assertEqual(reader.children(), [])
        finally:
            program.end()
            if reader:
                reader.end()

    def test_a_working_child_is_no_hindrance(self):
        """Nothing is waited for but by `ask`; and the child ends with who asked."""
        recording, memory = self.program("gcc")
        address = memory["work"][0]
        answers = self.ask(recording, f"read 1 {address:x} 4", f"hex 1 {address:x} 10")
        self.assertEqual(answers[0], [{"bytes": ""}])
        self.assertIn("?? ??", answers[1][0]["hex"])


class Hex(Bytes):
    def rows(self, recording, start, size, *before):
        return self.ask(recording, "ask 1", *before, f"hex 1 {start:x} {size:x}")[-1]

    def bytes_of(self, row):
        """(byte or None, mark) for each of the 16."""
        cells, mark = [], ""
        text = row["hex"]
        self.assertEqual(len(text), 49)
        for i in range(16):
            if text[3 * i] in "[<":
                mark = text[3 * i]
            elif text[3 * i] in "]>":
                mark = ""
            digits = text[3 * i + 1:3 * i + 3]
            cells.append((None if digits in ("  ", "??") else int(digits, 16), mark))
        return cells

    def test_rows(self):
        """Every byte, and which of them relocations wrote, as readelf has them of the object."""
        for compiler in COMPILERS:
            recording, memory = self.program(compiler, flags=("-O1", "-fPIC"))
            address, content = memory["work"]
            rows = self.rows(recording, address, len(content))
            self.assertEqual([r["address"] for r in rows],
                             list(range(address & ~15, address + len(content), 16)))
            cells = [cell for row in rows for cell in self.bytes_of(row)]
            skew = address & 15
            self.assertEqual([byte for byte, _ in cells[skew:skew + len(content)]], list(content))
            self.assertEqual({byte for byte, _ in cells[:skew] + cells[skew + len(content):]} - {None}, set())
            table = self.must("readelf", "-sW", self.folder / "main.o").out.decode()
            start, size = (int(word, base) for word, base in
                           zip(re.search(r"([0-9a-f]{16}) +(\d+) .* work$", table, re.M).groups(), (16, 10)))
            fixed = {at - start + i for at in self.relocations(".text") for i in range(4)}
            marked = {i for i, (_, mark) in enumerate(cells[skew:skew + size]) if mark}
            self.assertLessEqual({i for i in fixed if 0 <= i < size}, marked)
            # Others are what a relaxation rewrote: at most the three bytes before an edge.
            self.assertLessEqual(marked, {i - back for i in fixed for back in range(4)})
            self.assertIn("work", rows[0]["label"].split(" "))
            self.assertIn("helper", " ".join(r["written"] for r in rows))

    def relocations(self, section):
        out = self.must("readelf", "-rW", self.folder / "main.o").out.decode()
        return [int(at, 16) for at in re.findall(r"^([0-9a-f]{16})  ", out.split(f"'.rela{section}'")[1].split("\n\n")[0],
                                                 re.M)]

    def test_text_and_labels(self):
        recording, memory = self.program("gcc")
        address, content = memory["text"]
        rows = self.rows(recording, address & ~15, 64)
        self.assertIn("a text of the program.", "".join(r["text"] for r in rows))
        address, _ = memory["pointer"]
        row, = self.rows(recording, address, 8)
        self.assertIn("pointer64 data+0x8", row["written"])
        self.assertEqual({mark for byte, mark in self.bytes_of(row) if byte is not None}, {"["})

    def test_differences(self):
        """A process whose memory is not what it should be, and one that cannot be read everywhere."""
        recording, memory = self.program("gcc")
        address, content = memory["data"]
        row = self.rows(recording, address, 16, f"poke {address + 4:x} 99", f"poke {address + 5:x} 0",
                        f"hide {address + 8:x} 2")
        cells = [cell for r in row for cell in self.bytes_of(r)][address & 15:][:16]
        expected = [(byte, "") for byte in content]
        expected[4] = (0x99, "<")
        expected[8] = expected[9] = (None, "")
        self.assertEqual(cells, expected)

    def test_one_row_by_itself(self):
        """A row is the same in a large range as alone."""
        recording, memory = self.program("gcc")
        segment = self.segments(recording, "r-x")[0]
        size = segment["end"] - segment["address"]
        rows = self.rows(recording, segment["address"], size)
        self.assertEqual(len(rows), (size + 15) // 16)
        middle = rows[len(rows) // 2]
        self.assertEqual(self.rows(recording, middle["address"], 16), [middle])


class Code(Bytes):
    def rows(self, recording, link, start, size, how="code"):
        return self.ask(recording, f"ask {link:x}", f"lines {link:x}", f"{how} {link:x} {start:x} {size:x}")[-1]

    def objdump(self, recording):
        """address -> (bytes, text), and address -> label."""
        elf = self.folder / "r.elf"
        self.must(JITSCOPE, "export", "--to", "elf", recording, "-o", elf)
        out = self.must("objdump", "-dwz", elf).out.decode(errors="replace")
        lines = re.findall(r"^ *([0-9a-f]+):\t((?:[0-9a-f]{2} )+) *(?:\t(.*))?$", out, re.M)
        labels = dict((int(at, 16), name) for at, name in re.findall(r"^([0-9a-f]+) <(.*)>:$", out, re.M))
        return {int(at, 16): (code.strip(), text) for at, code, text in lines}, labels

    def check(self, recording, link, most_odd=0):
        instructions, labels = self.objdump(recording)
        segment = next(s for s in self.segments(recording, "r-x") if s["link"] == link)
        rows = self.rows(recording, link, segment["address"], segment["end"] - segment["address"])
        shown = {r["address"]: r for r in rows if r["bytes"] is not None}
        names = {r["address"]: r["instruction"].removesuffix(":").split(", ") for r in rows if r["bytes"] is None}
        self.assertGreater(len(instructions), 20)
        self.assertEqual({at for at in instructions if at not in shown}, set())
        # Padding between blocks has no section in the ELF file.
        self.assertEqual({r["instruction"] for at, r in shown.items() if at not in instructions} - {"int3"}, set())
        self.assertEqual({at: code for at, (code, _) in instructions.items()},
                         {at: shown[at]["bytes"] for at in instructions})
        self.assertEqual({at: name for at, name in labels.items() if name not in names.get(at, [])}, {})
        self.assertGreater(self.check_names(instructions, shown), 5)
        return shown

    def check_names(self, instructions, shown):
        """What is inside of a symbol is called by it; where several are at one place by any of them."""
        symbols = []
        for line in self.must("readelf", "-sW", self.folder / "r.elf").out.decode(errors="replace").splitlines():
            cells = line.split(maxsplit=7)
            if len(cells) == 8 and re.fullmatch("[0-9a-f]{16}", cells[1]) and cells[6] != "UND":
                symbols.append((int(cells[1], 16), max(int(cells[2], 0), 1), cells[7]))
        symbols.sort()
        starts = [start for start, _, _ in symbols]
        named = 0
        for at, (_, text) in instructions.items():
            target = re.search(r"\b([0-9a-f]+) <\S+>$", text)
            if not target:
                continue
            target = int(target[1], 16)
            near = symbols[max(bisect.bisect_right(starts, target) - 20, 0):bisect.bisect_right(starts, target)]
            around = {f"{name}+{hex(target - start)}".removesuffix("+0x0") for start, size, name in near
                      if 0 <= target - start < size}
            found = re.search(r"<(\S+)>$", shown[at]["instruction"])
            if around:
                self.assertTrue(found and found[1] in around, (hex(at), text, shown[at]["instruction"], around))
                named += 1
        return named

    def test_a_program(self):
        for compiler in COMPILERS:
            for flags in (("-O0", "-fPIC"), ("-O2", "-fPIC"), ("-O2", "-fno-pic"), ("-O1", "-ffunction-sections")):
                with self.subTest(compiler=compiler, flags=flags):
                    recording, _ = self.program(compiler, flags=flags)
                    self.check(recording, 1)

    def test_lua(self):
        """45,000 instructions, functions longer than what is decoded at once."""
        host = self.compile("../../demo/host.c", "-O2", "-I/usr/include/lua5.4")
        recording = self.folder / "lua.jsr"
        self.must(JITSCOPE, "run", "--record", recording, host, LUA, "-lm", "--", ROOT / "demo" / "demo.lua")
        shown = self.check(recording, 1)
        # In the longest function, rows are the same when one has not come from its beginning.
        longest = max((s for s in self.show("symbols", recording) if s["kind"] == "function"), key=lambda s: s["size"])
        self.assertGreater(longest["size"], 3 * 4096)
        for part in range(1, 8):
            start = longest["address"] + longest["size"] * part // 8
            rows = [r for r in self.rows(recording, 1, start, 256, "within") if r["bytes"] is not None]
            first = max(at for at in shown if at <= start)
            self.assertEqual(rows, [shown[at] for at in sorted(shown) if first <= at < start + 256])

    def test_names_of_what_the_linker_made(self):
        recording, memory = self.program("gcc", flags=("-O1", "-fPIC", "-fno-plt"))
        slots = {r["symbol"]: r["slot"] for r in self.show("got", recording)}
        for row in self.show("plt", recording):
            answers = self.ask(recording, "ask 1", f"name 1 {row['stub']:x}", f"code 1 {row['stub']:x} 8",
                               f"name 1 {slots[row['symbol']]:x}")
            self.assertEqual(answers[1], [{"name": row["symbol"] + "@plt"}])
            self.assertEqual(answers[3], [{"name": row["symbol"] + "@got"}])
            label, jump = answers[2][:2]
            self.assertEqual(label["instruction"], row["symbol"] + "@plt:")
            self.assertTrue(jump["instruction"].endswith(f"# {row['slot']:#x} <{row['symbol']}@got>"), jump)

    def test_edges_and_relaxations(self):
        recording, memory = self.program("gcc", "--trace", "edges", flags=("-O1", "-fPIC"))
        rows = self.rows(recording, 1, *(memory["work"][0], len(memory["work"][1])))
        text = "\n".join(r["edges"] or "" for r in rows)
        self.assertIn("branch32 helper-0x4", text)
        self.assertIn("was got-rex-load32, near-load32 counter-0x4", text)
        fixups = [r for r in self.show("edges", recording)
                  if memory["work"][0] <= r["place"] < memory["work"][0] + len(memory["work"][1])]
        self.assertEqual(sum(len(re.findall(r"(?<!was )\b(?:branch|delta|got|near|pointer)[\w-]+ ", r["edges"] or ""))
                             for r in rows), len(fixups))

    def test_lines(self):
        """Each line that is shown is addr2line's of the exported file."""
        for compiler in COMPILERS:
            recording, memory = self.program(compiler, flags=("-O1", "-fPIC", "-g"))
            elf = self.folder / "r.elf"
            self.must(JITSCOPE, "export", "--to", "elf", recording, "-o", elf)
            segment = self.segments(recording, "r-x")[0]
            rows = self.rows(recording, 1, segment["address"], segment["end"] - segment["address"])
            lines = {r["address"]: r["source"] for r in rows if r["source"]}
            self.assertGreater(len(lines), 15)
            out = self.must("addr2line", "-e", elf, *[hex(at) for at in lines]).out.decode().splitlines()
            told = [re.sub(r" \(discriminator \d+\)", "", line.rsplit("/", 1)[-1]) for line in out]
            self.assertEqual(list(lines.values()), told)

    def test_without_lines(self):
        recording, memory = self.program("gcc", flags=("-O1", "-fPIC"))
        (_, _), (state, reason) = self.ask(recording, "ask 1", "lines 1")
        self.assertEqual(state["state"], "ready")
        rows = self.rows(recording, 1, memory["work"][0], 32)
        self.assertEqual({r["source"] for r in rows} - {None}, {""})

    def test_intel(self):
        recording, memory = self.program("gcc")
        rows = self.rows(recording, 1, memory["main"][0], 64, "intel")
        self.assertTrue(any("ptr [rip" in r["instruction"] or "rsp, " in r["instruction"] for r in rows), rows)
        self.assertFalse(any("%" in r["instruction"] for r in rows))

    def test_not_code(self):
        """Bytes that are no instruction, and some that cannot be read."""
        recording, memory = self.program("gcc")
        address, _ = memory["work"]
        rows = self.ask(recording, "ask 1", f"poke {address:x} 6", f"hide {address + 1:x} 4",
                        f"code 1 {address:x} 10")[-1]
        told = [(r["address"] - address, r["instruction"]) for r in rows if r["bytes"] is not None]
        self.assertEqual(told[:2], [(0, "(no instruction)"), (1, "(not known)")])
        # It is looked at again at each multiple of 16.
        following = 16 - address % 16 or 16
        self.assertEqual(told[2][0], following)
        self.assertEqual(told[2][1] == "(not known)", following < 5)

    def test_hostile_names(self):
        plain = self.compile("int evil(void) { return 1; }\nint main(void) { return evil(); }\n", "-O0")
        subprocess.run(["objcopy", "--redefine-syms", "/dev/stdin", plain],
                       input=b"evil " + b"evil\x1b[31m\xff%s" + b"x" * 70000 + b"\n", check=True)
        recording = self.folder / "hostile.jsr"
        self.must(JITSCOPE, "link", "--record", recording, plain)
        segment = self.segments(recording, "r-x")[0]
        rows = self.rows(recording, 1, segment["address"], segment["end"] - segment["address"])
        label = next(r["instruction"] for r in rows if r["bytes"] is None)
        self.assertEqual(label[:14], "evil\x1b[31m\ufffd%sxx")
        self.assertLess(len(label), 5000)


THROWS = """
#include <cstdio>
#include <string>
struct holder { std::string text; ~holder(); };
holder::~holder() { puts("gone"); }
int thrower(int n) { holder h; if (n > 3) throw n; return n + (int)h.text.size(); }
extern "C" int varying(int a, int b, int c, int d, int e) { volatile char x[a + 1]; x[0] = b; return x[0] + c * d + e; }
extern "C" double many(double *p, int n) {
    double s = 0;
    for (int i = 0; i < n; i++) s += p[i] * thrower(i % 3) + varying(i, 1, 2, 3, 4);
    return s;
}
int main(int argc, char **) {
    double values[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    try { return thrower(argc + 5) + (int)many(values, 8); } catch (int n) { printf("%d\\n", n); }
    return 0;
}
"""


class Frames(Bytes):
    def cpp(self, compiler, *flags):
        path = self.text("throws.cpp", THROWS)
        target = self.folder / "throws.o"
        self.must({"gcc": "g++", "clang": "clang++"}[compiler], *flags, "-c", path, "-o", target)
        recording = self.folder / "throws.jsr"
        self.must(JITSCOPE, "run", "--record", recording, target, "-lstdc++")
        return recording

    def readelf(self, recording):
        """start of a function -> (end, augmentation, rows of cells), as readelf reads the exported .eh_frame."""
        elf = self.folder / "frames.elf"
        self.must(JITSCOPE, "export", "--to", "elf", recording, "-o", elf)
        out = self.must("readelf", "--debug-dump=frames-interp", elf).out.decode()
        out = out.split("Contents of the .eh_frame section:")[1].split("Contents of the .debug_frame")[0]
        cies, frames = {}, {}
        for part in out.strip().split("\n\n"):
            lines = part.splitlines()
            cie = re.match(r"([0-9a-f]+) \S+ \S+ CIE \"(\w*)\"", lines[0])
            fde = re.match(r"\S+ \S+ \S+ FDE cie=([0-9a-f]+) pc=([0-9a-f]+)\.\.([0-9a-f]+)", lines[0])
            if cie:
                cies[cie[1]] = cie[2]
            if fde:
                names = lines[1].split()[2:]
                rows = [(int(cells[0], 16), cells[1], {name: rule for name, rule in zip(names, cells[2:]) if rule != "u"})
                        for cells in (line.split() for line in lines[2:])]
                frames[int(fde[2], 16)] = int(fde[3], 16), cies[fde[1]], rows
        return frames

    def test_rows_are_readelfs(self):
        for compiler in COMPILERS:
            for flags in (("-O0", "-fPIC"), ("-O2", "-fPIC"), ("-Os", "-fPIC", "-fno-omit-frame-pointer")):
                with self.subTest(compiler=compiler, flags=flags):
                    recording = self.cpp(compiler, *flags)
                    frames = self.readelf(recording)
                    records = [r for r in self.show("eh-frames", recording) if r["record"] == "FDE"]
                    # The exported section ends where the first of the linker's own begins.
                    self.assertGreater(len(frames), 4)
                    questions = [f"{how} 1 {r['address']:x}" for r in records for how in ("facts", "rules")]
                    answers = self.ask(recording, "ask 1", *questions)[1:]
                    for record, facts, rules in zip(records, answers[0::2], answers[1::2]):
                        self.check_frame(record, facts, rules, frames)

    def check_frame(self, record, facts, rules, frames):
        named = {fact["what"]: fact for fact in facts}
        self.assertEqual((named["function"]["address"], named["end"]["address"]),
                         (record["function"], record["function"] + record["length"]))
        self.assertEqual(named["function"]["value"].split(",")[0], record["name"])
        self.assertEqual(named["CIE"]["address"], record["cie"])
        if record["function"] not in frames:
            return
        end, augmentation, rows = frames[record["function"]]
        self.assertEqual(named["end"]["address"], end)
        self.assertEqual(named["augmentation"]["value"], augmentation)
        self.assertEqual([(r["address"], r["cfa"], dict(cell.split("=") for cell in r["registers"].split()))
                          for r in rules], rows)
        self.assertEqual([r["end"] for r in rules], [r["address"] for r in rules[1:]] + [end])

    def test_personality_and_lsda(self):
        for compiler in COMPILERS:
            recording = self.cpp(compiler, "-O1", "-fPIC")
            record = next(r for r in self.show("eh-frames", recording) if r["name"] == "_Z7throweri")
            facts = {f["what"]: f for f in self.ask(recording, "ask 1", f"facts 1 {record['address']:x}")[1]}
            self.assertEqual(facts["personality"]["value"], "__gxx_personality_v0")
            symbol = next(s for s in self.show("symbols", recording) if s["name"] == "__gxx_personality_v0")
            self.assertEqual(facts["personality"]["address"], symbol["address"])
            table = next(s for s in self.show("sections", recording) if s["name"].startswith(".gcc_except_table"))
            self.assertLess(facts["LSDA"]["address"] - table["address"], table["size"])
            self.assertTrue(facts["LSDA"]["value"].startswith((".gcc_except_table", "GCC_except_table")), facts)

    def test_damage(self):
        """Records that are written over say what is wrong with them."""
        recording = self.cpp("gcc", "-O1", "-fPIC")
        record = next(r for r in self.show("eh-frames", recording) if r["name"] == "_Z7throweri")
        at = record["address"]
        for pokes, damage in (([(at, 0xf0), (at + 1, 0xff), (at + 2, 0xff)], "its length makes no sense"),
                              ([(at, 3)], "it is too short for its own fields"),
                              ([(at + 4, 1)], "its CIE is not sound")):
            facts = self.ask(recording, "ask 1", *[f"poke {place:x} {byte:x}" for place, byte in pokes],
                             f"facts 1 {at:x}", f"rules 1 {at:x}")[-2]
            self.assertEqual(facts[-1]["what"], "damage")
            self.assertEqual(facts[-1]["value"], damage)
        rules = self.ask(recording, "ask 1", f"poke {at + 24:x} 3f", f"rules 1 {at:x}")[-1]
        self.assertEqual(rules[-1]["registers"], "an instruction makes no sense")

    def test_damage_anywhere(self):
        """Each byte of a record and of its CIE, written over: something is said, and nothing breaks."""
        recording = self.cpp("gcc", "-O1", "-fPIC")
        record = next(r for r in self.show("eh-frames", recording) if r["name"] == "_Z7throweri")
        cie = next(r for r in self.show("eh-frames", recording) if r["address"] == record["cie"])
        questions = ["ask 1"]
        for place in (*range(record["address"], record["address"] + record["size"]),
                      *range(cie["address"], cie["address"] + cie["size"])):
            for byte in (0, 1, 0x7f, 0x80, 0xff):
                questions += [f"poke {place:x} {byte:x}", f"facts 1 {record['address']:x}", f"rules 1 {record['address']:x}",
                              f"facts 1 {cie['address']:x}", f"rules 1 {cie['address']:x}", "restore"]
        answers = self.ask(recording, *questions)[1:]
        facts = [answer for i, answer in enumerate(answers) if i % 6 in (1, 3)]
        self.assertGreater(len(facts), 500)
        self.assertTrue(all(facts))
        damages = {fact["value"] for told in facts for fact in told if fact["what"] == "damage"}
        self.assertGreater(len(damages), 5, damages)


class Arguments(Bytes):
    def arguments(self, recording, action):
        return self.ask(recording, "ask 1", f"arguments 1 {action:x}")[1]

    def actions(self, recording):
        return {r["function"]: r for r in self.show("actions", recording) if r["link"] == 1}

    def test_initialisers(self):
        source = "".join(f'__attribute__((constructor({200 + i}))) static void begin_{i}(void) {{ {effect} }}\n'
                         f'__attribute__((destructor({200 + i}))) static void end_{i}(void) {{ {effect} }}\n'
                         for i, effect in ((2, "sum += 1;"), (0, "sum += 2;"), (1, "sum += 3;")))
        source += "".join(f"__attribute__((constructor)) static void {name}(void) {{ sum += 0; }}\n"
                          for name in ("first", "second"))
        main = self.compile("static volatile int sum;\n" + source + "int main(void) { return sum != 6; }\n", "-O1", "-fPIC")
        recording = self.folder / "r.jsr"
        self.must(JITSCOPE, "run", "--record", recording, main)
        begun, ended = self.functions(recording, "run-initialisers"), self.functions(recording, "run-finalisers")
        order = ["begin_0", "begin_1", "begin_2", "first", "second"]
        self.assertEqual([(half, name) for half, name, _ in begun], [("finalize", name) for name in order])
        self.assertEqual([(half, name) for half, name, _ in ended],
                         [("deallocate", f"end_{i}") for i in range(3)])
        symbols = {s["name"]: s["address"] for s in self.show("symbols", recording)}
        self.assertEqual([address for _, _, address in begun], [symbols[name] for name in order])

    def functions(self, recording, function):
        """What all actions of the name run: half, name, address, in the order in which the actions are attached."""
        actions = [r["action"] for r in self.show("actions", recording) if r["link"] == 1 and r["function"] == function]
        return [(r["half"], r["value"], r["address"]) for action in actions for r in self.arguments(recording, action)
                if r["what"] == "function"]

    def test_registrations(self):
        recording, memory = self.program("gcc")
        actions = self.actions(recording)
        frames = self.arguments(recording, actions["register-eh-frames"]["action"])
        section = next(s for s in self.show("sections", recording) if s["name"] == ".eh_frame")
        for half in ("finalize", "deallocate"):
            told = {r["what"]: r for r in frames if r["half"] == half}
            self.assertEqual(told["section"]["address"], section["address"])
            self.assertEqual(int(told["bytes"]["value"]), actions["register-eh-frames"]["size"])
        image = {r["what"]: r for r in self.arguments(recording, actions["register-debug-image"]["action"])
                 if r["half"] == "finalize"}
        self.assertEqual(image["batch"]["address"], min(s["address"] for s in self.segments(recording)))
        self.assertEqual(int(image["segments"]["value"]), len(self.segments(recording)))
        self.assertEqual(int(image["units"]["value"]), 2)
        elf = self.folder / "r.elf"
        self.must(JITSCOPE, "export", "--to", "elf", recording, "-o", elf)
        sizes = {name: int(size, 16) for name, size in
                 re.findall(r"\] (\.debug_\w+) +\S+ +\S+ \S+ (\S+)", self.must("readelf", "-SW", elf).out.decode())}
        self.assertEqual({name: int(r["value"]) for name, r in image.items() if name.startswith(".debug_")}, sizes)

    def test_an_action_of_the_programs_own(self):
        recording = ROOT / "replay" / "golden" / "passes.jsr"
        own = self.arguments(recording, self.actions(recording)["count"]["action"])
        self.assertEqual([(r["half"], r["what"], r["value"]) for r in own],
                         [("finalize", "runs", "count"), ("finalize", "bytes", "3"), ("finalize", "+0x0", "6f 6e 65"),
                          ("deallocate", "runs", "count"), ("deallocate", "bytes", "3"),
                          ("deallocate", "+0x0", "74 77 6f")])


class Differences(Bytes):
    def compare(self, recording, start, size, *before):
        *rows, counts = self.ask(recording, "ask 1", *before, f"compare 1 {start:x} {size:x}")[-1]
        return rows, counts

    def test_code_data_and_slots(self):
        recording, memory = self.program("gcc")
        (data, content), (work, code), (printer, _) = memory["data"], memory["work"], memory["printer"]
        pokes = {data + 1: 0xaa, data + 4: 0xbb, data + 15: 0xcc, work + 2: code[2] ^ 0xff,
                 **{printer + i: byte for i, byte in enumerate(memory["main"][0].to_bytes(8, "little"))}}
        start = min(s["address"] for s in self.segments(recording))
        rows = []
        for segment in self.segments(recording):
            told, counts = self.compare(recording, segment["address"], segment["end"] - segment["address"],
                                        *[f"poke {at:x} {byte:x}" for at, byte in pokes.items()])
            rows += told
            self.assertEqual(counts, {"alarming": int(segment["prot"] == "r-x"), "unread": 0})
        told = {row["where"]: row for row in rows}
        self.assertGreater(start, 0)
        self.assertEqual(told["work+0x2"]["what"], "differs")
        self.assertEqual((told["work+0x2"]["expected"], told["work+0x2"]["actual"]),
                         (f"{code[2]:02x}", f"{code[2] ^ 0xff:02x}"))
        self.assertEqual((told["data+0x1"]["what"], told["data+0x1"]["bytes"]), ("changed since link", 4))
        self.assertEqual(told["data+0xf"]["bytes"], 1)
        slot = next(row for where, row in told.items() if where.startswith("printer"))
        self.assertEqual(slot["leads_to"], "main")
        self.assertEqual(len(rows), 4)

    def test_nothing_differs(self):
        recording, _ = self.program("gcc")
        segment = self.segments(recording, "rw-")[0]
        self.assertEqual(self.compare(recording, segment["address"], segment["end"] - segment["address"],
                                      f"hide {segment['address']:x} 3"), ([], {"alarming": 0, "unread": 3}))


if __name__ == "__main__":
    unittest.main()
