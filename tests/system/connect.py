"""Where linker and executor meet: sockets, ports with a secret, standard streams; and who is sent away."""
import hashlib
import hmac
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import unittest

from bridge import frame, receive, text
from harness import JITSCOPE, LIMIT, SystemTest, others_can_run

EXECUTOR = os.path.join(os.path.dirname(JITSCOPE), "jitscope-executor")
HELLO_C = """
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
    char text[100];
    if (argc > 1)
        *(volatile int *)8 = 1;
    printf("read: %s\\n", fgets(text, sizeof text, stdin) ? text : "nothing");
    printf("from: %s\\n", getenv("FROM") ? getenv("FROM") : "nobody");
    return 42;
}
"""
NOBODY = 65534
PROTOCOL = 1


class Meeting(SystemTest):
    def setUp(self):
        super().setUp()
        self.program = self.compile(HELLO_C, "-g")

    def listen(self, where, *options, stdin=subprocess.DEVNULL, fds=(), user=None):
        """An executor that waits, once it does, and where."""
        process = subprocess.Popen([EXECUTOR, "--listen", where, *map(str, options)], stdin=stdin, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, cwd=self.folder, pass_fds=fds, user=user)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        line = process.stderr.readline()
        found = re.fullmatch(rb"jitscope-executor: waits for one linker at (.*)\n", line)
        self.assertTrue(found, line + (process.stderr.read() if not found else b""))
        return process, found[1].decode()

    def go(self, where, *options, **more):
        return self.jitscope("run", f"--executor={where}", *options, self.program, **more)

    def end_of(self, process):
        out, error = process.communicate(timeout=LIMIT)
        return process.returncode, out, error

    def refused(self, outcome, text, status=1):
        self.assertEqual((outcome.status, outcome.out), (status, b""), outcome)
        self.assertIn(text, outcome.err)

    def secrets(self, text=None):
        """The same one for both sides."""
        text = os.urandom(32).hex() + "\n" if text is None else text
        for name in ("ours", "theirs"):
            path = self.folder / name
            path.write_text(text)
            path.chmod(0o600)
        return self.folder / "ours", self.folder / "theirs"


