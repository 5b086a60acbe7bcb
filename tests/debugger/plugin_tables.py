"""The plug-in's tables and `jitscope why`: on a live process, over gdbserver and on a core, under every policy."""
import re
import unittest

from gdb_harness import HERE, JITSCOPE, LIBRARIES, UNRECORDED, DebuggerTest, after, mark

INPUT = "tables.c"
TABLES = "images segments sections symbols got plt tls actions eh-frames unwinders".split()
PENDING = "set breakpoint pending on"


def rows(text):
    """Cells of a table's rows, under its titles."""
    lines = text.splitlines()
    return [line.split() for line in lines[1:]]


def column(text, title):
    titles = text.splitlines()[0].split()
    return [row[titles.index(title)] for row in rows(text) if len(row) > titles.index(title)]


class Tables(DebuggerTest):
    def setUp(self):
        super().setUp()
        self.object = self.compile(INPUT, "-g", "-O0")
        self.queries = []
        for table in TABLES:
            self.queries += [mark(table), f"info jitscope {table}"]
        self.queries += [mark("bt"), "bt", mark("why"), "jitscope why square", mark("stub"), "jitscope why 'qsort@plt'"]

    def check(self, out):
        """The same wherever it is read."""
        tables = {table: after(out, table) for table in TABLES}
        self.assertEqual(len(rows(tables["images"])), 1, out)
        self.assertEqual(sorted(column(tables["segments"], "PROT")), ["r--", "r-x", "rw-"])
        self.assertLessEqual({".text", ".plt", ".got", ".eh_frame", ".data"}, set(column(tables["sections"], "NAME")))
        self.assertLessEqual({"square", "compare", "main", "limit", "qsort@plt", "qsort@got"},
                             set(column(tables["symbols"], "NAME")))
        self.assertLessEqual({"qsort", "printf"}, set(column(tables["got"], "NAME")))
        self.assertEqual(column(tables["got"], "LINKED"), column(tables["got"], "NOW"))
        self.assertEqual(set(column(tables["plt"], "NAME")), {"qsort", "printf"})
        self.assertLessEqual(set(column(tables["plt"], "SLOT")), set(column(tables["got"], "ADDRESS")))
        self.assertEqual(tables["tls"], "No batch has a TLS table entry.")
        self.assertIn("register-eh-frames", column(tables["actions"], "FINALIZE"))
        self.assertLessEqual({"square", "compare", "main"}, set(column(tables["eh-frames"], "FUNCTION")))
        self.assertEqual(column(tables["unwinders"], "UNWINDER")[0], "libgcc")
        self.assertEqual(column(tables["unwinders"], "SECTIONS")[0], "1")
        self.assertIn("#0  square [jit] (x=5)", after(out, "bt"))
        self.assertRegex(after(out, "bt"), r"#1 .* main \[jit\] \(")
        self.assertNotRegex(after(out, "bt"), r"executor_run_main \[")
        self.assertRegex(after(out, "why"), r"belongs to batch 1:1 .*\n.*r-x.*\nSection: \.text.*\nSymbol: square")
        self.assertRegex(after(out, "stub"), r"the PLT stub of qsort .*\nLinked to 0x\w+ \(qsort\)\.\nThe slot .* still holds")

    def test_live(self):
        for policy in ("auto", "eager", "lazy"):
            with self.subTest(policy):
                out = self.gdb([PENDING, "break square", "run", *self.queries], JITSCOPE, "run", f"--debug={policy}",
                               self.object, plugin=True)
                self.check(out)
                self.assertIn("listed", after(out, "images"))

    def test_policy_off(self):
        out = self.gdb(["break exit", "run", mark("images"), "info jitscope images", mark("got"), "info jitscope got"],
                       JITSCOPE, "run", "--debug=off", self.object, plugin=True)
        self.assertEqual(after(out, "images"), "No debug image is registered.")
        self.assertEqual(after(out, "got"), "No batch has a GOT entry.")

    def test_gdbserver(self):
        for policy in ("auto", "lazy"):
            with self.subTest(policy):
                connect = self.gdbserver(JITSCOPE, "run", f"--debug={policy}", self.object)
                out = self.gdb([PENDING, f"file {JITSCOPE}", "break square", connect, "continue", *self.queries],
                               plugin=True)
                self.check(out)

    def test_core_without_process(self):
        for policy in ("auto", "lazy", "eager"):
            with self.subTest(policy):
                core = self.folder / f"{policy}.core"
                self.gdb([PENDING, "break square", "run", f"gcore {core}"], JITSCOPE, "run", f"--debug={policy}",
                         self.object, plugin=True)
                self.check(self.gdb([*self.queries], JITSCOPE, options=["-ex", f"core-file {core}"], plugin=True))

    def test_filter(self):
        out = self.gdb([PENDING, "break square", "run", mark("some"), "info jitscope symbols ^squ", mark("none"),
                        "info jitscope got nowhere", mark("bad"), "info jitscope got ["],
                       JITSCOPE, "run", self.object, plugin=True)
        self.assertEqual(column(after(out, "some"), "NAME"), ["square"])
        self.assertRegex(after(out, "none"), r"^None of \d+ rows matches nowhere\.$")
        self.assertIn("Bad regular expression", after(out, "bad"))

    def test_a_changed_slot_is_marked(self):
        change = "python gdb.selected_inferior().write_memory(int(gdb.parse_and_eval(\"(long)&'printf@got'\")), " \
                 "int(gdb.parse_and_eval('(long)&malloc')).to_bytes(8, 'little'))"
        out = self.gdb([PENDING, "break square", "run", change, mark("got"), "info jitscope got", mark("plt"),
                        "info jitscope plt printf", mark("why"), "jitscope why printf@got"],
                       JITSCOPE, "run", self.object, plugin=True)
        marked = [line for line in after(out, "got").splitlines() if "CHANGED" in line]
        self.assertEqual(len(marked), 1, out)
        self.assertRegex(marked[0], r" printf +CHANGED: \w*malloc")
        self.assertIn("CHANGED", after(out, "plt"))
        self.assertRegex(after(out, "why"), r"GOT entry of printf.*\n.*\nSince then the slot 0x\w+ was changed: .*malloc")

    def test_completion_and_help(self):
        out = self.gdb([PENDING, "break square", "run", mark("tables"), "complete info jitscope s", mark("names"),
                        "complete info jitscope symbols squ", mark("help"), "help info jitscope got", mark("all"),
                        "info jitscope", mark("wrong"), "info jitscope nonsense"], JITSCOPE, "run", self.object, plugin=True)
        self.assertEqual(after(out, "tables").splitlines(),
                         [f"info jitscope {name}" for name in ("sections", "segments", "symbols")])
        self.assertEqual(after(out, "names"), "info jitscope symbols square")
        self.assertIn("Usage: info jitscope got [REGEXP]", after(out, "help"))
        self.assertEqual(len(after(out, "all").splitlines()), len(TABLES))
        self.assertIn("There is no table nonsense; there are: images,", after(out, "wrong"))

    def test_without_a_process_or_jitscope(self):
        out = self.gdb(["info jitscope got"], JITSCOPE, plugin=True)
        self.assertIn("The program is not being run.", out)
        out = self.gdb(["break exit", "run", "info jitscope got", "bt"], "/bin/true", plugin=True)
        self.assertIn("This program does not contain jitscope", out)
        self.assertNotIn("Traceback", out)

    def test_why_elsewhere(self):
        out = self.gdb([PENDING, "break square", "run", mark("host"), "jitscope why malloc", mark("nothing"),
                        "jitscope why 16", mark("missing"), "jitscope why", mark("unknown"), "jitscope why nobody_has_this",
                        mark("image"), "python gdb.execute('jitscope why %d' % __import__('jitscope_gdb.target')"
                        ".target.state().images()[0].address)"], JITSCOPE, "run", self.object, plugin=True, env=UNRECORDED)
        self.assertRegex(after(out, "host"), r"is no JIT'd code: it is \w*malloc\.")
        self.assertEqual(after(out, "nothing"), "0x10 is no JIT'd code, and nothing known is there.")
        self.assertIn("is missing", after(out, "missing"))
        self.assertIn('No symbol "nobody_has_this"', after(out, "unknown"))
        self.assertIn("lies in debug image 1 itself", after(out, "image"))

    def test_names_cannot_reach_the_terminal(self):
        source = self.text("odd.s", '.globl main\n.type main,@function\nmain: call "e\x1bvil"\nret\n.size main,.-main\n'
                                    '.type "e\x1bvil",@function\n"e\x1bvil": ret\n.size "e\x1bvil",1\n'
                                    '.section .note.GNU-stack,"",@progbits\n')
        odd = self.folder / "odd.o"
        self.must("gcc", "-c", source, "-o", odd)
        out = self.gdb(["break exit", "run", mark("symbols"), "info jitscope symbols"], JITSCOPE, "run", odd, plugin=True)
        self.assertIn("e\\x1bvil", after(out, "symbols"))
        self.assertNotIn("\x1b", after(out, "symbols"))

    def test_large_batch(self):
        lua = LIBRARIES / "liblua5.4.a"
        host = self.compile("../../demo/host.c", "-O2", "-g", "-I/usr/include/lua5.4")
        script = HERE.parent / "demo" / "demo.lua"
        out = self.gdb([PENDING, "break lua_pcallk", "run", *self.queries[:-6]], JITSCOPE, "run", host, lua, "-lm", "--",
                       script, plugin=True)
        self.assertGreater(len(rows(after(out, "symbols"))), 500)
        self.assertGreater(len(rows(after(out, "eh-frames"))), 300)
        self.assertGreater(len(rows(after(out, "got"))), 20)
        self.assertEqual(column(after(out, "got"), "LINKED"), column(after(out, "got"), "NOW"))


