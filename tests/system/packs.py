"""jitscope pack: sizes, the way back, packed recordings under every command, and those that are damaged or traps."""
import os
import pathlib
import re
import resource
import signal
import subprocess
import unittest

from harness import JITSCOPE, LIBRARIES, SystemTest, WITH_SANITIZER

VIEWS = ("summary batches inputs sections segments blocks symbols edges got plt tls actions registrations eh-frames passes events "
         "memory").split()
LUA = LIBRARIES / "liblua5.4.a"
CRYPTO = LIBRARIES / "libcrypto.a"
MOST = 1.1  # of the inputs' bytes
ROOM = (512 if WITH_SANITIZER else 256) << 20  # of memory, for refusing what would need gigabytes; a sanitizer keeps what was freed
PROGRAM = """
#include <stdexcept>
#include <string>
#include <vector>
int calls;
struct shape { virtual ~shape() {} virtual int area() const = 0; };
struct square : shape { int side = 3; int area() const override { return side * side; } };
int main() {
    std::vector<std::string> words{"one", "two"};
    try {
        throw std::runtime_error(words[1]);
    } catch (const std::exception &error) {
        square s;
        calls += error.what() == words[1];
        return s.area() - 9 + calls - 1;
    }
}
"""


class Packs(SystemTest):
    def record(self, name, *words, command="run", status=0):
        recording = self.folder / name
        outcome = self.jitscope(command, "--record", recording, *words)
        self.assertEqual(outcome.status, status, outcome)
        return recording

    def pack(self, recording):
        packed = self.folder / f"packed-{recording.name}"
        self.must(JITSCOPE, "pack", "-o", packed, recording)
        return packed

    def program(self, *flags):
        """C++, an archive, debug information."""
        source = self.text("program.cpp", PROGRAM)
        self.must("g++", "-g", "-c", source, "-o", self.folder / "program.o")
        member = self.compile("int spare(void) { return 1; }\n", "-g", name="spare.o")
        return self.record("program.jsr", *flags, self.folder / "program.o", self.archive("libspare.a", member),
                           "-lstdc++")

    def lua(self):
        host = self.compile("../../demo/host.c", "-O2", "-I/usr/include/lua5.4")
        script = pathlib.Path(__file__).parent.parent / "demo" / "demo.lua"
        return self.record("lua.jsr", host, LUA, "-lm", "--", script)

    def input_bytes(self, recording):
        """What the recording was made from; members lie inside their archives."""
        return sum(row["size"] for row in self.show("inputs", recording) if row["archive"] is None)


class Sizes(Packs):
    def check(self, recording):
        packed = self.pack(recording)
        ratio = packed.stat().st_size / self.input_bytes(recording)
        self.assertLess(ratio, MOST, recording.name)
        self.assertLess(packed.stat().st_size, recording.stat().st_size)
        self.must(JITSCOPE, "replay", packed)

    def test_default_libraries(self):
        self.check(self.record("hello.jsr", self.compile("int puts(const char *);\nint main(void) { return puts(\"\") < 0; }\n")))

    def test_lua(self):
        self.check(self.lua())

    def test_libcrypto(self):
        text = "int RAND_bytes(unsigned char *, int);\nint main(void) { unsigned char b[9]; return RAND_bytes(b, 9) != 1; }\n"
        self.check(self.record("crypto.jsr", self.compile(text), CRYPTO))

    def test_cpp_with_debug_information(self):
        self.check(self.program())

    def test_many_small_objects(self):
        """One after the other; each differs in its names and its code."""
        parts = "\n".join(f".section .text.f{i:05},\"ax\"\n.globl f{i:05}\nf{i:05}: mov ${i},%eax\n ret" for i in range(3))
        self.text("pattern.s", parts)
        self.must("as", self.folder / "pattern.s", "-o", self.folder / "pattern.o")
        pattern = (self.folder / "pattern.o").read_bytes()
        objects = []
        for i in range(2000):
            objects.append(self.folder / f"o{i:04}.o")
            data = pattern
            for part in range(3):
                data = data.replace(b"f%05d" % part, b"%c%05d" % (b"abc"[part], i))
            objects[-1].write_bytes(data)
        self.check(self.record("small.jsr", "--entry", "a00000", *objects, command="link"))