class UnixSockets(Meeting):
    def setUp(self):
        super().setUp()
        self.home = self.folder / "home"
        self.home.mkdir(mode=0o700)
        self.path = self.home / "socket"

    def test_one_linker(self):
        """The program's streams are the executor's, its environment the linker's; nothing is left."""
        self.path = self.folder / "made" / "socket"
        with self.text("input", "a line").open("rb") as stdin:
            executor, where = self.listen(f"unix:{self.path}", stdin=stdin)
        self.assertEqual(stat.S_IMODE(self.path.parent.stat().st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        outcome = self.go(where, "--record", "one.jsr", "--stats", env={"FROM": "the linker"})
        self.assertEqual((outcome.status, outcome.out), (42, b""), outcome)
        self.assertRegex(outcome.err, rb"executor +5 messages")
        self.assertEqual(self.end_of(executor), (42, b"read: a line\nfrom: the linker\n", b""))
        self.assertFalse(self.path.exists())

    def test_it_is_for_one(self):
        executor, where = self.listen(str(self.path))
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(str(self.path))
            first.settimeout(LIMIT)
            self.assertEqual(len(first.recv(24)), 24)
            self.assertFalse(self.path.exists())
            self.refused(self.go(where), b"No such file")
        self.assertEqual(self.end_of(executor), (0, b"", b""))

    def test_a_crash(self):
        executor, where = self.listen(str(self.path))
        outcome = self.jitscope("run", "--executor", where, self.program, "--", "crash")
        self.assertEqual(outcome.status, 128 + signal.SIGSEGV, outcome)
        self.assertRegex(outcome.err, rb"#0 .* main\+0x\w+  \[jit\]  text.c:7\n")
        self.assertEqual(self.end_of(executor)[0], -signal.SIGSEGV)

    @unittest.skipUnless(os.geteuid() == 0, "only root can choose numbers of processes")
    def test_signals_for_a_program_that_has_ended(self):
        """Its number is another process's by the time that the linker is sent a signal: that one does not get it."""
        waits = self.compile("#include <stdio.h>\n#include <unistd.h>\nint main(void) { puts(\"ready\"); fflush(stdout); return pause(); }\n",
                             name="waits.o")
        executor, where = self.listen(str(self.path))
        linker = subprocess.Popen([JITSCOPE, "run", f"--executor={where}", waits], stderr=subprocess.PIPE)
        self.addCleanup(linker.stderr.close)
        self.assertEqual(executor.stdout.readline(), b"ready\n")
        linker.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, linker.pid, os.WSTOPPED)
        executor.kill()
        executor.wait()
        other = self.process_with(executor.pid)
        linker.send_signal(signal.SIGTERM)
        linker.send_signal(signal.SIGCONT)
        self.assertEqual(linker.wait(LIMIT), 1)
        self.assertIsNone(other.poll())

    def process_with(self, number):
        """One that does nothing; numbers are given in turn."""
        for _ in range(100):
            try:
                with open("/proc/sys/kernel/ns_last_pid", "w") as last:
                    last.write(str(number - 1))
            except OSError:
                break
            process = subprocess.Popen(["sleep", "1000"])
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            if process.pid == number:
                return process
        self.skipTest("another process has got the number, or the kernel does not let it be chosen")

    def both_refuse(self, path, text):
        outcome = self.run_command(EXECUTOR, "--listen", f"unix:{path}")
        self.refused(outcome, text, 2)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            os.chmod(path, 0o600)
            self.refused(self.go(f"unix:{path}"), text, 2)
        os.unlink(path)

    def test_folders_that_are_open_to_others(self):
        for mode in (0o755, 0o710, 0o701, 0o770):
            with self.subTest(mode=oct(mode)):
                self.home.chmod(mode)
                self.both_refuse(self.path, b"its mode is not 0700")

    def test_folders_that_are_links(self):
        (self.folder / "link").symlink_to(self.home)
        self.both_refuse(self.folder / "link" / "socket", b"is a link")

    @unittest.skipUnless(os.geteuid() == 0, "only root can give files to others")
    def test_folders_of_others(self):
        os.chown(self.home, NOBODY, NOBODY)
        self.both_refuse(self.path, b"belongs to another user")

    def test_sockets_that_are_open_to_others(self):
        executor, where = self.listen(str(self.path))
        self.path.chmod(0o660)
        self.refused(self.go(where), b"open to others", 2)
        self.assertIsNone(executor.poll())

    def open_to_others(self):
        """Whatever the mask with which all this was made."""
        self.folder.chmod(0o755)
        self.program.chmod(0o644)
        if not others_can_run(JITSCOPE, EXECUTOR, self.folder):
            self.skipTest("folders are closed to other users")

    @unittest.skipUnless(os.geteuid() == 0, "only root can be two users")
    def test_other_users(self):
        """Root could come in, as far as files go; the kernel says who it is, and the executor waits on."""
        self.open_to_others()
        os.chown(self.home, NOBODY, NOBODY)
        executor, where = self.listen(str(self.path), user=NOBODY)
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(self.path))
            self.assertEqual(stranger.recv(1), b"")
        self.assertEqual(executor.stderr.readline(),
                         b"jitscope-executor: who is at the other end is user 0, this is user 65534\n")
        self.refused(self.go(where), b"belongs to another user", 2)
        linker = subprocess.run([JITSCOPE, "run", "--executor", where, self.program], user=NOBODY, capture_output=True,
                                timeout=LIMIT)
        self.assertEqual((linker.returncode, linker.stdout, linker.stderr), (42, b"", b""))
        self.assertEqual(self.end_of(executor), (42, b"read: nothing\nfrom: nobody\n", b""))

    @unittest.skipUnless(os.geteuid() == 0, "only root can be two users")
    def test_who_listens_for_another(self):
        self.open_to_others()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.path))
            listener.listen()
            self.path.chmod(0o600)
            os.chown(self.path, NOBODY, NOBODY)
            os.chown(self.home, NOBODY, NOBODY)
            linker = subprocess.run([JITSCOPE, "run", f"--executor=unix:{self.path}", self.program], user=NOBODY,
                                    capture_output=True, timeout=LIMIT)
        self.assertEqual((linker.returncode, linker.stdout), (1, b""))
        self.assertIn(b"user 0, this is user 65534", linker.stderr)

    def test_what_is_there_already(self):
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(self.path))
            other.listen()
            self.refused(self.run_command(EXECUTOR, "--listen", str(self.path)), b"Address already in use")
        self.assertTrue(self.path.exists())
        executor, _ = self.listen(str(self.path))  # what was left is in nobody's way
        executor.terminate()

    def test_places_that_are_none(self):
        for where in ("socket", "unix", "tcp:", "tcp:x", "tcp:65536", "tcp:-1", "tcp:10.0.0.1:80", "tcp:0.0.0.0:80", "udp:80",
                      "tcp:127.0.0.1", "tcp:[::]:80"):
            with self.subTest(where):
                self.refused(self.run_command(EXECUTOR, "--listen", where), b"is no place", 2)
                self.refused(self.go(where), b"is no place", 2)

    def test_paths_that_are_too_long(self):
        """The folder's may be as long as it likes."""
        self.path = self.home / ("x" * 200) / "socket"
        executor, where = self.listen(f"unix:{self.path}")
        self.assertEqual(self.go(where).status, 42)
        self.assertEqual(self.end_of(executor)[0], 42)
        self.refused(self.run_command(EXECUTOR, "--listen", f"unix:{self.home}/{'x' * 200}"), b"File name too long")


