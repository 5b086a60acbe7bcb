"""Exports: what other tools read out of a recording, compared with what `jitscope show` says of it."""
import collections
import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import unittest

from harness import INPUTS, JITSCOPE, LIBRARIES, SystemTest, numbers

LUA = LIBRARIES / "liblua5.4.a"
RECORD_LINKS = os.path.abspath(os.environ.get("RECORD_LINKS", "build/dev/tests/system/record_links"))
FORMATS = ("json", "perf-map", "jitdump", "perfetto", "ctf", "elf")
TEXT = """
int counter = 3;
__attribute__((noinline)) int add_NAME(int a, int b) { return a + b + counter; }
int call_NAME(int a) { return add_NAME(a, a); }
"""
HOSTILE = b"evil\n\x1b[31m\xff%s \"\\"
ESCAPED = 'evil\\x0a\\x1b[31m\\xff%s "\\'


class ExportTest(SystemTest):
    def export(self, form, recording, *words):
        return self.must(JITSCOPE, "export", "--to", form, recording, *words).out

    def lua(self, *words):
        host = self.compile("../../demo/host.c", "-O2", "-I/usr/include/lua5.4")
        recording = self.folder / "lua.jsr"
        outcome = self.jitscope("run", *words, "--record", recording, host, LUA, "-lm", "--",
                                INPUTS.parent.parent / "demo" / "demo.lua")
        self.assertEqual(outcome.status, 0, outcome)
        return recording

    def links(self, end, names, gone=None):
        """A recording of one session with a link for each name; GONE is linked too, and unloaded before the last."""
        objects = [self.compile(TEXT.replace("NAME", name).replace("counter", f"counter_{name}"), "-O1", "-g",
                                name=f"{name}.o") for name in [*names, *([gone] if gone else [])]]
        recording = self.folder / f"{end}.jsr"
        words = objects if not gone else [*objects[:-1], "-", objects[-1]]
        self.must(RECORD_LINKS, recording, end, *words)
        return recording

    def hostile(self):
        """A recording with a function whose name attacks whoever prints it."""
        plain = self.compile("int evil(void) { return 1; }\nint main(void) { return evil(); }\n", "-O0")
        subprocess.run(["objcopy", "--redefine-sym", b"evil=" + HOSTILE, plain], check=True)
        recording = self.folder / "hostile.jsr"
        self.must(JITSCOPE, "link", "--record", recording, plain)
        return recording


class Json(ExportTest):
    def test_lines_are_the_events(self):
        recording = self.lua("--trace", "edges")
        lines = [json.loads(line, object_hook=numbers) for line in self.export("json", recording).splitlines()]
        self.assertGreater(len(lines), 10000)
        self.assertEqual(lines, self.show("events", recording))
        kinds = {line["kind"] for line in lines if line["event"] == "fixup"}
        self.assertIn("branch32", kinds)

    def test_hostile_names(self):
        names = [json.loads(line).get("text") for line in self.export("json", self.hostile()).splitlines()]
        self.assertIn("evil\n\x1b[31m\ufffd%s \"\\", names)


