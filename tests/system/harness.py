"""What the system tests share: compilers, the system's linker, and jitscope beside it.

A test compiles its inputs, links them twice, runs both, and compares what came out.  The program under test is named by
the environment variable JITSCOPE.
"""
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import unittest

JITSCOPE = os.path.abspath(os.environ.get("JITSCOPE", "build/dev/jitscope"))
INPUTS = pathlib.Path(__file__).resolve().parent / "inputs"
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu")
RUN = os.environ.get("JITSCOPE_RUN", "").split()  # options that each `jitscope run` gets besides its own
IN_PROCESS = "--in-process" in RUN
LIMIT = int(os.environ.get("JITSCOPE_LIMIT", "300"))  # seconds for one command; a hang fails the test instead of the machine
WITH_SANITIZER = any(name in pathlib.Path(JITSCOPE).read_bytes() for name in (b"__asan_init", b"__tsan_init"))


def numbers(row):
    """Addresses are hexadecimal strings in JSON, since 64 bits do not survive every reader."""
    return {key: int(value, 16) if isinstance(value, str) and re.fullmatch("0x[0-9a-f]+", value) else value
            for key, value in row.items()}


def seconds_worked():
    """Of the processor, by all processes that have been waited for: a limit on it holds however busy the machine is."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def children_of(process):
    """Their numbers, the eldest first, from what each says of its parent: not every kernel keeps lists of children."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()  # from the state on, the third of proc(5)
        except OSError:
            continue  # it has ended
        if fields[1] == str(process):
            found.append((int(fields[19]), int(path.parent.name)))
    return [number for _, number in sorted(found)]


def others_can_run(*programs):
    """Whether other users may: who has built this may keep his folders to himself."""
    paths = [pathlib.Path(program).resolve() for program in programs]
    return all(path.stat().st_mode & 1 for program in paths for path in (program, *program.parents))


class Outcome:
    """What a command did: exit status, standard output and standard error, as bytes."""

    def __init__(self, process):
        self.status = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    def __eq__(self, other):
        return (self.status, self.out, self.err) == (other.status, other.out, other.err)

    def __repr__(self):
        text = f"status {self.status}\n--- stdout\n{self.out.decode(errors='replace')}"
        return text + f"--- stderr\n{self.err.decode(errors='replace')}"


class SystemTest(unittest.TestCase):
    maxDiff = None
    may_be_short = False  # recordings may have been cut off before they could be replayed
    damaged = ("bad.jsr", "cut.jsr")  # names of recordings that need not replay

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="jitscope-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.addCleanup(self.replay_recordings)

    def replay_recordings(self):
        """What a test has recorded and not damaged must replay."""
        for recording in sorted(self.folder.glob("*.jsr")):
            if recording.name not in self.damaged:
                outcome = self.run_command(JITSCOPE, "replay", recording)
                allowed = (0, 2) if self.may_be_short else (0,)
                self.assertIn(outcome.status, allowed, f"{recording.name}: {outcome!r}")

    def run_command(self, *command, stdin=b"", env=None, cwd=None):
        command = [str(word) for word in command]
        if command[:2] == [JITSCOPE, "run"]:
            command[2:2] = RUN
        environment = {**os.environ, **(env or {})}
        return Outcome(subprocess.run(command, input=stdin, capture_output=True, env=environment, timeout=LIMIT,
                                      cwd=cwd or self.folder))

    def must(self, *command, **options):
        outcome = self.run_command(*command, **options)
        self.assertEqual(outcome.status, 0, f"{command}: {outcome!r}")
        return outcome

    def jitscope(self, *words, **options):
        return self.run_command(JITSCOPE, *words, **options)

    def compile(self, source, *flags, compiler="gcc", name=None):
        """An object from a file among the inputs, or from a text that is no file's name."""
        path = INPUTS / source if "\n" not in source else self.folder / "text.c"
        if "\n" in source:
            path.write_text(source)
        target = self.folder / (name or f"{path.stem}.o")
        if path.suffix == ".cpp":
            compiler = "g++" if compiler == "gcc" else compiler.replace("clang", "clang++")
        self.must(compiler, *flags, "-c", path, "-o", target)
        return target

    def retype(self, path, before, after):
        """What no assembler here emits: another number for each relocation of one type."""
        content = bytearray(path.read_bytes())
        for line in self.must("readelf", "-SW", path).out.decode().splitlines():
            words = line.split("]")[-1].split()
            if len(words) > 5 and words[1] == "RELA":
                offset, size = int(words[3], 16), int(words[4], 16)
                for at in range(offset + 8, offset + size, 24):
                    if int.from_bytes(content[at:at + 4], "little") == before:
                        content[at:at + 4] = after.to_bytes(4, "little")
        path.write_bytes(content)

    def text(self, name, content):
        path = self.folder / name
        path.write_text(content)
        return path

    def archive(self, name, *members, flags="rcs"):
        path = self.folder / name
        self.must("ar", flags, path, *members)
        return path

    def ended_by(self, number):
        """The exit status of `jitscope run` when a signal ends the program: a shell's, but Ctrl-C ends whoever stands in, too."""
        return -number if IN_PROCESS or number == signal.SIGINT else 128 + number

    def take_report(self, outcome):
        """Where the program crashed, and of what it died, is said behind what it has said itself."""
        report = re.compile(rb"(jitscope: the program gets signal .*:\n([# ].*\n)*)?jitscope: the program was killed by signal .*\n\Z")
        if not IN_PROCESS and outcome.status > 128:
            outcome.err, reports = report.subn(b"", outcome.err)
            self.assertEqual(reports, 1, outcome)

    def same(self, inputs, libraries=(), arguments=(), linker="gcc", stdin=b"", env=None, flags=(),
             measured=None, dies=False):
        """Links with the system's linker and in memory; both must do the same.  Returns what they did.  measured() gets
        the second with the link's statistics in front of its standard error, and takes them away."""
        program = self.folder / "program"
        self.must(linker, *flags, *inputs, *libraries, "-o", program)
        expected = self.run_command(program, *arguments, stdin=stdin, env=env)
        self.assertEqual(expected.status < 0, dies, f"the system's own link ended by a signal or not: {expected!r}")
        options = ["--stats"] if measured else []
        actual = self.jitscope("run", *options, *inputs, *libraries, "--", *arguments, stdin=stdin, env=env)
        if measured:
            measured(actual)
        if dies:
            self.take_report(actual)
            expected.status = self.ended_by(-expected.status)
        self.assertEqual(repr(actual), repr(expected))
        return actual

    def show(self, what, recording, *words):
        """A view of a recording, as a list of objects."""
        return json.loads(self.must(JITSCOPE, "show", what, recording, "--json", *words).out, object_hook=numbers)
