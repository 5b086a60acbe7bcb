"""jitscope why: what it says of bytes, symbols, table entries and discards, against the inputs and the memory itself."""
import json
import os
import re
import unittest

from harness import COMPILERS, JITSCOPE, SystemTest, numbers

LINKS = os.environ.get("LINKS", "build/dev/tests/system/system-links")

# Prints the bytes that a running program has at some of its own symbols.
MAIN = r"""
#include <stdio.h>
extern int counter;
extern int late(int);
extern char **environ;
int helper(int);
__attribute__((weak)) int pick(void) { return 1; }
int zeros[100];
int data[4] = {1, 2, 3, 4};
int *pointer = &data[2];
int (*printer)(const char *) = puts;
static void dump(const char *name, const void *address, unsigned size) {
    printf("%s %p", name, address);
    for (unsigned i = 0; i < size; i++)
        printf(" %02x", ((const unsigned char *)address)[i]);
    printf("\n");
}
int work(int x) { return helper(x) + counter + late(x) + pick() + !environ; }
int main(void) {
    dump("work", (void *)work, 96);
    dump("pointer", &pointer, sizeof pointer);
    dump("printer", &printer, sizeof printer);
    dump("data", data, sizeof data);
    dump("zeros", zeros, 8);
    dump("helper", (void *)helper, 8);
    printf("puts %p\n", (void *)puts);
    return work(3) == 17 ? 0 : 1;
}
"""
OTHER = "int counter = 5;\nint pick(void) { return 2; }\nint helper(int x) { return x + 1; }\n"
LATE = "extern int later(int);\nint late(int x) { return later(x); }\n"
LATER = "int later(int x) { return 2 * x; }\n"
NEVER = "int never(int x) { return x; }\n"


class Why(SystemTest):
    def why(self, recording, question, *words):
        """The steps of all chains."""
        out = self.must(JITSCOPE, "why", "--json", *words, recording, question).out
        return [numbers(step) for step in json.loads(out)]

    def answers(self, steps):
        return [step for step in steps if step["what"] == "answer"]

    def one(self, steps, what, **fields):
        """The only step of a kind (with these fields)."""
        found = [s for s in steps if s["what"] == what and all(s[key] == value for key, value in fields.items())]
        self.assertEqual(len(found), 1, (what, fields, steps))
        return found[0]

    def unknown(self, recording, question):
        outcome = self.jitscope("why", recording, question)
        self.assertEqual((outcome.status, outcome.out), (1, b""), outcome)
        return outcome.err.decode()

    def content(self, path, section):
        """What an object holds, as objdump prints it."""
        out = self.must("objdump", "-s", "-j", section, path).out.decode()
        lines = re.findall(r"^ [0-9a-f]+ ((?:[0-9a-f]+ ){1,4})", out, re.M)
        return bytes.fromhex("".join(lines).replace(" ", ""))

    def relocations(self, path, section):
        """(offset, type, symbol, addend) as readelf prints them."""
        out = self.must("readelf", "-rW", path).out.decode().split(f"'.rela{section}'")[1].split("\n\n")[0]
        pattern = r"^([0-9a-f]{16})  [0-9a-f]+ (\S+) +[0-9a-f]+ (\S+) ([+-]) ([0-9a-f]+)$"
        return [(int(at, 16), kind, name, int(sign + addend, 16))
                for at, kind, name, sign, addend in re.findall(pattern, out, re.M)]

    def symbols(self, path):
        """name -> (value, size, section index) as readelf prints them."""
        out = self.must("readelf", "-sW", path).out.decode()
        rows = re.findall(r"^ +\d+: ([0-9a-f]{16}) +(\d+) \S+ +\S+ +\S+ +(\S+) (\S+)$", out, re.M)
        return {name: (int(value, 16), int(size), index) for value, size, index, name in rows}


