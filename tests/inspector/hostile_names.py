"""Names that would steer a terminal, upset a format or cost much: of symbols, sections and files, through every screen, at
sizes from 1x1 on, and into all that is written: screens, text, JSON, messages, a real terminal.

What is there is not looked at here, but that no byte is that steers, and that JSON is JSON."""
import json
import os
import pathlib
import re
import string
import struct
import subprocess
import sys
import tempfile
import unicodedata
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "bad"))
from bad_elf import ALLOC, EXEC, PROGBITS, RELOCATIONS, WRITE  # noqa: E402
from hostile import make_object  # noqa: E402
from terminal_harness import TerminalTest  # noqa: E402

JITSCOPE = os.path.abspath(os.environ.get("JITSCOPE", "build/dev/jitscope"))
LIMIT = 300  # seconds, with room for sanitizers
PC32, PLT32, GOTPCREL = 2, 4, 9
TEXT, DATA = 1, 3
SCREENS = ("overview map segments sections blocks symbols got plt tls edges eh-frames actions passes registrations memory "
           "inputs events").split()
SIZES = ("80x24", "200x60", "20x5", "1x1", "2x2", "1000x4", "3x1000", "37x14")



def doubling(levels):
    """A mangled name, each of whose template arguments is twice the one before (Itanium C++ ABI, section 5.1.10)."""
    digits = string.digits + string.ascii_uppercase
    return "_Z1f1AIiiE" + "".join(f"S_IS{digits[i]}_S{digits[i]}_E" for i in range(levels))


NAMES = [b"\x1b[2J\x1b[H\x1b]0;owned\x07", b"\x1bc\x1b[?1049l\x1b[5i", b"\x9b31m\x90q\x9c", "\u009b31m\u0085".encode(),
         b"\xff\xfe\x80\xc0\xaf\xed\xa0\x80\xf5\x80\x80\x80", "\u202egnp.exe\u2066\u2069\u200e\u200f\u061c".encode(),
         ("e" + "\u0301" * 40).encode(), b"a\nb\rc\td\x08\x08\x08e\x7f\x0e\x0f", b"%s%n%1000000d%x", "漢字\uff21 \U0001f469\u200d\U0001f469".encode(),
         "\u05d0\u05d1\u0627\u0644".encode(), b'"\'\\ "quoted" \\x1b[1m', b"\\u{202e}", "\u2028\u2029\ufeff\u00ad\ue000".encode(),
         b"A" * 65536, b"/" + b"p/" * 32767, b"\x1b" * 65536, "\u0301".encode() * 30000, "漢".encode() * 21000, b" ", b"-", b"*", b"None",
         doubling(34).encode(), b"<" + doubling(20).encode() + b" x" * 3, b"_ZN" + b"1a" * 20000 + b"E", b"_Z" + b"S_" * 5000, b"_Z1fIXtl" * 2000,
         b"_Z1f" + b"".join(b"St4pairI" for _ in range(20)) + b"i" + b"".join(b"S%d_E" % i for i in range(20)),
         b"_ZZZZZZ", b"_Z3\x1b[mv", b"x _Zx _Z3foov\x07"]
BIDI = "\u061c\u200e\u200f" + "".join(map(chr, (*range(0x202a, 0x202f), *range(0x2066, 0x206a))))


def forest():
    """Per name a function that is called by all, an external that is called and one whose address is taken, and a section."""
    sections, symbols, calls, taken = [], [], bytearray(), bytearray()
    text, count = bytearray(), len(NAMES)
    for i in range(count):
        calls += struct.pack("<QIIq", len(text) + 1, PLT32, count + i + 1, -4)
        calls += struct.pack("<QIIq", len(text) + 8, GOTPCREL, 2 * count + i + 1, -4)
        symbols.append((NAMES[i], 0x12, TEXT, len(text)))
        text += b"\xe8\0\0\0\0\x48\x8b\x05\0\0\0\0\xc3\x90\x90\x90"
    symbols += [(b"ext " + name, 0x10, 0, 0) for name in NAMES] + [(b"got " + name, 0x10, 0, 0) for name in NAMES]
    sections = [(b".text", PROGBITS, ALLOC | EXEC, bytes(text), 0, 0), (b".rela.text", RELOCATIONS, 0, bytes(calls), TEXT, 24)]
    sections += [(name, PROGBITS, ALLOC | WRITE, b"\x1b[2Jdata", 0, 0) for name in (b"", *NAMES)]
    return make_object(sections, symbols)


