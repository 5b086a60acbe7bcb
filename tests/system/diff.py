"""jitscope diff: what two links decided differently, against what the objects and the running programs say."""
import json
import os
import re
import unittest

from harness import COMPILERS, JITSCOPE, LIBRARIES, SystemTest

LINKS = os.environ.get("LINKS", "build/dev/tests/system/system-links")

# Prints where its functions and data are, and what it computes.
MAIN = r"""
#include <stdio.h>
extern int counter, last;
int first(int), helper(int), third(int);
int main(void) {
    printf("main %p\nhelper %p\nfirst %p\nthird %p\ncounter %p\nlast %p\n", (void *)main, (void *)helper, (void *)first,
           (void *)third, (void *)&counter, (void *)&last);
    printf("puts %p\n", (void *)puts);
    return first(1) + helper(2) + third(3) == 0;
}
"""
FIRST = "int first(int x) { return x + 1; }\n"
HELPER = "int counter = 5;\nint helper(int x) { return x + counter; }\n"
LARGER = """int counter = 5;
int table[16] = {1, 2, 3};
int helper(int x) {
    for (int i = 0; i < 16; i++)
        x = x * table[i] + x / 3 + counter;
    return x;
}
int fresh(void) { return table[1]; }
"""
THIRD = "int last = 3;\nint third(int x) { return x - last; }\n"
NAMES = ("main", "helper", "first", "third", "counter", "last")


class Diff(SystemTest):
    def diff(self, a, b, status=None):
        """The findings; the text form and the exit status agree with them."""
        outcome = self.jitscope("diff", "--json", a, b)
        findings = json.loads(outcome.out)
        differences = [f for f in findings if f["difference"]]
        self.assertEqual(outcome.status, 1 if differences else 0, outcome)
        self.assertEqual(outcome.err, b"")
        if status is not None:
            self.assertEqual(outcome.status, status, outcome)
        lines = self.jitscope("diff", a, b).out.decode().splitlines()
        self.assertEqual(lines[0] == "the same decisions", not differences)
        lines = [line.removeprefix("link 2: ") for line in lines if line != "the same decisions"]
        self.assertEqual(sorted(re.sub("^ *so ", "", line) for line in lines), sorted(f["text"] for f in findings))
        for index, finding in enumerate(findings):
            if finding["cause"] is not None:
                self.assertLess(finding["cause"], index)
        return findings

    def one(self, findings, what, **fields):
        found = [f for f in findings if f["what"] == what and all(f[k] == v for k, v in fields.items())]
        self.assertEqual(len(found), 1, (what, fields, findings))
        return found[0]

    def cause(self, findings, finding):
        return findings[finding["cause"]]

    def record(self, name, *words, options=(), status=None):
        """A recording, and what the program printed as name -> address."""
        recording = self.folder / f"{name}.jsr"
        outcome = self.jitscope("run", *options, "--record", recording, *words)
        if status is not None:
            self.assertEqual(outcome.status, status, outcome)
        pairs = (line.split() for line in outcome.out.decode().splitlines())
        return recording, {key: int(value, 16) for key, value in pairs}

    def section_size(self, path, section):
        out = self.must("readelf", "-SW", path).out.decode()
        return int(re.search(rf" {re.escape(section)} +\S+ +[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+)", out).group(1), 16)


