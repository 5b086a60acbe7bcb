"""Sessions that can be inspected while they run: who may attach, what they get, and what is left of it afterwards."""
import array
import os
import pathlib
import select
import signal
import socket
import stat
import struct
import subprocess
import time
import unittest

from harness import JITSCOPE, LIMIT, SystemTest, children_of, others_can_run

TESTS = os.path.abspath("build/dev/tests/system")
INSPECTED = os.environ.get("INSPECTED", f"{TESTS}/inspected_program")
PLUGIN = os.environ.get("INSPECTED_PLUGIN", f"{TESTS}/libinspected_plugin.so")
INSPECTING = os.environ.get("INSPECTING", f"{TESTS}/inspecting")
NOBODY = 65534
ALL_SIGNALS = 0xfffffffffffbfeff  # but KILL and STOP, which cannot be blocked
THE_C_LIBRARYS = 3 << 31  # 32 and 33, which it keeps to itself
HEADER = struct.Struct("<8sII32s64sIIIIQQQIIQ")  # as inspect_protocol.h has it


def eventually(condition, what):
    """A process that has closed a connection, or joined a thread, may have these for a moment more."""
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen")
        time.sleep(0.01)


class Program:
    """A process that can be inspected, and is told what to do."""

    def __init__(self, test, env, *command):
        self.process = subprocess.Popen([str(word) for word in command or [INSPECTED]], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, cwd=test.folder, env=env, text=True)
        self.pid = self.process.pid
        test.addCleanup(self.close)

    def tell(self, line):
        """Answers with one line."""
        self.send(line)
        if not select.select([self.process.stdout], [], [], LIMIT)[0]:
            raise AssertionError(f"no answer to '{line}'")
        return self.process.stdout.readline().rstrip("\n")

    def send(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def turn_into(self, file):
        self.send(f"exec {file}")
        command = f"{file}\0001000\0"
        eventually(lambda: pathlib.Path(f"/proc/{self.pid}/cmdline").read_text() == command, "exec")

    def end(self):
        """Lets it come to its end; what it wrote on standard error."""
        _, errors = self.process.communicate(timeout=LIMIT)
        return errors

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except OSError:
                pass

    def doors(self):
        """How many threads wait for inspectors; a sanitizer has threads of its own."""
        return [name.strip() for name in self.about("task", lambda path: (path / "comm").read_text())].count("jitscope-door")

    def descriptors(self):
        return sorted(self.about("fd", os.readlink))

    def about(self, what, look):
        """What LOOK sees of each entry, but of those that go in the meantime."""
        for path in pathlib.Path(f"/proc/{self.pid}/{what}").iterdir():
            try:
                yield look(path)
            except (FileNotFoundError, ProcessLookupError):
                pass

    def memory_files(self):
        return [name for name in self.descriptors() if "memfd" in name]


class Inspectable(SystemTest):
    may_be_short = True  # copies are made while the session goes on

    def setUp(self):
        super().setUp()
        self.runtime = self.folder / "runtime"
        self.runtime.mkdir(mode=0o700)
        self.place = self.runtime / "jitscope"
        # Recordings of the tests' own runner would take the place of those in memory.
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(self.runtime), "JITSCOPE_RECORD": ""}
        self.object = self.compile("int f(void) { return 7; }\n", "-fPIC", "-g", name="f.o")
        self.copy = self.folder / "copy.jsr"

    def start(self, *commands, command=(), **env):
        program = Program(self, {**self.environment, **env}, *command)
        for line in commands:
            self.assertEqual(program.tell(line), "done")
        return program

    def inspecting(self, *words, prefix=(), **env):
        return self.run_command(*prefix, INSPECTING, *words, env={**self.environment, **env})

    def attach(self, pid, session=0):
        outcome = self.inspecting("attach", pid, session, self.copy)
        self.assertEqual(outcome.status, 0, outcome)
        return dict(line.split(" ", 1) for line in outcome.out.decode().splitlines())

    def refusal(self, pid, session=0, **options):
        outcome = self.inspecting("attach", pid, session, self.copy, **options)
        self.assertEqual(outcome.status, 1, outcome)
        return outcome.err.decode()

    def listed(self):
        outcome = self.inspecting("list")
        self.assertEqual(outcome.status, 0, outcome)
        return [tuple(int(word) for word in line.split()[:2]) for line in outcome.out.decode().splitlines()]

    def sockets(self):
        return sorted(path.name for path in self.place.iterdir()) if self.place.exists() else []

    def events(self):
        return [event["event"] for event in self.show("events", self.copy)]

    def await_listed(self, count):
        for _ in range(600):
            if len(self.listed()) == count:
                return self.listed()
            time.sleep(0.05)
        return self.fail(f"{self.listed()} instead of {count}")


