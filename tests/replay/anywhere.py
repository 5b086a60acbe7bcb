"""A recording replays to the same events and digests anywhere: in another address space, folder, environment, root; without its
inputs; and with any build of jitscope, whichever compiler made it and whichever build has recorded.
"""
import os
import pathlib
import shutil
import subprocess
import unittest

from harness import INPUTS, JITSCOPE, LIBRARIES, SystemTest
from jsr import Recording

SOURCE = pathlib.Path(__file__).resolve().parents[2]
RECORD_LOOP, THREADS = os.environ["RECORD_LOOP"], os.environ["THREADS"]
SQLITE, LUA = LIBRARIES / "libsqlite3.a", LIBRARIES / "liblua5.4.a"


def other_builds():
    """All that are as new as the sources; an older one is another program."""
    files = [path for path in (SOURCE / "linker").rglob("*") if path.is_file()]
    newest = max(path.stat().st_mtime for path in files + [SOURCE / "CMakeLists.txt"])
    tools = [path for pattern in ("*/jitscope", "other/*/jitscope") for path in sorted((SOURCE / "build").glob(pattern))]
    others = [path for path in tools if not path.samefile(JITSCOPE)]
    return [path for path in others if path.stat().st_mtime >= newest], [path for path in others if path.stat().st_mtime < newest]


def name_of(tool):
    return str(tool.parent.relative_to(SOURCE / "build")).replace("/", "-")