def any_of(*categories):
    """A pattern of all characters of these categories, but the end of a line."""
    points = [point for point in range(0x110000) if unicodedata.category(chr(point)) in categories and point != 10]
    return "".join(f"\\U{point:08x}" for point in points)


STEERS = re.compile(f"[{any_of('Cc', 'Cs', 'Zl', 'Zp')}{BIDI}]")
UNDRAWABLE = re.compile(f"[{any_of('Cc', 'Cs', 'Zl', 'Zp', 'Cf', 'Mn', 'Me')}{BIDI}\ue000-\uf8ff]")


class HostileNames(TerminalTest):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory(prefix="jitscope-names-")
        folder = pathlib.Path(cls.place.name)
        cls.files = [b"\x1b]0;file\x07.o", "\u202eo.evil.o".encode(), b"line\nline.o", b"\xff\x9b1m.o", b"%n.o"]
        (folder / "x.o").write_bytes(forest())
        for i, name in enumerate(cls.files):
            with open(os.fsencode(folder) + b"/" + name, "wb") as file:
                file.write(make_object([(b".text", PROGBITS, ALLOC | EXEC, b"\xc3", 0, 0)], [(b"f%d" % i, 0x12, TEXT, 0)]))
        cls.recording = folder / "x\x1b[1m\u202e.jsr"
        done = subprocess.run([JITSCOPE, "link", "--record", cls.recording, "--trace", "edges", "--phony-externals", "x.o", *cls.files],
                              cwd=folder, capture_output=True, timeout=LIMIT, check=False)
        if done.returncode:
            raise AssertionError(done.stderr.decode(errors="replace")[:2000])

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    def inspect(self, *options, script=""):
        done = subprocess.run([JITSCOPE, "inspect", *options, self.recording], input=script.encode(), cwd=self.folder,
                              capture_output=True, timeout=LIMIT, check=False,
                              env={**os.environ, "XDG_CONFIG_HOME": "/nonexistent"})
        self.assertIn(done.returncode, (0, 1, 2), done.stderr[-2000:])
        self.assert_harmless(done.stdout, options, drawn=False)
        self.assert_harmless(done.stderr, options, drawn=False)
        return done

    def assert_harmless(self, data, where, drawn):
        found = (UNDRAWABLE if drawn else STEERS).search(data.decode())  # decoding is strict
        self.assertIsNone(found, f"{where}: writes {found}")

    def check_files(self, where):
        files = sorted(self.folder.iterdir())
        for file in files:
            data = file.read_bytes()
            self.assert_harmless(data, (where, file.name), drawn="screen" in file.name)
            if file.suffix == ".json":
                json.loads(data)
            file.unlink()
        return len(files)

    @staticmethod
    def tour(screen):
        lines = [screen, "save-screen 1.screen", "keys G l l l", "save-screen 2.screen.looks", "copy-row", "save-screen 3.screen",
                 "export all.txt", "export all.json", "keys y w", "save-screen 4.screen", "keys Esc g j Enter", "save-screen 5.screen",
                 "keys Esc D", "save-screen 6.screen", "export plain.txt", "export plain.json", "keys D s s s s s s s s s",
                 "search \x1b[2J", "save-screen 7.screen", "search \u202e", "filter name ~ \x1b", "save-screen 8.screen",
                 "filter symbol ~ \u0301", "export some.json", "save-screen 9.screen", "filter name = \x07 or", "save-screen 10.screen",
                 "why \x1b]0;x\x07", "save-screen 11.screen", "keys : \u0301 Tab", "save-screen 12.screen", "keys Esc", "goto 300",
                 "save-screen 13.screen", "event -1", "save-screen 14.screen"]
        return "\n".join(lines) + "\n"

    def test_screens(self):
        plain, ascii_only = (), ("--ascii", "--colors", "0")
        runs = [(SIZES[0], plain, screen) for screen in SCREENS] + [(SIZES[1], ascii_only, screen) for screen in SCREENS]
        runs += [(size, plain, screen) for size in SIZES[2:] for screen in ("symbols", "got")]
        for size, options, screen in runs:
            with self.subTest(size=size, options=options, screen=screen):
                self.inspect("--script", "-", "--size", size, *options, script=self.tour(screen))
                self.assertGreater(self.check_files(screen), 15)

    def test_memory(self):
        script = "".join(f"symbols\nkeys {'j ' * i}\n{screen}\nsave-screen {screen}{i}.screen\nkeys G D j Enter\nsave-screen {screen}{i}t.screen\n"
                         f"export {screen}{i}.json\ncopy\n" for i in range(0, 20, 3) for screen in ("code", "bytes"))
        self.inspect("--script", "-", "--size", "200x60", script=script)
        self.assertGreater(self.check_files("memory"), 30)

    def test_batch(self):
        for screen in SCREENS:
            self.inspect("--batch", screen)
            self.inspect("--batch", screen, "--filter", "name ~ \x1b[31m")
            rows = json.loads(self.inspect("--batch", screen, "--json").stdout)
            self.assertEqual(bool(rows), screen not in ("tls", "eh-frames", "actions", "registrations"), screen)

    def test_questions(self):
        """Each name as it is asked for by who copies it."""
        askable = [name for name in NAMES if len(name) < 3000 and b"\n" not in name and b"\0" not in name]
        script = b"".join(b"why " + prefix + name + b"\nsave-screen w.screen\nsearch " + name + b"\nsymbols\nfilter name = \"" + name + b"\"\nfilter\n"
                          for name in askable for prefix in (b"", b"got:got ", b"plt:ext "))
        done = subprocess.run([JITSCOPE, "inspect", "--script", "-", self.recording], input=script, cwd=self.folder,
                              capture_output=True, timeout=LIMIT, check=False)
        self.assertIn(done.returncode, (0, 1))
        self.assert_harmless(done.stderr, "questions", drawn=False)
        self.check_files("questions")

    ALLOWED = re.compile(rb"\x1b\[[?>]?[0-9;]*[A-HJKLMPSTXZ@`adfghlmnprt]|\x1b\([0B]|\x1b[=>78M]|\x1b\]52;c;[A-Za-z0-9+/=]*\x07"
                         rb"|\x1b\[!p|[\x20-\x7e\r\n\x08]|[\xc2-\xf4][\x80-\xbf]+")

    def test_terminal(self):
        """The bytes that a terminal gets: sequences of the terminal library, text that steers nothing."""
        terminal = self.pty([JITSCOPE, "inspect", self.recording], rows=40, columns=150)
        terminal.wait_text("overview")
        for screen in (*SCREENS, "symbols", "code", "symbols", "bytes"):
            terminal.send(f":{screen}\r")
            terminal.wait_text(f" {screen}")
            terminal.keys("G", "l", "D", "g", "Y", "w", "u", "Enter", "u", "D")  # Esc and a key is another key
        terminal.send(":overview\r:quit\r")
        self.assertEqual(terminal.wait_end(), 0)
        at = 0
        while at < len(terminal.raw):
            piece = self.ALLOWED.match(terminal.raw, at)
            self.assertIsNotNone(piece, terminal.raw[at - 20 if at > 20 else 0:at + 40])
            at = piece.end()
        plain = re.sub(rb"\x1b\[[?>!]?[0-9;]*.|\x1b[(].|\x1b\]52[^\x07]*\x07|\x1b.|[\r\x08]", b"", terminal.raw)
        self.assert_harmless(plain, "terminal", drawn=True)
        for sequence in (b"\x1b]0;", b"\x1bc", b"\x1b[5i", b"\x1bP"):
            self.assertNotIn(sequence, terminal.raw)


if __name__ == "__main__":
    unittest.main()