class Program(Why):
    """One program per compiler that tells its own bytes, recorded at level edges."""

    def program(self, compiler, *words, flags=("-O1", "-fPIC")):
        self.main = self.compile(MAIN, *flags, compiler=compiler, name="main.o")
        self.other = self.compile(OTHER, *flags, compiler=compiler, name="other.o")
        members = [self.compile(text, *flags, compiler=compiler, name=name)
                   for name, text in (("late.o", LATE), ("later.o", LATER), ("never.o", NEVER))]
        self.library = self.archive("liblate.a", *members)
        self.recording = self.folder / "r.jsr"
        out = self.must(JITSCOPE, "run", *words, "--record", self.recording, self.main, self.other, self.library).out
        self.memory = {}
        for line in out.decode().splitlines():
            name, address, *content = line.split()
            self.memory[name] = int(address, 16), bytes.fromhex("".join(content))

    def each(self):
        for compiler in COMPILERS:
            self.program(compiler, "--trace", "edges")
            yield compiler

    def check_byte(self, name, index, content, start):
        """One byte of memory against the recording's story of it; returns where it came from."""
        address, memory = self.memory[name]
        answer = self.answers(self.why(self.recording, hex(address + index)))[0]
        self.assertEqual(answer["address"], address + index)
        if answer["origin"] == "input":
            self.assertEqual(memory[index], content[start + index], answer)
        else:
            self.assertEqual(memory[index], answer["value"], answer)
        return answer["origin"]

    def test_every_byte(self):
        """What wrote a byte of code is right for each: content of the object, a fixup, or a relaxation."""
        for _ in self.each():
            start, size, _ = self.symbols(self.main)["work"]
            content = self.content(self.main, ".text")
            self.assertGreaterEqual(len(self.memory["work"][1]), size)
            origins = [self.check_byte("work", i, content, start) for i in range(size)]
            # Every relocation of the object covers four bytes, and nothing else is a fixup's.
            covered = {at + i for at, *_ in self.relocations(self.main, ".text") for i in range(4)}
            self.assertEqual({i for i, origin in enumerate(origins) if origin == "fixup"},
                             {i for i in range(size) if start + i in covered})
            self.assertIn("relaxation", origins)
            self.assertEqual({self.check_byte("zeros", i, b"", 0) for i in range(8)}, {"zero-fill"})
            self.assertEqual({self.check_byte("pointer", i, b"", 0) for i in range(8)}, {"fixup"})

    def test_a_fixup(self):
        """Kind, addend, addresses and bytes of a call, computed again from the objects and the memory."""
        for _ in self.each():
            start = self.symbols(self.main)["work"][0]
            at, kind, name, addend = next(r for r in self.relocations(self.main, ".text") if r[2] == "helper")
            address = self.memory["work"][0] + at - start
            steps = self.why(self.recording, hex(address))
            fixup = self.one(steps, "fixup")
            self.assertEqual(kind, "R_X86_64_PLT32")
            self.assertEqual((fixup["kind"], fixup["addend"]), ("branch32", addend))
            self.assertEqual(fixup["address"], self.memory["helper"][0])
            before = int.from_bytes(self.content(self.main, ".text")[at:at + 4], "little")
            after = int.from_bytes(self.memory["work"][1][at - start:at - start + 4], "little")
            self.assertEqual((fixup["before"], fixup["after"]), (before, after))
            self.assertEqual(after, (self.memory["helper"][0] + addend - address) & 0xffffffff)
            self.assertIn(f"S + A - P with S = {hex(self.memory['helper'][0])} (helper), A = {addend}, P = {hex(address)}",
                          fixup["text"])
            self.assertIn(str(self.other), self.one(steps, "symbol", name="helper")["text"])
            self.assertEqual(self.one(steps, "edge")["offset"], at)
            self.assertEqual(self.one(steps, "input", name=str(self.main))["size"], self.main.stat().st_size)

    def test_steps_are_events(self):
        """Each numbered step is the event of that number, in order, with the same fields."""
        for _ in self.each():
            events = {e["sequence"]: e for e in self.show("events", self.recording)}
            for question in ("work+3", "puts", "got:counter", "plt:puts", "discard:pick", "late", "zeros",
                             hex(self.memory["printer"][0])):
                steps = [s for s in self.why(self.recording, question) if s["sequence"] is not None]
                self.assertGreater(len(steps), 2, question)
                self.assertEqual([s["sequence"] for s in steps], sorted({s["sequence"] for s in steps}))
                for step in steps:
                    event = dict(events[step["sequence"]])
                    self.assertEqual(step["what"], event.pop("event"))
                    self.assertEqual({key: step[key] for key in event}, event)
                lines = self.must(JITSCOPE, "why", self.recording, question).out.decode().splitlines()
                self.assertEqual([int(n) for n in re.findall(r"^ +#(\d+)  ", "\n".join(lines), re.M)],
                                 [s["sequence"] for s in steps])

    def test_the_reading_end(self):
        """A symbol's chain tells its input, placement, protection and who was told of it."""
        for _ in self.each():
            steps = self.why(self.recording, "work")
            self.assertEqual(self.answers(steps)[0]["address"], self.memory["work"][0])
            kinds = [s["what"] for s in steps]
            order = ["input", "section", "block", "symbol", "segment", "block_placed", "symbol_bound", "protect",
                     "registration"]
            self.assertEqual([k for k in dict.fromkeys(kinds) if k in order], order)
            self.assertEqual(self.one(steps, "protect")["prot"], "r-x")

    def test_a_member_and_who_pulled_it(self):
        """later.o is there because late.o refers to it, which is there because main.o does."""
        for _ in self.each():
            steps = self.why(self.recording, "later")
            self.assertEqual(self.one(steps, "input", name=f"{self.library}(later.o)")["pulled_by"], "later")
            self.assertEqual(self.one(steps, "input", name=f"{self.library}(late.o)")["pulled_by"], "late")
            self.one(steps, "input", name=str(self.library))
            self.one(steps, "input", name=str(self.main))
            self.assertIn(f"{self.main} refers to late", self.one(steps, "symbol_external", name="late")["text"])

    def test_got(self):
        for _ in self.each():
            steps = self.why(self.recording, "got:environ")
            slot = next(r for r in self.show("got", self.recording) if r["symbol"] == "environ")
            answer = self.answers(steps)[0]
            self.assertEqual((answer["address"], answer["target"]), (slot["slot"], slot["target"]))
            start, _, _ = self.symbols(self.main)["work"]
            asked = self.one(steps, "table_entry", table="got")["asked_at"]
            self.assertIn(asked, [at for at, kind, name, _ in self.relocations(self.main, ".text")
                                  if name == "environ" and "GOTPCREL" in kind])
            fixup = self.one(steps, "fixup")
            self.assertEqual(fixup["after"], slot["target"])
            self.assertIn("all were" if "all were" in steps[-1]["text"] else "it was", steps[-1]["text"])
            self.assertIn("no code needs the entry", steps[-1]["text"])
            # The memory agrees: the reference was turned into a direct one.
            relaxed = self.one(steps, "edge_relaxed")
            self.assertEqual((relaxed["before"], relaxed["after"]), ("got-rex-load32", "delta32"))
            memory = self.memory["work"][1]
            self.assertEqual(memory[asked - start - 2], relaxed["bytes_after"] >> 16 & 0xff)
            none = self.why(self.recording, "got:main")
            self.assertIn("main has no entry in the GOT: no relocation asked for one", none[0]["text"])

    def test_no_got(self):
        """What lies in the same link is loaded without an entry."""
        for _ in self.each():
            steps = self.why(self.recording, "got:counter")
            asked = [at for at, kind, name, _ in self.relocations(self.main, ".text")
                     if name == "counter" and "GOTPCREL" in kind]
            count = "1 reference was" if len(asked) == 1 else f"{len(asked)} references were"
            self.assertIn(f"counter has no entry in the GOT: {count} relaxed", self.answers(steps)[0]["text"])
            self.assertNotIn("counter", [row["symbol"] for row in self.show("got", self.recording)])
            start, _, _ = self.symbols(self.main)["work"]
            relaxed = self.one(steps, "edge_relaxed")
            self.assertEqual(relaxed["offset"], asked[0])
            self.assertEqual((relaxed["before"], relaxed["after"]), ("request-got-rex-load32", "near-load32"))
            memory = self.memory["work"][1]
            self.assertEqual(memory[relaxed["offset"] - start - 2], relaxed["bytes_after"] >> 16 & 0xff)

    def test_plt(self):
        for _ in self.each():
            steps = self.why(self.recording, "plt:puts") if "puts" in \
                {r["symbol"] for r in self.show("plt", self.recording)} else self.why(self.recording, "plt:printf")
            name = "puts" if "puts" in steps[0]["text"] else "printf"
            stub = next(r for r in self.show("plt", self.recording) if r["symbol"] == name)
            self.assertEqual(self.answers(steps)[0]["address"], stub["stub"])
            self.assertIn(f"GOT slot at {hex(stub['slot'])}", steps[0]["text"])
            self.assertIn("libc.so.6", self.one(steps, "symbol_resolved")["text"])

    def test_an_external(self):
        for _ in self.each():
            steps = self.why(self.recording, "puts")
            self.assertEqual(self.one(steps, "symbol_resolved")["address"], self.memory["puts"][0])
            self.assertEqual(self.one(steps, "symbol_resolved")["provider"], "shared")
            self.assertEqual(int.from_bytes(self.memory["printer"][1], "little"), self.memory["puts"][0])
            by_address = self.why(self.recording, hex(self.memory["puts"][0]))
            self.assertIn("where puts begins", by_address[0]["text"])

    def test_discards(self):
        for _ in self.each():
            steps = self.why(self.recording, "discard:pick")
            lost = self.one(steps, "symbol_discarded")
            self.assertEqual(lost["reason"], "strong over weak")
            self.assertIn(f"pick of {self.main} is not in memory: that of {self.other} was taken", steps[0]["text"])
            self.assertEqual(len(self.why(self.recording, "pick")) > 3, True)
            self.one(self.why(self.recording, "pick"), "symbol_discarded")
            self.assertIn("work was not discarded", self.why(self.recording, "discard:work")[0]["text"])

    def test_a_member_never_taken(self):
        for _ in self.each():
            steps = self.why(self.recording, "discard:never")
            self.assertIn(f"nobody referred to it, so that no link took {self.library}(never.o)", steps[0]["text"])
            self.one(steps, "input", name=str(self.library))
            self.one(self.why(self.recording, f"discard:{self.library}(late.o)"), "input", pulled_by="late")
            self.library.unlink()  # the recording has its bytes
            self.assertEqual(self.why(self.recording, "discard:never"), steps)

    def test_unknown(self):
        for _ in self.each():
            self.assertIn("did you mean counter?", self.unknown(self.recording, "cuonter"))
            self.assertIn("did you mean counter?", self.unknown(self.recording, "got:countr"))
            self.assertIn("nearest memory", self.unknown(self.recording, "0x10"))
            self.assertIn("nothing in the recording is called 'x\\x1b[2Jyzzy-nothing-near'",
                          self.unknown(self.recording, "x\x1b[2Jyzzy-nothing-near"))

    def test_levels(self):
        """Recordings without edges, and without blocks, give the same answers: they are replayed."""
        for compiler in COMPILERS:
            with self.subTest(compiler=compiler):
                for level in ("session", "phase", "block"):
                    self.program(compiler, "--trace", level)
                    _, size, _ = self.symbols(self.main)["work"]
                    address, memory = self.memory["work"]
                    origins = set()
                    for index in range(size):
                        answer = self.why(self.recording, hex(address + index))[0]
                        self.assertIn(answer["value"], (memory[index], None), answer)
                        origins.add(answer["origin"])
                    self.assertEqual(origins - {"relaxation"}, {"input", "fixup"})
                    self.assertEqual(self.why(self.recording, "zeros+4")[0]["origin"], "zero-fill")

    def test_at(self):
        """As of an earlier event, nothing later is told."""
        for _ in self.each():
            at = self.one(self.why(self.recording, "work"), "symbol")["sequence"]
            steps = self.why(self.recording, "work", "--at", str(at))
            self.assertEqual(steps[-1]["sequence"], at)
            self.assertNotIn("address", steps[0])
            self.assertEqual(self.jitscope("why", "--at", str(at - 1), self.recording, "work").status, 1)


