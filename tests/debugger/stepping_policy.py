"""What debuggers are told, by policy: the list that gdb reads, before and after links and unloads."""
import re
import unittest

from stepping_harness import HOST, SteppingTest, after, line, mark

MANY = 40
FUNCTION = "int j_number_{0}(int value)\n{{\n    int here = value + {0}; // here\n    return here;\n}}\n"
# Entries of the list, and what jitscope itself counts.
COUNT = ("python\n"
         "def entries():\n"
         "    at, seen = gdb.parse_and_eval('__jit_debug_descriptor.first'), 0\n"
         "    while at:\n"
         "        seen, at = seen + 1, at['next']\n"
         "    return seen\n"
         "def show(name):\n"
         "    print(f'{name}: {entries()} listed,', 'batches', int(gdb.parse_and_eval('jitscope_debuggee.batches')), 'images',\n"
         "          int(gdb.parse_and_eval('jitscope_debuggee.images')))\n"
         "end\n")


class Policies(SteppingTest):
    def setUp(self):
        super().setUp()
        self.text("count.gdb", COUNT)
        for number in range(MANY):
            self.source(f"n{number}.c", FUNCTION.format(number))
        self.must("gcc", "-g", "-c", *[f"n{number}.c" for number in range(MANY)])
        self.links = [word for number in range(MANY) for word in ("add", f"n{number}.o", "link")]

    def counts(self, policy, *words):
        """Listed entries, batches and images at each stop."""
        out = self.host_gdb(["source count.gdb", "break host_stop", "run", "python show('one')", "c", "python show('two')", "c",
                             "python show('three')", "c"], policy, *words)
        self.assertClean(out)
        found = {name: (int(a), int(b), int(c)) for name, a, b, c in
                 re.findall(r"(\w+): (\d+) listed, batches (\d+) images (\d+)", out)}
        self.assertIn("exited normally", out)
        return [found[name] for name in ("one", "two", "three") if name in found]

    def unloads(self, order):
        return [word for number in order for word in ("unload", str(number))]

    def test_announced_images_merge(self):
        """Eager: at each link; auto, while gdb listens: at each lookup."""
        looked_up = [word for number in range(MANY) for word in (*self.links[3 * number:3 * number + 3], "call", f"j_number_{number}")]
        for policy, links in (("eager", self.links), ("auto", looked_up)):
            with self.subTest(policy):
                all_there, half, none = self.counts(policy, *links, "stop", *self.unloads(range(1, MANY + 1, 2)), "stop",
                                                    *self.unloads(range(MANY, 0, -2)), "stop")
                self.assertEqual(all_there[1], MANY)
                self.assertEqual(all_there[0], all_there[2])
                self.assertIn(all_there[0], range(1, 10))  # at most 3 of each rank
                self.assertEqual(half[1], MANY / 2)
                self.assertEqual(none, (0, 0, 0))

    def registrations(self, *words):
        """How often gdb was told of something, until the host's first stop and then until the second."""
        out = self.host_gdb(["break host_stop", "break __jit_debug_register_code", "ignore 2 100000", "run", mark("first"),
                             "info breakpoints 2", "c", mark("second"), "info breakpoints 2", "c"], *words)
        self.assertClean(out)
        self.assertIn("exited normally", out)
        hits = [re.search(r"already hit (\d+) time", after(out, name)) for name in ("first", "second")]
        return [int(hit[1]) if hit else 0 for hit in hits]

    def test_batches_wait_for_a_lookup(self):
        """gdb is told of all of them once, when one of them could be run; of those that went before, never."""
        waits, told, gone = self.counts("auto", *self.links, "stop", "address", "j_number_11", "stop",
                                        *self.unloads(range(1, MANY + 1)), "stop")
        self.assertEqual((waits, told, gone), ((0, MANY, 0), (1, MANY, 1), (0, 0, 0)))
        self.assertEqual(self.registrations("auto", *self.links, "stop", "call", "j_number_11", "call", "j_number_12", "stop"), [0, 1])
        self.assertEqual(self.registrations("auto", *self.links, *self.unloads(range(1, MANY + 1)), "stop", "stop"), [0, 0])
        fewer = self.counts("auto", *self.links, *self.unloads((3, 40, 1, 17)), "stop", "call", "j_number_4", "stop")
        self.assertEqual(fewer[:2], [(0, MANY - 4, 0), (1, MANY - 4, 1)])

    def test_nothing_waits_where_addresses_get_out(self):
        """Eager says so; a memory manager, an event callback and a late pass see where code lies."""
        for way in (("eager",), ("own",), ("auto", "events"), ("auto", "pass")):
            with self.subTest(way):
                self.assertEqual(self.counts(*way, *self.links[:3], "stop")[0], (1, 1, 1))

    def test_announced_before_the_first_call(self):
        """Breakpoints that wait find their places in batches that waited, whichever was looked up; types are known there."""
        out = self.host_gdb(["break j_number_3", f"break n7.c:{line(FUNCTION, 'here')}", "break host_stop", "run", mark("linked"),
                             "info breakpoints", "c", mark("three"), "bt 2", "info breakpoints", "ptype j_number_30", "c", mark("seven"),
                             "bt 2", "print value", "next", "print here", "c"],
                            "auto", *self.links, "stop", "address", "j_number_20", "call", "j_number_3", "call", "j_number_7")
        for number in (3, 7):
            self.assertNotIn(f" in j_number_{number} at n{number}.c:3", after(out, "linked"))
            self.assertIn(f" in j_number_{number} at n{number}.c:3", after(out, "three"))
        self.assertFrames(after(out, "three"), "j_number_3", "call")
        self.assertIn("type = int (int)", after(out, "three"))
        self.assertFrames(after(out, "seven"), "j_number_7", "call")
        self.assertIn("$1 = 5", after(out, "seven"))
        self.assertIn("$2 = 12", after(out, "seven"))
        self.assertClean(out)

    def test_announced_before_initialisers(self):
        """Of its own batch, and of another that waited and that it calls; then they wait again."""
        begins = self.source("begins.c", "int j_number_2(int);\nint j_begun;\n"
                                         "__attribute__((constructor)) static void j_begin(void)\n{\n"
                                         "    j_begun = j_number_2(40); // begin\n    j_begun++; // after\n}\n")
        self.build("begins.c", "-g")
        out = self.host_gdb(["source count.gdb", "break j_begin", "break j_number_2", "break host_stop", "run", mark("begin"), "bt 1",
                             "info line", "c", mark("two"), "bt 2", "finish", "next", "next", "print j_begun", "c", mark("stop"),
                             "python show('stop')", "c", mark("later"), "python show('later')", "c"],
                            "auto", *self.links[:12], "add", "begins.o", "link", "stop", *self.links[12:], "stop")
        self.assertRegex(after(out, "begin"), rf"#0 +j_begin \(\) at begins.c:{line(begins, 'begin')}")
        self.assertFrames(after(out, "two"), "j_number_2", "j_begin")
        self.assertIn("= 43", after(out, "two"))
        self.assertIn("stop: 1 listed, batches 5 images 1", after(out, "stop"))
        self.assertIn(f"later: 1 listed, batches {MANY + 1} images 1", after(out, "later"))
        self.assertClean(out)

    def test_announced_before_finalisers(self):
        """Nobody looked the batch up: its end is all that it ever runs."""
        self.source("ends.c", "int j_ended;\n__attribute__((destructor)) static void j_end(void)\n{\n    j_ended++; // end\n}\n")
        self.build("ends.c", "-g")
        for end in (("unload", "2"), ("end",), ()):
            with self.subTest(end):
                out = self.host_gdb(["break j_end", "run", mark("end"), "bt 1", "print j_ended", "c"],
                                    "auto", *self.links[:3], "add", "ends.o", "link", *end)
                self.assertRegex(after(out, "end"), r"#0 +j_end \(\) at ends.c:4")
                self.assertIn("$1 = 0", after(out, "end"))

    def test_next_version_waits(self):
        """The one before it leaves while it waits: a breakpoint in both stays."""
        for number, value in ((1, 10), (2, 20)):
            self.source(f"v{number}.c", f"int j_version(int value)\n{{\n    return value + {value}; // here\n}}\n")
            self.build(f"v{number}.c", "-g")
        for others in (), self.links[:6]:  # alone in its image, and not
            with self.subTest(len(others)):
                out = self.host_gdb(["break j_version", "run", mark("one"), "bt 1", "c", mark("two"), "bt 1", "c"],
                                    "auto", "add", "v1.o", "link", *others, "call", "j_version", "add", "v2.o", "link", "unload", "1",
                                    "call", "j_version")
                self.assertRegex(after(out, "one"), r"j_version \(value=5\) at v1.c:3")
                self.assertRegex(after(out, "two"), r"j_version \(value=5\) at v2.c:3")
                self.assertIn("j_version: 25", out)
                self.assertClean(out)

    def test_next_version_waits_after_attach(self):
        """Then the image that the version before it leaves is read anew without it, and gdb looks for places."""
        for number, value in ((1, 10), (2, 20)):
            self.source(f"v{number}.c", f"int j_version(int value)\n{{\n    return value + {value}; // here\n}}\n")
            self.build(f"v{number}.c", "-g")
        host = self.start(HOST, "auto", *self.links[:6], "add", "v1.o", "link", "wait", "add", "v2.o", "link", "unload", "3", "call", "j_version")
        self.assertEqual(host.stdout.readline(), b"ready\n")
        out = self.gdb(["break j_version", "set var host_go = 1", "c", mark("two"), "bt 1", "c"], options=("-p", str(host.pid)))
        self.assertRegex(after(out, "two"), r"j_version \(value=5\) at v2.c:3")
        self.assertClean(out)

    def test_detached_while_they_wait(self):
        """What waited is told of all the same, for whoever comes next."""
        host = self.start(HOST, "auto", *self.links[:3], "wait", *self.links[3:30], "wait", "call", "j_number_2", "wait")
        self.assertEqual(host.stdout.readline(), b"ready\n")
        self.gdb(["break host_stop", "break wait_for_debugger", "set var host_go = 1", "c", "set var host_go = 0", "detach"],
                 options=("-p", str(host.pid)))
        self.assertEqual(host.stdout.readline(), b"ready\n")
        out = self.gdb(["source count.gdb", "set breakpoint pending on", mark("waits"), "python show('waits')", "info symbol j_number_0",
                        "break j_number_2", "set var host_go = 1", "c", mark("two"), "bt 1", "python show('two')", "kill"],
                       options=("-p", str(host.pid)))
        self.assertIn("waits: 1 listed, batches 10 images 1", after(out, "waits"))
        self.assertIn("j_number_0 in section .text", after(out, "waits"))
        self.assertRegex(after(out, "two"), r"j_number_2 \(value=5\) at n2.c:3")
        self.assertIn("two: 2 listed, batches 10 images 2", after(out, "two"))

    def test_lazy_lists_a_beacon_only(self):
        """For jit-readers (debug_beacon.h); it stays until the session ends."""
        one, two, three = self.counts("lazy", *self.links, "stop", *self.unloads(range(1, 21)), "stop", *self.unloads(range(21, 41)),
                                      "stop")
        self.assertEqual((one[:2], two[:2], three[:2]), ((1, MANY), (1, 20), (1, 0)))
        self.assertEqual((one[2], two[2]), (1, 1))

    def test_off_knows_nothing(self):
        self.assertEqual(self.counts("off", *self.links, "stop", *self.unloads(range(1, 21)), "stop", "stop"), [(0, 0, 0)] * 3)

    def test_auto_without_a_debugger(self):
        """One image for all, listed for whoever comes; a batch that leaves is not known any more."""
        host = self.start(HOST, "auto", *self.links, *self.unloads((3, 40, 17)), "wait")
        self.assertEqual(host.stdout.readline(), b"ready\n")
        out = self.gdb(["set breakpoint pending on", "source count.gdb", "python show('one')", mark("known"), "info functions j_number_",
                        "info symbol j_number_7", "info line j_number_39", "info line j_number_0", "set var host_go = 1", "c"],
                       options=("-p", str(host.pid)))
        self.assertIn(f"one: 1 listed, batches {MANY - 3} images 1", out)
        known = {int(number) for number in re.findall(r"int j_number_(\d+)\(int\);", after(out, "known"))}
        self.assertEqual(known, set(range(MANY)) - {2, 39, 16})
        self.assertIn("j_number_7 in section .text", out)
        self.assertIn('Function "j_number_39" not defined.', out)
        self.assertRegex(out, r'Line 2 of "n0.c" starts at address')
        self.assertClean(out)

    def test_merged_images_keep_breakpoints(self):
        """A breakpoint has one place, through merging and the leaving of its neighbours."""
        out = self.host_gdb([f"break n3.c:{line(FUNCTION, 'here')}", "break host_stop", "run", mark("merged"), "info breakpoints 1", "c",
                             mark("called"), "bt 2", "c", mark("fewer"), "info breakpoints 1", "c", mark("again"), "bt 2", "c"],
                            "eager", *self.links, "stop", "call", "j_number_3", *self.unloads((1, 2, 3, 5, 6, 7, 8, 9)), "stop",
                            "call", "j_number_3")
        for name in ("merged", "fewer"):
            # gdb forgets the file and line of a place whose image went, until the next one comes.
            self.assertRegex(after(out, name), r"1 +breakpoint +keep +y +(in j_number_3 at n3.c:3|<j_number_3\+\d+>)\n")
            self.assertNotIn("1.2", after(out, name))
        for name in ("called", "again"):
            self.assertFrames(after(out, name), "j_number_3", "call")
        self.assertClean(out)

    def test_tool_option(self):
        self.source("main.c", "int j_number_1(int);\nint main(void)\n{\n    return j_number_1(-1); // call\n}\n")
        self.build("main.c", "-g")
        for policy, listed, known in (("auto", 1, True), ("eager", 1, True), ("lazy", 1, False), ("off", 0, False)):
            with self.subTest(policy):
                out = self.run_gdb(["source count.gdb", "break executor_run_main", "run", "python show('one')", "break j_number_1",
                                    mark("there"), "c"], f"--debug={policy}", "main.o", "n1.o")
                self.assertIn(f"one: {listed} listed", out)
                self.assertEqual("j_number_1 (value=-1) at n1.c:3" in after(out, "there"), known, out)


if __name__ == "__main__":
    unittest.main()