class PerfMap(ExportTest):
    def read(self, text):
        rows = [line.split(" ", 2) for line in text.decode().splitlines()]
        return {name: (int(start, 16), int(size, 16)) for start, size, name in rows}

    def test_functions_and_stubs(self):
        recording = self.lua()
        rows = self.read(self.export("perf-map", recording))
        functions = {s["name"]: (s["address"], s["size"]) for s in self.show("symbols", recording)
                     if s["kind"] == "function" and s["state"] == "defined"}
        self.assertGreater(len(functions), 300)
        self.assertLessEqual(functions.items(), rows.items())
        stubs = {row["symbol"] + "@plt": row["stub"] for row in self.show("plt", recording)}
        self.assertEqual(stubs, {name: start for name, (start, size) in rows.items() if name.endswith("@plt")})

    def test_a_recording_without_symbols(self):
        """What a lower level leaves out is had by replaying."""
        main = self.compile("int main(void) { return 0; }\n")
        maps = []
        for level in ("phase", "block"):
            recording = self.folder / f"{level}.jsr"
            self.must(JITSCOPE, "link", "--base", "0x400000", f"--trace={level}", "--record", recording, main)
            maps.append(self.must(JITSCOPE, "export", "--to", "perf-map", recording).out)
        self.assertEqual(maps[0], maps[1])
        self.assertIn(b" main\n", maps[0])

    def test_what_is_live(self):
        for end in ("end", "leave"):
            recording = self.links(end, ("first", "second"), "gone")
            rows = self.read(self.export("perf-map", recording))
            self.assertEqual(set(rows), {"add_first", "call_first", "add_second", "call_second"}, end)

    def test_a_failed_link_is_not_there(self):
        main = self.compile("int missing(void);\nint main(void) { return missing(); }\n")
        recording = self.folder / "failed.jsr"
        self.assertEqual(self.jitscope("link", "--record", recording, main).status, 1)
        self.assertEqual(self.export("perf-map", recording), b"")

    def test_assembly(self):
        main = self.compile("asm(\".globl main, tail\\nmain: nop\\nnop\\ntail: ret\\n\");\n")
        recording = self.folder / "r.jsr"
        self.must(JITSCOPE, "link", "--base", "0x5000000", "--record", recording, main)
        self.assertEqual(self.read(self.export("perf-map", recording)), {"main": (0x5000000, 3), "tail": (0x5000002, 1)})

    def test_hostile_names(self):
        self.assertIn(ESCAPED, self.read(self.export("perf-map", self.hostile())))


def parse_message(lines):
    """protoc's text of a message, as a list of pairs of field and value; values are texts or such lists."""
    fields = []
    for line in lines:
        line = line.strip()
        if line == "}":
            return fields
        if line.endswith(" {"):
            fields.append((line[:-2], parse_message(lines)))
        else:
            name, value = line.split(": ", 1)
            fields.append((name, value.strip('"') if value.startswith('"') else value))
    return fields


