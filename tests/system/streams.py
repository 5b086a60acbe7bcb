"""The same programs with content inside of messages, as over any stream: a socket pair over which no memory is shared, standard
streams, a port."""
import unittest

import executor
import real_inputs
import semantics
import tls
import unwinding
from executor import EXECUTOR, HELLO_C
from harness import JITSCOPE, SystemTest


class OverStream(SystemTest):
    def run_command(self, *command, **options):
        command = list(command)
        if [str(word) for word in command[:2]] == [JITSCOPE, "run"] and "--in-process" not in command:
            command.insert(2, "--executor=stream")
        return super().run_command(*command, **options)


class Messages(OverStream):
    def test_hello_world(self):
        """No message more than with shared memory, and no memory that is shared."""
        outcome = self.jitscope("run", "--stats", "--record", "hello.jsr", self.compile(HELLO_C))
        self.assertEqual((outcome.status, outcome.out), (42, b"hello, world\n"))
        self.assertRegex(outcome.err, rb"executor +5 messages")
        files = self.compile("""
#include <stdio.h>
#include <unistd.h>
int main(void) {
    char path[32], text[256];
    for (int fd = 0; fd < 1024; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, text, sizeof text - 1);
        if (length > 0)
            printf("%.*s\\n", (int)length, text);
    }
    return 0;
}
""", name="files.o")
        self.assertNotIn(b"memfd", self.jitscope("run", files).out)
        shared = SystemTest.run_command(self, JITSCOPE, "run", "--out-of-process", files)
        self.assertIn(b"memfd:jitscope-content", shared.out)

    def test_content_as_large_as_what_was_reserved(self):
        """More than any other message may have."""
        text = "char content[80 << 20] = {1}; int main(void) { return content[0] + content[sizeof content - 1]; }\n"
        self.assertEqual(self.jitscope("run", self.compile(text)).status, 1)


class RealInputs(OverStream, real_inputs.RealInputs):
    """One way of compiling each: exceptions, standard input, Lua, SQLite, zlib."""
    def each_way(self, build):
        build("gcc", ("-O2", "-fPIC", "-g"))


class Initialisers(OverStream, semantics.Initialisers):
    pass


class ThreadLocals(OverStream, tls.Libraries):
    pass


class Throwing(OverStream, unwinding.Throwing):
    pass


class Ends(OverStream, executor.Ends):
    """Crashes with names and lines, statuses, recordings of all of them."""
    def start(self, what):
        self.skipTest("the same as with shared memory")


class StandardStreams(SystemTest):
    def test_lua(self):
        host = self.compile("../../demo/host.c", "-O2", "-I/usr/include/lua5.4")
        script = self.text("one.lua", "print(pcall(error, 'thrown'))\nreturn 'done'\n")
        command = f"{EXECUTOR} --stdio 2>out"
        outcome = self.jitscope("run", "--record", "lua.jsr", "--executor-command", command, host, "-l:liblua5.4.a", "-lm", "--", script)
        self.assertEqual((outcome.status, outcome.out, outcome.err), (0, b"", b""))
        self.assertIn(b"false\tthrown", (self.folder / "out").read_bytes())


if __name__ == "__main__":
    unittest.main()
