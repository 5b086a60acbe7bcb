"""What the recordings of the target's links say of an address: `jitscope why FILE ADDRESS`, run beside the debugger.

Which recording: the one that the user named; else those that a process of this machine holds open and mapped for writing; else,
on a core, those that the core lists as mapped.  No name is taken for a proof: a recording begins with its magic, a process is
on this machine when this debugger traces it, and a core's recording is of the core's process.

The path of a descriptor (/proc/PID/fd/N) is given to the tool, not the file's name: it leads to the file that the process
writes, also when the name meanwhile leads to another one or to none.
"""
import json
import os
import shutil
import stat
import subprocess
import time
from collections import namedtuple

HERE = os.path.dirname(os.path.realpath(__file__))
LIMIT = 10  # seconds, for all that one question asks
MAGIC, PACKED = b"JITSCOPE", b"\x28\xb5\x2f\xfd"  # a zstd frame (RFC 8878, 3.1.1)
DELETED = " (deleted)"

Recording = namedtuple("Recording", "name path")  # for the user, and to open


class Silent(Exception):
    """A recording says nothing, and why."""


def begins_with(path, *magics):
    """No file is opened that could block or be changed by it."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as file:
            return file.read(8).startswith(magics)
    except OSError:
        return False


# --- which recording

def parent_and_tracer(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        fields = dict(line.split(":", 1) for line in file if ":" in line)
    return int(fields["PPid"]), int(fields["TracerPid"])


def is_traced_from_here(pid):
    """By this process, as gdb does it, or by a child, as lldb does it: then PID is a number of this machine's."""
    try:
        tracer = parent_and_tracer(pid)[1]
        return tracer != 0 and os.getpid() in (tracer, parent_and_tracer(tracer)[0])
    except (OSError, KeyError, ValueError):
        return False


def shared_mappings(pid):
    """Names of files that the process has mapped to write into them, as the kernel tells them of descriptors too."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as file:
        rows = [line.rstrip("\n").split(None, 5) for line in file]
    return {row[5].replace("\\012", "\n") for row in rows if len(row) == 6 and row[1].startswith("rw") and row[1].endswith("s")}


def held_by(pid):
    """The recordings that a process of this machine is writing."""
    folder, found = f"/proc/{pid}/fd", {}
    try:
        mapped = shared_mappings(pid)
        for number in sorted(os.listdir(folder), key=int):
            path = f"{folder}/{number}"
            name = os.readlink(path)
            if name in mapped and begins_with(path, MAGIC):
                found.setdefault(name, Recording(name, path))
    except OSError:
        pass  # not ours to look into, or gone
    return list(found.values())


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except (OSError, ValueError):
        return []


def near(pid):
    """Processes that may link what PID runs: the one that has started it, or that it has started, with one between them."""
    try:
        parent = parent_and_tracer(pid)[0]
    except (OSError, KeyError, ValueError):
        return []
    return [parent, *(grandchild for child in children(pid) for grandchild in children(child))]


def held_by_linker(tool, pid, deadline):
    """Of another process; recordings say whose code they are of."""
    found = [recording for linker in near(pid) for recording in held_by(linker)]
    return [recording for recording in found if tool and process_of(tool, recording.path, deadline) == pid]


def listed_by_core(target, tool, deadline):
    """A later process may have left its own recording under the name; without a tool to tell, none is asked anyway."""
    names = [name for name in dict.fromkeys(target.mapped_files()) if begins_with(name, MAGIC)]
    return [Recording(name, name) for name in names if not tool or process_of(tool, name, deadline) == target.process_id()]


def process_of(tool, path, deadline):
    """Of which process a recording is; None when that cannot be had."""
    try:
        rows = json.loads(run(tool, ["show", "--json", "summary", path], deadline)[0])
        return next((int(row["value"]) for row in rows if row["what"] == "process"), None)
    except (Silent, ValueError, KeyError, TypeError):
        return None


def named_by_user(target):
    path = os.path.abspath(os.path.expanduser(target.recording))
    return Recording(target.recording, path)


def find(target, tool, deadline):
    if target.recording:
        return [named_by_user(target)]
    if target.is_core():
        return listed_by_core(target, tool, deadline)
    pid = target.process_id()
    if not target.may_be_local() or not is_traced_from_here(pid):
        return []
    return held_by(pid) or held_by_linker(tool, pid, deadline)


# --- which tool

def beside_the_plugin():
    """Headers lie here only where the plug-in is installed: PREFIX/share/jitscope/common/jitscope_common."""
    installed = os.path.isdir(os.path.join(HERE, "headers"))
    return os.path.normpath(os.path.join(HERE, "../../../../bin/jitscope")) if installed else ""


def runs_tool(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe").removesuffix(DELETED)) == "jitscope"
    except OSError:
        return False


def the_program_itself(target):
    """When it is the tool, or another process is that links what it runs.  Only what runs already is run: the program of a core
    may be anybody's."""
    pid = target.process_id()
    if target.is_core() or not target.may_be_local() or not is_traced_from_here(pid):
        return ""
    own = [pid] if target.symbol_address("command_why") else []
    linkers = [linker for linker in near(pid) if held_by(linker)]
    return next((f"/proc/{process}/exe" for process in (*own, *linkers) if runs_tool(process)), "")


