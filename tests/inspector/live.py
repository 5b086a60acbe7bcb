"""The inspector at a process that links, unloads, binds anew and writes over its own code while it is watched, and that is
neither stopped nor slowed down by it; and what is left on the screen when it ends."""
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import threading
import time

import unittest

from inspecting import HERE, JITSCOPE, InspectorTest
from terminal_harness import LIMIT

HOST = os.path.abspath(os.environ.get("LIVE_HOST", HERE.parents[1] / "build/dev/tests/inspector/live_host"))
CALLER = "extern int one(void);\nint call(void) { int (*volatile function)(void) = one; return function(); }\n"
TARGETS = "int one(void) { return 1; }\nint two(void) { return 2; }\n"


class Host:
    """live_host, told what to do."""

    def __init__(self, test):
        self.process = subprocess.Popen([HOST], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=test.folder, text=True,
                                        env={**os.environ, **test.environment(), "JITSCOPE_RECORD": ""})
        self.pid = self.process.pid
        test.addCleanup(self.close)
        test.assertEqual(self.answer(), "ready")

    def answer(self):
        if not select.select([self.process.stdout], [], [], LIMIT)[0]:
            raise AssertionError("the program does not answer")
        return self.process.stdout.readline().rstrip("\n")

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def exit(self):
        self.process.stdin.close()
        return self.process.wait(timeout=LIMIT)

    def close(self):
        if self.process.poll() is None:
            self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            try:
                stream.close()
            except OSError:
                pass

    def state(self):
        """(state, tracer) as proc(5) has them."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return re.search(r"State:\s+(\S)", status)[1], int(re.search(r"TracerPid:\s+(\d+)", status)[1])


class LiveTest(InspectorTest):
    def compile(self, name, source, *flags):
        path = self.folder / f"{name}.c"
        path.write_text(source)
        subprocess.run(["gcc", "-O1", "-g", *flags, "-c", path, "-o", self.folder / f"{name}.o"], check=True, timeout=LIMIT)
        return f"{name}.o"

    def start(self, *files):
        host = Host(self)
        for file in files:
            self.assertRegex(host.tell(f"link {file}"), r"^\d+$")
        return host

    def start_pair(self):
        """A caller that asks for `one` through a slot of the GOT that is read only, and both functions it may lead to."""
        targets = self.compile("targets", TARGETS, "-fPIC")
        # As an assembler writes it that knows no GOTPCRELX: the load through the slot stays.
        caller = self.compile("caller", CALLER, "-fPIC", "-Wa,-mrelax-relocations=no")
        return self.start(targets, caller)

    def attach(self, host, *words, **options):
        terminal = self.inspect("--pid", host.pid, *words, **options)
        self.assertIn(f"{host.pid} live_host", terminal.lines()[0])
        return terminal

    def batch(self, view, host, *words):
        done = subprocess.run([JITSCOPE, "inspect", "--pid", str(host.pid), "--batch", view, "--json", *words], cwd=self.folder,
                              capture_output=True, text=True, timeout=LIMIT, check=False,
                              env={**os.environ, **self.environment()})
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def type(self, terminal, line):
        terminal.keys(":", *line, "Enter")

    def line_with(self, terminal, *texts):
        """The first line that has them all, or ""."""
        return next((line for line in terminal.lines()[1:-1] if all(text in line for text in texts)), "")

    def timed(self, terminal, condition, what):
        """Seconds, to be printed: a machine that has other work may take any number of them."""
        begin = time.monotonic()
        terminal.wait_for(condition, what)
        return time.monotonic() - begin


class Watching(LiveTest):
    def test_slots_that_are_bound_anew(self):
        host = self.start_pair()
        [slot] = [row for row in self.batch("got", host) if row["symbol"] == "one"]
        place, one = slot["slot"], slot["target"]
        two = next(row["address"] for row in self.batch("symbols", host) if row["name"] == "two")
        self.assertEqual((host.tell(f"peek {place}"), host.tell("call call")), (one, "1"))
        terminal = self.attach(host, columns=160)
        terminal.keys("6")
        terminal.wait_for(lambda: one in self.line_with(terminal, place)[40:], "the slot's value")
        self.assertEqual(self.line_with(terminal, place)[0], " ")
        for value, changes in ((two, 1), (one, 2), (two, 3)):
            self.assertEqual(host.tell(f"poke {place} {value} r"), "done")
            taken = self.timed(terminal, lambda: re.search(rf"{value}\s+{changes}$", self.line_with(terminal, place).rstrip()),
                               "the new value")
            print(f"a slot's new value was seen after {taken * 1000:.0f} ms")
            self.assertNotEqual(self.line_with(terminal, place)[0], " ")
            self.assertEqual(host.tell("call call"), "2" if value == two else "1")
        differing = self.line_with(terminal, place)[0]
        terminal.keys("C")
        terminal.wait_for(lambda: len([line for line in terminal.lines() if place in line]) == 3, "the history")
        newest = self.line_with(terminal, place)
        self.assertLess(newest.index(one), newest.index(two))
        host.tell(f"poke {place} {one} r")
        terminal.wait_for(lambda: len([line for line in terminal.lines() if place in line]) == 4, "a change more")
        host.tell(f"poke {place} {two} r")
        terminal.keys("6")
        terminal.wait_for(lambda: self.line_with(terminal, place)[:1] == differing, "the mark")
        time.sleep(2.5)  # "changed" is a mark for two seconds; a slot that differs keeps its own
        terminal.pump(0.1)
        self.assertEqual(self.line_with(terminal, place)[0], differing)
        host.tell(f"poke {place} {one} r")
        time.sleep(2.5)
        terminal.wait_for(lambda: self.line_with(terminal, place)[:1] == " ", "no mark: it holds what was linked")
        self.quit(terminal)

    def test_code_that_is_written_over(self):
        host = self.start_pair()
        address = next(row["address"] for row in self.batch("symbols", host) if row["name"] == "one")
        self.assertEqual([row for row in self.batch("differences", host) if row["what"] == "differs"], [])
        terminal = self.attach(host, columns=160)
        terminal.keys("!")
        terminal.wait_for(lambda: "looking" not in terminal.text(), "the comparison")
        before = int(host.tell(f"peek {address}"), 16)
        changed = before ^ 0xff
        self.assertEqual(host.tell(f"poke {address} {changed:#x} rx"), "done")
        terminal.wait_for(lambda: "differs" in self.line_with(terminal, address), "the difference")
        [difference] = [row for row in self.batch("differences", host) if row["what"] == "differs"]
        self.assertEqual(difference["address"], address)
        terminal.keys("x")
        terminal.wait_for(lambda: terminal.lines()[0].startswith(" bytes"), "bytes")
        byte = f"<{changed & 0xff:02x}>"
        terminal.wait_for(lambda: byte in terminal.text(), f"{byte}, marked")
        self.assertEqual(host.tell(f"poke {address} {before:#x} rx"), "done")
        terminal.wait_for(lambda: "<" not in "\n".join(terminal.lines()[2:-1]), "no marked byte")
        self.assertEqual(host.tell("call one"), "1")
        terminal.keys("!")
        terminal.wait_for(lambda: "differs" not in "\n".join(terminal.lines()[1:-1]), "no difference")
        self.quit(terminal)

    def test_batches_that_come_and_go(self):
        targets = self.compile("targets", TARGETS, "-fPIC")
        host = self.start(targets)
        terminal = self.attach(host)
        terminal.wait_text("1 linked, ")
        other = self.compile("other", "int three(void) { return 3; }\n", "-fPIC")
        self.assertEqual(host.tell(f"link {other}"), "1")
        terminal.wait_text("2 linked, ")
        terminal.keys("5")
        terminal.wait_text("three")
        terminal.keys("1")
        self.assertEqual(host.tell("unload 1"), "done")
        terminal.wait_text("1 linked, 0 linking, 0 failed, 1 unloaded")
        terminal.keys("<")
        terminal.wait_for(lambda: "\u2016" in terminal.lines()[-1], "a moment that stays")
        self.assertEqual(host.tell(f"link {other}"), "2")
        terminal.pump(0.3)
        self.assertIn("1 linked, 1 linking, 0 failed, 0 unloaded", terminal.text())
        terminal.keys("F")
        terminal.wait_text("2 linked, 0 linking, 0 failed, 1 unloaded")
        self.quit(terminal)


    def test_rates(self):
        """Of the last second before the moment: for who follows, the present."""
        targets = self.compile("targets", TARGETS, "-fPIC")
        host = self.start(targets, targets)
        terminal = self.attach(host)
        for count in range(3, 30):  # on a busy machine a second may be over before anybody has looked
            terminal.wait_text("rates    0 batches/s, 0 events/s")
            time.sleep(1.1)
            host.tell(f"link {targets}")
            terminal.wait_for(lambda count=count: f"{count} linked, " in terminal.text(), "the link")
            if "rates    1 batches/s, " in terminal.text():
                break
        self.assertIn("rates    1 batches/s, ", terminal.text())
        terminal.keys("Space")
        terminal.wait_for(lambda: "\u2016" in terminal.lines()[-1], "a moment that stays")
        time.sleep(1.1)
        terminal.pump(0.1)
        self.assertIn("rates    1 batches/s, ", terminal.text())  # that moment was no other one
        terminal.keys("F")
        terminal.wait_text("rates    0 batches/s, 0 events/s")
        self.quit(terminal)


class Staying(LiveTest):
    """Nobody notices that he is watched."""

    def test_never_stopped(self):
        targets = self.compile("targets", TARGETS, "-fPIC")
        host = self.start(targets)
        states, over = [], threading.Event()

        def watch():
            while not over.wait(0.002):
                states.append(host.state())
        watcher = threading.Thread(target=watch)
        watcher.start()
        before = int(host.tell("count"))
        begin = time.monotonic()
        terminal = self.attach(host, columns=120)
        host.tell(f"threads 3 {targets}")
        for key in "6C!5x123456789" * 3:
            terminal.keys(key)
            terminal.pump(0.02)
        rounds = int(host.tell("count")) - before
        passed = time.monotonic() - begin
        host.tell("stop")
        over.set()
        watcher.join()
        print(f"{rounds / passed:.0f} rounds a second of a loop that sleeps a millisecond in each; {len(states)} looks")
        self.assertGreater(rounds, 0)
        self.assertEqual({tracer for _, tracer in states}, {0})
        self.assertEqual({state for state, _ in states} - set("RSD"), set())
        self.quit(terminal)

    def events_of(self, host, terminal, last, file):
        """Of one link and unload, when all names are known."""
        counts = []
        for _ in range(3):
            before = last()
            number = host.tell(f"link {file}")
            self.assertEqual(host.tell(f"unload {number}"), "done")
            end = self.batch("events", host)[-1]["sequence"]
            terminal.wait_for(lambda end=end: last() == end, "events")
            counts.append(end - before)
        self.assertEqual(counts[1], counts[2])
        return counts[2]

    def test_a_hundred_thousand_events_a_second(self):
        """Keys are answered, and frames drawn, while events come in by the hundred thousand."""
        many = "".join(f"extern int one(void); int f{i}(void) {{ return one() + one() + one(); }}\n" for i in range(250))
        targets, file = self.compile("targets", TARGETS, "-fPIC"), self.compile("many", many, "-fPIC", "-g0")
        host = self.start(targets)
        terminal = self.attach(host, columns=120, rows=30)

        def last():
            found = re.search(r"event \d+/(\d+)", terminal.lines()[-1])
            return int(found[1]) if found else 0
        terminal.wait_for(last, "the moment")
        per_turn = self.events_of(host, terminal, last, file)
        frames, latencies = len(terminal.raw), []
        start = terminal.raw.count(b"\x1b[?2026l")
        rounds = int(host.tell("count"))
        before, begin = last(), time.monotonic()
        host.tell(f"burst {-(-130000 // per_turn)} {file}")
        for i in range(60):
            key, title = [("5", " symbols"), ("1", " overview"), ("0", " events"), ("9", " edges"), ("2", " map")][i % 5]
            sent = time.monotonic()
            terminal.keys(key)
            terminal.wait_for(lambda: terminal.lines()[0].startswith(title), title)
            latencies.append(time.monotonic() - sent)
            terminal.pump(0.03)
            if i >= 20 and time.monotonic() - begin > 20:
                break
        terminal.keys("1")
        passed = time.monotonic() - begin
        turns = int(host.tell("stop"))
        drawn = terminal.raw.count(b"\x1b[?2026l") - start
        made, rounds = turns * per_turn, int(host.tell("count")) - rounds
        terminal.wait_for(lambda: last() >= before + made, "all events")
        caught_up = time.monotonic() - begin - passed
        latencies.sort()
        print(f"{made} events in {passed:.1f} s: {made / passed:.0f} a second; {drawn / passed:.1f} frames a second; keys after "
              f"{latencies[len(latencies) // 2] * 1000:.0f} ms (median), {latencies[-1] * 1000:.0f} ms (most); all there "
              f"{caught_up * 1000:.0f} ms after the last; {len(terminal.raw) - frames} bytes; {rounds / passed:.0f} rounds a second")
        self.assertGreaterEqual(drawn, len(latencies))  # each key had its frame before the next, and before the end
        self.assertGreater(rounds, 0)
        self.assertEqual(host.state()[1], 0)
        self.quit(terminal)


class Ending(LiveTest):
    def after_the_end(self, terminal, host):
        """The screen stays; time travel works; all is as in a recording."""
        terminal.wait_text(f"{host.pid} live_host, ended")
        terminal.wait_text(f"process {host.pid} has ended")
        terminal.keys("5")
        terminal.wait_text(" two")
        self.type(terminal, "goto 3")
        terminal.wait_for(lambda: " two" not in terminal.text(), "the beginning")
        terminal.keys(">", "}", "[", "]", "F")
        terminal.wait_text(" two")
        terminal.keys("6", "C", "!", "1")
        self.type(terminal, "write left.jsr")
        terminal.wait_text("wrote left.jsr")
        self.quit(terminal)
        shown = json.loads(subprocess.run([JITSCOPE, "show", "symbols", "left.jsr", "--json"], cwd=self.folder, check=True,
                                          capture_output=True, timeout=LIMIT).stdout)
        self.assertIn("two", [row["name"] for row in shown])
        replay = subprocess.run([JITSCOPE, "replay", "left.jsr"], cwd=self.folder, capture_output=True, timeout=LIMIT, check=False)
        self.assertIn(replay.returncode, (0, 2), replay.stderr)

    def test_killed(self):
        host = self.start_pair()
        terminal = self.attach(host)
        terminal.keys("5")
        terminal.wait_text(" two")
        host.kill()
        self.after_the_end(terminal, host)

    def test_killed_while_it_links(self):
        host = self.start_pair()
        terminal = self.attach(host)
        host.tell("threads 4 targets.o")
        for key in "56!C12":
            terminal.keys(key)
            terminal.pump(0.1)
        host.kill()
        self.after_the_end(terminal, host)

    def test_bytes_that_are_watched(self):
        """What the process had is not known any more: what the recording says is shown."""
        for key in "xc":
            host = self.start_pair()
            terminal = self.attach(host, columns=120)
            terminal.keys("5", "/", *"two", "Enter")
            terminal.wait_for(lambda: "two" in self.cursor_line(terminal), "the row")
            terminal.keys(key)
            terminal.wait_text("b8 02 00 00 00")
            host.kill()
            terminal.wait_text(f"process {host.pid} has ended")
            terminal.pump(0.2)
            self.assertIn("b8 02 00 00 00", terminal.text())
            self.quit(terminal)

    def test_exits(self):
        """Memory has been given back by then: what is shown is the moment before."""
        host = self.start_pair()
        terminal = self.attach(host)
        self.assertEqual(host.exit(), 0)
        terminal.wait_text("2 linked, 0 linking")
        self.after_the_end(terminal, host)

    def test_ends_while_it_is_attached_to(self):
        targets = self.compile("targets", TARGETS, "-fPIC")
        for i in range(12):
            host = self.start(targets)
            threading.Timer(0.004 * i, host.kill).start()
            done = subprocess.run([JITSCOPE, "inspect", "--pid", str(host.pid), "--batch", "symbols"], cwd=self.folder,
                                  capture_output=True, text=True, timeout=LIMIT, check=False,
                                  env={**os.environ, **self.environment()})
            self.assertIn(done.returncode, (0, 1, 2), done.stderr)
            self.assertTrue(done.returncode == 0 and done.stdout or done.stderr.startswith("jitscope: error: "), done)

    def test_recorded_elsewhere(self):
        host = self.start_pair()
        terminal = self.attach(host)
        terminal.wait_text("2 linked, ")
        self.assertEqual(host.tell("begin own.jsr"), "done")
        terminal.wait_text("attach anew")
        self.assertIn("no more events", terminal.lines()[0])
        self.quit(terminal)
        terminal = self.attach(host)
        host.tell("link targets.o")
        terminal.wait_text("1 linked, ")  # of the links before it only names and addresses are recorded
        self.quit(terminal)


class Writing(LiveTest):
    def test_while_threads_link(self):
        """Copies of what grows have no gaps, and replay.  It does not grow while they are looked at, which may take long: a busy
        machine would have ever more to look at."""
        host = self.start_pair()
        for i in range(4):
            name = f"copy{i}.jsr"
            host.tell("threads 4 targets.o")
            time.sleep(0.1)
            self.script("--pid", host.pid, lines=[f"write {name}"])
            host.tell("stop")
            events = json.loads(subprocess.run([JITSCOPE, "show", "events", name, "--json"], cwd=self.folder, check=True,
                                               capture_output=True, timeout=LIMIT).stdout)
            self.assertEqual([event["sequence"] for event in events], list(range(len(events))))
            replay = subprocess.run([JITSCOPE, "replay", name], cwd=self.folder, capture_output=True, timeout=LIMIT, check=False)
            self.assertIn(replay.returncode, (0, 2), replay.stderr)
            self.assertNotIn(b"differ", replay.stdout + replay.stderr)
        self.script("--pid", host.pid, lines=["write whole.jsr"])
        replay = subprocess.run([JITSCOPE, "replay", "whole.jsr"], cwd=self.folder, capture_output=True, timeout=LIMIT, check=False)
        self.assertEqual((replay.returncode, replay.stderr), (0, b""))
        self.assertRegex(replay.stdout, rb"identical")


if __name__ == "__main__":
    unittest.main()
