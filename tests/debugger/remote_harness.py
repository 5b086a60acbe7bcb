"""Tests of this folder with the executor as the inferior: each way by which a debugger gets hold of it is a class to mix in.

A test says what it always says, gdb(commands, JITSCOPE, "run", ...); here the same commands are given to a gdb that has the
process jitscope-executor, in which the program runs, while the linker is another process that gdb knows nothing of:

    Started          `jitscope gdb --out-of-process`: gdb starts the executor, which starts its linker
    Served           the same by gdbserver, which gdb speaks with over a pipe: symbols are read by the remote protocol
    Attached         gdb attaches to an executor that waits for its linker, before there is any code
    ServedAttached   the same by `gdbserver --attach`
    Followed         gdb starts the linker, and follows into the executor that this starts
"""
import os
import shlex
import signal
import subprocess

from gdb_harness import GDB, GDBSERVER, JITSCOPE, LIMIT, QUIET, DebuggerTest

EXECUTOR = os.path.join(os.path.dirname(JITSCOPE), "jitscope-executor")
HELD = ("sh", "-c", 'read -r line < go; exec "$@"', "sh")  # a linker that waits until somebody writes into the FIFO
GO = "shell echo > go"


def each_run(commands, *instead):
    """COMMANDS with other ones in the place of each "run"."""
    return [word for command in commands for word in (instead if command == "run" else (command,))]


class Apart(DebuggerTest):
    """Programs that a test starts, to attach to them or to have a debugger start them."""
    process_option = []

    def inferior(self, command):
        """`jitscope run` as the linker of an executor that starts it; other commands stay."""
        command = super().inferior(command)
        return [EXECUTOR, "--linker", *command] if command[:2] == [JITSCOPE, "run"] else command


class Remote(Apart):
    """What all ways have in common."""

    def each_build(self, test):
        """Fewer than the same tests have in one process."""
        for compiler, level in (("gcc", "-O0"), ("clang", "-O2")):
            with self.subTest(compiler=compiler, level=level):
                test(compiler, level)

    def gdb(self, commands, *program, options=(), **others):
        options, program = [EXECUTOR if word == JITSCOPE else word for word in options], [str(word) for word in program]
        if program[:2] == [JITSCOPE, "run"]:
            return self.gdb_apart(list(commands), program, options=options, **others)
        return super().gdb(commands, *([EXECUTOR] if program == [JITSCOPE] else program), options=options, **others)

    def plain_gdb(self, commands, *program, **options):
        return DebuggerTest.gdb(self, commands, *program, **options)


class Started(Remote):
    """GDB names a script that adds what this test wants to the words that `jitscope gdb` gives to it."""

    def gdb_apart(self, commands, program, options=(), plugin=False, limit=LIMIT, env=None):
        given = [word for command in commands for word in ("-ex", command)]
        script = self.text("debugger.sh", f"""#!/bin/sh
first=$1 second=$2
shift 2
exec {shlex.join([GDB, *QUIET, *map(str, options)])} {'"$first" "$second"' if plugin else ''} {shlex.join(given)} "$@"
""")
        script.chmod(0o755)
        return self.all_of("gdb", [JITSCOPE, "gdb", "--out-of-process", *program[2:]], limit, {**(env or {}), "GDB": str(script)})


class Served(Remote):
    def gdb_apart(self, commands, program, options=(), **others):
        connect = ("set sysroot /", self.gdbserver(*program), "continue")
        return self.plain_gdb(each_run(commands, *connect), options=(*options, EXECUTOR), **others)


class Attached(Remote):
    def attach(self, process):
        return [], ("-p", process.pid)

    def gdb_apart(self, commands, program, options=(), **others):
        if not (self.folder / "go").exists():
            os.mkfifo(self.folder / "go")
        with open(self.folder / "said", "w+b") as said:
            process = self.start(EXECUTOR, "--linker", *HELD, *program, stdout=said)
            first, more = self.attach(process)
            out = self.plain_gdb([*first, *each_run(commands, GO, "continue")], options=(*options, *more), **others)
            try:
                process.wait(LIMIT)  # gdb has left it, or seen its end
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                self.fail(f"the program does not end, of which gdb said:\n{out}")
            said.seek(0)
            return out + said.read().decode(errors="replace")


class ServedAttached(Attached):
    def attach(self, process):
        server = f"target remote | '{GDBSERVER}' --once --attach - {process.pid}"
        return ["set sysroot /", server], (EXECUTOR,)


class Followed(Remote):
    """A breakpoint stops the linker too, where that has such a name; and RUN is for once."""

    def gdb_apart(self, commands, program, **options):
        follow = ["set follow-fork-mode child", *each_run(commands, "run", "set follow-fork-mode parent")]
        return self.plain_gdb(follow, JITSCOPE, "run", "--out-of-process", *program[2:], **options)
