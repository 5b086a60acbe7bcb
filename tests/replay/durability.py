"""What is left of a recording when its program, its file or its disk comes to a sudden end, and what is left of the program.

Whatever was published before a SIGKILL is there, and nothing else: jsr.py, which shares no code with jitscope, says what.
A recording that cannot go on costs one warning, never the link.
"""
import concurrent.futures
import json
import os
import pathlib
import random
import re
import resource
import signal
import stat
import subprocess
import time
import unittest

from harness import JITSCOPE, LIBRARIES, LIMIT, SystemTest
from jsr import NoRecording, Recording

RECORD_LOOP = os.environ["RECORD_LOOP"]
ARCHIVE = LIBRARIES / "libsqlite3.a"
SEED = int(os.environ.get("JITSCOPE_SEED", "20260731"))
KILLS = 200  # of each program, as long as they fit into
BUDGET = 20  # seconds, and no less than
FEWEST = 40
ROUNDS = 6  # of so many kills, until they have come at different moments
CALLS_NEEDED = {"session_begin", "call_create"}


def kill_after(seconds, command):
    """Runs a command for SECONDS; what it wrote until then."""
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    process.kill()
    out = process.communicate()[0]
    return out, process.returncode


class Killed(SystemTest):
    def replay_recordings(self):
        """Each kill has its recording replayed already."""

    def measure(self, command):
        """Median seconds of an undisturbed run."""
        times = []
        for _ in range(5):
            start = time.monotonic()
            self.must(*command)
            times.append(time.monotonic() - start)
        return sorted(times)[2]

    def kill_often(self, command, look, moment_of):
        """Kills COMMAND(recording) at random moments of its run, and lets LOOK(recording, what it had said, thoroughly)
        judge what is left.  Returns what LOOK returns, None for a file without header; and how many moments MOMENT_OF sees in
        that.  How long a run takes is measured again where there were few: a machine that has other work may have been
        much faster, or slower, than it is now."""
        seen = []
        for number in range(ROUNDS):
            seen += self.kill_for_a_while(command, look, SEED + number)
            moments = len(set(map(moment_of, seen)))
            if moments > FEWEST // 4:
                break
        return seen, moments

    def kill_for_a_while(self, command, look, seed):
        chance, whole = random.Random(seed), self.measure(command(self.folder / "whole.jsr"))
        moments = [chance.uniform(0, whole * 1.05) for _ in range(KILLS)]
        begin = time.monotonic()

        def kill(number):
            path = self.folder / f"{number}.jsr"
            if number >= FEWEST and time.monotonic() - begin > BUDGET:
                return None
            try:
                out, status = kill_after(moments[number], command(path))
                self.assertIn(status, (0, -signal.SIGKILL))
                return look(path, out, number % 8 == 0)
            except Exception as error:
                raise AssertionError(f"seed {seed}, kill {number} after {moments[number]:.6f} of {whole:.6f} s") from error
            finally:
                path.unlink(missing_ok=True)

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            seen = list(pool.map(kill, range(KILLS)))
        return [one for one in seen if one]

    def read(self, path):
        """The recording's events, None before the file has its header; numbers have no gap."""
        try:
            recording = Recording(path)
        except (FileNotFoundError, NoRecording):
            return None
        self.assertEqual([record.sequence for record in recording.records], list(range(len(recording.records))))
        return recording

    def replay_says_how_far(self, path, recording):
        outcome = self.jitscope("replay", path)
        if not CALLS_NEEDED <= {record.name for record in recording.records[:40]}:
            self.assertEqual(outcome.status, 2, outcome)
            self.assertIn(b"cut off before the first link", outcome.err)
            return
        self.assertEqual((outcome.status, outcome.err), (0, b""), outcome)
        self.assertRegex(outcome.out, rb"\A(the recording ends here, [^\n]+\n)?\d+ events: identical\n\Z")
        compared = int(re.search(rb"(\d+) events: identical", outcome.out)[1])
        self.assertGreater(compared, 0.6 * sum(record.name != "string" for record in recording.records))
        if not recording.named("call_destroy"):
            self.assertIn(f": the same up to event {recording.records[-1].sequence}\n".encode(), outcome.out)

    def views_agree(self, path, recording):
        names = [record.name for record in recording.records]
        shown = self.show("events", path)
        self.assertEqual([(row["sequence"], row["event"]) for row in shown], list(enumerate(names)))
        exported = self.must(JITSCOPE, "export", "--to", "json", path).out.splitlines()
        self.assertEqual([json.loads(line)["event"] for line in exported], names)
        bound = recording.named("symbol_bound")
        if bound:
            self.must(JITSCOPE, "why", path, f"{bound[0].get('address'):#x}")

    def test_one_big_link(self):
        """Events are those of an undisturbed link, up to where it was killed."""
        def command(path):
            return [JITSCOPE, "link", "--whole-archive", "--phony-externals", "--record", path, ARCHIVE]

        self.must(*command(self.folder / "whole.jsr"))
        whole = [record.comparable() for record in self.read(self.folder / "whole.jsr").records]

        def look(path, _, thoroughly):
            recording = self.read(path)
            if not recording:
                return None
            events = [record.comparable() for record in recording.records]
            self.assertTrue(events == whole[:len(events)], "not what an undisturbed link says")
            self.replay_says_how_far(path, recording)
            if thoroughly:
                self.views_agree(path, recording)
            return len(events)

        lengths, different = self.kill_often(command, look, lambda length: length)
        print(f"seed {SEED}: {len(lengths)} recordings with {different} numbers of events, up to {max(lengths, default=0)} of {len(whole)}")
        self.assertGreater(different, FEWEST // 4)

    def test_threads_that_link_and_unload(self):
        """What the program said it had done before it was killed is in its recording."""
        objects = [self.compile(f"int value_{i} = {i};\nint get_{i}(void) {{ return value_{i}; }}\n", name=f"{i}.o") for i in range(3)]

        def look(path, out, thoroughly):
            recording = self.read(path)
            if not recording:
                self.assertEqual(out, b"")
                return None
            self.holds_what_was_done(recording, out)
            self.replay_says_how_far(path, recording)
            if thoroughly:
                self.views_agree(path, recording)
            return len(recording.named("link_end")), recording.open_chunks > 0

        seen, different = self.kill_often(lambda path: [RECORD_LOOP, path, 4, 60, *objects], look, lambda one: one[0])
        print(f"seed {SEED}: {len(seen)} recordings with {different} numbers of links, up to {max(seen, default=0)}; "
              f"{sum(is_open for _, is_open in seen)} of them open")
        self.assertGreater(different, FEWEST // 4)

    def holds_what_was_done(self, recording, out):
        said = [line.split() for line in out.decode().splitlines()]
        ended = {record.link for record in recording.named("link_end") if record.get("outcome") == 0}
        unloaded = {record.get("link") for record in recording.named("unload")}
        self.assertLessEqual({int(number) for what, number in said if what == "linked"}, ended)
        self.assertLessEqual({int(number) for what, number in said if what == "unloaded"}, unloaded)
        self.assertLessEqual(unloaded, ended)


PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
int main(int argc, char **argv) {
    if (argc > 2 && !strcmp(argv[1], "cut") && truncate(argv[2], atol(argv[3]))) return 1;
    if (argc > 2 && !strcmp(argv[1], "regrow") && (usleep(200000) || truncate(argv[2], 0) || truncate(argv[2], 64 << 20))) return 1;
    if (argc > 2 && !strcmp(argv[1], "remove") && unlink(argv[2])) return 1;
    if (argc > 2 && !strcmp(argv[1], "system") && system(argv[2])) return 1;
    puts("the program runs");
    return 7;
}
"""


class Losses(SystemTest):
    """The file or the disk is lost: one warning, and the program ends as it would have."""
    damaged = ("r.jsr",)

    def setUp(self):
        super().setUp()
        self.recording = self.folder / "r.jsr"
        self.main = self.compile(PROGRAM)

    def record(self, *words, path=None, before=None, prefix=()):
        command = [*prefix, JITSCOPE, "run", "--trace=edges", "--record", path or self.recording, self.main, ARCHIVE, "-lm", "--", *words]
        process = subprocess.run([str(word) for word in command], capture_output=True, preexec_fn=before, timeout=LIMIT, cwd=self.folder)
        self.assertEqual((process.returncode, process.stdout), (7, b"the program runs\n"), process)
        return process.stderr.decode()

    def warns_once(self, text, what, path=None):
        warnings = [line for line in text.splitlines() if not line.startswith("  help: ")]
        self.assertEqual(len(warnings), 1, text)
        self.assertRegex(warnings[0], rf"\Ajitscope: warning: {path or self.recording}: .*{what}")

    def reads_and_replays(self, ends_with_lost):
        recording = Recording(self.recording)
        names = [row["event"] for row in self.show("events", self.recording)]
        self.assertEqual(names, [record.name for record in recording.records])
        self.assertEqual(names[-1] == "lost", ends_with_lost)
        outcome = self.must(JITSCOPE, "replay", self.recording)
        numbers = [row["sequence"] for row in self.show("events", self.recording)]
        whole = next((i for i, number in enumerate(numbers) if number != i), len(numbers))  # a cut leaves gaps
        self.assertIn(f"the same up to event {whole - 1}\n".encode(), outcome.out)

    # --- nothing can be written from the start

    def test_no_room_at_all(self):
        self.warns_once(self.record(path="/dev/full"), "No space left on device", "/dev/full")

    def test_no_such_folder(self):
        path = self.folder / "nowhere" / "r.jsr"
        self.warns_once(self.record(path=path), "No such file or directory", path)

    def test_a_folder_instead_of_a_file(self):
        self.warns_once(self.record(path=self.folder), "Is a directory", self.folder)

    def test_a_folder_that_may_not_be_written(self):
        if os.geteuid():
            (self.folder / "closed").mkdir(mode=0o500)
            path = self.folder / "closed" / "r.jsr"
        elif os.path.ismount("/sys"):  # root, whom no mode stops
            path = "/sys/r.jsr"
        else:
            self.skipTest("root may write into every folder here")
        self.warns_once(self.record(path=path), "(Permission denied|Read-only file system)", path)

    def test_a_size_limit_of_nothing(self):
        self.warns_once(self.record(before=lambda: limit(0)), "File too large")

    # --- the disk is full later on

    def test_a_size_limit(self):
        """Its signal would kill the program."""
        self.warns_once(self.record(before=lambda: limit(3 << 20)), "File too large")
        self.reads_and_replays(ends_with_lost=True)

    def test_a_small_disk(self):
        disk = self.folder / "disk"
        disk.mkdir()
        copy = f"mount -t tmpfs -o size=2m none {disk} || exit 99; \"$@\"; status=$?; cp {disk}/r.jsr {self.recording}; exit $status"
        if self.run_command("unshare", "-m", "sh", "-c", f"mount -t tmpfs none {disk}").status:
            self.skipTest("no right to mount")
        self.warns_once(self.record(path=disk / "r.jsr", prefix=("unshare", "-m", "sh", "-c", copy, "sh")),
                        "No space left on device", disk / "r.jsr")
        self.reads_and_replays(ends_with_lost=True)

    # --- somebody else's hands

    def test_removed(self):
        self.warns_once(self.record("remove", self.recording), "removed or replaced")
        self.assertFalse(self.recording.exists())

    def test_its_folder_removed(self):
        (self.folder / "gone").mkdir()
        path = self.folder / "gone" / "r.jsr"
        self.warns_once(self.record("system", f"rm -r {path.parent}", path=path), "removed or replaced", path)

    def test_replaced_by_another_recording(self):
        """The one that comes later has the name; neither writes into the other's file."""
        small = self.compile("int main(void) { return 0; }\n", name="small.o")
        self.warns_once(self.record("system", f"{JITSCOPE} link --record {self.recording} {small} > {self.folder}/out"), "removed or replaced")
        self.assertIn(b": identical", self.must(JITSCOPE, "replay", self.recording).out)
        self.assertEqual(Recording(self.recording).open_chunks, 0)

    def test_cut(self):
        """Stores into pages that are gone would end the program by SIGBUS."""
        for size in (0, 10, 100000, 3000000):
            with self.subTest(size=size):
                self.warns_once(self.record("cut", self.recording, str(size)), "somebody else has cut the file")
        self.reads_and_replays(ends_with_lost=False)

    def test_cut_and_grown_again(self):
        """The linker may come to write in between, and finds that the file was cut: rarely, when it has told the program's start."""
        for _ in range(20):
            text = self.record("regrow", self.recording)
            self.warns_once(text, "somebody else has (cut|written into) the file")
            if "written into" in text:
                return
        self.fail("it never was found to be written into")

    def test_cut_while_linking(self):
        """Not by the program, but at any moment; what comes of it is the file's matter alone."""
        chance = random.Random(SEED)
        for number in range(30):
            moment, size = chance.uniform(0.001, 0.05), chance.choice((0, 4096, 300000, 1500000))
            with self.subTest(seed=SEED, number=number, moment=moment, size=size):
                self.recording.unlink(missing_ok=True)
                process = subprocess.Popen([JITSCOPE, "run", "--record", self.recording, self.main, ARCHIVE, "-lm"], stdout=subprocess.PIPE,
                                           stderr=subprocess.PIPE)
                time.sleep(moment)
                if self.recording.exists():
                    os.truncate(self.recording, size)
                out, err = process.communicate(timeout=LIMIT)
                self.assertEqual((process.returncode, out), (7, b"the program runs\n"), err)
                self.assertLessEqual(err.count(b"warning"), 1, err)
                self.assertNotEqual(self.jitscope("replay", self.recording).status, 1)

    def test_a_bus_error_of_the_programs_own(self):
        """Still ends it, or is caught by it."""
        fault = """
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static void caught(int number) { _exit(number); }
int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "kill")) raise(SIGBUS);
    if (argc > 1 && !strcmp(argv[1], "catch")) signal(SIGBUS, caught);
    FILE *file = tmpfile();
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    *page = 1;
    return 0;
}
"""
        main = self.compile(fault, name="fault.o")
        for word, status in (("fault", -signal.SIGBUS), ("kill", -signal.SIGBUS), ("catch", signal.SIGBUS)):
            outcome = self.jitscope("run", "--in-process", "--record", self.recording, main, "--", word)
            self.assertEqual((outcome.status, outcome.err), (status, b""), word)


def limit(size):
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


class Forks(SystemTest):
    def test_a_child_writes_nothing(self):
        """Not even one that goes on inside the link: it was forked by an initialiser."""
        text = """
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static pid_t child;
__attribute__((constructor)) static void begin(void) { child = fork(); if (child) usleep(20000); }
int main(void) {
    int status = 0;
    pid_t other = child ? fork() : 1;
    if (!child) return 4;
    if (!other) exit(5);
    waitpid(child, &status, 0);
    int first = WEXITSTATUS(status);
    waitpid(other, &status, 0);
    return first * 10 + WEXITSTATUS(status);
}
"""
        recording = self.folder / "r.jsr"
        outcome = self.jitscope("run", "--trace=edges", "--record", recording, self.compile(text), ARCHIVE, "-lm")
        self.assertEqual((outcome.status, outcome.out, outcome.err), (45, b"", b""))
        records = Recording(recording).records
        self.assertEqual([record.sequence for record in records], list(range(len(records))))
        self.assertEqual([record.name for record in records].count("call_exit"), 1)
        self.assertEqual({record.thread for record in records}, {0})
        self.must(JITSCOPE, "replay", recording)


class Privacy(SystemTest):
    def test_mode(self):
        """0600, whatever the umask and whatever stood there before."""
        main = self.compile("int main(void) { return 0; }\n")
        old = self.text("old.jsr", "something")
        old.chmod(0o666)
        for name, mask in (("a.jsr", 0), ("b.jsr", 0o022), ("c.jsr", 0o777), ("old.jsr", 0)):
            recording = self.folder / name
            process = subprocess.run([JITSCOPE, "link", "--record", recording, main], preexec_fn=lambda: os.umask(mask), capture_output=True)
            self.assertEqual((process.returncode, process.stderr), (0, b""))
            self.assertEqual(stat.S_IMODE(recording.stat().st_mode), 0o600, name)

    def test_a_link_is_followed(self):
        main = self.compile("int main(void) { return 0; }\n")
        target = self.text("target", "something")
        pathlib.Path(self.folder / "link.jsr").symlink_to(target)
        self.must(JITSCOPE, "link", "--record", self.folder / "link.jsr", main)
        self.assertEqual(stat.S_IMODE(target.stat().st_mode), 0o600)
        self.must(JITSCOPE, "replay", target)


if __name__ == "__main__":
    unittest.main()
