"""Recordings that begin, and end, in the middle of a session."""
import os
import unittest

from harness import SystemTest

LINKS = os.environ.get("LINKS", "build/dev/tests/system/system-links")


class OnDemand(SystemTest):
    def setUp(self):
        super().setUp()
        self.base = self.compile("#include <stdio.h>\nint state = 1;\nint base(void) { return printf(\"base\\n\") + state; }\n"
                                 "__attribute__((destructor)) static void end(void) { puts(\"end of base\"); }\n",
                                 "-fPIC", "-g", name="base.o")
        self.user = self.compile("extern int base(void), state, member(void);\n"
                                 "int user(void) { return ++state + base() + member(); }\n", "-fPIC", name="user.o")
        self.third = self.compile("extern int member(void), answer, host;\n"
                                  "long third(void) { return member() + (long)&answer + (long)&host; }\n", "-fPIC", name="third.o")
        self.library = self.archive("libmember.a", self.compile("int member(void) { return 7; }\n", "-fPIC", name="member.o"))
        self.first, self.second = self.folder / "first.jsr", self.folder / "second.jsr"

    def events(self, recording):
        return [event["event"] for event in self.show("events", recording)]

    def test_what_was_linked_before(self):
        """Definitions of earlier links, an archive, libraries that are open, a link that is unloaded later."""
        outcome = self.must(LINKS, "", f"{self.base},{self.library}", f"@{self.first}", self.user, ".user", "-2", "-1")
        self.assertEqual(outcome.out, b"base\nuser 16\nend of base\n")
        replay = self.must(os.environ["JITSCOPE"], "replay", self.first)
        self.assertRegex(replay.out, rb"^\d+ events: identical\n$")
        events = self.events(self.first)
        self.assertEqual(events.count("link_begin"), 1)
        self.assertEqual(events.count("unload"), 2)
        names = {e["name"] for e in self.show("events", self.first) if e["event"] == "state_definition"}
        self.assertEqual(names, {"base", "state"})

    def test_settings_and_hooks(self):
        self.must(LINKS, "", "!", "+host", f":{self.library}", f":{self.third}", f"@{self.first}", self.base, ".third", "@",
                  f"@{self.second}", self.user, "-2", "-1")
        for recording in (self.first, self.second):
            self.must(os.environ["JITSCOPE"], "replay", recording)
        events = self.events(self.first)
        for event in ("call_register_action", "call_add_pass", "call_set_resolver", "edit_action", "answer_resolver"):
            self.assertIn(event, events)
        self.assertNotIn("call_destroy", events)
        self.assertEqual(self.events(self.second).count("state_link"), 1)

    def test_one_after_another(self):
        """Each replays; numbers of links and inputs go on, those of events begin again."""
        self.must(LINKS, self.first, self.base, "@", self.library, f"@{self.second}", self.user, "@")
        self.must(os.environ["JITSCOPE"], "replay", self.first)
        self.must(os.environ["JITSCOPE"], "replay", self.second)
        self.assertEqual(self.show("events", self.second)[0]["sequence"], 0)
        self.assertEqual({row["link"] for row in self.show("passes", self.second)}, {3})

    def test_twice_at_once(self):
        outcome = self.run_command(LINKS, self.first, f"@{self.second}")
        self.assertEqual(outcome.status, 1)
        self.assertIn(b"the session is being recorded already", outcome.err)
        self.assertFalse(self.second.exists())


if __name__ == "__main__":
    unittest.main()