def head(version=PROTOCOL):
    return b"jitscope" + struct.pack("<II", version, 0)


def proof(secret, who, port, drawn, version=PROTOCOL):
    return hmac.new(secret, who.ljust(16, b"\0") + struct.pack("<II", version, port) + drawn, hashlib.sha256).digest()


class Ports(Meeting):
    def wait(self, secret, port=0):
        executor, where = self.listen(f"tcp:{port}", "--secret-file", secret)
        return executor, where, int(where.split(":")[-1])

    def test_with_a_secret(self):
        ours, theirs = self.secrets()
        executor, where, port = self.wait(theirs)
        self.assertEqual(self.listeners(port), ["0100007F"])
        outcome = self.go(where, "--stats", "--record", "tcp.jsr", "--secret-file", ours)
        self.assertEqual((outcome.status, outcome.out), (42, b""), outcome)
        self.assertRegex(outcome.err, rb"executor +5 messages")
        self.assertEqual(self.end_of(executor)[:2], (42, b"read: nothing\nfrom: nobody\n"))
        self.assertFalse(ours.exists() or theirs.exists())
        self.assertEqual(self.listeners(port), [])
        self.refused(self.go(where, "--secret-file", ours), b"No such file")

    def listeners(self, port):
        with open("/proc/net/tcp") as file:
            rows = [line.split() for line in file][1:]
        return [row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port]

    def test_from_descriptors(self):
        ours, theirs = self.secrets()
        with ours.open("rb") as one, theirs.open("rb") as other:
            executor, where = self.listen("tcp:localhost:0", "--secret-fd", other.fileno(), fds=[other.fileno()])
            linker = subprocess.run([JITSCOPE, "run", "--executor", where, "--secret-fd", str(one.fileno()), self.program],
                                    pass_fds=[one.fileno()], capture_output=True, timeout=LIMIT)
        self.assertEqual((linker.returncode, linker.stderr), (42, b""))
        self.assertEqual(self.end_of(executor)[0], 42)

    def test_one_file_for_both(self):
        ours, _ = self.secrets()
        executor, where, _ = self.wait(ours)
        self.assertEqual(self.go(where, "--secret-file", ours).status, 42)
        self.assertEqual(self.end_of(executor)[0], 42)
        self.assertFalse(ours.exists())

    def test_secrets_that_are_none(self):
        ours, _ = self.secrets()
        cases = {
            "short": ("0123456789abcdef" * 2)[:-1] + "\n", "empty": "", "a line": "\n", "long": "x" * 4097,
        }
        for name, text in cases.items():
            with self.subTest(name):
                self.file_refused(self.secrets(text)[0], b"fewer than 128 bits" if name != "long" else b"more than 4096")
        for mode in (0o644, 0o640, 0o604, 0o660):
            with self.subTest(mode=oct(mode)):
                self.secrets()
                ours.chmod(mode)
                self.file_refused(ours, b"its mode is not 0600")
        (self.folder / "link").symlink_to(self.secrets()[1])
        self.file_refused(self.folder / "link", b"is a link")
        self.file_refused(self.folder / "nowhere", b"No such file", 1)
        self.file_refused("/dev/null", b"is no regular file")
        if os.geteuid() == 0:
            os.chown(ours, NOBODY, NOBODY)
            self.file_refused(ours, b"belongs to another user")

    def file_refused(self, path, text, status=2):
        self.refused(self.run_command(EXECUTOR, "--listen", "tcp:0", "--secret-file", path), text, status)
        self.refused(self.go("tcp:1", "--secret-file", path), text, status)

    def test_bytes(self):
        """16 of them are enough, whatever they are; 16 characters are not."""
        value = bytes(range(1, 16)) + b"\n"
        paths = self.secrets()
        for path in paths:
            path.write_bytes(value)
        executor, where, _ = self.wait(paths[0])
        self.assertEqual(self.go(where, "--secret-file", paths[1]).status, 42)
        self.assertEqual(self.end_of(executor)[0], 42)

    def test_none_is_given(self):
        self.refused(self.run_command(EXECUTOR, "--listen", "tcp:0"), b"a secret is needed", 2)
        self.refused(self.go("tcp:1"), b"a secret is needed", 2)
        ours, _ = self.secrets()
        self.refused(self.go("unix:home/x", "--secret-file", ours), b"for --executor=tcp:PORT alone", 2)
        self.refused(self.go("tcp:1", "--secret-file", ours, "--secret-fd", "0"), b"exclude each other", 2)

    def test_nobody_is_there(self):
        """That was no try."""
        ours, _ = self.secrets()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.refused(self.go(f"tcp:{free.getsockname()[1]}", "--secret-file", ours), b"Connection refused")
        self.assertTrue(ours.exists())

    def test_a_port_that_is_taken(self):
        ours, _ = self.secrets()
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            self.refused(self.run_command(EXECUTOR, "--listen", f"tcp:{other.getsockname()[1]}", "--secret-file", ours),
                         b"Address already in use")
        self.assertTrue(ours.exists())

    def test_another_secret(self):
        _, theirs = self.secrets()
        executor, where, _ = self.wait(theirs)
        other = self.text("other", "0123456789abcdef" * 2)
        other.chmod(0o600)
        self.refused(self.go(where, "--secret-file", other), b"the other side has ended the connection")
        status, out, error = self.end_of(executor)
        self.assertEqual((status, out), (1, b""))
        self.assertIn(b"jitscope-executor: the linker does not know the secret", error)
        self.assertFalse(theirs.exists() or other.exists())

    def strangers(self, talk):
        """What an executor says to who talks so, and of it."""
        ours, theirs = self.secrets()
        secret = ours.read_text().strip().encode()
        executor, _, port = self.wait(theirs)
        with socket.create_connection(("127.0.0.1", port), LIMIT) as stream:
            challenge = receive(stream, 48)
            self.assertEqual(challenge[:16], head())
            talk(stream, secret, port, challenge[16:])
            try:
                stream.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            answer = receive(stream, 1 << 20)
        self.assertNotIn(secret, challenge + answer)
        self.assertFalse(theirs.exists())
        return self.end_of(executor), answer

    def test_strangers(self):
        """Whoever does not know the secret hears nothing more, and the executor ends."""
        drawn = os.urandom(32)
        cases = {
            "noise": (lambda stream, secret, port, theirs: stream.sendall(os.urandom(200)), b"no jitscope linker"),
            "nothing": (lambda *_: None, b"ended the connection"),
            "a part": (lambda stream, secret, port, theirs: stream.sendall(head() + drawn), b"ended the connection"),
            "another version": (lambda stream, secret, port, theirs: stream.sendall(head(7)),
                                b"speaks version 7 of the protocol, this one version 1"),
            "a guess": (lambda stream, secret, port, theirs: stream.sendall(head() + drawn + bytes(32)), b"does not know the secret"),
            "the executor's part": (lambda stream, secret, port, theirs:
                                    stream.sendall(head() + drawn + proof(secret, b"executor", port, theirs + drawn)),
                                    b"does not know the secret"),
            "another port's": (lambda stream, secret, port, theirs:
                               stream.sendall(head() + drawn + proof(secret, b"linker", port + 1, theirs + drawn)),
                               b"does not know the secret"),
            "another day's": (lambda stream, secret, port, theirs:
                              stream.sendall(head() + drawn + proof(secret, b"linker", port, bytes(32) + drawn)),
                              b"does not know the secret"),
        }
        for name, (talk, text) in cases.items():
            with self.subTest(name):
                (status, out, error), answer = self.strangers(talk)
                self.assertEqual((status, out, answer), (1, b"", b""))
                self.assertIn(text, error)

    def test_the_layout(self):
        """By another implementation of HMAC than libcrypto's: the executor shows it, too, and says hello."""
        drawn, seen = os.urandom(32), []
        def talk(stream, secret, port, theirs):
            stream.sendall(head() + drawn + proof(secret, b"linker", port, theirs + drawn))
            seen.append(proof(secret, b"executor", port, theirs + drawn))
        (status, _, error), answer = self.strangers(talk)
        self.assertEqual((status, error), (0, b""))
        self.assertEqual(answer[:32], seen[0])
        self.assertIn(b"jitscope executor", answer[32:])

    def imposter(self, talk):
        """What a linker says to who has taken the port, and of it."""
        ours, _ = self.secrets()
        secret = ours.read_text().strip().encode()
        heard = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            def serve():
                with listener.accept()[0] as stream:
                    stream.settimeout(LIMIT)
                    heard.append(receive(stream, 16))
                    heard.append(talk(stream, secret, port))
            thread = threading.Thread(target=serve)
            thread.start()
            outcome = self.go(f"tcp:{port}", "--secret-file", ours)
            thread.join()
        self.assertEqual(heard[0], head())
        self.assertNotIn(secret, heard[1])
        self.assertFalse(ours.exists())
        return outcome

    def test_imposters(self):
        drawn = os.urandom(32)
        def answer(reply):
            def talk(stream, secret, port):
                stream.sendall(head() + drawn)
                said = receive(stream, 64)
                self.assertEqual(said[32:], proof(secret, b"linker", port, drawn + said[:32]))
                stream.sendall(reply(said))
                return said
            return talk
        self.refused(self.imposter(answer(lambda said: bytes(32))), b"the executor does not know the secret")
        self.refused(self.imposter(answer(lambda said: said[32:])), b"the executor does not know the secret")
        self.refused(self.imposter(answer(lambda said: b"")), b"ended the connection")
        def other_version(stream, secret, port):
            stream.sendall(head(7) + drawn)
            return receive(stream, 64)
        self.refused(self.imposter(other_version), b"speaks version 7 of the protocol, this one version 1")
        def no_executor(stream, secret, port):
            stream.sendall(b"220 mail.example ESMTP; say something, and this goes on\r\n")
            return receive(stream, 64)
        self.refused(self.imposter(no_executor), b"no jitscope executor")

    def test_who_hands_on_what_is_said(self):
        """From another port than the executor's: both sides see it."""
        ours, theirs = self.secrets()
        executor, _, port = self.wait(theirs)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def relay():
                with listener.accept()[0] as linker, socket.create_connection(("127.0.0.1", port)) as other:
                    other.sendall(receive(linker, 16))
                    linker.sendall(receive(other, 48))
                    other.sendall(receive(linker, 64))
                    linker.sendall(receive(other, 32))
            thread = threading.Thread(target=relay)
            thread.start()
            self.refused(self.go(f"tcp:{listener.getsockname()[1]}", "--secret-file", ours), b"ended the connection")
            thread.join()
        status, _, error = self.end_of(executor)
        self.assertEqual(status, 1)
        self.assertIn(b"the linker does not know the secret", error)