class Others(Why):
    def test_comdat_and_pruned(self):
        text = "template <class T> __attribute__((noinline)) T twice(T x) { return x + x; }\n"
        one = self.text("one.cpp", text + "int first(int x) { return twice(x); }\nint unused(int x) { return x; }\n")
        two = self.text("two.cpp", text + "int first(int);\nint main() { return first(2) + twice(3); }\n")
        for compiler in ("g++", "clang++") if "clang" in COMPILERS else ("g++",):
            objects = [self.folder / "one.o", self.folder / "two.o"]
            for source, target in zip((one, two), objects):
                self.must(compiler, "-O1", "-ffunction-sections", "-c", source, "-o", target)
            recording = self.folder / "r.jsr"
            self.jitscope("run", "--gc-sections", "--record", recording, *objects)
            name = "_Z5twiceIiET_S0_"
            steps = self.why(recording, f"discard:{name}")
            lost = self.one(steps, "section_discarded")
            self.assertEqual((lost["name"], lost["group"]), (f".text.{name}", name))
            self.assertIn(f"of {objects[1]} is not in memory", steps[0]["text"])
            self.assertEqual(self.why(recording, f"discard:.text.{name}")[0]["text"], steps[0]["text"])
            self.one(self.why(recording, name), "section_discarded")
            pruned = self.why(recording, "discard:_Z6unusedi")
            self.assertEqual(self.one(pruned, "block_removed")["reason"], "not reachable")
            self.assertIn("gone: not reachable", self.why(recording, "_Z6unusedi")[0]["text"])

    def test_unresolved(self):
        main = self.compile("int nowhere(void);\nint main(void) { return nowhere(); }\n", name="main.o")
        other = self.compile("static int nowhere(void) { return 1; }\nint (*use)(void) = nowhere;\n", name="other.o")
        library = self.archive("libother.a", self.compile(NEVER, name="never.o"))
        recording = self.folder / "r.jsr"
        self.assertEqual(self.jitscope("run", "--record", recording, main, other, library).status, 1)
        steps = self.why(recording, "nowhere")
        self.one(steps, "symbol_unresolved")
        self.assertIn(f"{main} refers to nowhere", self.one(steps, "symbol_external")["text"])
        notes = " ".join(s["text"] for s in steps if s["what"] == "note")
        self.assertIn(f"{other} has a local symbol of that name", notes)
        self.assertIn(str(library), notes)
        self.assertIn("nowhere is unresolved", steps[0]["text"])

    def test_weak_undefined(self):
        text = "extern int perhaps(void) __attribute__((weak));\nint main(void) { return perhaps ? perhaps() : 0; }\n"
        main = self.compile(text, name="main.o")
        library = self.archive("libperhaps.a", self.compile("int perhaps(void) { return 1; }\n", name="perhaps.o"))
        recording = self.folder / "r.jsr"
        self.must(JITSCOPE, "run", "--record", recording, main, library)
        steps = self.why(recording, "perhaps")
        self.assertIn(f"perhaps would be in {library}(perhaps.o), but a weak reference alone", " ".join(s["text"] for s in steps))
        self.assertEqual(self.one(steps, "symbol_resolved")["provider"], "weak-undefined")
        self.assertIn("all references are weak", steps[0]["text"])

    def test_several_links(self):
        """Latest first; memory that was given back is told as such, also when somebody else has it now."""
        def module(name, value):
            return self.compile(f"int answer_{name}(void) {{ return {value}; }}\nint same = {value};\n", "-O1", name=f"{name}.o")

        one, two, three = module("one", 1), module("two", 2), module("three", 3)
        recording = self.folder / "r.jsr"
        # Names clash between links that are there at once, so the first goes before the second comes.
        out = self.must(LINKS, recording, one, "?same=4", "-1", two, "?same=4", "-2", three, "?same=4").out.decode()
        addresses = [int(line.split()[1], 16) for line in out.splitlines()]
        self.assertEqual([line.split()[2] for line in out.splitlines()], ["01", "02", "03"])
        steps = self.why(recording, "same")
        answers = self.answers(steps)
        self.assertEqual([a["link"] for a in answers], [3, 2, 1])
        self.assertEqual([a["address"] for a in answers], addresses[::-1])
        # The address was used again: its chains begin with the latest link that had it.
        had = [link for link in (3, 2, 1) if addresses[link - 1] == addresses[0]]
        self.assertGreater(len(had), 1, "the memory manager uses freed memory again")
        steps = self.why(recording, hex(addresses[0]))
        self.assertEqual([a["link"] for a in self.answers(steps)], had)
        self.assertIn("answer_one is", self.why(recording, "answer_one")[0]["text"])
        gone = [s for s in steps if s["chain"] == len(had) - 1]
        self.assertEqual(self.one(gone, "unload")["link"], 1)
        self.assertEqual(self.one(gone, "allocation", state="deallocated")["link_number"], 1)

    def test_an_earlier_link_answers(self):
        """What a later link takes from an earlier one is followed to the definition there."""
        one = self.compile("int shared = 7;\n", "-fPIC", name="one.o")
        two = self.compile("extern int shared;\nint *two(void) { return &shared; }\n", "-O1", "-fPIC", name="two.o")
        recording = self.folder / "r.jsr"
        out = self.must(LINKS, recording, one, "?shared=4", two).out.decode()
        steps = [s for s in self.why(recording, "shared") if s["chain"] == 0]
        resolved = self.one(steps, "symbol_resolved", provider="session")
        self.assertEqual(resolved["address"], int(out.split()[1], 16))
        self.assertIn("link 1 of the session defines it", resolved["text"])
        self.one(steps, "symbol", link_number=1)
        self.one(steps, "input", name=str(one))
        slot = self.why(recording, "got:shared")
        self.assertEqual(self.one(slot, "symbol", link_number=1)["name"], "shared")

    def test_a_live_link_comes_first(self):
        """A link that is still there answers before a later one that is gone."""
        text = "int same = %d;\nint only_%s;\n"
        one = self.compile(text % (1, "one"), name="one.o")
        two = self.compile(text % (2, "two"), name="two.o")
        recording = self.folder / "r.jsr"
        out = self.must(LINKS, recording, one, "-1", two, "?same=4").out.decode()
        address = int(out.split()[1], 16)
        end = next(e["sequence"] for e in self.show("events", recording) if e["event"] == "unload" and e["link"] == 2)
        steps = self.why(recording, hex(address), "--at", str(end - 1))
        self.assertEqual([a["link"] for a in self.answers(steps)], [2, 1])
        self.assertNotIn("unloaded", steps[0]["text"])
        self.assertIn("link 1, unloaded", self.answers(steps)[1]["text"])

    def test_eh_frame(self):
        """Relocations read into a section that was cut into records are found again at the record."""
        main = self.compile("int helper(int);\nint main(void) { return helper(-1); }\nint helper(int x) { return x + 1; }\n",
                            "-O0", name="main.o")
        recording = self.folder / "r.jsr"
        self.must(JITSCOPE, "run", "--trace", "edges", "--record", recording, main)
        relocations = self.relocations(main, ".eh_frame")
        frames = {r["function"]: r for r in self.show("eh-frames", recording) if r["record"] == "FDE"}
        symbols = {r["name"]: r["address"] for r in self.show("symbols", recording) if r["name"]}
        for (at, _, _, addend), name in zip(relocations, ("main", "helper")):
            frame = frames[symbols[name]]
            steps = self.why(recording, hex(frame["address"] + 8))
            edge = self.one(steps, "edge")
            self.assertEqual((edge["offset"], edge["addend"]), (at, addend))
            fixup = self.one(steps, "fixup")
            self.assertEqual(fixup["after"], (symbols[name] - frame["address"] - 8) & 0xffffffff)
            self.one(steps, "cfi_record", kind="FDE")
            self.assertEqual(self.one(steps, "registration", half="finalize", **{"with": "libgcc"})["half"], "finalize")

    def test_hostile_names(self):
        """Names that would drive a terminal come out escaped, in text and in JSON."""
        assembly = self.text("evil.s", '.globl main\n.text\nmain: xorl %eax, %eax\n ret\n.globl "evil\x1b[2J"\n"evil\x1b[2J": ret\n'
                                       '.section "s\x1b]0;x\x07", "ax"\n ret\n')
        target = self.folder / "evil.o"
        self.must("gcc", "-c", assembly, "-o", target)
        recording = self.folder / "r.jsr"
        self.must(JITSCOPE, "run", "--record", recording, target)
        for question in ("evil\x1b[2J", "discard:s\x1b]0;x\x07", "evim\x1b[2J"):
            for words in ((), ("--json",)):
                outcome = self.jitscope("why", *words, recording, question)
                self.assertNotIn(b"\x1b", outcome.out + outcome.err)
                self.assertNotIn(b"\x07", outcome.out + outcome.err)
                self.assertIn(b"x1b" if not words or outcome.status else b"u001b", outcome.out + outcome.err)

    def test_usage(self):
        recording = self.folder / "r.jsr"
        self.must(JITSCOPE, "link", "--record", recording, self.compile("int main(void) { return 0; }\n"))
        for words in ((), (recording,), (recording, "a", "b")):
            self.assertEqual(self.jitscope("why", *words).status, 2)
        self.assertEqual(self.jitscope("why", self.folder / "none.jsr", "main").status, 1)
        self.assertEqual(self.jitscope("why", self.text("bad.jsr", "no recording"), "main").status, 1)


if __name__ == "__main__":
    unittest.main()
