"""Recordings: what every view says of a real link, time travel, determinism, and what is left after a crash."""
import re
import resource
import signal
import subprocess
import time
import unittest

from harness import INPUTS, JITSCOPE, LIBRARIES, LIMIT, SystemTest

VIEWS = ("summary batches inputs sections segments blocks symbols edges got plt tls actions registrations eh-frames passes events "
         "memory").split()
LUA = LIBRARIES / "liblua5.4.a"
SQLITE = LIBRARIES / "libsqlite3.a"
# What a clock or the operating system chose; everything else must be the same from run to run.
CHANGING = {"time", "duration", "process"}


def inside(row, segments):
    return any(s["address"] <= row["address"] and row["address"] + row["size"] <= s["end"] for s in segments)


class Lua(SystemTest):
    """One recording of the demo's program at level edges, looked at from all sides."""

    def setUp(self):
        super().setUp()
        self.host = self.compile("../../demo/host.c", "-O2", "-I/usr/include/lua5.4")
        self.recording = self.folder / "lua.jsr"
        outcome = self.jitscope("run", "--trace", "edges", "--record", self.recording, self.host, LUA, "-lm", "--",
                                INPUTS.parent.parent / "demo" / "demo.lua")
        self.assertEqual(outcome.status, 0, outcome)

    def rows(self, what, *words):
        return self.show(what, self.recording, *words)

    def test_every_view_prints(self):
        for view in VIEWS:
            rows = self.rows(view)
            table = self.must(JITSCOPE, "show", view, self.recording).out
            self.assertGreater(len(table.splitlines()), 0, view)
            if view not in ("tls", "summary"):
                self.assertEqual(len(table.splitlines()), len(rows) + (view != "events"), view)

    def test_help_lists_views_and_columns(self):
        """What can be shown, by the names that --json uses; a manual page says the same."""
        text = self.must(JITSCOPE, "show", "--help").out.decode().split("What to show:\n")[1].split("\n\n")[0]
        listed = {}
        for part in re.split(r"^  (?=\S)", text, flags=re.M)[1:]:
            name, rest = part.split(maxsplit=1)
            listed[name] = rest.split("Columns:")[1].split()
        self.assertEqual(list(listed), VIEWS)
        page = self.must(JITSCOPE, "help", "--man", "show").out.decode()
        for view, columns in listed.items():
            self.assertIn(view.replace("-", "\\-"), page)
            rows = self.rows(view)
            if rows and view not in ("events", "summary"):  # whose rows have the fields of each event, and what there is
                self.assertEqual(list(rows[0]), columns, view)

    def test_memory(self):
        segments = self.rows("segments")
        self.assertEqual([s["prot"] for s in segments], ["r-x", "r--", "rw-"])
        self.assertEqual({s["state"] for s in segments}, {"finalized"})
        for block in self.rows("blocks", "--filter", "state = placed"):
            self.assertTrue(inside(block, segments), block)

    def test_got_and_plt(self):
        segments = self.rows("segments")
        got = {row["slot"]: row for row in self.rows("got")}
        addresses = {row["name"]: row["address"] for row in self.rows("symbols") if row["name"]}
        self.assertGreater(len(got), 50)
        for row in got.values():
            self.assertTrue(inside({"address": row["slot"], "size": 8}, segments), row)
            self.assertEqual(row["target"], addresses[row["symbol"]], row)
        stubs = self.rows("plt")
        self.assertIn("strcoll", {row["symbol"] for row in stubs})
        for row in stubs:
            self.assertEqual(got[row["slot"]]["target"], row["target"], row)
            self.assertTrue(row["asked_by"])
        made = {e["sequence"]: e for e in self.rows("events", "--filter", "event = table_entry")}
        self.assertEqual([made[row["made"]]["entry"] for row in stubs], [row["entry"] for row in stubs])

    def test_fixups_tell_bytes(self):
        edges = self.rows("edges", "--filter", "kind = branch32 and target = luaL_newstate")
        self.assertEqual(len(edges), 1)
        address = next(s["address"] for s in self.rows("symbols", "--filter", "name = luaL_newstate"))
        value = (address + edges[0]["addend"] - edges[0]["place"]) & 0xffffffff
        self.assertEqual(edges[0]["after"], value)

    def test_time_travel(self):
        """At no event does the state hold more than at the next: a link only grows until it is done."""
        events = self.rows("events")
        last = events[-1]["sequence"]
        self.assertEqual([e["sequence"] for e in events], list(range(last + 1)))
        counts = [len(self.rows("blocks", "--at", at)) for at in range(0, last, last // 7)]
        self.assertEqual(counts, sorted(counts))
        self.assertEqual(counts[0], 0)
        flight = next(e["sequence"] for e in events if e["event"] == "allocation" and e["state"] == "in-flight")
        self.assertEqual({s["state"] for s in self.rows("segments", "--at", flight)} - {"in-flight"}, set())
        self.assertEqual(len(self.rows("segments", "--at", flight - 1)), 0)

    def test_passes_and_actions(self):
        passes = self.rows("passes")
        names = [row["name"] for row in passes]
        order = ["split-eh-frames", "prune", "build-tables", "allocate", "resolve-externals", "apply-fixups", "finalize"]
        self.assertEqual([name for name in names if name in order], order)
        self.assertEqual({row["result"] for row in passes}, {"ok"})
        for before, after in zip(passes, passes[1:]):
            self.assertEqual(after["edges"] - before["edges"], after["d_edges"], after)
        finalize = [a for a in self.rows("actions") if a["half"] == "finalize"]
        self.assertIn("register-eh-frames", {a["function"] for a in finalize})
        self.assertEqual({a["result"] for a in finalize}, {"ok"})

    def test_filters(self):
        every = self.rows("symbols")
        for expression, keep in (("name ~ lua_push", lambda r: "lua_push" in r["name"]),
                                 ("size >= 0x100 and size < 600", lambda r: 0x100 <= r["size"] < 600),
                                 ("name = main or name == 'puts'", lambda r: r["name"] in ("main", "puts")),
                                 ("linkage != strong", lambda r: r["linkage"] != "strong")):
            self.assertEqual(self.rows("symbols", "--filter", expression), [r for r in every if keep(r)], expression)

    def test_levels_are_subsets(self):
        seen = {}
        for level in ("session", "phase", "block", "edges"):
            recording = self.folder / f"{level}.jsr"
            self.must(JITSCOPE, "link", "--trace", level, "--phony-externals", "--record", recording, self.host, LUA)
            seen[level] = {row["event"] for row in self.show("events", recording)}
        self.assertLess(seen["session"], seen["phase"])
        self.assertLess(seen["phase"], seen["block"])
        self.assertLess(seen["block"], seen["edges"])
        self.assertIn("fixup", seen["edges"])


class Determinism(SystemTest):
    def events(self, recording, *words, **options):
        self.must(JITSCOPE, "link", "--base", "0x7000000", "--trace", "edges", "--phony-externals", "--record",
                  recording, "--whole-archive", SQLITE, *words, **options)
        rows = self.show("events", recording)
        return [{key: value for key, value in row.items() if key not in CHANGING} for row in rows]

    def test_link_depends_on_nothing_but_its_inputs(self):
        """Another folder, environment and address-space layout, the same events."""
        first = self.events(self.folder / "a.jsr")
        second = self.events(self.folder / "another name.jsr", cwd="/", env={"LANG": "C", "X": "y" * 5000})
        self.assertGreater(len(first), 50000)
        self.assertEqual(len(first), len(second))
        for a, b in zip(first, second):
            self.assertEqual(a, b)


class Detail(SystemTest):
    def test_a_replay_is_recorded_in_detail(self):
        """Every edge of a link that was recorded without them; that recording replays in turn."""
        main = self.compile("#include <stdio.h>\nint main(void) { return puts(\"x\") < 0; }\n")
        coarse, edges, direct = (self.folder / f"{name}.jsr" for name in ("coarse", "edges", "direct"))
        words = ("link", "--base", "0x400000", "--phony-externals")
        self.must(JITSCOPE, *words, "--record", coarse, main)
        self.must(JITSCOPE, *words, "--trace=edges", "--record", direct, main)
        self.must(JITSCOPE, "replay", "--trace=edges", "--record", edges, coarse)
        for what in ("edges", "blocks", "symbols", "got", "plt", "segments", "eh-frames", "actions"):
            self.assertEqual(self.show(what, edges), self.show(what, direct), what)
            coarser, direct_rows = self.show(what, coarse), self.show(what, direct)
            for row in coarser + direct_rows:
                row.pop("made", None)  # a sequence number: there are fewer events
            self.assertEqual(coarser, direct_rows, what)
        phase = self.folder / "phase.jsr"
        self.must(JITSCOPE, *words, "--trace=phase", "--record", phase, main)
        for what in ("edges", "blocks", "symbols"):
            self.assertEqual(self.show(what, phase), self.show(what, direct), what)
        end = self.show("events", phase)[-1]["sequence"]
        self.assertEqual(self.show("blocks", phase, "--at", str(end)), self.show("blocks", direct))
        self.assertEqual(self.show("blocks", phase, "--at", "3"), [])
        self.must(JITSCOPE, "replay", edges)


class Crashes(SystemTest):
    may_be_short = True

    def test_the_program_kills_itself(self):
        text = "#include <signal.h>\nint main(void) { return raise(SIGKILL); }\n"
        recording = self.folder / "r.jsr"
        outcome = self.jitscope("run", "--in-process", "--record", recording, self.compile(text))
        self.assertEqual(outcome.status, -signal.SIGKILL)
        self.assertEqual({p["result"] for p in self.show("passes", recording)}, {"ok"})
        self.assertEqual({s["state"] for s in self.show("segments", recording)}, {"finalized"})

    def test_killed_at_any_moment(self):
        """Whatever was published reads; numbers have no gap; later kills have more."""
        main = self.compile("sqlite.c", "-O2")
        lengths = []
        for delay in (4, 6, 8, 10, 12, 15, 18, 22, 27, 33, 40, 60, 100, 200, 400, 1000, 3000, 10000, 30000):
            if delay > 100 and max(lengths, default=0) > 100:
                break  # more time is for machines on which nothing had happened by then
            recording = self.folder / f"{delay}.jsr"
            process = subprocess.Popen([JITSCOPE, "run", "--trace", "edges", "--record", str(recording), str(main),
                                        str(SQLITE), "-lm", "--", "/dev/null/x"], stdout=subprocess.DEVNULL)
            time.sleep(delay / 1000)
            process.send_signal(signal.SIGKILL)
            process.wait()
            if not recording.exists():
                continue
            if recording.stat().st_size < 1 << 16:  # no chunk yet, perhaps not even a header
                recording.unlink()
                continue
            events = self.show("events", recording)
            self.assertEqual([e["sequence"] for e in events], list(range(len(events))))
            self.must(JITSCOPE, "show", "summary", recording)
            lengths.append(len(events))
            if "call_create" not in {e["event"] for e in events}:  # killed before there was anything to replay
                self.assertEqual(self.jitscope("replay", recording).status, 2)
                recording.unlink()
        self.assertGreater(max(lengths, default=0), 100)

    def test_a_fork_does_not_write_into_the_parents_recording(self):
        text = """
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
__attribute__((destructor)) static void gone(void) { printf("gone\\n"); }
int main(void) {
    pid_t child = fork();
    if (child == 0)
        exit(3);
    int status;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}
"""
        recording = self.folder / "r.jsr"
        outcome = self.jitscope("run", "--record", recording, self.compile(text))
        self.assertEqual((outcome.status, outcome.out), (3, b"gone\ngone\n"))
        rows = self.show("actions", recording, "--filter", "half = deallocate and result = ok")
        events = self.show("events", recording)
        self.assertEqual([e["sequence"] for e in events], list(range(len(events))))
        self.assertEqual(len(rows), len({(r["link"], r["action"]) for r in rows}))

    def test_a_recording_that_cannot_begin(self):
        main = self.compile("int main(void) { return 3; }\n")
        outcome = self.jitscope("run", "--record", "/dev/full", main)
        self.assertEqual(outcome.status, 3)
        self.assertEqual(outcome.err.count(b"warning: /dev/full: cannot record: write: No space left on device"), 1, outcome)

    def test_a_recording_that_cannot_grow(self):
        """The program runs all the same; the loss is said, and what fitted reads."""
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))

        recording = self.folder / "r.jsr"
        command = [JITSCOPE, "run", "--trace", "edges", "--record", recording, self.compile("sqlite.c"), SQLITE, "-lm"]
        outcome = subprocess.run(command, capture_output=True, preexec_fn=limit, restore_signals=False, timeout=LIMIT)
        self.assertEqual(outcome.returncode, 7, outcome)
        self.assertIn(b"the recording is cut off", outcome.stderr)
        self.assertIn(b"count(*)=1003", outcome.stdout)
        self.assertEqual(self.show("events", recording)[-1]["event"], "lost")

    def test_a_recording_is_private(self):
        recording = self.folder / "r.jsr"
        self.must(JITSCOPE, "link", "--record", recording, self.compile("int main(void) { return 0; }\n"))
        self.assertEqual(recording.stat().st_mode & 0o777, 0o600)


if __name__ == "__main__":
    unittest.main()