class Allowing(Inspectable):
    def test_off_by_default(self):
        program = self.start("create", f"link 1 {self.object}")
        self.assertEqual(program.doors(), 0)
        self.assertEqual(self.sockets(), [])
        self.assertEqual([name for name in program.descriptors() if "socket" in name or "memfd" in name], [])
        self.assertIn("does not use jitscope, or does not allow to be inspected", self.refusal(program.pid))
        self.assertIn("JITSCOPE_INSPECT=1", self.refusal(program.pid))
        self.assertEqual(program.tell("failure 1"), "none")

    def test_by_option(self):
        program = self.start("create inspectable", f"link 1 {self.object}")
        self.assertEqual(program.doors(), 1)
        self.assertEqual(self.listed(), [(program.pid, 1)])
        self.attach(program.pid)
        self.assertIn("link_end", self.events())

    def test_by_the_number_of_the_executor(self):
        program = self.start("create inspectable", "create inspectable apart", "create inspectable",
                             JITSCOPE_EXECUTOR=os.path.join(os.path.dirname(JITSCOPE), "jitscope-executor"))
        (executor,) = children_of(program.pid)
        for session in (0, 2):
            said = self.attach(executor, session)
            self.assertEqual((said["process"], said["session"]), (str(program.pid), "2"))
        self.assertIn(f"process {executor} has no session 1", self.refusal(executor, 1))

    def test_by_environment(self):
        for value, allowed in (("1", True), ("0", False), ("", False), ("yes", False)):
            program = self.start("create", JITSCOPE_INSPECT=value)
            self.assertEqual(program.doors(), allowed, value)
            self.assertEqual(self.sockets(), [f"{program.pid}-1.sock"] if allowed else [])
            program.end()

    def test_the_tool(self):
        source = self.compile("#include <unistd.h>\n#include <stdio.h>\nint main(void) { puts(\"here\"); fflush(stdout); "
                              "while (getchar() != EOF) { } puts(\"end\"); return 3; }\n", "-fPIC", name="main.o")
        for words in (["--inspectable"], ["--inspectable", "--trace=edges"], []):
            program = self.start(command=[JITSCOPE, "run", *words, source])
            self.assertEqual(program.process.stdout.readline(), "here\n")
            self.assertEqual(self.listed(), [(program.pid, 1)] if words else [])
            if words:
                self.attach(program.pid)
                self.assertEqual("fixup" in self.events(), len(words) == 2)
            self.assertEqual(program.end(), "")
            self.assertEqual(program.process.returncode, 3)
            self.assertEqual(self.sockets(), [])

    @unittest.skipUnless(os.geteuid() == 0, "makes a set-uid program: needs root")
    def test_not_with_more_rights(self):
        if os.statvfs(self.folder).f_flag & os.ST_NOSUID:
            self.skipTest("the folder for temporary files is mounted nosuid")
        if "NoNewPrivs:\t1" in pathlib.Path("/proc/self/status").read_text():
            self.skipTest("no program can get more rights here")
        for path in (self.folder, self.runtime):
            path.chmod(0o755)
        if not others_can_run(self.runtime):
            self.skipTest("folders are closed to other users")
        program = self.folder / "privileged"
        program.write_bytes(pathlib.Path(INSPECTED).read_bytes())
        os.chown(program, 1, 1)
        program.chmod(0o4755)
        command = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", program]
        for line, words in (("create inspectable", "the program runs with more rights than its caller"), ("create", "none")):
            privileged = self.start(line, command=command, JITSCOPE_INSPECT="1")
            self.assertEqual(privileged.tell("failure 1"), words)
            self.assertEqual(privileged.doors(), 0)
            self.assertNotIn("JITSCOPE_INSPECT", privileged.end())