class Perfetto(ExportTest):
    def packets(self, recording):
        data = self.export("perfetto", recording)
        outcome = self.must("protoc", "--decode=Trace", f"--proto_path={INPUTS}", "perfetto.proto", stdin=data)
        packets = [dict(packet) for _, packet in parse_message(iter(outcome.out.decode().splitlines()))]
        self.assertEqual(packets[0]["sequence_flags"], "1")
        for packet in packets:
            self.assertEqual(packet["trusted_packet_sequence_id"], "1")
            self.assertFalse(set(packet) - {"timestamp", "trusted_packet_sequence_id", "track_event", "sequence_flags",
                                            "track_descriptor"}, packet)
        return packets

    def tracks(self, packets):
        return {dict(p["track_descriptor"])["uuid"]: dict(p["track_descriptor"]) for p in packets
                if "track_descriptor" in p}

    def events(self, packets):
        """(time, track, type, name, whole event), sorted by time as trace processors do: stable."""
        found = []
        for packet in packets:
            if "track_event" in packet:
                event = dict(packet["track_event"])
                found.append((int(packet["timestamp"]), event["track_uuid"], event["type"], event.get("name"),
                              packet["track_event"]))
        return sorted(found, key=lambda e: e[0])

    def slices(self, events):
        """Closed slices as (names from the outermost in, begin, end, annotations); checks that they nest."""
        stacks, done = collections.defaultdict(list), []
        for time, track, kind, name, whole in events:
            if kind == "TYPE_SLICE_BEGIN":
                stacks[track].append((name, time, self.annotations(whole)))
            elif kind == "TYPE_SLICE_END":
                path = tuple(entry[0] for entry in stacks[track])
                name, begin, annotations = stacks[track].pop()
                done.append((path, begin, time, annotations))
        self.assertFalse(any(stacks.values()))
        return done

    def annotations(self, event):
        pairs = [dict(value) for field, value in event if field == "debug_annotations"]
        return {pair.pop("name"): next(iter(pair.values())) for pair in pairs}

    def test_passes_and_links(self):
        recording = self.lua()
        packets = self.packets(recording)
        tracks, events = self.tracks(packets), self.events(packets)
        slices = self.slices(events)
        starts = {e["pass"]: e["time"] for e in self.show("events", recording) if e["event"] == "pass_begin"}
        wanted = []
        for row in self.show("passes", recording):
            begin = starts[row["pass"]]
            wanted.append((("link 1", row["name"]), begin, row["phase"], str(row["edges"])))
        passes = [s for s in slices if len(s[0]) == 2]
        self.assertEqual([(path, begin, notes["phase"], notes["edges"]) for path, begin, end, notes in passes], wanted)
        durations = [e["duration"] for e in self.show("events", recording) if e["event"] == "pass_end"]
        self.assertEqual([end - begin for path, begin, end, notes in passes], durations)
        link = next(s for s in slices if s[0] == ("link 1",))
        ended = next(e for e in self.show("events", recording) if e["event"] == "link_end")
        self.assertEqual(link[2] - link[1], ended["duration"])
        self.assertEqual(link[3]["outcome"], "ok")
        process = next(t for t in tracks.values() if "process" in t)
        pid = dict(process["process"])["pid"]
        begun = next(e for e in self.show("events", recording) if e["event"] == "session_begin")
        self.assertEqual(pid, str(begun["process"]))

    def test_actions_lie_in_allocations(self):
        slices = self.slices(self.events(self.packets(self.lua())))
        actions = [s for s in slices if len(s[0]) == 4]
        self.assertEqual({s[0][:3] for s in actions}, {("link 1", "finalize", "allocation 1")})
        self.assertIn("register-eh-frames", {s[0][3] for s in actions})
        late = {s[0][-1] for s in slices if s[0][0] != "link 1"}
        self.assertIn("deregister-eh-frames", late)

    def test_counters(self):
        recording = self.lua()
        packets = self.packets(recording)
        tracks, events = self.tracks(packets), self.events(packets)
        names = {t["uuid"]: t["name"] for t in tracks.values() if "counter" in t}
        self.assertEqual(set(names.values()), {"blocks", "symbols", "edges", "linked memory"})
        values = collections.defaultdict(list)
        for time, track, kind, name, whole in events:
            if kind == "TYPE_COUNTER":
                values[names[track]].append(int(dict(whole)["counter_value"]))
        rows = self.show("passes", recording)
        for name in ("blocks", "symbols", "edges"):
            self.assertEqual(values[name], [row[name] for row in rows])
        held = sum(s["content"] + s["zero_fill"] for s in self.show("segments", recording))
        self.assertEqual(values["linked memory"], [held, held])

    def test_threads_and_unloading(self):
        packets = self.packets(self.links("end", ("first", "second"), "gone"))
        tracks, events = self.tracks(packets), self.events(packets)
        outer = [s for s in self.slices(events) if len(s[0]) == 1 and s[0][0].startswith("link")]
        self.assertEqual([s[0][0] for s in outer], ["link 1", "link 2", "link 3"])
        threads = [t for t in tracks.values() if "thread" in t]
        self.assertEqual(len({dict(t["thread"])["tid"] for t in threads}), len(threads))
        self.assertGreaterEqual(len(threads), 2)
        instants = [e[3] for e in events if e[2] == "TYPE_INSTANT"]
        self.assertLess(instants.index("unload link 2"), instants.index("unload link 3"))
        self.assertTrue(any(name.startswith("registered with") for name in instants))
        values = [int(dict(e[4])["counter_value"]) for e in events if e[2] == "TYPE_COUNTER"
                  and tracks[e[1]]["name"] == "linked memory"]
        self.assertEqual(values[-1], 0)

    def test_a_killed_program(self):
        """Slices that have no end are ended."""
        recording = self.folder / "r.jsr"
        main = self.compile("#include <signal.h>\n__attribute__((constructor)) static void die(void) "
                            "{ raise(SIGKILL); }\nint main(void) { return 0; }\n")
        self.assertEqual(self.jitscope("run", "--in-process", "--record", recording, main).status, -signal.SIGKILL)
        slices = self.slices(self.events(self.packets(recording)))
        paths = [s[0] for s in slices]
        self.assertEqual(paths[-1], ("link 1",))
        self.assertIn(("link 1", "finalize"), paths)


