"""Recordings that were changed on purpose do not replay: the first difference is the event that was changed.

Each recording is sealed again after the change, so that nothing but the replay itself can notice.
"""
import re
import unittest

from harness import JITSCOPE, SystemTest
from jsr import Recording

MAIN = """
extern int other(int);
extern int weak_one(void) __attribute__((weak));
static int local = 3;
int *pointer = &local;
int common_array[10];
int main(int argc, char **argv) { (void)argv; return weak_one ? weak_one() : other(argc) + *pointer + common_array[1]; }
"""
OTHER = """
extern int far(int);
__attribute__((weak)) int twice(int x) { return x * 2; }
int other(int x) { return far(x) + twice(x); }
"""
# What the machine chose: it is not compared, or given to the replay as the answer.
MACHINES = {("session_begin", "process"), ("session_begin", "memory_manager"), ("session_begin", "page_size"), ("registration", "with"),
            ("reservation", "address"), ("reservation", "size"), ("reservation", "why")}
FIRST_CALL = 100  # ids from here on are calls, answers and digests


class Divergence(SystemTest):
    damaged = ("changed.jsr",)  # on purpose

    def setUp(self):
        super().setUp()
        self.objects = [self.compile(text, "-O1", "-fcommon", "-fno-pic", "-g1", name=f"{name}.o") for name, text in (("main", MAIN), ("other", OTHER))]

    def link(self, *words, name="r.jsr"):
        recording = self.folder / name
        self.must(JITSCOPE, "link", "--phony-externals", *words, "--record", recording, *self.objects)
        self.must(JITSCOPE, "replay", recording)
        return Recording(recording)

    def replay(self, recording):
        outcome = self.jitscope("replay", recording.save(self.folder / "changed.jsr"))
        self.assertEqual(outcome.err, b"", outcome)
        return outcome.status, outcome.out.decode()

    def pass_of(self, record):
        """Number and name of the pass that is not over yet."""
        current = None
        for event in record.recording.records:
            if event.sequence >= record.sequence:
                return current
            if event.name == "pass_begin":
                current = event.get("pass"), event.get("name")
            elif event.name == "pass_end":
                current = None
        return None

    def diverges_at(self, record, what, recorded="", replayed=""):
        """The report's first lines: where, what, both events."""
        status, out = self.replay(record.recording)
        self.assertEqual(status, 1, out)
        place = f"diverged at event {record.sequence}"
        if record.link:
            place += f", link {record.link}"
        if record.link and self.pass_of(record):
            place += ", pass %d %s" % self.pass_of(record)
        lines = out.splitlines()
        self.assertEqual(lines[:2], [place, f"differs: {what}"], out)
        self.assertRegex(lines[2], rf"\A  recorded  .*{recorded}")
        self.assertRegex(lines[3], rf"\A  replayed  .*{replayed}")
        return out

    def change_and_restore(self, record, field, value, look):
        before = bytes(record.recording.data)
        record.recording.change(record, field, value)
        try:
            return look()
        finally:
            record.recording.data[:] = before

    def is_about(self, out, recording, number, offset=0):
        """Input, section and offset of what differs."""
        block = next(record for record in recording.named("block") if record.get("block") == number)
        inputs = {record.get("input"): record.get("name") for record in recording.named("input")}
        about = f"  about     block {number}"
        if block.get("input") in inputs:
            about += f" of {inputs[block.get('input')]}, section {block.get('input_section')}"
            offset += block.get("input_offset")
        self.assertIn(f"{about}+{offset:#x}\n", out)

    # --- one event of each kind, by hand

    def test_where_a_block_lies(self):
        recording = self.link()
        block = recording.named("block_placed")[2]
        address = block.get("address")
        recording.change(block, "address", address + 16)
        self.diverges_at(block, "address", rf"block_placed\s+block={block.get('block')} .*address={address + 16:#x}",
                         rf"block_placed\s+block={block.get('block')} .*address={address:#x}")

    def test_where_a_symbol_is(self):
        recording = self.link()
        symbol = recording.named("symbol_resolved")[0]
        address = symbol.get("address")
        recording.change(symbol, "address", address ^ 0x1000)
        self.diverges_at(symbol, "address", rf"name=far address={address ^ 0x1000:#x}", rf"name=far address={address:#x}")

    def test_what_a_fixup_writes(self):
        recording = self.link("--trace=edges")
        fixup = recording.named("fixup")[1]
        after = fixup.get("after")
        recording.change(fixup, "after", after ^ 1)
        out = self.diverges_at(fixup, "after", rf"after={after ^ 1:#x}\b", rf"after={after:#x}\b")
        self.is_about(out, recording, fixup.get("block"), fixup.get("offset"))

    def test_a_digest(self):
        recording = self.link()
        for digest in recording.named("digest"):
            value = digest.get("digest")
            with self.subTest(stage=digest.get("stage")):
                self.change_and_restore(digest, "digest", value ^ 1 << 63, lambda: self.diverges_at(
                    digest, "digest", rf"digest={value ^ 1 << 63:#x}\b", rf"digest={value:#x}\b"))

    def test_the_digest_of_one_block(self):
        """Each block of a segment is told apart."""
        recording = self.link()
        for segment in recording.named("segment_digest"):
            at, length = segment.trailing
            placed = [r.get("block") for r in recording.named("block_placed") if r.get("segment") == segment.get("segment")]
            self.assertEqual(length, 4 * len(placed))
            for place in range(len(placed)):
                byte = recording.data[at + 4 * place + 1]
                recording.put(at + 4 * place + 1, bytes([byte ^ 0x80]))
                out = self.diverges_at(segment, "digests", f"segment={segment.get('segment')} ", f"segment={segment.get('segment')} ")
                self.is_about(out, recording, placed[place])
                recording.put(at + 4 * place + 1, bytes([byte]))

    def test_a_name(self):
        """The text itself: what uses it first is what differs."""
        recording = self.link()
        string = next(record for record in recording.named("string") if recording.strings[record.get("string")] == "far")
        user = recording.named("symbol_external")
        user = next(record for record in user if record.get("name") == "far")
        recording.put(string.trailing[0], b"near"[:3])
        self.diverges_at(user, "name", "name=nea ", "name=far ")

    def test_a_byte_of_an_input(self):
        """Code that no relocation touches: the first to notice is the digest of the segment it came to."""
        recording = self.link("--trace=edges")
        content = recording.named("content")[0]
        at, length = content.trailing
        image = bytes(recording.data[at:at + length])
        code = b"\x83\xc0\x03" if b"\x83\xc0\x03" in image else self.untouched_code(image)
        place = at + image.index(code)
        recording.put(place, bytes([recording.data[place] ^ 1]))
        self.diverges_at(recording.named("segment_digest")[0], "digests", "segment=0 ", "segment=0 ")

    def untouched_code(self, image):
        """The first bytes of main, which set up its frame."""
        dump = self.must("objdump", "-d", "--no-show-raw-insn", "-j", ".text", "-F", self.objects[0]).out.decode()
        offset = int(re.search(r"<main> \(File Offset: (0x[0-9a-f]+)\)", dump)[1], 16)
        return image[offset:offset + 4]

    def test_an_input_that_ends_early(self):
        """The linker itself finds out, and says so in an event that the recording does not have there."""
        recording = self.link()
        content = recording.named("content")[1]
        recording.put(content.trailing[0] + 0x28, b"\xff\xff\xff\x7f")  # e_shoff of its ELF header
        status, out = self.replay(recording)
        self.assertEqual(status, 1, out)
        self.assertRegex(out, r"\Adiverged at event \d+, link 1, pass 0 read-inputs\ndiffers: event\n")

    def test_an_answer(self):
        """Another place for a segment: what follows from it differs first, the answer is taken as it is."""
        recording = self.link()
        answer = recording.named("answer_place")[0]
        address = answer.get("address")
        recording.change(answer, "address", address - 0x10000)
        allocation = recording.named("allocation")[0]
        self.diverges_at(allocation, "address", rf"address={address:#x}\b", rf"address={address - 0x10000:#x}\b")

    def test_an_option(self):
        recording = self.link()
        create = recording.named("call_create")[0]
        recording.change(create, "gc_sections", 1)
        status, out = self.replay(recording)
        self.assertEqual(status, 1, out)
        self.assertRegex(out, r"\Adiverged at event \d+, link 1, pass \d+ (prune|read-inputs)\n")

    def test_an_event_that_was_not_said(self):
        """Another type in its place; the link it belongs to."""
        recording = self.link()
        bound = recording.named("symbol_bound")
        self.assertGreater(len(bound), 2)
        placed = recording.named("block_placed")[0]
        types = {kind.name: kind for kind in recording.types.values()}
        same_size = next(kind for kind in types.values() if kind.size == bound[1].size and kind.number < FIRST_CALL
                         and kind.name not in ("symbol_bound", "string", "run", "lost"))
        header = int.from_bytes(recording.data[bound[1].at:bound[1].at + 4], "little")
        recording.put(bound[1].at, (header & ~0xfff | same_size.number).to_bytes(4, "little"))
        self.diverges_at(bound[1], "event", same_size.name, "symbol_bound")
        self.assertLess(placed.sequence, bound[1].sequence)

    def test_two_differences(self):
        """Only the first is told."""
        recording = self.link()
        first, second = recording.named("block_placed")[1:3]
        for block in (second, first):
            recording.change(block, "segment", 77)
        out = self.diverges_at(first, "segment", "segment=77 ")
        self.assertEqual(out.count("diverged at"), 1)

    def test_times_do_not_count(self):
        recording = self.link("--trace=edges")
        changed = 0
        for record in recording.records:
            for field in record.type.changing:
                recording.change(record, field.name, record.get(field.name) * 7 + 1)
                changed += 1
        self.assertGreater(changed, 50)
        self.assertEqual(self.replay(recording)[0], 0)

    # --- every field of every event

    def test_every_field(self):
        """Whatever an event says is compared; the report names the event and the field."""
        fields = set()
        names = None
        for words in (["--trace=edges"], ["--gc-sections"]):
            recording = self.link(*words)
            names = [number for number, text in recording.strings.items() if text]
            for record in self.first_and_last(recording):
                for field in record.type.fields.values():
                    if field in record.type.changing or (record.name, field.name) in MACHINES:
                        continue
                    self.every_field_of(record, field, names)
                    fields.add((record.name, field.name))
        print(f"{len(fields)} fields of {len({name for name, _ in fields})} events")
        self.assertGreater(len(fields), 90)

    def first_and_last(self, recording):
        seen = {}
        for record in recording.records:
            if record.type.number < FIRST_CALL and record.name != "string":
                seen.setdefault(record.name, [record, record])[1] = record
        return [record for pair in seen.values() for record in dict.fromkeys(pair)]

    def every_field_of(self, record, field, names):
        at = record.at + field.at
        old = int.from_bytes(record.recording.data[at:at + field.size], "little")
        new = old ^ 1
        if field.kind in ("name", "public_name", "path"):
            new = next(number for number in names if record.recording.strings[number] != record.recording.strings.get(old))
        with self.subTest(event=record.name, field=field.name, sequence=record.sequence):
            self.change_and_restore(record, field.name, new, lambda: self.diverges_at(record, field.name, record.name, record.name))


if __name__ == "__main__":
    unittest.main()
