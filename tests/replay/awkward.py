"""Sessions of programs that do awkward things replay to the same: they call exit where nobody expects it, fail in their own words,
begin to record behind things that went wrong."""
import os
import subprocess
import unittest

from harness import JITSCOPE, SystemTest, seconds_worked
from jsr import Recording

SESSION = os.environ["AWKWARD_SESSION"]


class Awkward(SystemTest):
    def setUp(self):
        super().setUp()
        self.recording = self.folder / "r.jsr"
        self.plain = self.compile("int twice(int x) { return 2 * x; }\n", "-fPIC", name="plain.o")

    def session(self, *words, status=0, recording=None):
        """What the program prints."""
        outcome = self.run_command(SESSION, recording or self.recording, *words)
        self.assertEqual(outcome.status, status, outcome.err)
        return outcome.out.decode()

    def replay(self, ending=""):
        out = self.must(JITSCOPE, "replay", self.recording).out.decode()
        self.assertRegex(out, rf"(?s)\A{ending}.*\d+ events: identical\n\Z")


class Exits(Awkward):
    def test_in_a_finaliser(self):
        """Of a link that is unloaded; of one that is there when the session ends; as the last of several."""
        leaver = self.compile("#include <stdio.h>\n#include <stdlib.h>\n"
                              "__attribute__((destructor)) static void after(void) { puts(\"after\"); }\n"
                              "__attribute__((destructor)) static void leave(void) { puts(\"leave\"); exit(8); }\n", "-fPIC", name="leaver.o")
        for words in ((leaver, "link", "unload"), (leaver, "link"), (leaver, "link", self.plain, "link"),
                      (self.plain, "link", leaver, "link", "unload")):
            with self.subTest(words):
                self.assertNotIn("after", self.session(*words, status=8))
                self.replay("the recording ends here, because the program called exit inside an action")
                events = [event["event"] for event in self.show("events", self.recording)]
                self.assertEqual(events.count("answer_exit"), 1)

    def test_while_actions_are_undone(self):
        """Each is undone once: those that were before exit was called, and those behind."""
        outcome = self.session("undone", self.plain, "link", status=11)
        undone = [int(line.split()[1]) for line in outcome.splitlines() if line.startswith("undone")]
        self.assertEqual(undone, list(range(38, -1, -1)))
        self.replay("the recording ends here, because the program called exit inside an action")

    def test_in_an_event_callback(self):
        for event in ("pass_begin", "allocation", "segment", "action_result"):
            with self.subTest(event):
                self.session(f"exit-at={event}", self.plain, "link", status=9)
                self.replay("the recording ends here, because the program called exit in a function")

    def test_in_a_memory_manager_that_is_not_asked_for_an_answer(self):
        self.session("manager", self.plain, "link", status=10)
        self.replay("the recording ends here, because the program called exit in a function")


class Failures(Awkward):
    def test_own_words_for_a_code_of_the_linkers(self):
        user = self.compile("extern int far; int *near(void) { return &far; }\n", "-fPIC", name="user.o")
        self.assertIn("the arena of this program is full", self.session("resolver", user, "link"))
        self.replay()

    def test_symbols_without_a_name(self):
        self.assertEqual(self.session("symbols", self.plain, "link").count("defined twice"), 1)
        self.replay()