class Ctf(ExportTest):
    LINE = re.compile(r"\[(\d+)\] \(.*\) (\w+): \{ sequence = (\d+), link_number = (\d+), thread = (\d+) \}, \{ (.*) \}")

    def read(self, recording):
        folder = self.folder / "trace"
        self.export("ctf", recording, "-o", folder)
        outcome = self.must("babeltrace2", "--clock-cycles", folder)
        self.assertEqual(outcome.err, b"")
        rows = []
        for line in outcome.out.decode().splitlines():
            match = self.LINE.fullmatch(line)
            self.assertTrue(match, line)
            rows.append(match.groups())
        return rows

    def test_every_event(self):
        recording = self.lua("--trace", "edges")
        rows, events = self.read(recording), self.show("events", recording)
        self.assertEqual([(name, int(sequence), int(link)) for _, name, sequence, link, _, _ in rows],
                         [(e["event"], e["sequence"], e["link_number"]) for e in events])
        times = [int(row[0]) for row in rows]
        self.assertEqual(times, sorted(times))
        for row, event in zip(rows, events):
            if event["event"] in ("pass_begin", "link_begin", "call_link", "call_exit"):
                self.assertEqual(int(row[0]), event["time"])

    def test_fields(self):
        recording = self.lua("--trace", "edges")
        rows, events = self.read(recording), self.show("events", recording)
        seen = set()
        for row, event in zip(rows, events):
            fields, kind = row[5], event["event"]
            if kind == "symbol":
                self.assertIn(f'name = "{event["name"] or "-"}", block = ', fields)
                self.assertIn(f'linkage = ( "{event["linkage"]}" : container = ', fields)
            elif kind == "fixup":
                self.assertIn(f'kind = ( "{event["kind"]}" : container = ', fields)
                self.assertIn(f'addend = {event["addend"]},', fields)
                self.assertIn(f'after = 0x{event["after"]:X}', fields)
            elif kind == "segment":
                self.assertIn(f'prot = ( "{event["prot"]}" : container = ', fields)
            elif kind == "string":
                self.assertIn(f'length = {event["length"]}, text = ', fields)
            else:
                continue
            seen.add(kind)
        self.assertEqual(seen, {"symbol", "fixup", "segment", "string"})

    def test_hostile_names(self):
        texts = [row[5] for row in self.read(self.hostile()) if row[1] == "symbol"]
        self.assertTrue(any("evil\\\\x0a\\\\x1b[31m\\\\xff" in text for text in texts), texts)

    def test_again_into_the_same_folder(self):
        recording = self.links("end", ("first", "second"))
        self.assertEqual(self.read(recording), self.read(recording))


DUMPS = """
#include <stdio.h>
#include <stdlib.h>
const char *const words[] = {"one", "two"};
int value = 3;
int zeros[100];
static void dump(const char *name, const void *at, int size) {
    printf("%s %p ", name, at);
    for (int i = 0; i < size; i++)
        printf("%02x", ((const unsigned char *)at)[i]);
    printf("\\n");
}
int main(void) {
    dump("main", main, 64);
    dump("dump", dump, 64);
    dump("words", words, 16);
    dump("value", &value, 4);
    return getenv("NO_SUCH_THING") != NULL;
}
"""


class Bytes(ExportTest):
    """A recording of a program that prints what its own memory holds."""

    def setUp(self):
        super().setUp()
        main = self.compile(DUMPS, "-O1", "-g", "-fno-stack-protector")
        self.recording = self.folder / "dumps.jsr"
        lines = self.must(JITSCOPE, "run", "--record", self.recording, main).out.decode().split("\n")
        self.dumps = {name: (int(address, 16), bytes.fromhex(content))
                      for name, address, content in (line.split() for line in lines if line)}
        self.assertEqual(len(self.dumps), 4)

    def elf(self, recording=None):
        path = self.folder / "memory.elf"
        self.export("elf", recording or self.recording, "-o", path)
        return path

    def gdb(self, path, *commands):
        words = [word for command in commands for word in ("-ex", command)]
        return self.must("gdb", "-nx", "-batch", *words, path).out.decode()


