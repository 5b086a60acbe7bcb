"""Inputs made to cost much: small files of legal shape whose work or memory must stay in proportion to their size.

Each took minutes or all memory before, or would with the obvious algorithm; the limits are far above what it takes now.
"""
import os
import pathlib
import resource
import struct
import subprocess
import tempfile
import unittest

from bad_elf import ALLOC, CIE, EXEC, PROGBITS, RELOCATIONS, STRTAB, SYMTAB

JITSCOPE = os.path.abspath(os.environ.get("JITSCOPE", "build/dev/jitscope"))
LIMIT = 15  # seconds of the processor, with room for sanitizers
MOST_MEMORY = 2 << 20  # KiB
UNDEFINED, TEXT = 0, 1  # numbers of sections


def encoded(name):
    return name if isinstance(name, bytes) else name.encode()


def make_object(sections, symbols):
    """SECTIONS: (name, type, flags, content, info, entry size), from number 1 on; SYMBOLS: (name, info, section, value).
    Names are text or bytes."""
    strings, table = bytearray(b"\0"), bytearray(24)
    for name, info, section, value in symbols:
        table += struct.pack("<IBBHQQ", len(strings), info, 0, section, value, 1)
        strings += encoded(name) + b"\0"
    count = len(sections)
    sections = [*sections, (".symtab", SYMTAB, 0, bytes(table), 1, 24), (".strtab", STRTAB, 0, bytes(strings), 0, 0)]
    names, places, image, headers = bytearray(b"\0"), [], bytearray(64), bytearray(64)
    for name, *_ in sections:
        places.append(len(names))
        names += encoded(name) + b"\0"
    places.append(len(names))
    names += b".shstrtab\0"
    sections.append((".shstrtab", STRTAB, 0, bytes(names), 0, 0))
    for place, (name, kind, flags, content, info, entry) in zip(places, sections):
        link = count + 1 if kind == RELOCATIONS else count + 2 if kind == SYMTAB else 0
        image += bytes(-len(image) % 8)
        headers += struct.pack("<IIQQQQIIQQ", place, kind, flags, 0, len(image), len(content), link, info, 1, entry)
        image += content
    image += bytes(-len(image) % 8)
    struct.pack_into("<16sHHIQQQIHHHHHH", image, 0, b"\x7fELF\x02\x01\x01", 1, 62, 1, 0, 0, len(image), 0, 64, 0, 0, 64,
                     len(sections) + 1, len(sections))
    return bytes(image + headers)


class Hostile(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="jitscope-hostile-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_tool(self, *words):
        def limit():
            resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))  # more ends it by a signal
        done = subprocess.run([JITSCOPE, *words], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=limit, timeout=600)
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, MOST_MEMORY)
        return done

    def must(self, *words):
        done = self.run_tool(*words)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout

    def write(self, name, content):
        (self.folder / name).write_bytes(content)

    def test_bounds_of_very_many_sections(self):
        """Each __start_X is a question about all blocks, of which there are as many."""
        count, files = 60000, ("x.o", "y.o", "z.o")
        for file in files:
            sections = [(f"{file[0]}{i}", PROGBITS, ALLOC | EXEC, b"\xc3", 0, 0) for i in range(count)]
            names = [(f"__start_{file[0]}{i}", 0x10, UNDEFINED, 0) for i in range(count)]
            self.write(file, make_object(sections, names))
        self.must("link", *files)

    def functions_in_one_section(self, count):
        """As gcc writes them without -ffunction-sections; each has its record in .eh_frame."""
        frames, relocations = bytearray(CIE), bytearray()
        for i in range(count):
            at = len(frames)
            frames += struct.pack("<IIII", 12, at + 4, 0, 1)
            relocations += struct.pack("<QIIq", at + 8, 2, i + 1, 0)
        sections = [(".text", PROGBITS, ALLOC | EXEC, b"\xc3" * count, 0, 0),
                    (".eh_frame", PROGBITS, ALLOC, bytes(frames), 0, 0),
                    (".rela.eh_frame", RELOCATIONS, 0, bytes(relocations), 2, 24)]
        return make_object(sections, [(f"f{i}", 0x12, TEXT, i) for i in range(count)])

    def test_functions_of_one_section_find_their_names(self):
        count = 200000
        self.write("x.o", self.functions_in_one_section(count))
        self.must("link", "--record", "x.jsr", "x.o")
        lines = self.must("show", "eh-frames", "x.jsr").decode().splitlines()
        self.assertTrue(lines[count + 1].endswith(f"  f{count - 1}"), lines[count + 1])

    def test_recording_of_many_links_with_wild_ids(self):
        """Tables are indexed by id: each link's could be as large as the file has events, for one event each."""
        self.write("x.o", self.functions_in_one_section(1))
        self.must("link", "--record", "x.jsr", "x.o")
        image = bytearray((self.folder / "x.jsr").read_bytes())
        first = struct.unpack_from("<Q", image, 32)[0]
        records = bytearray()
        links = 8000
        for link in range(1, links + 1):
            run = self.record(image, first, 1)
            struct.pack_into("<Q", run, 4, link)
            struct.pack_into("<I", run, 12, link)
            block = self.record(image, first, 31)
            struct.pack_into("<I", block, 4, links - 1)
            records += run + block
        size = struct.unpack_from("<I", image, 12)[0]
        step = (size - 64) // (len(run) + len(block)) * (len(run) + len(block))
        image = image[:first]
        for at in range(0, len(records), step):
            chunk = struct.pack("<IIII", 0x4b43534a, 0, 0, 0) + bytes(32) + records[at:at + step]
            image += chunk + bytes(size - len(chunk))
        self.write("y.jsr", image)
        done = self.run_tool("show", "blocks", "y.jsr")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"which cannot exist", done.stderr)

    @staticmethod
    def record(image, first, wanted):
        """A copy of the first record of that event in the first chunk."""
        at = first + 48
        while True:
            header = struct.unpack_from("<I", image, at)[0]
            if header & 0xfff == wanted:
                return bytearray(image[at:at + (header >> 12)])
            at += header >> 12


if __name__ == "__main__":
    unittest.main()
