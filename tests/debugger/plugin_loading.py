"""Symbols on demand: what a plug-in that listens asks for is announced, the rest is loaded at the next stop."""
import os
import re
import unittest

from gdb_harness import JITSCOPE, PLUGIN, READ_INPUT, DebuggerTest, after, mark, seconds_worked

PENDING = "set breakpoint pending on"
MANY = os.path.join(os.path.abspath(os.environ.get("BUILD", "build/dev")), "tests", "debugger", "debugger-many")


def images(text):
    """(batches, how) of each image, oldest first."""
    lines = [line.split(None, 6) for line in text.splitlines() if re.match(r"\d+ +0x\w+ +0x", line)]
    return [(int(line[3]), line[6]) for line in lines]


class Loading(DebuggerTest):
    def setUp(self):
        super().setUp()
        self.object = self.compile("jitted.c", "-g", "-O1")

    def test_pending_breakpoints(self):
        """By function and by file, before the code exists; the other batches are unlisted and named all the same."""
        for policy in ("auto", "lazy", "eager"):
            with self.subTest(policy):
                out = self.gdb([PENDING, "break jitted_000007", "run", mark("at"), "bt", mark("other"),
                                "info symbol jitted_000002", "list jitted_000002", mark("images"), "info jitscope images",
                                "delete", "break all_linked", "continue", mark("later"), "info symbol jitted_000011",
                                mark("all"), "info jitscope images"], MANY, self.object, "12", policy, plugin=True)
                self.assertRegex(after(out, "at"), r"^#0  jitted_000007 \[jit\] \(x=7\) at .*jitted\.c:\d+\n#1 .* main ")
                self.assertIn("jitted_000002 in section .text", after(out, "other"))
                self.assertIn("int twice", after(out, "other"))
                self.assertIn("jitted_000011 in section .text", after(out, "later"))
                if policy == "eager":
                    self.assertEqual({how for _, how in images(after(out, "all"))}, {"listed"})
                else:
                    self.assertEqual(images(after(out, "images")), [(7, "loaded by plug-in"), (1, "listed")])
                    self.assertEqual(images(after(out, "all")), [(11, "loaded by plug-in"), (1, "listed")])

    def test_file_and_line(self):
        out = self.gdb([PENDING, "break some/where/jitted.c:4", "break nowhere.c:7", "break jitted.c:4", "run", mark("at"), "bt 1",
                        mark("texts"), "x/2s jitscope_interest.texts", "print jitscope_interest.everything"],
                       MANY, self.object, "3", "auto", plugin=True)
        self.assertIn("#0  jitted_000000 [jit]", after(out, "at"))
        self.assertEqual(set(re.findall(r'"(.*?)"', after(out, "texts"))), {"jitted.c", "nowhere.c"})
        self.assertTrue(after(out, "texts").endswith("= 0"), out)

    def test_what_cannot_be_parsed_asks_for_everything(self):
        for command in ("break operator+", "break -probe-stap nobody:nothing", 'dprintf jitted_000001,"hit\\n"',
                        "break " + "long_name" * 600):
            with self.subTest(command[:30]):
                out = self.gdb([PENDING, command, "break all_linked", "run", mark("asked"),
                                "print jitscope_interest.everything", mark("images"), "info jitscope images"],
                               MANY, self.object, "3", "lazy", plugin=True)
                self.assertTrue(after(out, "asked").endswith("= 1"), out)
                self.assertEqual({how for _, how in images(after(out, "images"))}, {"listed"})

    def test_locations(self):
        """What each way of naming a place asks for."""
        script = self.text("locations.py", """
from jitscope_gdb.interest import texts_of
for location, expected in [
    ("area", ["area"]), ("ns::shape<std::pair<int, long>>::area(int) const", ["area"]), ("shape::~shape", ["shape"]),
    ("file.c:area", ["area"]), ("dir/file.cpp:12", ["file.cpp"]), ("*0x1234", []), ("operator<<", [None]),
    ("ns::operator bool", [None]), ("-function area -line 3", ["area"]), ("-source a/b.c -line 3", ["b.c"]),
    ("-line 3", [None]), ("12", [None]), ("a b c", [None]), ("", [None]), ("f[abi:cxx11]", [None]), ("f(char const*)", ["f"]),
]:
    found = texts_of(location)
    print("ok" if found == expected else f"WRONG {location}: {found}")
""")
        out = self.gdb([f"source {script}"], JITSCOPE, plugin=True)
        self.assertNotIn("WRONG", out)
        self.assertEqual(out.count("ok"), 16)

    def test_breakpoints_that_come_and_go(self):
        """The target is told at once, not at the next stop."""
        show = ["x/s jitscope_interest.texts", "print jitscope_interest.size"]
        out = self.gdb([PENDING, "break all_linked", "run", mark("one"), *show, "break not_there_yet", mark("two"), *show,
                        "delete", mark("none"), *show], MANY, self.object, "2", "auto", plugin=True)
        self.assertRegex(after(out, "one"), r'"all_linked"')
        self.assertRegex(after(out, "two"), r"= 25")
        self.assertRegex(after(out, "none"), r"= 0")

    def test_run_again(self):
        out = self.gdb([PENDING, "break jitted_000002", "run", mark("first"), "bt 1", "run", mark("second"), "bt 1",
                        mark("other"), "info symbol jitted_000001", "continue", mark("end"), "info symbol jitted_000001"],
                       MANY, self.object, "4", "auto", plugin=True)
        for run in ("first", "second"):
            self.assertIn("#0  jitted_000002 [jit] (x=2)", after(out, run))
        self.assertIn("in section .text", after(out, "other"))
        self.assertIn("exited normally", out)
        self.assertIn("No symbol", after(out, "end"))

    def test_unloaded_batches_lose_their_names(self):
        out = self.gdb(["break all_unloaded", "run", mark("gone"), "info symbol jitted_000003", mark("kept"),
                        "info symbol jitted_000002"], MANY, self.object, "4", "lazy", plugin=True)
        self.assertIn("No symbol", after(out, "gone"))
        self.assertIn("jitted_000002 in section", after(out, "kept"))

    def test_a_stop_in_code_that_was_not_named_yet(self):
        program = self.compile("int *at;\nint crash(void)\n{ return *at; }\nint main(void) { return crash(); }\n", "-g", "-O0")
        for policy in ("auto", "lazy"):
            out = self.gdb(["run", mark("bt"), "bt 2"], JITSCOPE, "run", f"--debug={policy}", program, plugin=True)
            self.assertIn("SIGSEGV", out)
            # gdb prints the place before the plug-in hears of the stop; then it is said once more, by name.
            self.assertRegex(out.partition("@@bt@@")[0], r"crash \(\) at .*text\.c:3\n3\t")
            self.assertRegex(after(out, "bt"), r"#0 .*crash \[jit\] \(\) at .*:3\n#1 .* main \[jit\] \(\) at .*:4")

    def call_other_batch(self, *commands):
        """gdb where everything is linked and loaded at the stop; $f is a function of another batch."""
        return self.gdb([PENDING, "break many.c:all_linked", "run", "set var $f = (int (*)(int))'jitted_000001'", *commands],
                        MANY, self.object, "3", "lazy", plugin=True)

    def test_steps_into_functions_of_other_batches(self):
        """The call never returns, so that this needs no more of gdb than that it begins one."""
        out = self.call_other_batch(mark("break"), "break jitted_000001", "print $f(21)", "bt 1")
        self.assertIn("jitted_000001 [jit] (x=21)", after(out, "break"))

    def test_calls_functions_of_other_batches(self):
        self.need_calls()
        out = self.call_other_batch(mark("call"), "print $f(20)")
        self.assertTrue(after(out, "call").endswith("= 41"), out)

    def test_late_attach(self):
        for policy in ("auto", "lazy"):
            with self.subTest(policy):
                process = self.start(MANY, self.object, "4", policy, "wait", stdin=-1)
                for _ in range(3):
                    process.stdout.readline()
                    process.stdin.write(b"\n")
                    process.stdin.flush()
                process.stdout.readline()
                self.wait_for(lambda process=process: self.is_in(process, READ_INPUT), "waiting for a line")
                out = self.gdb([f"attach {process.pid}", mark("images"), "info jitscope images", mark("symbol"),
                                "info symbol jitted_000002", mark("listens"), "print jitscope_interest.listens", mark("end"), "detach"],
                               MANY, plugin=True)
                how = "listed" if policy == "auto" else "loaded by plug-in"
                self.assertEqual(images(after(out, "images")), [(3, how)])
                self.assertIn("jitted_000002 in section", after(out, "symbol"))
                self.assertTrue(after(out, "listens").endswith("= 1"), out)
                # Nobody listens now; the next batch forgets it, and a gdb without the plug-in sees that batch.
                process.stdin.write(b"\n")
                process.stdin.flush()
                process.stdout.readline()
                self.wait_for(lambda process=process: self.is_in(process, READ_INPUT), "waiting for a line")
                out = self.gdb([f"attach {process.pid}", mark("listens"), "print jitscope_interest.listens", mark("symbol"),
                                "info symbol jitted_000003", "detach"], MANY)
                self.assertTrue(after(out, "listens").endswith("= 0"), out)
                if policy == "auto":
                    self.assertIn("jitted_000003 in section", after(out, "symbol"))

    def test_core(self):
        core = self.folder / "core"
        self.gdb(["break all_linked", "run", f"gcore {core}"], MANY, self.object, "5", "lazy")
        ask = [mark("images"), "info jitscope images", mark("symbol"), "info symbol jitted_000004", "list jitted_000004"]
        for way, commands in {"given": [], "command": [f"core-file {core}"]}.items():
            with self.subTest(way):
                options = ["-ex", f"core-file {core}"] if not commands else []
                out = self.gdb([*commands, *ask], MANY, options=options, plugin=True)
                self.assertEqual(images(after(out, "images")), [(5, "loaded by plug-in")])
                self.assertIn("jitted_000004 in section", after(out, "symbol"))
                self.assertIn("int twice", after(out, "symbol"))

    def test_ten_thousand(self):
        """Linked, looked up and called one by one, with a pending breakpoint.  The limit has room for a slow machine and a
        build without optimisation; without the plug-in gdb takes many times as long."""
        before = seconds_worked()
        out = self.gdb([PENDING, "break jitted_009990", "run", mark("at"), "bt 1", mark("other"), "info symbol jitted_004000",
                        mark("images"), "info jitscope images", "continue"], MANY, self.object, "10000", "auto", plugin=True)
        took = seconds_worked() - before
        self.assertIn("#0  jitted_009990 [jit] (x=9990)", after(out, "at"))
        self.assertIn("jitted_004000 in section", after(out, "other"))
        self.assertLess(len(images(after(out, "images"))), 20)
        self.assertIn("sum 100000000", out)
        self.assertLess(took, 20)

    def test_old_gdb_is_told_once(self):
        plugin = self.text("old.py", "import gdb\ngdb.VERSION = '11.2'\n")
        out = self.gdb([f"source {plugin}", f"source {PLUGIN}", f"source {PLUGIN}", "info jitscope got"], JITSCOPE)
        self.assertEqual(out.count("the plug-in needs 12 or newer"), 1)
        self.assertIn('Undefined info command: "jitscope got"', out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