class Jitdump(Bytes):
    def read(self, data):
        """By the specification: header, then (id, time, fields, rest of the record)."""
        magic, version, size, machine, _, pid, time, flags = struct.unpack_from("<6I2Q", data)
        self.assertEqual((magic, version, size, machine, flags), (0x4A695444, 1, 40, 62, 0))
        records, at = [], size
        while at < len(data):
            kind, size, time = struct.unpack_from("<IIQ", data, at)
            self.assertLessEqual(at + size, len(data))
            records.append((kind, time, data[at + 16:at + size]))
            at += size
        self.assertEqual(at, len(data))
        return pid, records

    def lines(self, records):
        """Of each JIT_CODE_DEBUG_INFO: the function's address, and (address, line, file) of its entries."""
        found = {}
        for kind, time, body in records:
            if kind != 2:
                continue
            function, count = struct.unpack_from("<2Q", body)
            entries, at = [], 16
            for _ in range(count):
                address, line, discriminator = struct.unpack_from("<QII", body, at)
                end = body.index(0, at + 16)
                entries.append((address, line, body[at + 16:end].decode()))
                at = end + 1
            self.assertEqual(at, len(body))
            found[function] = entries
        return found

    def loads(self, data):
        pid, records = self.read(data)
        for before, after in zip(records, records[1:]):
            if before[0] == 2:  # lines come right before their function
                self.assertEqual((after[0], after[2][16:24]), (0, before[2][:8]))
        records = [record for record in records if record[0] != 2]
        self.assertEqual((records[-1][0], records[-1][2]), (3, b""))
        self.assertEqual([r[1] for r in records], sorted(r[1] for r in records))
        found, numbers_seen = {}, set()
        for kind, time, body in records[:-1]:
            self.assertEqual(kind, 0)
            owner, thread, mapped, address, size, number = struct.unpack_from("<2I4Q", body)
            name, code = body[40:].split(b"\0", 1)
            self.assertEqual((owner, mapped, len(code)), (pid, address, size))
            self.assertNotIn(number, numbers_seen)
            numbers_seen.add(number)
            found[name.decode()] = (address, code, time)
        return found

    def test_code(self):
        loads = self.loads(self.export("jitdump", self.recording))
        rows = [line.split(" ", 2) for line in self.export("perf-map", self.recording).decode().splitlines()]
        self.assertEqual({name: (int(start, 16), int(size, 16)) for start, size, name in rows},
                         {name: (address, len(code)) for name, (address, code, _) in loads.items()})
        self.assertIn("printf@plt", loads)
        for name in ("main", "dump"):
            address, code, _ = loads[name]
            self.assertEqual(address, self.dumps[name][0])
            self.assertEqual(code[:64], self.dumps[name][1][:len(code)])

    def test_times(self):
        recording = self.links("end", ("first", "second"), "gone")
        loads = self.loads(self.export("jitdump", recording))
        self.assertEqual(set(loads), {"add_first", "call_first", "add_second", "call_second"})
        begin = [e["time"] for e in self.show("events", recording) if e["event"] == "link_begin"]
        length = [e["duration"] for e in self.show("events", recording) if e["event"] == "link_end"]
        self.assertEqual(loads["add_first"][2], begin[0] + length[0])
        self.assertEqual(loads["add_second"][2], begin[2] + length[2])

    def test_lines(self):
        """The line of each entry is what addr2line says of its address in the ELF file of the same memory."""
        pid, records = self.read(self.export("jitdump", self.recording))
        lines, elf = self.lines(records), self.elf()
        self.assertEqual(set(lines), {self.dumps["main"][0], self.dumps["dump"][0]})
        for entries in lines.values():
            self.assertGreater(len(entries), 3)
            last = {address: f"{file}:{line}" for address, line, file in entries}
            said = self.must("addr2line", "-e", elf, *[hex(address) for address in last]).out.decode().splitlines()
            self.assertEqual([re.sub(" .*", "", text) for text in said], list(last.values()))

    @unittest.skipUnless(shutil.which("perf") and not subprocess.run(
        ["perf", "record", "-k", "1", "-e", "cpu-clock", "-o", os.devnull, "true"], capture_output=True).returncode,
        "perf does not work here")
    def test_perf_reads_it(self):
        """perf looks for a mapping of jit-PID.dump in what it recorded; it writes an ELF file per function."""
        program = self.text("map.py", """
import mmap, os, sys
data = bytearray(open(sys.argv[1], "rb").read())
data[20:24] = os.getpid().to_bytes(4, "little")
path = os.path.join(sys.argv[2], f"jit-{os.getpid()}.dump")
open(path, "wb").write(data)
with open(path, "rb") as file:
    mmap.mmap(file.fileno(), len(data), mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
""")
        self.export("jitdump", self.recording, "-o", self.folder / "code.dump")
        self.must("perf", "record", "-k", "1", "-e", "cpu-clock", "-o", "perf.data", "python3", program, "code.dump",
                  self.folder)
        self.must("perf", "inject", "--jit", "-i", "perf.data", "-o", "perf.jitted")
        files = list(self.folder.glob("jitted-*.so"))
        loads = self.loads((self.folder / "code.dump").read_bytes())
        self.assertEqual(len(files), len(loads))
        found = {}
        for path in files:
            self.must("objcopy", "-O", "binary", "-j", ".text", path, "text.bin")
            names = [line.split()[2] for line in self.must("nm", path).out.decode().splitlines()]
            found[names[0]] = (self.folder / "text.bin").read_bytes()
            if names[0] == "main":
                table = self.must("readelf", "--debug-dump=decodedline", path).out.decode()
                self.assertRegex(table, r"text\.c +13 ")
        self.assertEqual(found, {name: code for name, (_, code, _) in loads.items()})


