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

    def test_eager_merges(self):
        for policy in ("eager", "auto"):  # gdb listens here
            with self.subTest(policy):
                all_there, half, none = self.counts(policy, *self.links, "stop", *self.unloads(range(1, MANY + 1, 2)), "stop",
                                                    *self.unloads(range(MANY, 0, -2)), "stop")
                self.assertEqual(all_there[1], MANY)
                self.assertEqual(all_there[0], all_there[2])
                self.assertLessEqual(all_there[0], 9)  # at most 3 of each rank
                self.assertEqual(half[1], MANY / 2)
                self.assertEqual(none, (0, 0, 0))

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