class Compilers(Diff):
    def objects(self, compiler, helper=HELPER, suffix="", flags=("-O1", "-fPIC")):
        texts = {"main": MAIN, "first": FIRST, "helper": helper, "third": THIRD}
        folder = self.folder / f"{compiler}{suffix}"
        folder.mkdir()
        return [self.compile(text, *flags, compiler=compiler, name=f"{folder.name}/{name}.o") for name, text in texts.items()]

    def test_the_same_twice(self):
        """Another place in memory is one line and no difference; the line is what the programs say of themselves."""
        for compiler in COMPILERS:
            objects = self.objects(compiler)
            a, before = self.record("a", *objects)
            b, after = self.record("b", *objects)
            findings = self.diff(a, b, 0)
            self.assertLessEqual(len(findings), 1)
            shift = after["main"] - before["main"]
            if shift or after["puts"] != before["puts"]:
                self.assertEqual(self.one(findings, "placement")["by"], shift)
            self.assertEqual(self.diff(a, a, 0), [])

    def test_another_folder(self):
        """Inputs are paired by file name where folders differ."""
        for compiler in COMPILERS:
            a, _ = self.record("a", *self.objects(compiler))
            b, _ = self.record("b", *self.objects(compiler, suffix="-elsewhere"))
            self.diff(a, b, 0)

    def test_an_input_that_grew(self):
        """The input, its sections and all that moved, each with its cause; distances as the programs print them."""
        for compiler in COMPILERS:
            small, large = self.objects(compiler), self.objects(compiler, LARGER, "-large")
            a, before = self.record("a", *small)
            b, after = self.record("b", *large)
            findings = self.diff(a, b, 1)
            changed = self.one(findings, "input_changed")
            self.assertIn("helper.o changed", changed["text"])
            self.assertEqual((changed["before"], changed["after"]), (small[2].stat().st_size, large[2].stat().st_size))
            for section in (".text", ".data"):
                grown = self.one(findings, "section_changed", section=section)
                self.assertIs(self.cause(findings, grown), changed)
                self.assertEqual((grown["before"], grown["after"]),
                                 (self.section_size(small[2], section), self.section_size(large[2], section)))
            # Code begins with main's section, data with counter's.
            for name, anchor, section in (("third", "main", ".text"), ("last", None, ".data")):
                base = (before[anchor], after[anchor]) if anchor else self.data_starts(a, b)
                by = (after[name] - base[1]) - (before[name] - base[0])
                moves = [f for f in findings if f["what"] == "moved" and f["by"] == by
                         and self.cause(findings, f).get("section") == section]
                self.assertEqual(len(moves), 1, (name, by, findings))
                self.assertIn("third.o", moves[0]["text"])
            self.assertIn("fresh", self.one(findings, "symbols_added")["names"])
            self.assertIn("helper", [n for f in findings if f["what"] == "symbols_size" for n in f["names"]])
            self.assertNotIn("first", str([f for f in findings if f["what"] == "moved"]))

    def data_starts(self, *recordings):
        return [next(s["address"] for s in self.show("segments", r) if s["prot"] == "rw-") for r in recordings]

    def test_slots_that_hold_other_values(self):
        """Slots of the symbols that moved in their segments are counted; nothing else is."""
        for compiler in COMPILERS:
            a, before = self.record("a", *self.objects(compiler))
            b, after = self.record("b", *self.objects(compiler, LARGER, "-large"))
            findings = self.diff(a, b, 1)
            starts = {prot: [next(s["address"] for s in self.show("segments", r) if s["prot"] == prot) for r in (a, b)]
                      for prot in ("r-x", "rw-")}
            slots = {row["symbol"] for row in self.show("got", a)} & {row["symbol"] for row in self.show("got", b)}
            expected = 0
            for name in set(NAMES) & slots:
                start = starts["rw-" if name in ("counter", "last") else "r-x"]
                expected += before[name] - start[0] != after[name] - start[1]
            counted = sum(f.get("got_slots", 0) for f in findings if f["what"] == "moved")
            counted += sum(int(n) for f in findings if f["what"] == "symbols_shifted"
                           for n in re.findall(r"(\d+) GOT slots? holds? another value", f["text"]))
            self.assertEqual(counted, expected, findings)

    def test_relaxations(self):
        """Without -mrelax-relocations the loads of the GOT stay; readelf counts them."""
        for compiler in COMPILERS:
            flags = ("-O1", "-fPIC")
            plain = ("-Wa,-mrelax-relocations=no",)
            relaxed = self.objects(compiler, flags=flags)
            loads = self.objects(compiler, suffix="-loads", flags=(*flags, *plain))
            a, _ = self.record("a", *relaxed)
            b, _ = self.record("b", *loads)
            findings = self.diff(a, b, 1)
            total = 0
            for before, after in zip(relaxed, loads):
                wanted = re.findall(r"_GOTPCRELX +[0-9a-f]+ (\S+)", self.must("readelf", "-rW", before).out.decode())
                self.assertEqual(self.must("readelf", "-rW", after).out.decode().count("_GOTPCRELX"), 0)
                lost = [f for f in findings if f["what"] == "relaxations_removed" and f" of {before} " in f["text"]]
                # The C library is near enough for all of them.
                self.assertEqual(sum(int(f["text"].split()[0]) for f in lost), len(wanted), (before, findings))
                self.assertEqual({name for f in lost for name in f["names"]}, set(wanted))
                total += len(wanted)
            self.assertGreater(total, 2)


