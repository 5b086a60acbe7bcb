"""What the debugger tests share: a real gdb on a real program, driven by commands, with a limit on its time.

    class Example(DebuggerTest):
        def test_break(self):
            program = self.compile("int main(void)\\n{ return 0; }\\n", "-g")
            out = self.gdb(["break main", "run", "bt"], JITSCOPE, "run", program)

`gdb -nx -batch` runs each command in turn and everything it prints comes back as one text.  MARK prints a line of its own,
to cut that text into pieces; after(out, "name") is the piece behind it.
"""
import functools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
from harness import JITSCOPE, LIBRARIES, LIMIT, SystemTest, children_of, seconds_worked  # noqa: E402, F401

GDB = os.environ.get("GDB") or shutil.which("gdb") or "gdb"
GDBSERVER = shutil.which("gdbserver") or "gdbserver"
PLUGIN = HERE.parent.parent / "gdb-plugin" / "gdb" / "jitscope.py"
HERE_BUILT = pathlib.Path(os.environ.get("BUILD", "build/dev")).resolve() / "tests" / "debugger"
QUIET = ["-nx", "-batch", "-iex", "set auto-load off", "-iex", "set width 0", "-iex", "set height 0",
         "-iex", "set debuginfod enabled off", "-iex", "set style enabled off"]

# ctest has everything recorded (add_replayed_test); for tests of what is said without a recording.
UNRECORDED = {"JITSCOPE_RECORD": ""}
READ_INPUT, PAUSE, SLEEP = "0 0x0", "34", "230"  # system calls of x86-64 in which programs of these tests wait

# What gdb says when it cannot call functions of a program.  Linux takes the extended state of a thread (NT_X86_XSTATE) only as a
# whole; a gdb that hands over a buffer of fixed size, as 13 does, cannot write it on CPUs where the state is larger: with AMX it
# has 11008 bytes, and gdb 13's buffer 2696.  A call ends with writing all registers back, so every call fails.
CANNOT_CALL = "Couldn't write extended state status: Bad address"


@functools.cache
def calls_fail():
    """Whether gdb, on this machine, fails so on a plain program that has nothing to do with jitscope."""
    with tempfile.TemporaryDirectory(prefix="jitscope-test-") as folder:
        source, program = pathlib.Path(folder, "plain.c"), pathlib.Path(folder, "plain")
        source.write_text("int twice(int x) { return 2 * x; }\nint main(void) { return twice(0); }\n")
        subprocess.run(["gcc", "-g", "-O0", source, "-o", program], check=True, timeout=LIMIT)
        done = subprocess.run([GDB, *QUIET, "-ex", "break main", "-ex", "run", "-ex", "print twice(20)", program],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT,
                              env={**os.environ, "LC_ALL": "C.UTF-8"})
    return CANNOT_CALL in done.stdout.decode(errors="replace")


def mark(name):
    """A command whose output is a line that nothing else prints."""
    return f"echo \\n@@{name}@@\\n"


def after(out, name):
    """What was printed between that mark and the next one."""
    _, found, rest = out.partition(f"@@{name}@@\n")
    if not found:
        raise AssertionError(f"{name} was never reached:\n{out}")
    return rest.partition("\n@@")[0].strip("\n")


def built(name):
    """An embedding program of this folder's inputs, built with the library by CMake."""
    return HERE_BUILT / f"debugger-{name}"


def lines_of(source):
    """{name: number} of the lines marked "LINE: name" in a file among the inputs."""
    lines = (HERE / "inputs" / source).read_text().splitlines()
    marks = ((re.search(r"LINE: ([\w-]+)", line), number) for number, line in enumerate(lines, 1))
    return {match[1]: number for match, number in marks if match}


class DebuggerTest(SystemTest):
    def input(self, name):
        """The path of a file among this folder's inputs."""
        return HERE / "inputs" / name

    def compile(self, source, *flags, **options):
        """As SystemTest's; a file name alone is one of tests/debugger/inputs."""
        own = HERE / "inputs" / str(source)
        return super().compile(str(own) if "\n" not in str(source) and own.exists() else str(source), *flags, **options)

    process_option = ["--in-process"]  # what these tests attach to is the process that they have started

    def inferior(self, command):
        """The command that starts a program to be debugged; remote_harness.py has another."""
        words = [str(word) for word in command]
        if words[1:2] == ["run"]:
            words[2:2] = self.process_option
        return words

    def start(self, *command, **options):
        """A process that is killed when the test ends."""
        process = subprocess.Popen(self.inferior(command), start_new_session=True, cwd=self.folder,
                                   **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                                      "stderr": subprocess.STDOUT, **options})

        def end():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()
        self.addCleanup(end)
        return process

    def gdb(self, commands, *program, options=(), plugin=False, limit=LIMIT, env=None):
        """Everything gdb printed.  PROGRAM: the inferior and its arguments; PLUGIN: jitscope's is loaded first."""
        if os.environ.get("SANITIZED") and any("gcore" in command for command in commands):
            self.skipTest("AddressSanitizer's shadow memory makes cores of terabytes")
        words = [GDB, *QUIET, *options]
        if plugin:
            words += ["-ex", f"source {PLUGIN}"]
        for command in commands:
            words += ["-ex", command]
        if program:
            words += ["--args", *program]
        return self.all_of("gdb", words, limit, env)

    def all_of(self, name, words, limit=LIMIT, env=None):
        """Everything that a debugger has printed when it is done."""
        process = self.start(*words, env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})})
        try:
            out, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, _ = process.communicate()
            self.fail(f"{name} was not done after {limit} s:\n{out.decode(errors='replace')}")
        return out.decode(errors="replace")

    def need_calls(self):
        """Skips the rest of a test that has gdb call a function of the program, where gdb cannot call any."""
        if calls_fail():
            self.skipTest(f"gdb's bug: it cannot call functions of any program on this CPU ({CANNOT_CALL})")

    def gdbserver(self, *program):
        """The command with which gdb starts PROGRAM under a gdbserver of its own; it speaks over a pipe, no port is open."""
        words = " ".join(f"'{word}'" for word in (GDBSERVER, "--once", "-", *self.inferior(program)))
        return f"target remote | {words}"

    @staticmethod
    def is_in(process, call):
        """Whether its first thread waits in a system call; CALL: the number, and how the arguments begin (proc(5))."""
        return pathlib.Path(f"/proc/{process.pid}/syscall").read_text().startswith(f"{call} ")

    def wait_for(self, condition, what, limit=LIMIT):
        end = time.monotonic() + limit
        while not condition():
            if time.monotonic() > end:
                self.fail(f"{what} did not happen within {limit} s")
            time.sleep(0.02)