class Readers(Packs):
    """Every command says the same of a packed recording."""

    def same(self, a, b, *command):
        first, second = ([str(word).replace("FILE", str(path)) for word in command] for path in (a, b))
        expected, found = self.run_command(JITSCOPE, *first), self.run_command(JITSCOPE, *second)
        self.assertEqual(expected.status, 0, expected)
        if "summary" in command:  # room that was not used is gone
            expected.out, found.out = (re.sub(rb" in \d+ bytes", b"", each.out) for each in (expected, found))
        self.assertEqual(found, expected, command)

    def check(self, recording):
        packed = self.pack(recording)
        self.assertEqual(packed.read_bytes()[:4], b"\x28\xb5\x2f\xfd")
        for view in VIEWS:
            self.same(recording, packed, "show", view, "FILE")
            self.same(recording, packed, "show", view, "--json", "FILE", "--at", "40")
        self.same(recording, packed, "why", "FILE", "main")
        self.same(recording, packed, "replay", "FILE")
        for form in ("perfetto", "json", "elf", "perf-map"):
            self.same(recording, packed, "export", "--to", form, "FILE")

    def test_cpp(self):
        self.check(self.program("--trace", "edges"))

    def test_lua(self):
        self.check(self.lua())

    def test_a_replay_of_a_packed_recording_is_recorded(self):
        recording = self.program()
        packed = self.pack(recording)
        again = self.folder / "again.jsr"
        self.must(JITSCOPE, "replay", "--record", again, packed)
        self.assertGreater(len(self.show("events", again)), 100)


class Back(Packs):
    def same_content(self, original, back):
        self.assertEqual(original[:len(back)], back)
        self.assertEqual(original[len(back):].strip(b"\0"), b"")

    def test_the_way_back(self):
        """Byte for byte up to the last record, by jitscope and by zstd itself."""
        recording = self.program()
        packed = self.pack(recording)
        self.must(JITSCOPE, "pack", "--unpack", "-o", self.folder / "back.jsr", packed)
        back = (self.folder / "back.jsr").read_bytes()
        self.assertEqual(self.must("zstd", "-dc", packed).out, back)
        self.same_content(recording.read_bytes(), back)

    def test_in_place(self):
        recording = self.program()
        original = recording.read_bytes()
        outcome = self.must(JITSCOPE, "pack", recording)
        self.assertEqual((outcome.out, outcome.err), (b"", b""))
        self.assertLess(recording.stat().st_size, len(original) / 2)
        self.assertEqual(recording.stat().st_mode & 0o777, 0o600)
        first = recording.read_bytes()
        self.must(JITSCOPE, "pack", recording)  # once more changes nothing
        self.assertEqual(recording.read_bytes(), first)
        self.must(JITSCOPE, "pack", "--unpack", recording)
        self.same_content(original, recording.read_bytes())
        self.assertEqual([p.name for p in self.folder.glob("*.partial")], [])

    def test_a_recording_without_its_end(self):
        """Its program may go on: only a copy is packed, and holds all that was published."""
        main = self.compile("#include <signal.h>\nint main(void) { return raise(SIGKILL); }\n")
        recording = self.record("killed.jsr", "--in-process", main, status=-signal.SIGKILL)
        original = recording.read_bytes()
        outcome = self.jitscope("pack", recording)
        self.assertEqual((outcome.status, recording.read_bytes()), (1, original))
        self.assertIn(b"its program may still write to it", outcome.err)
        packed = self.pack(recording)
        self.assertEqual(self.show("events", packed), self.show("events", recording))
        self.same_content(original, self.must("zstd", "-dc", packed).out)

    def test_room_that_was_never_used(self):
        recording = self.program()
        data = recording.read_bytes()
        recording.write_bytes(data + bytes(3 << 20))
        packed = self.pack(recording)
        self.assertLessEqual(len(self.must("zstd", "-dc", packed).out), len(data))
        self.assertEqual(self.show("events", packed), self.show("events", recording))