class Attaching(Inspectable):
    def test_what_is_said(self):
        begin = time.monotonic_ns()
        program = self.start("create inspectable", f"link 1 {self.object}")
        said = self.attach(program.pid, 1)
        self.assertEqual((said["program"], said["process"], said["session"]), (pathlib.Path(INSPECTED).name, str(program.pid), "1"))
        fields = pathlib.Path(f"/proc/{program.pid}/stat").read_text().rsplit(")", 1)[1].split()
        self.assertEqual(said["started"], fields[19])
        self.assertLess(int(said["age"]), time.monotonic_ns() - begin)
        self.assertEqual((said["memory"], said["executor"]), ("1", "1"))
        begin = next(e for e in self.show("events", self.copy) if e["event"] == "session_begin")
        self.assertEqual(begin["process"], program.pid)
        # The root of debuggee.h is where the header says.
        with open(f"/proc/{program.pid}/mem", "rb") as memory:
            memory.seek(int(said["debuggee"]))
            self.assertEqual(memory.read(8), b"JSDBGEE\0")

    def test_it_can_only_be_read(self):
        program = self.start("create inspectable", f"link 1 {self.object}")
        said = self.attach(program.pid)
        wanted = {"write": "EBADF", "truncate": "EINVAL", "map": "EACCES", "seal": "EPERM", "allocate": "EBADF"}
        if os.geteuid():
            wanted["reopen"] = "EACCES"  # root may do as it likes
        self.assertEqual({key: said[key] for key in wanted}, wanted)
        file = self.start(f"create inspectable {self.folder / 'own.jsr'}")
        said = self.attach(file.pid)
        wanted = {key: wanted[key] for key in ("write", "truncate", "map", "allocate")}
        self.assertEqual({key: said[key] for key in wanted}, wanted)

    def test_the_stream(self):
        """What is recorded after somebody has attached comes too."""
        program = self.start("create inspectable")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
            peer.connect(str(self.place / f"{program.pid}-1.sock"))
            _, [descriptor], _, _ = socket.recv_fds(peer, 4096, 4)
        program.tell(f"link 1 {self.object}")
        self.assertEqual(program.tell("destroy 1"), "done")
        self.copy.write_bytes(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
        os.close(descriptor)
        self.assertEqual(self.events()[-1], "session_end")
        self.assertRegex(self.must(JITSCOPE, "replay", self.copy).out, rb"^\d+ events: identical\n$")

    def test_its_own_recording(self):
        own = self.folder / "own.jsr"
        program = self.start(f"create inspectable {own}", f"link 1 {self.object}")
        self.assertEqual(self.attach(program.pid)["memory"], "0")
        self.assertEqual(program.memory_files(), [])
        program.tell("destroy 1")
        self.assertEqual(self.events(), [event["event"] for event in self.show("events", own)][:len(self.events())])

    def test_the_folders_recording(self):
        program = self.start("create inspectable", JITSCOPE_RECORD=str(self.folder))
        self.assertEqual(self.attach(program.pid)["memory"], "0")
        program.end()

    def test_on_demand(self):
        first = self.folder / "first.jsr"
        program = self.start("create inspectable", f"link 1 {self.object}", f"begin 1 {first}")
        self.assertEqual(self.attach(program.pid)["memory"], "0")
        self.assertEqual(program.tell("begin 1 second.jsr").split(":")[0], "the session is being recorded already")
        self.assertEqual(self.attach(program.pid)["memory"], "0")
        self.assertEqual(program.tell("end 1"), "done")
        self.assertEqual(self.attach(program.pid)["memory"], "1")
        self.assertIn("state_link", self.events())
        for command in ("end 1", "end 1"):  # the one in memory stays
            self.assertEqual(program.tell(command), "done")
        self.assertEqual(self.attach(program.pid)["memory"], "1")
        self.assertIn("cannot record", program.tell("begin 1 /nowhere/at/all.jsr"))
        self.assertEqual(self.attach(program.pid)["memory"], "1")
        program.tell(f"link 1 {self.object}")
        self.attach(program.pid)
        self.assertIn("link_end", self.events())
        self.assertEqual(len(program.memory_files()), 2)
        self.must(JITSCOPE, "replay", first)

    def test_nothing_is_recorded(self):
        program = self.start("create inspectable off", "create inspectable /dev/full")
        self.attach(program.pid, 1)
        self.assertEqual(self.events(), [])
        self.assertIn("has no recording that could be read", self.refusal(program.pid, 2))

    def test_two_sessions(self):
        program = self.start("create inspectable", "create inspectable simulate", f"link 2 {self.object}")
        self.assertEqual(self.listed(), [(program.pid, 1), (program.pid, 2)])
        self.assertEqual(self.attach(program.pid)["session"], "1")
        self.assertNotIn("link_end", self.events())
        self.assertEqual(self.attach(program.pid, 2)["executor"], "0")
        self.assertIn("link_end", self.events())
        self.assertIn("has no session 3 that can be inspected", self.refusal(program.pid, 3))
        program.tell("destroy 1")
        self.assertEqual(self.listed(), [(program.pid, 2)])
        self.assertEqual(self.attach(program.pid)["session"], "2")

    def test_no_such_process(self):
        for pid in (0, 999999999, 2**31, 2**32 - 1):
            self.assertIn("there is no process", self.refusal(pid))

    def test_while_threads_link(self):
        program = self.start("create inspectable")
        seen = []
        for _ in range(20):
            # Again: on a busy machine the threads may have come to their end before anybody has looked twice.
            self.assertEqual(program.tell(f"threads 1 {self.object}"), "done")
            for _ in range(10):
                self.attach(program.pid)
                seen.append(len(self.events()))
            if len(set(seen[-10:])) > 1:
                break
        self.assertEqual(seen, sorted(seen))
        self.assertGreater(len(set(seen[-10:])), 1)
        self.assertEqual(program.tell("destroy 1"), "done")

    def test_many(self):
        program = self.start("create inspectable", f"link 1 {self.object}")
        before = program.descriptors()
        peers = [subprocess.Popen([INSPECTING, "many", str(program.pid), "500"], env=self.environment, stdout=subprocess.PIPE)
                 for _ in range(4)]
        self.assertEqual([peer.communicate(timeout=LIMIT)[0] for peer in peers], [b"0\n"] * 4)
        self.attach(program.pid)  # whose turn comes when those before have been let go
        eventually(lambda: len(program.descriptors()) == len(before), "letting the last one go")

    def test_peers_that_do_nothing_or_talk(self):
        program = self.start("create inspectable", f"threads 1 {self.object}")
        path = str(self.place / f"{program.pid}-1.sock")
        peers = []
        for i in range(100):
            peers.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            peers[-1].connect(path)
            if i % 2:
                try:
                    peers[-1].send(b"\xff" * 4096)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it has been dropped already
        self.attach(program.pid)
        self.assertEqual(program.tell(f"link 1 {self.object}"), "done")
        self.assertEqual(program.tell("destroy 1"), "done")
        for peer in peers:
            peer.close()

    def test_no_descriptor_is_left(self):
        program = self.start("create inspectable", f"link 1 {self.object}")
        self.assertEqual(program.tell("exhaust"), "done")
        # Kernels differ in whether accept(2) has its descriptor before it waits.
        for _ in range(3):
            self.assertRegex(self.refusal(program.pid), "has no recording that could be read|does not answer")
        self.assertEqual(program.tell("release"), "done")
        self.attach(program.pid)

    def test_a_stopped_process(self):
        program = self.start("create inspectable", f"link 1 {self.object}")
        os.kill(program.pid, signal.SIGSTOP)
        for _ in range(40):
            self.assertEqual(self.listed(), [(program.pid, 1)])
        self.assertIn("does not answer", self.refusal(program.pid))
        os.kill(program.pid, signal.SIGCONT)
        self.attach(program.pid)


class Ending(Inspectable):
    def test_signals_go_to_others(self):
        program = self.start("create inspectable")
        masks = {}
        for path in pathlib.Path(f"/proc/{program.pid}/task").iterdir():
            mask = int((path / "status").read_text().split("SigBlk:\t")[1].split()[0], 16)
            masks[(path / "comm").read_text().strip() if path.name != str(program.pid) else "main"] = mask
        self.assertEqual(masks["main"], 0)
        self.assertEqual(masks["jitscope-door"] | THE_C_LIBRARYS, ALL_SIGNALS)

    def test_modes(self):
        program = self.start("create inspectable")
        self.assertEqual(stat.S_IMODE(self.place.stat().st_mode), 0o700)
        self.assertEqual(stat.S_IMODE((self.place / f"{program.pid}-1.sock").stat().st_mode), 0o600)
        self.assertEqual(self.place.stat().st_uid, os.geteuid())

    def test_destroy_and_exit(self):
        program = self.start("create inspectable", "create inspectable", "create inspectable simulate")
        self.assertEqual(program.tell("destroy 1"), "done")
        self.assertEqual(self.sockets(), [f"{program.pid}-{n}.sock" for n in (2, 3)])
        program.end()
        self.assertEqual(program.process.returncode, 0)
        self.assertEqual(self.sockets(), [])

    def test_killed(self):
        for how in ("kill", "leave"):
            program = self.start("create inspectable")
            program.send("leave") if how == "leave" else program.process.kill()
            program.process.wait()
            self.assertEqual(self.sockets(), [f"{program.pid}-1.sock"])
            self.assertEqual(self.listed(), [])
            self.assertEqual(self.sockets(), [])  # whoever lists clears away

    def test_children(self):
        for how in ("exit", "destroy"):
            program = self.start("create inspectable", f"link 1 {self.object}")
            self.assertGreater(int(program.tell(f"fork {how}")), 0)
            self.attach(program.pid)
            self.assertEqual(self.listed(), [(program.pid, 1)])
            self.assertEqual(program.tell(f"link 1 {self.object}"), "done")
            program.end()
            self.assertEqual(self.sockets(), [])

    def test_a_child_that_stays(self):
        """It has none of its parent's descriptors: nobody takes it for the parent."""
        program = self.start("create inspectable")
        child = int(program.tell("fork wait"))
        try:
            self.assertIn("does not allow", self.refusal(child))
            names = [os.readlink(path) for path in pathlib.Path(f"/proc/{child}/fd").iterdir()]
            self.assertEqual([name for name in names if name.startswith("socket:")], [])
            program.process.kill()
            program.process.wait()
            self.assertEqual(self.listed(), [])
            self.assertEqual(self.sockets(), [])
        finally:
            os.kill(child, signal.SIGKILL)

    def test_another_program(self):
        """The process goes on, but not what could be inspected."""
        program = self.start("create inspectable")
        program.turn_into("sleep")
        self.assertEqual(self.listed(), [])
        self.assertIn("does not use jitscope", self.refusal(program.pid))
        program.close()
        self.assertEqual(self.listed(), [])
        self.assertEqual(self.sockets(), [])

    def test_the_same_program_again(self):
        """What it left under its number is no obstacle."""
        program = self.start("create inspectable")
        program.turn_into(INSPECTED)
        self.assertEqual(program.tell("create inspectable"), "done")
        self.assertEqual(self.listed(), [(program.pid, 1)])
        self.attach(program.pid)

    def test_a_library_that_is_unloaded(self):
        """It holds another copy of the linker: both live side by side, and dlclose takes its thread along."""
        if b"__tsan_init" in pathlib.Path(PLUGIN).read_bytes():
            self.skipTest("ThreadSanitizer runs what a library gave to atexit when the process ends")
        program = self.start("create inspectable", f"load {PLUGIN}")
        self.assertEqual(self.listed(), [(program.pid, 1), (program.pid, 2)])
        self.assertEqual(self.attach(program.pid, 2)["executor"], "0")
        self.assertEqual(program.tell("unload"), "done")
        self.assertEqual(self.listed(), [(program.pid, 1)])
        eventually(lambda: program.doors() == 1, "the end of the other door")
        self.attach(program.pid)


class Refusing(Inspectable):
    def fails(self, words, **env):
        """The program goes on without; a session that asked can tell why, the variable's user reads it."""
        program = self.start("create inspectable", f"link 1 {self.object}", **env)
        self.assertIn(words, program.tell("failure 1"))
        self.assertEqual(program.doors(), 0)
        self.assertEqual([name for name in program.descriptors() if "memfd" in name or "socket" in name], [])
        self.assertEqual(program.end(), "")
        program = self.start("create", f"link 1 {self.object}", JITSCOPE_INSPECT="1", **env)
        errors = program.end()
        self.assertEqual(program.process.returncode, 0)
        self.assertEqual(errors.count("\n"), 1)
        self.assertIn("jitscope: JITSCOPE_INSPECT: this process cannot be inspected: ", errors)
        self.assertIn(words, errors)

    def test_a_link(self):
        (self.folder / "elsewhere").mkdir(mode=0o700)
        self.place.symlink_to(self.folder / "elsewhere")
        self.fails("is a link, or no folder")
        self.assertEqual(list((self.folder / "elsewhere").iterdir()), [])

    def test_a_file(self):
        self.place.write_text("")
        self.fails("is a link, or no folder")

    def test_a_wrong_mode(self):
        self.place.mkdir()
        for mode in (0o755, 0o770, 0o701):
            self.place.chmod(mode)
            self.fails("is open to other users: its mode is not 0700")

    @unittest.skipUnless(os.geteuid() == 0, "gives a folder to another user: needs root")
    def test_another_owner(self):
        self.place.mkdir(mode=0o700)
        os.chown(self.place, NOBODY, NOBODY)
        self.fails("belongs to another user")

    def test_the_tool_warns(self):
        self.place.write_text("")
        source = self.compile("int main(void) { return 4; }\n", "-fPIC", name="main.o")
        outcome = self.run_command(JITSCOPE, "run", "--inspectable", source, env=self.environment)
        self.assertEqual(outcome.status, 4)
        self.assertIn(b"jitscope: warning: the program cannot be inspected: the folder", outcome.err)

    def test_where_no_runtime_folder_is(self):
        """/tmp/jitscope-UID; so too when the variable names nothing of use."""
        common = pathlib.Path(f"/tmp/jitscope-{os.geteuid()}")
        for value in ("", "relative", "/nowhere/at/all"):
            program = self.start("create inspectable", XDG_RUNTIME_DIR=value)
            self.assertTrue((common / f"{program.pid}-1.sock").is_socket())
            self.assertEqual(stat.S_IMODE(common.stat().st_mode), 0o700)
            self.attach(program.pid)  # which looks there as well
            program.end()
            self.assertFalse((common / f"{program.pid}-1.sock").exists())

    def test_a_long_path(self):
        """Names of sockets have 107 bytes; those of folders may have more."""
        deep = self.folder / ("d" * 100) / ("e" * 100)
        deep.mkdir(parents=True)
        self.environment["XDG_RUNTIME_DIR"] = str(deep)
        program = self.start("create inspectable", f"link 1 {self.object}")
        self.assertEqual(self.listed(), [(program.pid, 1)])
        self.attach(program.pid)

    @unittest.skipUnless(os.geteuid() == 0, "becomes another user: needs root")
    def test_other_users(self):
        other = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        for path in (self.folder, self.runtime):
            path.chmod(0o755)
        if not others_can_run(INSPECTED, INSPECTING, self.runtime):
            self.skipTest("folders are closed to other users")
        program = self.start("create inspectable")
        path = self.place / f"{program.pid}-1.sock"
        self.assertIn("belongs to another user, number 0", self.refusal(program.pid, prefix=other))
        self.assertEqual(self.inspecting("knock", path, prefix=other).out, b"EACCES\n")
        # The modes keep others out; should they not, the process does.
        self.place.chmod(0o755)
        path.chmod(0o666)
        self.assertEqual(self.inspecting("knock", path, prefix=other).out, b"0 nothing\n")
        self.assertEqual(self.inspecting("knock", path).out, b"%d a descriptor\n" % HEADER.size)
        # Root may attach to anybody's.
        common = pathlib.Path(f"/tmp/jitscope-{NOBODY}")
        theirs = self.start("create inspectable", command=[*other, INSPECTED], XDG_RUNTIME_DIR="")
        self.assertTrue(common.exists())
        self.assertEqual(self.attach(theirs.pid)["process"], str(theirs.pid))
        theirs.end()


class Liar:
    """A process, this one, that says what it likes."""

    def __init__(self, test, reply):
        test.place.mkdir(mode=0o700, exist_ok=True)
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.server.bind(str(test.place / f"{os.getpid()}-1.sock"))
        self.server.listen(8)
        self.reply = reply

    def answer(self, test, **options):
        client = subprocess.Popen([INSPECTING, "attach", str(os.getpid()), "0", str(test.copy)], env=test.environment,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        connection, _ = self.server.accept()
        self.reply(connection)
        _, errors = client.communicate(timeout=LIMIT)
        connection.close()
        os.unlink(self.server.getsockname())
        self.server.close()
        test.assertEqual(client.returncode, 1, errors)
        return errors.decode()


class Lying(Inspectable):
    def header(self, **changes):
        started = int(pathlib.Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        fields = {"magic": b"JSINSPC", "version": 2, "size": HEADER.size, "library": b"9.9", "program": b"liar",
                  "process": os.getpid(), "session": 1, "executor": 0, "flags": 1, "started": started, "began": 0, "debuggee": 0,
                  "code": os.getpid(), "spare": 0, "code_started": started}
        fields.update(changes)
        return HEADER.pack(*fields.values())

    def told(self, message, *files):
        def reply(connection):
            if message is None:
                connection.close()
            elif message:
                connection.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else [])
        return Liar(self, reply).answer(self)

    def test_another_version(self):
        errors = self.told(self.header(version=7, library=b"9.9\x1b[2J") + b"more")
        self.assertRegex(errors, r"uses jitscope 9\.9\\x1b\[2J, which speaks version 7 of the inspection protocol; this is jitscope "
                                 r"\d+\.\d+\.\d+, which speaks version 2\n")

    def test_no_message(self):
        self.assertIn("refuses to be inspected, or has just ended", self.told(None))
        self.assertIn("does not answer", self.told(b""))

    def test_other_messages(self):
        for message in (b"x", b"\xff" * 5000, self.header(magic=b"ELSE"), self.header()[:40]):
            self.assertIn("does not answer as jitscope does", self.told(message))

    def test_what_is_not_so(self):
        for changes in ({"process": 1}, {"session": 2}, {"started": 1}, {"size": 8}, {"code": 0}, {"code_started": 1},
                        {"code": 1 << 31}, {"code": os.getppid(), "code_started": 0}):
            self.assertIn("says of itself what is not so", self.told(self.header(**changes)))
        self.assertIn("says of itself what is not so", self.told(self.header() + b"x"))
        self.assertIn("says of itself what is not so", self.told(self.header()[:-1]))

    def test_code_in_a_process_of_another_user(self):
        """Whose memory root would read, for somebody who may not."""
        other = 1
        if os.geteuid() == 0:
            sleeper = subprocess.Popen(["sleep", "1000"], user=NOBODY)
            self.addCleanup(sleeper.wait)
            self.addCleanup(sleeper.kill)
            other = sleeper.pid
        self.assertIn("says of itself what is not so", self.told(self.header(code=other)))

    def test_other_descriptors(self):
        ends = os.pipe()
        null = os.open("/dev/null", os.O_RDONLY)
        self.assertIn("is no file", self.told(self.header(), ends[0]))
        self.assertIn("is no file", self.told(self.header(), null, ends[0], null, null))
        self.assertIn("has no recording that could be read", self.told(self.header()))
        self.assertIn("has no recording that could be read", self.told(self.header(flags=0), null))
        for descriptor in (*ends, null):
            os.close(descriptor)

    def test_under_anothers_number(self):
        """The kernel knows whose a socket is."""
        sleeper = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(sleeper.wait)
        self.addCleanup(sleeper.kill)
        self.place.mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
            server.bind(str(self.place / f"{sleeper.pid}-1.sock"))
            server.listen(8)
            self.assertEqual(self.listed(), [])
            self.assertIn("does not use jitscope", self.refusal(sleeper.pid))

    def test_what_is_no_socket(self):
        self.place.mkdir(mode=0o700)
        for name in ("1-1.sock", "x-1.sock", "1-0.sock", "01-1.sock", "1-1.sock.more", "99999999999-1.sock", "1--1.sock"):
            (self.place / name).write_text("mine")
        self.assertEqual(self.listed(), [])
        self.assertEqual(len(self.sockets()), 7)


if __name__ == "__main__":
    unittest.main()
