"""replayed.py TOOL COMMAND...: runs COMMAND, with every session that it makes recorded, and replays each of them.

Whatever a test links, linking it again from its recording must give the same events and digests.  Recordings are replayed
while the test runs, as soon as their process is gone, so that hundreds of them need no room.  When TOOL was built with a
sanitizer, what it reports of any process counts, too: nobody may look at the status and the errors of an executor.  Exit
status: COMMAND's own, or 1 when a replay diverges, a recording cannot be replayed, or a sanitizer has reported something.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

LIMIT = 300  # seconds for one replay


def has_file(task, name):
    """Whether a thread's process has mapped or opened it; one that has ended has nothing."""
    try:
        if name in (task / "maps").read_text(errors="replace"):
            return True
        files = [str(file) for file in (task / "fd").iterdir()]
    except PermissionError:
        return True
    except OSError:
        return False
    for file in files:
        try:
            if os.readlink(file).endswith(f"/{name}"):
                return True
        except OSError:
            pass  # it has just been closed
    return False


def is_written(recording):
    """By the process that it is named after, PROCESS-NUMBER.jsr; that number may be another's by now, which has no such file."""
    process = pathlib.Path("/proc", recording.name.split("-")[0])
    if has_file(process, recording.name):
        return True
    try:
        return any(has_file(task, recording.name) for task in (process / "task").iterdir())  # when the first thread has ended
    except OSError:
        return False


class Replays:
    def __init__(self, tool, folder):
        self.tool, self.folder = tool, folder
        self.events, self.sessions, self.failures = 0, 0, []
        self.command_is_done = threading.Event()

    def replay(self, recording):
        done = subprocess.run([self.tool, "replay", recording], capture_output=True, timeout=LIMIT)
        self.sessions += 1
        if done.returncode:
            text = (done.stdout + done.stderr).decode(errors="replace")
            self.failures.append(f"{recording.name}: status {done.returncode}\n{text}")
        else:
            self.events += int(done.stdout.split(b" events: ")[0].split(b"\n")[-1])
        recording.unlink()

    def replay_all(self):
        for recording in sorted(self.folder.glob("*.jsr")):
            if not is_written(recording):
                self.replay(recording)

    def follow(self):
        while not self.command_is_done.wait(0.2):
            self.replay_all()
        end = time.monotonic() + LIMIT
        self.replay_all()
        while any(self.folder.glob("*.jsr")) and time.monotonic() < end:  # a process that was killed takes its time to go
            time.sleep(0.05)
            self.replay_all()


class Reports:
    """What sanitizers report, one file a process."""
    # In a child of fork(2) LeakSanitizer looks for the threads that its parent has; and a program that runs may ask for too much.
    NO_REPORT = re.compile(r"(==\d+==(Running thread \d+ was not suspended. False leaks are possible."
                           r"|WARNING: AddressSanitizer failed to allocate 0x[0-9a-f]+ bytes)\n)+")
    SUPPRESSIONS = pathlib.Path(__file__).with_name("tsan_suppressions.txt")
    SANITIZERS = ((b"__asan_init", "ASAN_OPTIONS", ""), (b"__tsan_init", "TSAN_OPTIONS", f":suppressions={SUPPRESSIONS}"))

    def __init__(self, tool, folder):
        self.folder = folder
        code = pathlib.Path(tool).read_bytes()
        self.variables = [(name, options) for symbol, name, options in self.SANITIZERS if symbol in code]

    def environment(self):
        return {name: f"{os.environ.get(name, '')}:log_path={self.folder}/report{options}" for name, options in self.variables}

    def texts(self):
        texts = [path.read_text(errors="replace") for path in sorted(self.folder.glob("report.*"))]
        return [text for text in texts if not self.NO_REPORT.fullmatch(text)]


def main():
    tool, command = sys.argv[1], sys.argv[2:]
    with tempfile.TemporaryDirectory(prefix="jitscope-replays-") as folder, \
            tempfile.TemporaryDirectory(prefix="jitscope-reports-") as reports_folder:
        replays = Replays(tool, pathlib.Path(folder))
        sanitizer = Reports(tool, pathlib.Path(reports_folder))
        follower = threading.Thread(target=replays.follow)
        follower.start()
        environment = {**os.environ, **sanitizer.environment(), "JITSCOPE_RECORD": folder}
        status = subprocess.run(command, env=environment).returncode
        replays.command_is_done.set()
        follower.join()
        left = list(pathlib.Path(folder).glob("*.jsr"))
        reports = sanitizer.texts()
    print(f"replayed {replays.sessions} sessions with {replays.events} events; {len(replays.failures)} are not the same")
    for failure in replays.failures[:10]:
        print(failure)
    for recording in left:
        print(f"{recording.name}: its process is still there")
    for report in reports[:10]:
        print(report)
    return status or bool(replays.failures or left or reports)


if __name__ == "__main__":
    sys.exit(main())
