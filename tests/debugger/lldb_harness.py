"""What the tests with a real lldb share: commands in, one text out; after(out, command) is what that command printed."""
import os
import shutil
import unittest

from gdb_harness import HERE, LIMIT, DebuggerTest

LLDB = os.environ.get("LLDB") or shutil.which("lldb-19")
PLUGIN = HERE.parent.parent / "gdb-plugin" / "lldb" / "jitscope.py"
PROMPT = "(lldb) "
# With `run` asking whether it may end a process, what follows it in a batch never came.
SETTINGS = ["settings set use-color false", "settings set auto-confirm true", "settings set symbols.enable-external-lookup false"]


def fails(command):
    """A command that prints the error of another one, which itself would end the batch."""
    return ("script result = lldb.SBCommandReturnObject(); "
            f"lldb.debugger.GetCommandInterpreter().HandleCommand({command!r}, result); print(result.GetError())")


def after(out, command, which=0):
    """Of the WHICH-th time that COMMAND was given."""
    pieces = out.split(f"{PROMPT}{command}\n")
    if len(pieces) < which + 2:
        raise AssertionError(f"{command} was never reached:\n{out}")
    return ("\n" + pieces[which + 1]).partition("\n" + PROMPT)[0].strip("\n")


@unittest.skipUnless(LLDB, "lldb-19 is not installed")
class LldbTest(DebuggerTest):
    def lldb(self, commands, *program, plugin=False, limit=LIMIT, env=None):
        words = [LLDB, "-X", "-b"]
        for command in [*SETTINGS, *([f"command script import {PLUGIN}"] if plugin else []), *commands]:
            words += ["-o", command]
        if program:
            words += ["--", *self.inferior(program)]
        return self.all_of("lldb", words, limit, {"PYTHONDONTWRITEBYTECODE": "1", **(env or {})})