class Middle(Awkward):
    """Recordings that begin behind what the words before them have brought in."""

    def setUp(self):
        super().setUp()
        self.begin = f"begin={self.recording}"
        self.user = self.compile("extern int far __attribute__((weak)); int *near(void) { return &far; }\n", "-fPIC", name="user.o")
        self.far = self.compile("int far = 6;\n", "-fPIC", name="far.o")

    def test_library_that_could_not_be_opened(self):
        """It defines nothing then; neither does it in the replay."""
        gone, broken = self.folder / "libgone.so", self.folder / "libbroken.so"
        self.must("gcc", "-shared", "-o", gone, self.plain)
        self.must("gcc", "-shared", "-o", broken, self.far, "-Wl,--no-as-needed", gone)
        gone.unlink()
        out = self.session(broken, self.begin, self.user, "link", recording="-").splitlines()
        self.assertIn("libgone.so", out[0])
        self.assertEqual(out[-1], "ok")
        self.replay()

    def test_thin_archive_without_an_index(self):
        """Its members are read when it comes in, which the recording has not seen."""
        one = self.compile("int one = 1;\n", "-fPIC", name="one.o")
        user = self.compile("extern int far, one; int near(void) { return far + one; }\n", "-fPIC", name="user.o")
        bad = self.folder / "bad.o"
        bad.write_bytes(one.read_bytes()[:200])
        for name, members in (("libgood.a", (one, self.far)), ("libbad.a", (one, bad, self.far))):
            with self.subTest(name):
                archive = self.archive(name, *members, flags="rcST")
                outcome = self.session(archive, self.begin, user, "link", recording="-")
                self.assertEqual(outcome.endswith("ok\n"), name == "libgood.a", outcome)
                self.replay()

    def test_default_libraries(self):
        """However many of them are searched already when the recording begins."""
        texts = ("int nothing;", "extern int puts(const char *); int print(void) { return puts(\"now\"); }",
                 "__int128 half(__int128 a, __int128 b) { return a / b; }",
                 "extern void *_Unwind_GetCFA(void *); void *(*get)(void *) = _Unwind_GetCFA;")
        objects = [self.compile(text + "\n", "-fPIC", name=f"{at}.o") for at, text in enumerate(texts)]
        words = [word for item in objects for word in (item, "link")]
        read = ("0.o", "libc.so.6", "libgcc.a", "libgcc_s.so.1")
        for at in range(0, len(words), 2):
            with self.subTest(at=at):
                self.session(*words[:at], self.begin, *words[at:], recording="-")
                self.replay()
                files = {os.path.basename(event["path"]) for event in self.show("events", self.recording)
                         if event["event"] == "answer_file" and event["outcome"] == "ok"}
                self.assertEqual([name for name in read if name in files], list(read[at // 2:]))

    def test_a_name_that_was_defined_very_often(self):
        """Told in the order of definition, the latest last; in no more time, of the processor, than they are many."""
        before = seconds_worked()
        self.session("definitions", self.begin, self.user, "link", recording="-")
        self.assertLess(seconds_worked() - before, 15)
        recording = Recording(self.recording)
        often = [record.get("address") for record in recording.named("state_definition") if record.get("name") == "often"]
        self.assertEqual(often, [0x1000 + i for i in range(150000) if i % 7])
        self.replay()


class Again(Awkward):
    def test_the_recording_of_a_replay_replays(self):
        """Whatever its level, and that of the first."""
        levels, second = ("session", "phase", "block", "edges"), self.folder / "second.jsr"
        for level in levels:
            self.must(JITSCOPE, "link", "--record", self.recording, f"--trace={level}", self.plain)
            for other in levels:
                with self.subTest((level, other)):
                    self.must(JITSCOPE, "replay", self.recording, "--record", second, f"--trace={other}")
                    self.must(JITSCOPE, "replay", second)


class Size(Awkward):
    def test_lookups_leave_nothing(self):
        sizes = []
        for words in ((), ("lookups",)):
            self.session(self.plain, "link", *words)
            sizes.append(self.recording.stat().st_size)
        self.assertLess(sizes[1] - sizes[0], 200)


class Hostile(Awkward):
    def test_a_cut_name_is_a_long_one(self):
        """Dots at the end of a short one stand for nothing."""
        self.session(self.plain, "link")
        recording = Recording(self.recording)
        string = next(record for record in recording.named("string") if recording.strings[record.get("string")] == "twice")
        recording.put(string.trailing[0], b"t...")
        recording.change(string, "length", 4)
        outcome = self.run_command(JITSCOPE, "replay", recording.save(self.folder / "changed"))
        self.assertEqual(outcome.status, 1)
        self.assertIn(b"diverged at event", outcome.out)

    def test_one_long_text_in_many_calls(self):
        """Half a gigabyte of it, were it copied for each call; the recording has 300 KiB."""
        self.session("roots")
        self.assertLess(self.recording.stat().st_size, 1 << 20)
        process = subprocess.Popen([JITSCOPE, "replay", self.recording], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        self.assertLess(usage.ru_maxrss, 200 << 10)


if __name__ == "__main__":
    unittest.main()