class Layout(DebuggerTest):
    """The plug-in reads structs from the header's text; the compiler's own layout is in the program's DWARF."""

    def test_layout_is_the_compilers(self):
        script = self.text("layout.py", """
import ctypes, gdb
from jitscope_gdb.target import STRUCTS, CONSTANTS
count = 0
for name, ours in STRUCTS.items():
    try:
        theirs = gdb.lookup_type("struct " + name)
    except gdb.error:
        continue  # in no variable of the program
    assert theirs.sizeof == ctypes.sizeof(ours), (name, theirs.sizeof, ctypes.sizeof(ours))
    found = {f.name: (f.bitpos // 8, f.type.sizeof) for f in theirs.fields()}
    assert found == {f: (getattr(ours, f).offset, getattr(ours, f).size) for f, _ in ours._fields_}, name
    count += 1
print("compared", count)
""")
        out = self.gdb([f"source {script}"], JITSCOPE, plugin=True)
        self.assertRegex(out, r"compared \d+")
        self.assertGreaterEqual(int(re.search(r"compared (\d+)", out)[1]), 10)

    def test_another_layout_is_refused(self):
        for field, value in (("version", 99), ("magic[0]", 88)):
            out = self.gdb(["break exit", "run", f"set var jitscope_debuggee.{field} = {value}", "info jitscope got"],
                           JITSCOPE, "run", self.compile(INPUT), plugin=True)
            self.assertIn("this plug-in reads layout 3", out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