class Anywhere(SystemTest):
    def replay_recordings(self):
        """Done by each test."""

    def identical(self, recording, *prefix, tool=JITSCOPE, env=None, cwd=None):
        """How many events were compared; all of them are the same."""
        outcome = self.must(*prefix, tool, "replay", recording, env=env, cwd=cwd)
        self.assertRegex(outcome.out, rb"\A(the recording ends here, because [^\n]*\n)?\d+ events: identical\n\Z", outcome)
        self.assertEqual(outcome.err, b"")
        return int(outcome.out.split(b"\n")[-2].split()[0])

    def record_link(self, name, tool=JITSCOPE, prefix=(), cwd=None):
        recording = self.folder / name
        self.must(*prefix, tool, "link", "--phony-externals", "--whole-archive", "--record", recording, SQLITE, cwd=cwd)
        return recording

    def record_run(self, name, tool=JITSCOPE, prefix=()):
        """Lua, with its libraries, in this process."""
        recording, host = self.folder / name, self.folder / "host.o"
        if not host.exists():
            self.compile("../../demo/host.c", "-O2", "-I/usr/include/lua5.4", name="host.o")
        self.must(*prefix, tool, "run", "--record", recording, host, LUA, "-lm", "--", INPUTS.parents[1] / "demo" / "demo.lua")
        return recording

    def record_threads(self):
        """Sessions of several threads, each a recording: many threads in one, many sessions at once."""
        folder = self.folder / "threads"
        folder.mkdir(exist_ok=True)
        self.must(THREADS, env={"JITSCOPE_RECORD": str(folder)})
        recordings = sorted(folder.glob("*.jsr"), key=lambda path: int(path.stem.split("-")[1]))
        self.assertGreater(len(recordings), 10)
        self.assertGreater(len({record.thread for record in Recording(recordings[0]).records}), 4)
        objects = [self.compile(f"int v{i} = {i};\nint get{i}(void) {{ return v{i}; }}\n", name=f"t{i}.o") for i in range(3)]
        self.must(RECORD_LOOP, self.folder / "loop.jsr", 4, 20, *objects)
        return [*recordings[:3], self.folder / "loop.jsr"]

    # --- address space, folder, environment

    def test_other_address_spaces(self):
        fixed, random = ("setarch", "-R"), ()
        recordings = [self.record_link("a.jsr"), self.record_link("b.jsr", prefix=fixed), self.record_run("c.jsr"), self.record_run("d.jsr", prefix=fixed)]
        for recording in recordings:
            counts = {self.identical(recording, *prefix) for prefix in (fixed, random, fixed, random, random)}
            self.assertEqual(len(counts), 1)

    def test_a_recorded_link_is_the_same_wherever_it_was_made(self):
        """Simulated memory depends on nothing: byte for byte the same events, but for times."""
        places = [self.folder, "/", "/usr"]
        events = [[record.comparable() for record in Recording(self.record_link(f"{i}.jsr", prefix=("setarch", "-R") if i == 1 else (), cwd=place)).records]
                  for i, place in enumerate(places)]
        self.assertGreater(len(events[0]), 10000)
        for other in events[1:]:
            self.assertTrue(events[0] == other)

    def test_another_folder_and_environment(self):
        recording = self.record_run("r.jsr")
        expected = self.identical(recording)
        self.assertEqual(self.identical(recording, cwd="/"), expected)
        self.assertEqual(self.identical(recording, "env", "-i"), expected)
        for env in ({"LC_ALL": "C.UTF-8", "TZ": "Pacific/Auckland"}, {"MALLOC_PERTURB_": "170"}, {"MALLOC_ARENA_MAX": "1", "X": "y" * 9000}):
            self.assertEqual(self.identical(recording, env=env), expected)
        self.assertEqual(self.identical(recording, "sh", "-c", "ulimit -s 1024; exec \"$@\"", "sh"), expected)
        moved = self.folder / "other name"
        shutil.copy(recording, moved)
        recording.unlink()
        moved.chmod(0o400)
        self.assertEqual(self.identical(moved), expected)

    def test_without_its_inputs(self):
        """Deleted or changed, it does not matter: their bytes are in the recording."""
        for change in (lambda path: path.unlink(), lambda path: path.write_bytes(b"something else"), lambda path: path.chmod(0)):
            inputs = self.folder / "inputs"
            inputs.mkdir()
            for name, text in (("main", "extern int one(void);\nint main(void) { return one() - 1; }\n"), ("one", "extern int two(void);\nint one(void) { return two() - 1; }\n"),
                               ("two", "int two(void) { return 2; }\n")):
                self.compile(text, name=f"inputs/{name}.o")
            self.must("ar", "rcsT", "thin.a", "one.o", cwd=inputs)
            self.must("gcc", "-shared", "two.o", "-o", "libtwo.so", cwd=inputs)
            (inputs / "script.ld").write_text("INPUT(thin.a libtwo.so)\n")
            recording = self.folder / "r.jsr"
            self.must(JITSCOPE, "run", "--record", recording, "main.o", "-L.", "./script.ld", cwd=inputs)
            expected = self.identical(recording)
            for path in inputs.iterdir():
                change(path)
            self.assertEqual(self.identical(recording, cwd=inputs), expected)
            shutil.rmtree(inputs)
            self.assertEqual(self.identical(recording), expected)

    def test_in_an_empty_root(self):
        """With nothing there but the tool, the libraries it needs itself, and the recording."""
        recording, root = self.record_run("r.jsr"), self.folder / "root"
        root.mkdir()
        libraries = [word for word in self.must("ldd", JITSCOPE).out.decode().split() if word.startswith("/")]
        if any("libasan" in library or "libtsan" in library for library in libraries):
            self.skipTest("a sanitizer needs /proc")
        for path in [JITSCOPE, *libraries]:
            (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, root / path[1:])
        shutil.copy(recording, root / "r.jsr")
        enter = ["chroot"] if os.geteuid() == 0 else ["unshare", "-r", "chroot"]
        if self.run_command(*enter, root, JITSCOPE, "help").status:
            self.skipTest("no right to change the root")
        self.assertEqual(self.identical("/r.jsr", *enter, root), self.identical(recording))

    def test_pages_that_are_not_in_memory(self):
        """Whether the page cache has the file, or has to read it."""
        recording = self.record_link("r.jsr")
        expected = self.identical(recording)
        with open(recording, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self.assertEqual(self.identical(recording), expected)

    # --- other builds

    def test_other_builds(self):
        """What one has recorded all others replay."""
        others, stale = other_builds()
        print(f"builds: {', '.join(['this one', *map(name_of, others)])}; older than the sources: {', '.join(map(name_of, stale)) or 'none'}")
        self.assertGreaterEqual(len(others), 1, "no other build is there; tests/replay/builds.py makes some")
        tools = [pathlib.Path(JITSCOPE), *others]
        recordings = self.record_threads()
        for number, tool in enumerate(tools):
            recordings += [self.record_link(f"link-{number}.jsr", tool), self.record_run(f"run-{number}.jsr", tool)]
        for recording in recordings:
            counts = {name_of(tool): self.identical(recording, tool=tool) for tool in tools}
            self.assertEqual(len(set(counts.values())), 1, f"{recording.name}: {counts}")
            self.assertGreater(min(counts.values()), 40, f"{recording.name}: {counts}")

    def test_other_builds_record_the_same(self):
        others, _ = other_builds()
        events = [[record.comparable() for record in Recording(self.record_link(f"{number}.jsr", tool)).records] for number, tool in enumerate([JITSCOPE, *others])]
        for other in events[1:]:
            self.assertTrue(events[0] == other)


if __name__ == "__main__":
    unittest.main()