class Elf(Bytes):
    def at(self, path, address, size):
        """Bytes at an address, by the program headers."""
        text = self.must("readelf", "-lW", path).out.decode()
        for offset, start, held in re.findall(r"LOAD +0x(\w+) 0x(\w+) 0x\w+ 0x(\w+)", text):
            if int(start, 16) <= address and address + size <= int(start, 16) + int(held, 16):
                at = int(offset, 16) + address - int(start, 16)
                return path.read_bytes()[at:at + size]
        return None

    def lint(self, path):
        outcome = self.must("readelf", "-aW", "--debug-dump", path)
        self.assertEqual(outcome.err, b"")
        self.assertNotIn(b"Warning", outcome.out)
        self.assertEqual(self.must("eu-elflint", "--gnu-ld", path).out, b"No errors\n")

    def test_memory(self):
        path = self.elf()
        self.lint(path)
        for name, (address, content) in self.dumps.items():
            self.assertEqual(self.at(path, address, len(content)), content, name)
        segments = self.show("segments", self.recording)
        text = self.must("readelf", "-lW", path).out.decode()
        loads = re.findall(r"LOAD +0x\w+ 0x(\w+) 0x\w+ 0x(\w+) 0x(\w+) (...)", text)
        self.assertEqual([(int(start, 16), int(held, 16), int(size, 16), flags) for start, held, size, flags in loads],
                         sorted((s["address"], s["content"], s["content"] + s["zero_fill"],
                                 {"r-x": "R E", "r--": "R  ", "rw-": "RW "}[s["prot"]]) for s in segments))
        entry = re.search(r"Entry point 0x(\w+)", text).group(1)
        self.assertEqual(int(entry, 16), self.dumps["main"][0])

    def test_sections(self):
        text = self.must("readelf", "-SW", self.elf()).out.decode()
        found = {name: (kind, int(start, 16), int(size, 16), flags.strip()) for name, kind, start, size, flags in
                 re.findall(r"\] (\S+) +(\w+) +(\w+) \w+ (\w+) 00 ([ WAXMS]+?) +\d", text)}
        for row in self.show("sections", self.recording):
            if not row["blocks"]:
                continue
            kind, start, size, flags = found[row["name"]]
            self.assertEqual(start, row["address"], row)
            self.assertGreaterEqual(size, row["size"], row)
            self.assertEqual(kind, "NOBITS" if row["name"] == ".bss" else "PROGBITS", row)
            self.assertEqual(flags, {"r-x": "AX", "r--": "A", "rw-": "WA"}[row["prot"]], row)
        self.assertIn(".debug_info", found)

    def test_symbols(self):
        path = self.elf()
        found = {}
        for line in self.must("nm", "-a", path).out.decode().splitlines():
            address, kind, name = line.split(" ", 2)
            found[name] = (int(address, 16), kind)
        for row in self.show("symbols", self.recording):
            if row["state"] == "defined" and row["name"] and row["kind"] in ("function", "object"):
                self.assertEqual(found[row["name"]][0], row["address"], row)
            elif row["state"] == "resolved":
                self.assertEqual(found[row["name"]], (row["address"], "A"), row)
        for row in self.show("plt", self.recording):
            self.assertEqual(found[row["symbol"] + "@plt"], (row["stub"], "t"), row)
            self.assertEqual(found[row["symbol"] + "@got"], (row["slot"], "r"), row)
            self.assertEqual(self.at(path, row["slot"], 8), struct.pack("<Q", row["target"]))
        self.assertEqual([found[n][1] for n in ("main", "dump", "value", "zeros", "words")], ["T", "t", "D", "B", "D"])

    def test_disassembly(self):
        text = self.must("objdump", "-d", "--disassemble=main", self.elf()).out.decode()
        self.assertIn("<dump>", text)
        self.assertRegex(text, r"(call|jmp) .*<getenv(@plt)?>")
        self.assertRegex(text, r"# \w+ <value>")

    def test_lines(self):
        """The same lines as in a program that the system's linker made of the same object."""
        path, program = self.elf(), self.folder / "program"
        self.must("gcc", "-no-pie", self.folder / "text.o", "-o", program)
        base = int(next(line.split()[0] for line in self.must("nm", program).out.decode().splitlines()
                        if line.endswith(" T main")), 16)
        offsets = range(0, 80, 5)
        ours = self.must("addr2line", "-fe", path, *[hex(self.dumps["main"][0] + o) for o in offsets]).out
        theirs = self.must("addr2line", "-fe", program, *[hex(base + o) for o in offsets]).out
        self.assertEqual(ours, theirs)
        self.assertIn(b"text.c:14", ours)
        elfutils = self.must("eu-addr2line", "-fe", path, hex(self.dumps["dump"][0])).out.decode()
        self.assertEqual(elfutils.splitlines()[0], "dump")

    def test_gdb(self):
        text = self.gdb(self.elf(), "info line main", "disassemble /s main", "info symbol main", "print value",
                        "print words[1]", "print zeros", "ptype dump", "info scope dump")
        for wanted in ('Line 13 of "', "15\t    dump(", "main in section .text", "= 3", '"two"', "{0 <repeats 100 times>}",
                       "type = void (const char *, const void *, int)", "Symbol name is"):
            self.assertIn(wanted, text)

    def test_links_are_merged(self):
        path = self.elf(self.links("end", ("first", "second"), "gone"))
        self.lint(path)
        text = self.gdb(path, "info line add_first", "info line add_second", "print counter_first", "ptype call_second",
                        "info functions gone")
        self.assertIn("= 3", text)
        self.assertEqual(text.count('Line 3 of "'), 2)
        self.assertNotIn("add_gone", text)
        units = self.must("readelf", "--debug-dump=info", "--dwarf-depth=1", path).out
        self.assertEqual(units.count(b"DW_TAG_compile_unit"), 2)

    def test_cpp(self):
        text = """
#include <map>
#include <string>
struct tree { std::map<std::string, int> leaves; ~tree() { leaves.clear(); } };
static tree top;
int main() { top.leaves["a"] = 1; try { throw 3; } catch (int n) { return n - 3; } }
"""
        source = self.text("tree.cpp", text)
        self.must("g++", "-g", "-O0", "-c", source, "-o", "tree.o")
        recording = self.folder / "tree.jsr"
        self.must(JITSCOPE, "run", "--record", recording, self.folder / "tree.o", "-lstdc++")
        path = self.elf(recording)
        self.lint(path)
        self.assertIn("INIT_ARRAY", self.must("readelf", "-SW", path).out.decode())
        self.assertIn("std::map<", self.gdb(path, "ptype tree"))

    def test_it_runs_when_nothing_is_outside(self):
        """The kernel takes it for what it is: segments, protections and entry are right."""
        main = self.compile("""
asm(".globl main\\nmain: xor %edi, %edi\\n push %rdi\\n call run\\n mov %eax, %edi\\n mov $60, %eax\\n syscall\\n");
static const char text[] = "out of memory\\n";
static int counts[2000], add = 38;
static int put(int n) { return n + add; }
static int (*volatile where)(int) = put;
int run(void) {
    long result;
    asm volatile("syscall" : "=a"(result) : "a"(1), "D"(1), "S"(text), "d"(sizeof text - 1) : "rcx", "r11", "memory");
    counts[1999] = 4;
    return where(counts[1999]) + counts[7];
}
""", "-O1", "-fno-stack-protector", "-fcf-protection=none")
        recording = self.folder / "free.jsr"
        self.must(JITSCOPE, "link", "--base", "0x5000000", "--record", recording, main)
        path = self.elf(recording)
        self.lint(path)
        path.chmod(0o700)
        outcome = self.run_command(path)
        self.assertEqual((outcome.status, outcome.out), (42, b"out of memory\n"))

    def test_nothing_to_export(self):
        main = self.compile("int missing(void);\nint main(void) { return missing(); }\n")
        recording = self.folder / "failed.jsr"
        self.assertEqual(self.jitscope("link", "--record", recording, main).status, 1)
        outcome = self.jitscope("export", "--to", "elf", recording, "-o", self.folder / "x")
        self.assertEqual(outcome.status, 1)
        self.assertIn(b"no link was in memory", outcome.err)

    def test_a_recording_that_does_not_replay(self):
        """Bytes that a replay would have to make up are not exported; what needs none is."""
        recording = self.links("leave", ("first",))
        content = recording.read_bytes()
        at = content.rfind(b"announce-definitions")  # in the last chunk, which has no digest yet
        damaged = self.folder / "bad.jsr"
        damaged.write_bytes(content[:at] + b"A" + content[at + 1:])
        self.assertIn(b"add_first", self.export("perf-map", damaged))
        for form in ("elf", "jitdump"):
            outcome = self.jitscope("export", "--to", form, damaged, "-o", self.folder / "x")
            self.assertEqual(outcome.status, 1, outcome)
            self.assertIn(b"cannot be replayed", outcome.err)
        self.assertFalse((self.folder / "x").exists())