def find_tool(target):
    for path in (beside_the_plugin(), the_program_itself(target), os.environ.get("JITSCOPE", "")):
        found = path and shutil.which(path)
        if found:
            return found
    return shutil.which("jitscope")


# --- asking

def text_of(data):
    """Not splitlines(), which takes more than line feeds for ends of lines; what else is in there is to be seen."""
    return [line for line in data.decode(errors="replace").split("\n") if line]


def why_it_failed(status, complaints):
    """In one line; the help that follows is for a command line."""
    if complaints:
        return complaints[0].removeprefix("jitscope: ").removeprefix("error: ")
    return f"the tool ended with {f'signal {-status}' if status < 0 else f'status {status}'}"


def run(tool, words, deadline):
    """(output, lines of complaint) of the tool."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise Silent(f"no answer within {LIMIT} s")
    # With JITSCOPE_RECORD what the tool links to answer could be recorded too.
    environment = {name: value for name, value in os.environ.items() if name != "JITSCOPE_RECORD"}
    try:
        done = subprocess.run([tool, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=left, env=environment,
                              check=False)
    except subprocess.TimeoutExpired:
        raise Silent(f"no answer within {LIMIT} s") from None
    except OSError as error:
        raise Silent(f"cannot run {tool}: {error.strerror}") from None
    complaints = text_of(done.stderr)
    if done.returncode:
        raise Silent(why_it_failed(done.returncode, complaints))
    return done.stdout, complaints


def ask(tool, recording, address, deadline):
    """Lines; Silent when there are none."""
    if not begins_with(recording.path, MAGIC, PACKED):
        raise Silent("there is no recording under that name")
    if not tool:
        raise Silent("there is no jitscope to ask; the environment variable JITSCOPE can name it")
    try:
        out, complaints = run(tool, ["why", recording.path, hex(address)], deadline)
    except Silent as error:
        raise Silent(str(error).replace(recording.path, recording.name)) from None
    return [line.replace(recording.path, recording.name) for line in text_of(out) + complaints]


def of_another_process(target, tool, recording, deadline):
    """What the user named is asked, whosever it is; then this says so."""
    if not target.recording or not tool or not begins_with(recording.path, MAGIC, PACKED):
        return
    process, own = process_of(tool, recording.path, deadline), target.process_id()
    if process is not None and own and process != own:
        yield f"{recording.name} is the recording of process {process}; this one is {own}."


def answers(target, address):
    """Lines; None when the target has no recording that can be found."""
    tool, deadline, said, silent = find_tool(target), time.monotonic() + LIMIT, [], []
    recordings = find(target, tool, deadline)
    for recording in recordings:
        try:
            lines = ask(tool, recording, address, deadline)
            said += [f"Its recording {recording.name} says:", *lines]
        except Silent as error:
            silent.append(f"Its recording {recording.name} says nothing: {error}.")
    if not recordings:
        return None
    # With several, all but one of them know nothing of the address.
    return [*of_another_process(target, tool, recordings[0], deadline), *(said or silent)]