class Refusals(Packs):
    def refused(self, data, *texts):
        bad = self.folder / "bad.jsr"
        bad.write_bytes(data)
        process = subprocess.Popen([JITSCOPE, "show", "summary", bad], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        _, err = process.stdout.read(), process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        process.stdout.close(), process.stderr.close()
        self.assertEqual(os.waitstatus_to_exitcode(status), 1, err)
        self.assertTrue(any(text in err for text in texts), err)
        self.assertLess(usage.ru_maxrss << 10, ROOM)

    def packed(self):
        return self.pack(self.program()).read_bytes()

    def test_cut_off(self):
        packed = self.packed()
        for size in (5, 9, 100, len(packed) // 2, len(packed) - 5, len(packed) - 1):
            self.refused(packed[:size], "it ends early", "not a readable packed recording")

    def test_changed(self):
        packed = self.packed()
        for at in (6, 20, 100, len(packed) // 3, len(packed) // 2, len(packed) - 2):
            damaged = bytearray(packed)
            damaged[at] ^= 0x10
            self.refused(damaged, "not a readable packed recording", "not a readable recording")

    def test_more_behind_it(self):
        self.refused(self.packed() + b"more", "not a readable packed recording")

    def test_something_else_inside(self):
        text = self.must("zstd", "-c", stdin=b"no recording at all").out
        self.refused(text, "what is packed is no recording")
        twice = self.must("zstd", "-c", stdin=self.packed()).out
        self.refused(twice, "what is packed is no recording")
        self.refused(b"\x28\xb5\x2f\xfd", "not a readable packed recording")

    def bomb(self, start, gigabytes, *flags):
        """START and then zeros; the size is not announced."""
        zstd = subprocess.Popen(["zstd", "-qc", *flags], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with open(self.folder / "bomb", "wb") as out:
            piece = bytes(1 << 20)
            zstd.stdin.write(start)
            for _ in range(gigabytes << 10):
                zstd.stdin.write(piece)
            zstd.stdin.close()
            out.write(zstd.stdout.read())
        zstd.stdout.close()
        self.assertEqual(zstd.wait(), 0)
        return (self.folder / "bomb").read_bytes()

    def test_a_bomb(self):
        self.refused(self.bomb(b"", 1), "what is packed is no recording")
        hello = self.compile("int main(void) { return 0; }\n")
        small = self.record("small.jsr", "--nodefaultlibs", hello, command="link").read_bytes()
        bomb = self.bomb(small + bytes(-len(small) % (256 << 10)), 1)
        self.assertLess(len(bomb), 200_000)
        self.refused(bomb, "it unpacks to more than a recording of its size can hold")

    def test_a_size_that_is_claimed(self):
        """A frame that says that it holds 2^60 bytes, and nothing behind that."""
        frame = b"\x28\xb5\x2f\xfd" + bytes([0b11000000, 0x40]) + (1 << 60).to_bytes(8, "little")
        self.refused(frame, "it claims an impossible size")

    def test_nothing_stays_of_a_failure(self):
        recording = self.program()
        original = recording.read_bytes()

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        done = subprocess.run([JITSCOPE, "pack", recording], capture_output=True, preexec_fn=limit)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"File too large", done.stderr)
        self.assertEqual(recording.read_bytes(), original)
        self.assertEqual(list(self.folder.glob("*.partial")), [])

    def test_usage(self):
        for words, text in (((), "one recording at a time"), (("a.jsr", "b.jsr"), "one recording at a time"),
                            (("--to", "elf", "a.jsr"), "it is an option of `jitscope export`")):
            outcome = self.jitscope("pack", *words)
            self.assertEqual(outcome.status, 2, outcome)
            self.assertIn(text, outcome.err.decode())


if __name__ == "__main__":
    unittest.main()