class Files(ExportTest):
    def test_usage(self):
        recording = self.hostile()
        for words, text in ((("export", recording), b"--to FORMAT is missing"),
                            (("export", "--to", "perfeto", recording), b"did you mean perfetto?"),
                            (("export", "--to", "json"), b"the recording's name is missing"),
                            (("export", "--to", "json", recording, recording), b"one recording at a time"),
                            (("export", "--to", "ctf", recording), b"-o NAME.ctf")):
            outcome = self.jitscope(*words)
            self.assertEqual(outcome.status, 2, outcome)
            self.assertIn(text, outcome.err)
            self.assertEqual(outcome.out, b"")

    def test_help_lists_formats(self):
        text = self.must(JITSCOPE, "export", "--help").out.decode().split("Formats:\n")[1].split("\n\n")[0]
        self.assertEqual(tuple(re.findall(r"^  (\S+)", text, flags=re.M)), FORMATS)

    def test_no_recording(self):
        for form in FORMATS:
            target = self.folder / "out"
            outcome = self.jitscope("export", "--to", form, self.text("bad.jsr", "no recording"), "-o", target)
            self.assertEqual(outcome.status, 1, outcome)
            self.assertFalse(target.exists())

    def test_file_equals_standard_output(self):
        recording = self.links("end", ("first", "second"))
        for form in ("json", "perf-map", "perfetto", "jitdump", "elf"):
            target = self.folder / f"out.{form}"
            self.assertEqual(self.export(form, recording, "-o", target), b"")
            self.assertEqual(target.read_bytes(), self.export(form, recording))
            self.assertEqual(target.read_bytes(), self.export(form, recording, "-o", "-"))
            self.assertEqual(target.stat().st_mode & 0o777, 0o600)

    def test_a_full_disk(self):
        recording = self.links("end", ("first",))
        for form in ("json", "perf-map", "perfetto", "jitdump", "elf"):
            outcome = self.jitscope("export", "--to", form, recording, "-o", "/dev/full")
            self.assertEqual(outcome.status, 1, outcome)
            self.assertIn(b"No space left", outcome.err)
            with open("/dev/full", "wb") as full:
                done = subprocess.run([JITSCOPE, "export", "--to", form, recording], stdout=full, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(b"No space left", done.stderr)

    def test_a_file_that_cannot_be_written_leaves_the_old_one(self):
        """What was there stays until the new one is complete; nothing else is left behind."""
        recording = self.lua("--trace", "edges")
        target = self.text("out.jsonl", "old")

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        before = set(self.folder.iterdir())
        done = subprocess.run([JITSCOPE, "export", "--to", "json", recording, "-o", target], capture_output=True,
                              preexec_fn=limit, restore_signals=False)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(b"File too large", done.stderr)
        self.assertEqual(target.read_text(), "old")
        self.assertEqual(set(self.folder.iterdir()), before)
        for form, name in (("json", "/nowhere/out"), ("json", self.folder), ("ctf", target), ("ctf", "/nowhere/out")):
            self.assertEqual(self.jitscope("export", "--to", form, recording, "-o", name).status, 1, name)
        self.assertEqual(target.read_text(), "old")


if __name__ == "__main__":
    unittest.main()