class Decisions(Diff):
    def test_members(self):
        used = self.compile("int member(void);\nint main(void) { return member(); }\n", "-O1", name="main.o")
        library = self.archive("libm1.a", self.compile("int member(void) { return 0; }\n", name="member.o"))
        a, _ = self.record("a", used, library, status=0)
        used = self.compile("int main(void) { return 0; }\n", "-O1", name="main.o")
        b, _ = self.record("b", used, library, status=0)
        findings = self.diff(a, b, 1)
        gone = self.one(findings, "member_removed", pulled_by="member")
        self.assertIn(f"{library}(member.o) is no longer taken", gone["text"])
        removed = self.one(findings, "symbols_removed")
        self.assertEqual(removed["names"], ["member"])
        self.assertIs(self.cause(findings, removed), gone)
        back = self.diff(b, a, 1)
        self.one(back, "member_added", pulled_by="member")
        self.assertEqual(self.one(back, "symbols_added")["names"], ["member"])

    def test_another_provider(self):
        main = self.compile("#include <stdlib.h>\nint main(void) { return abs(-3) - 3; }\n", "-fno-builtin", name="main.o")
        own = self.compile("int abs(int x) { return x < 0 ? -x : x; }\n", "-fno-builtin", name="own.o")
        a, _ = self.record("a", main, status=0)
        b, _ = self.record("b", main, own, status=0)
        findings = self.diff(a, b, 1)
        answered = self.one(findings, "symbols_answered")
        self.assertEqual(answered["names"], ["abs"])
        self.assertTrue(answered["before"].endswith("libc.so.6"))
        self.assertEqual(answered["after"], str(own))
        self.assertEqual(self.cause(findings, answered)["what"], "input_added")
        self.assertEqual(self.one(findings, "entries_removed", table="PLT")["names"], ["abs"])

    def test_a_defined_address(self):
        main = self.compile("extern char place[];\nchar *where = place;\nint main(void) { return 0; }\n", name="main.o")
        recordings = []
        for address in ("0x1000", "0x2000"):
            recordings.append(self.folder / f"{address}.jsr")
            self.must(JITSCOPE, "link", f"--define=place={address}", "--record", recordings[-1], main)
        defined = self.one(self.diff(*recordings, 1), "symbols_defined")
        self.assertEqual((defined["names"], defined["before"], defined["after"]), (["place"], "0x1000", "0x2000"))

    def test_gc(self):
        main = self.compile("int unused(void) { return 1; }\nint main(void) { return 0; }\n", "-ffunction-sections", name="main.o")
        a, _ = self.record("a", main, status=0)
        b, _ = self.record("b", main, options=("--gc-sections",), status=0)
        removed = self.one(self.diff(a, b, 1), "section_removed", section=".text.unused")
        self.assertIn("not reachable", removed["text"])
        self.assertEqual(removed["before"], self.section_size(main, ".text.unused"))
        self.one(self.diff(b, a, 1), "section_added", section=".text.unused")

    def test_options(self):
        main = self.compile("int kept(void) { return 1; }\nint main(void) { return 0; }\n", "-ffunction-sections", name="main.o")
        a, _ = self.record("a", main, status=0)
        b, _ = self.record("b", main, options=("--gc-sections", "--debug=off", "-u", "kept"), status=0)
        findings = self.diff(a, b, 1)
        options = {f["option"]: (f["before"], f["after"]) for f in findings if f["what"] == "option"}
        self.assertEqual(options, {"gc-sections": (0, 1), "debug": (0, 3)})
        self.assertIn("asked for as a root: kept: 0 -> 1 times", [f["text"] for f in findings if f["what"] == "calls"])

    def test_other_content_of_the_same_size(self):
        """Bytes are compared, although no decision differs but that."""
        recordings = []
        for value in (3, 4):
            main = self.compile(f"int main(void) {{ return {value}; }}\n", "-O1", name="main.o")
            recordings.append(self.record(str(value), main, status=value)[0])
            size = main.stat().st_size
        findings = self.diff(*recordings, 1)
        self.assertEqual([f["text"] for f in findings if f["difference"]],
                         [f"{main} changed: other content in as many bytes, {size}"])

    def test_weak_and_strong(self):
        main = self.compile("int pick(void);\nint main(void) { return pick() - 2; }\n", name="main.o")
        weak = self.compile("__attribute__((weak)) int pick(void) { return 2; }\n", name="weak.o")
        strong = self.compile("int pick(void) { return 2; }\n", name="strong.o")
        a, _ = self.record("a", main, weak, status=0)
        b, _ = self.record("b", main, weak, strong, status=0)
        findings = self.diff(a, b, 1)
        lost = self.one(findings, "symbol_discarded", name="pick")
        self.assertIn(f"pick of {weak} loses now to that of {strong}: strong over weak", lost["text"])
        self.assertEqual(self.one(findings, "symbols_answered")["names"], ["pick"])
        linkage = self.one(findings, "symbols_linkage")
        self.assertEqual((linkage["before"], linkage["after"]), ("weak", "strong"))
        self.one(self.diff(b, a, 1), "symbol_kept", name="pick")

    def test_order(self):
        one = self.compile("int one = 1;\n", name="one.o")
        two = self.compile("int two = 2;\n", name="two.o")
        main = self.compile("int main(void) { return 0; }\n", name="main.o")
        a, _ = self.record("a", main, one, two, status=0)
        b, _ = self.record("b", main, two, one, status=0)
        findings = self.diff(a, b, 1)
        order = self.one(findings, "input_order")
        self.assertIn("one.o behind", order["text"])
        moves = [f for f in findings if f["what"] == "moved"]
        self.assertEqual(sorted(f["by"] for f in moves), [-4, 4])
        for move in moves:
            self.assertIs(self.cause(findings, move), order)

    def test_outcome(self):
        good = self.compile("int main(void) { return 0; }\n", name="main.o")
        a, _ = self.record("a", good, status=0)
        bad = self.compile("int nowhere(void);\nint main(void) { return nowhere(); }\n", name="main.o")
        b, _ = self.record("b", bad, status=1)
        findings = self.diff(a, b, 1)
        outcome = self.one(findings, "outcome")
        self.assertEqual((outcome["before"], outcome["after"]), ("ok", "failed"))
        self.assertIn("nowhere", outcome["text"])
        self.assertEqual(self.one(findings, "symbols_added")["names"], ["nowhere"])

    def test_debug_information_and_registrations(self):
        text = "int main(void) { return 0; }\n"
        a, _ = self.record("a", self.compile(text, "-g", name="main.o"), status=0)
        b, _ = self.record("b", self.compile(text, "-g0", name="main.o"), options=("--debug=off",), status=0)
        findings = self.diff(a, b, 1)
        self.assertIn("units 1 -> 0", self.one(findings, "debug_image")["text"])
        self.assertIn("debuggers", self.one(findings, "registrations", before=1, after=0)["text"])
        self.assertIn("register-debug-image", self.one(findings, "actions", before=1, after=0)["text"])

    def test_simulated_base(self):
        """One constant is one line, also for a large link."""
        recordings = []
        for base in ("0x400000", "0x7000000"):
            recordings.append(self.folder / f"{base}.jsr")
            self.must(JITSCOPE, "link", "--base", base, "--phony-externals", "--trace=edges", "--record", recordings[-1],
                      "--whole-archive", LIBRARIES / "libsqlite3.a")
        findings = self.diff(*recordings, 0)
        self.assertEqual([f["what"] for f in findings], ["placement"])
        self.assertEqual(findings[0]["by"], 0x7000000 - 0x400000)

    def test_levels(self):
        main = self.compile("int main(void) { return 0; }\n", name="main.o")
        recordings = {}
        for level in ("session", "phase", "block", "edges"):
            recordings[level], _ = self.record(level, main, options=("--trace", level), status=0)
        for level in ("phase", "block"):
            findings = self.diff(recordings[level], recordings["edges"], 0)
            self.assertIn(f"{level} and edges", self.one(findings, "levels")["text"])
        self.diff(recordings["session"], recordings["edges"])

    def test_several_links(self):
        """Links are compared by number; what is said of later ones tells which."""
        one = self.compile("int one = 1;\n", name="one.o")
        two = self.compile("int two = 2;\n", name="two.o")
        more = self.compile("int two = 2, more = 3;\n", name="more/two.o") if (self.folder / "more").mkdir() is None else None
        a, b, c = (self.folder / f"{name}.jsr" for name in "abc")
        self.must(LINKS, a, one, two)
        self.must(LINKS, b, one, more)
        self.must(LINKS, c, one)
        findings = self.diff(a, b, 1)
        added = self.one(findings, "symbols_added")
        self.assertEqual((added["names"], added["link"]), (["more"], 2))
        self.one(self.diff(a, c, 1), "links", before=2, after=1)
        self.diff(a, a, 0)

    def test_hostile_names(self):
        recordings = []
        for number, name in enumerate(("evil\x1b[2J", "evil\x1b]0;x\x07")):
            source = self.text("main.s", f'.globl main\n.text\nmain: xorl %eax, %eax\n ret\n.globl "{name}"\n"{name}": ret\n')
            self.must("gcc", "-c", source, "-o", self.folder / "main.o")
            recordings.append(self.record(str(number), self.folder / "main.o")[0])
        findings = self.diff(*recordings, 1)
        self.assertEqual(self.one(findings, "symbols_added")["names"], ["evil\x1b]0;x\x07"])
        for words in ((), ("--json",)):
            out = self.jitscope("diff", *words, *recordings).out
            self.assertNotIn(b"\x1b", out)
            self.assertNotIn(b"\x07", out)
            self.assertIn(b"\\x1b", out)

    def test_trouble(self):
        main = self.compile("int main(void) { return 0; }\n", name="main.o")
        good, _ = self.record("a", main, status=0)
        bad = self.text("bad.jsr", "no recording")
        for words in ((), (good,), (good, good, good), (good, bad), (bad, good), (good, self.folder / "none.jsr"),
                      ("--unknown", good, good)):
            outcome = self.jitscope("diff", *words)
            self.assertEqual((outcome.status, outcome.out), (2, b""), words)
            self.assertIn(b"error: ", outcome.err)


if __name__ == "__main__":
    unittest.main()