# Hands on what two streams say, and has the executor be of another machine: its process has a number that none has here.
ELSEWHERE = """
import os, struct, subprocess, sys, threading
executor = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
def pump(source, target):
    while data := os.read(source, 1 << 16):
        os.write(target, data)
hello = executor.stdout.read(24)
hello += executor.stdout.read(struct.unpack("<I", hello[:4])[0])
at = 24
for _ in range(2):
    at += 4 + struct.unpack("<I", hello[at:at + 4])[0] + 1
os.write(1, hello[:at] + struct.pack("<I", 99999999) + hello[at + 4:])
def forward():
    pump(0, executor.stdin.fileno())
    executor.stdin.close()
threading.Thread(target=forward, daemon=True).start()
pump(executor.stdout.fileno(), 1)
os.close(1)
status = executor.wait()
os._exit(status if status >= 0 else 255)
"""


class StandardStreams(Meeting):
    def command(self, command, *words, **options):
        return self.jitscope("run", "--executor-command", command, *words, **options)

    def test_a_command(self):
        outcome = self.command(f"{EXECUTOR} --stdio", "--record", "stdio.jsr", self.program, stdin=b"not for it")
        self.assertEqual((outcome.status, outcome.out), (42, b""), outcome)
        self.assertEqual(outcome.err, b"read: nothing\nfrom: nobody\n")

    def test_a_crash(self):
        outcome = self.command(f"{EXECUTOR} --stdio", self.program, "--", "crash")
        self.assertEqual(outcome.status, 128 + signal.SIGSEGV, outcome)
        self.assertRegex(outcome.err, rb"#0 .* main\+0x\w+  \[jit\]  text.c:7\n")

    def test_on_another_machine(self):
        """No process of this machine is taken for it, whatever its number."""
        relay = self.text("elsewhere.py", ELSEWHERE)
        command = f"{sys.executable} -B {relay} {EXECUTOR} --stdio"
        outcome = self.command(command, "--record", "elsewhere.jsr", self.program, env={"FROM": "the linker"})
        self.assertEqual((outcome.status, outcome.err), (42, b"read: nothing\nfrom: the linker\n"), outcome)

    def crash_elsewhere(self, text, *words, options=(), more=()):
        """The frames that are told of: functions, and whether they were linked."""
        relay, program = self.text("elsewhere.py", ELSEWHERE), self.compile(text, "-g", "-O0", "-fPIC", name="crash.o")
        outcome = self.command(f"{sys.executable} -B {relay} {EXECUTOR} --stdio", *options, program, *more, "--", *words)
        self.assertEqual(outcome.status, 128 + signal.SIGSEGV, outcome)
        return re.findall(r"^#\d+ +0x\w{16}  (\?\?|[\w.]+)(?:\+0x\w+)?(  \[jit\])?", outcome.err.decode(), re.MULTILINE), outcome.err

    def test_a_crash_on_another_machine(self):
        """The executor walks its stack itself; here is known what lies where: static functions, and those that libraries call."""
        frames, said = self.crash_elsewhere("""
            #include <stdlib.h>
            static int compare(const void *a, const void *b) { return *(volatile int *)8 + (a < b); }
            __attribute__((noinline)) static void sort(void) { int n[3] = {3, 1, 2}; qsort(n, 3, sizeof *n, compare); }
            int main(void) { sort(); return 0; }
            """, options=("--record", "crash.jsr"))
        self.assertIn(b", about address 0x8:\n", said)
        self.assertEqual([name for name, linked in frames if linked], ["compare", "sort", "main"])
        self.assertEqual(frames[0][0], "compare")
        self.assertRegex(said, rb"\n#\d+ .* qsort_r\+0x\w+  \(libc\.so\.6\)\n")
        self.must(JITSCOPE, "replay", "crash.jsr")

    def test_crashes_whose_stacks_are_strange(self):
        """Nothing at the address; a stack that has overflown; one that lies nowhere; and a lock that nobody gives back."""
        frames, _ = self.crash_elsewhere("int main(void) { void (*volatile none)(void) = 0; none(); return 0; }\n")
        self.assertEqual([name for name, _ in frames], ["??", "main"])
        frames, _ = self.crash_elsewhere("volatile int n;\nint deeper(int x) { volatile char room[512]; room[0] = x; return deeper(x + 1) + "
                                         "room[0]; }\nint main(void) { return deeper(n); }\n")
        self.assertEqual(set(frames), {("deeper", "  [jit]")})
        frames, _ = self.crash_elsewhere("int main(void) { __asm__ volatile(\"mov $64, %rsp; mov $64, %rbp; push %rax\"); return 0; }\n")
        self.assertEqual(frames[0], ("main", "  [jit]"))
        frames, _ = self.crash_elsewhere("""
            #define _GNU_SOURCE
            #include <link.h>
            #include <pthread.h>
            #include <unistd.h>
            static int hold(struct dl_phdr_info *info, size_t size, void *held) { *(volatile int *)held = 1; for (;;) pause(); }
            static void *keep(void *held) { dl_iterate_phdr(hold, held); return held; }
            int main(void) {
                static volatile int held;
                pthread_t thread;
                pthread_create(&thread, 0, keep, (void *)&held);
                while (!held) usleep(1000);
                return *(volatile int *)8;
            }
            """)
        self.assertEqual(frames[0], ("main", "  [jit]"))

    def test_a_crash_of_what_was_linked_later(self):
        later = self.compile("int later(int x) { return *(volatile int *)8 + x; }\n", "-O0", "-fPIC", name="later.o")
        frames, _ = self.crash_elsewhere("int later(int x);\nint main(void) { return later(4); }\n", options=("--lazy",), more=(later,))
        self.assertEqual(frames[:2], [("later", "  [jit]"), ("main", "  [jit]")])

    def test_a_program_that_handles_its_own_crash(self):
        """Its handler is called, and nothing is said of that."""
        relay, program = self.text("elsewhere.py", ELSEWHERE), self.compile("""
            #include <signal.h>
            #include <unistd.h>
            static void handle(int n) { _exit(n); }
            int main(void) { signal(SIGSEGV, handle); return *(volatile int *)8; }
            """, name="handles.o")
        outcome = self.command(f"{sys.executable} -B {relay} {EXECUTOR} --stdio", program)
        self.assertEqual((outcome.status, outcome.err), (signal.SIGSEGV, b""), outcome)

    @unittest.skipUnless(os.geteuid() == 0 and not subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode,
                         "only root can have /proc go")
    def test_main_ends_before_other_threads_without_proc(self):
        """The program ends with its last thread, as where /proc tells how many there are."""
        program = self.compile("""
            #include <pthread.h>
            #include <stdio.h>
            #include <unistd.h>
            static void *work(void *unused) { usleep(200000); fputs("work, ", stderr); return unused; }
            __attribute__((destructor)) static void end(void) { fputs("end\\n", stderr); }
            int main(void) {
                pthread_t thread;
                pthread_create(&thread, NULL, work, NULL);
                fprintf(stderr, "main %d, ", access("/proc/self", F_OK));
                pthread_exit(NULL);
            }
            """, name="leaves.o")
        for options in ((), ("--lazy",)):
            outcome = self.command(f"exec unshare -m sh -c 'mount -t tmpfs none /proc; exec {EXECUTOR} --stdio'", *options, program)
            self.assertEqual((outcome.status, outcome.err), (0, b"main -1, work, end\n"), outcome)

    def test_commands_that_are_none(self):
        self.refused(self.command("exit 3", self.program), b"ended, with exit status 3")
        self.refused(self.command("sleep 0.2; exit 4", self.program), b"ended, with exit status 4")
        self.refused(self.command("no-such-command-here", self.program), b"exit status 127")

    def test_greetings(self):
        """What hosts and shells say to who logs in is told from what an executor of another version says."""
        long = "Welcome to the machine, " + "x" * 300
        for say in ("echo login:", "echo login:; exec sleep 100", "printf login:", f"printf 'login:\\r\\n{long}'; {EXECUTOR} --stdio",
                    f"echo login:; exec {EXECUTOR} --stdio"):
            with self.subTest(say):
                outcome = self.command(say, self.program)
                self.refused(outcome, b"no connection with the executor: what came first is no message of an executor but 'login:'")
                self.assertIn(b"help: nothing else may write to the stream", outcome.err)
        self.refused(self.command(f"echo '{long}'", self.program), b"Welcome to the machine, xxxxx")
        self.refused(self.command("printf '\\33[2Jx\\n'", self.program), b"but '\\x1b[2Jx'")

    def test_who_says_nothing(self):
        """For as long as was said; and meanwhile Ctrl-C ends it, and what it waits for hears of it."""
        for silent in ("exec sleep 100", "printf x; exec sleep 100"):
            with self.subTest(silent):
                outcome = self.command(silent, "--executor-timeout=1", self.program)
                self.refused(outcome, b"no connection with the executor: ")
                self.assertIn(b"but 'x'" if "x;" in silent else b"it has said nothing for 1 seconds", outcome.err)
        home = self.folder / "home"
        home.mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(home / "socket"))
            (home / "socket").chmod(0o600)
            listener.listen()
            self.refused(self.go(f"unix:{home}/socket", "--executor-timeout=1"), b"it has said nothing for 1 seconds")

    def test_who_says_something_else(self):
        """What came is what is said of it, also when it is looked at after the time is over; and half of a message is not nothing."""
        hello = frame("HELLO", 1, text(b"jitscope executor") + text(b"9.9"))
        home = self.folder / "home"
        home.mkdir(mode=0o700)
        for number, (said, why) in enumerate(((hello, b"it is of version 9.9, the linker of version"),
                                              (hello[:30], b"it has said 30 bytes in 1 seconds, which are no whole message"),
                                              (hello[:10], b"it has said 10 bytes in 1 seconds"))):
            with self.subTest(why), socket.socket(socket.AF_UNIX) as listener:
                path = home / str(number)
                listener.bind(str(path))
                path.chmod(0o600)
                listener.listen()
                linker = subprocess.Popen([JITSCOPE, "run", "--executor-timeout=1", f"--executor=unix:{path}", self.program],
                                          stderr=subprocess.PIPE)
                with listener.accept()[0] as stream:
                    linker.send_signal(signal.SIGSTOP)
                    os.waitid(os.P_PID, linker.pid, os.WSTOPPED)
                    stream.sendall(said)
                    time.sleep(1.5)
                    linker.send_signal(signal.SIGCONT)
                    self.assertIn(why, linker.communicate(timeout=LIMIT)[1])
                self.assertEqual(linker.returncode, 1)

    def test_what_a_shell_waits_for_ends_with_it(self):
        """When nothing has come for too long: whoever the shell has started holds its standard error open, which is read here to its end."""
        for silent in ("sleep 1000; true", "sleep 1000 | sleep 1001; true", "sh -c 'sh -c \"sleep 1000; true\"; true' | cat; true"):
            with self.subTest(silent):
                self.refused(self.command(silent, "--executor-timeout=1", self.program), b"it has said nothing for 1 seconds")

    def test_what_hands_on_ends_with_the_program(self):
        """It reads until nothing more comes, and the shell waits for it."""
        for options in ((), ("--lazy",)):
            outcome = self.command(f"cat | {EXECUTOR} --stdio | cat", *options, self.program)
            self.assertEqual((outcome.status, outcome.err.splitlines()[0]), (0, b"read: nothing"), outcome)

    def test_a_crash_in_exit(self):
        """Of a library, behind all that the program has to say: who asks for nothing any more waits for nobody."""
        self.must("gcc", "-shared", "-fPIC", self.text("ends.c", "__attribute__((destructor)) static void end(void) { *(volatile int *)8 = 1; }\n"), "-o", "ends.so")
        program = self.compile("#include <dlfcn.h>\nint main(void) { return !dlopen(\"./ends.so\", RTLD_NOW); }\n", "-fPIC", name="opens.o")
        outcome = self.command(f"cat | {EXECUTOR} --stdio", program)
        self.assertEqual((outcome.status, outcome.out), (128 + signal.SIGSEGV, b""), outcome)
        outcome = self.jitscope("run", program)
        self.assertEqual(outcome.err, b"jitscope: the program was killed by signal 11 (Segmentation fault)\n")

    def test_it_is_waited_for(self):
        for limit in ("0", "100"):
            outcome = self.command(f"sleep 1.2; exec {EXECUTOR} --stdio", f"--executor-timeout={limit}", self.program)
            self.assertEqual(outcome.status, 42, outcome)

    def test_interrupted_while_nothing_comes(self):
        process = subprocess.Popen([JITSCOPE, "run", "--executor-timeout=0", "--executor-command", "echo ready >&2; exec cat >&2", self.program],
                                   cwd=self.folder, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.assertEqual(process.stderr.readline(), b"ready\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(LIMIT), -signal.SIGINT)
        self.assertEqual(process.stderr.read(), b"")  # the command has ended, too

    def test_what_excludes_it(self):
        self.refused(self.command("true", "--executor=stream", self.program), b"exclude each other", 2)
        self.refused(self.command("true", "--in-process", self.program), b"exclude each other", 2)

    def test_usage(self):
        for words in ((), ("--stdio", "--fd", "3"), ("--listen",), ("--stdio", "--secret-file", "x"), ("--listen", "x/y", "--stdio"),
                      ("--secret-fd", "x", "--listen", "tcp:0"), ("--once",)):
            outcome = self.run_command(EXECUTOR, *words)
            self.assertEqual((outcome.status, outcome.out), (2, b""), words)
            self.assertIn(b"usage:", outcome.err)
        helped = self.run_command(EXECUTOR, "--help")
        self.assertEqual((helped.status, helped.err), (0, b""))
        self.assertIn(b"--listen WHERE", helped.out)
        self.assertEqual(self.run_command(EXECUTOR, "--version").out.split()[1:], self.jitscope("--version").out.split()[1:])


if __name__ == "__main__":
    unittest.main()
