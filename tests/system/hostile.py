"""Linkers that say what none would, and executors: each side ends the connection, says why, and does nothing else."""
import os
import re
import signal
import socket
import struct
import subprocess
import time
import unittest

from bridge import (HEADER, MESSAGES, NUMBERS, PAGE, VERSION, Between, Hello, blob, finalize, frame, receive_frame, segment, text,
                    u32, u64)
from harness import JITSCOPE, LIMIT, SystemTest

EXECUTOR = os.path.join(os.path.dirname(JITSCOPE), "jitscope-executor")
ALL_ONES = 0xffffffff


class Linkers(SystemTest):
    """The test is the linker."""
    def talk(self, *frames, waits=False):
        """Exit status, standard output and error of an executor that is told FRAMES, or what they make of its hello; WAITS for
        an answer to each but the last."""
        here, there = socket.socketpair()
        with here, there:
            self.process = process = subprocess.Popen([EXECUTOR, "--fd", str(there.fileno())], pass_fds=[there.fileno()], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE)
            there.close()
            here.settimeout(LIMIT)
            hello = Hello(receive_frame(here)[2])
            try:
                for each in frames:
                    here.sendall(each(hello) if callable(each) else each)
                    if waits and each is not frames[-1] and not receive_frame(here):
                        break
                here.shutdown(socket.SHUT_WR)
                self.answers = []
                while found := receive_frame(here):
                    self.answers.append(found[0])
            except OSError:
                pass
            out, error = process.communicate(timeout=LIMIT)
            return process.returncode, out, error

    def refused(self, *frames, why=b""):
        status, out, error = self.talk(*frames)
        self.assertEqual((status, out), (1, b""), error)
        self.assertRegex(error, rb"\Ajitscope-executor: .+\n\Z")
        self.assertIn(why, error)
        return error

    # The least of each message that a linker says, in a session in which it makes sense.
    PAYLOADS = {
        "LOOKUP": u32(0, 0, 0), "FINALIZE": finalize(number=2), "DEALLOCATE": u32(1, 0, 0), "RUN": u32(0) + u64(PAGE) + u32(0),
        "OPEN_TLS": u32(0, 0, 1) + u64(8, 8) + u32(0, 0, 0), "CLOSE_TLS": u32(1), "TLS_ADDRESS": u32(1) + u64(0),
        "RESERVE": u64(2 << 20) + u32(0), "READ": u64(PAGE) + u32(8), "OPEN_EXPORTS": u32(1, 0), "CLOSE_EXPORTS": u32(1), "STORE_SLOTS": u32(0),
        "END": text(),
    }
    FIRST = frame("FINALIZE", 1, finalize())

    def test_all_are_here(self):
        said = {name for name, (_, sender) in MESSAGES.items() if sender == "LINKER"}
        self.assertEqual(said - {"GO_ON", "RUN_HALF", "BOUND"}, set(self.PAYLOADS))  # those answer, or are about something

    def test_all_make_sense(self):
        """Else what follows would find nothing."""
        for name, payload in self.PAYLOADS.items():
            if name not in ("RUN", "END"):
                with self.subTest(name):
                    self.assertEqual(self.talk(self.FIRST, frame(name, 2, payload), frame("END", 3)), (0, b"", b""))
        self.assertEqual(self.talk(frame("END", 1, text())), (0, b"", b""))
        self.assertEqual(self.talk(), (0, b"", b""))

    def test_cut_anywhere(self):
        for name, payload in self.PAYLOADS.items():
            for size in {0, 1, 3, *range(4, len(payload), 4), len(payload) - 1}:
                if name == "END" and size == 0:
                    continue
                with self.subTest(name, size=size):
                    self.refused(self.FIRST, frame(name, 2, payload[:size]), why=b"malformed")
            with self.subTest(name, end="of the stream"):
                self.refused(self.FIRST, frame(name, 2, payload)[:-1], why=b"ended inside a message")

    def test_too_long(self):
        for name, payload in self.PAYLOADS.items():
            for more in (b"x", bytes(8)):
                with self.subTest(name, more=len(more)):
                    self.refused(self.FIRST, frame(name, 2, payload + more), why=b"malformed")

    def test_headers(self):
        end = {"size": 0, "version": VERSION, "kind": NUMBERS["END"], "serial": 1, "answers": 0}
        cases = [({"version": VERSION + 6}, f"speaks version {VERSION + 6} of the protocol, this one version {VERSION}"),
                 ({"version": 0}, "speaks version 0"), ({"serial": 0}, "number 0, not 1"), ({"serial": 2}, "number 2, not 1"),
                 ({"serial": 2**64 - 1}, "number 18446744073709551615, not 1"), ({"kind": 0}, "kind 0"), ({"kind": 999}, "kind 999"),
                 ({"kind": 0xffff}, "kind 65535")]
        cases += [({"kind": number}, f"kind {number} ") for number, sender in MESSAGES.values() if sender == "EXECUTOR"]
        cases += [({"kind": number, "size": ALL_ONES}, "more than") for number, sender in MESSAGES.values() if sender == "LINKER"]
        for change, why in cases:
            with self.subTest(change):
                self.refused(HEADER.pack(*{**end, **change}.values()), why=why.encode())
        for size in range(1, HEADER.size):
            with self.subTest(size=size):
                self.refused(HEADER.pack(*end.values())[:size], why=b"ended inside a message")

    def test_replayed_and_out_of_order(self):
        for name, payload in self.PAYLOADS.items():
            if name not in ("END", "RUN"):
                with self.subTest(name):
                    self.refused(self.FIRST, frame(name, 2, payload), frame(name, 2, payload), why=b"has the number 2, not 3")
                    self.refused(self.FIRST, frame(name, 3, payload), why=b"has the number 3, not 2")
        self.refused(self.FIRST, self.FIRST, why=b"has the number 1, not 2")
        self.refused(self.FIRST, frame("FINALIZE", 2, finalize()), why=b"malformed")  # the allocation is there
        self.refused(self.FIRST, frame("DEALLOCATE", 2, u32(1, 0, 0)), frame("DEALLOCATE", 3, u32(1, 0, 0)), why=b"malformed")
        self.refused(frame("GO_ON", 1), why=b"'go-on' answers nothing")
        bound = u64(0) + text() + text()
        for name, payload, answers in (("BOUND", bound, 0), ("BOUND", bound, 1), ("LOOKUP", self.PAYLOADS["LOOKUP"], 7),
                                       ("RUN_HALF", u32(9, 0, 0, 0), 0), ("STORE_SLOTS", u32(1) + u64(PAGE, 0), 0),
                                       ("STORE_SLOTS", u32(5), 0)):
            with self.subTest(name, answers=answers):
                self.refused(frame(name, 1, payload, answers=answers))

    def test_halves_in_order(self):
        """Asked for one by one: each at most once, those of the end only of what was begun."""
        finalizes, deallocates, rolls_back = 0, 1, 2
        parts = frame("FINALIZE", 1, finalize(actions=[((b"finalize-dso", b""), (b"finalize-dso", b""))] * 2, flags=16 + 64))
        for halves, fine in (((), True), (((0, finalizes),), True), (((0, finalizes), (1, finalizes)), True),
                             (((1, finalizes), (0, rolls_back)), True), (((0, finalizes), (0, finalizes)), False),
                             (((1, finalizes), (0, finalizes)), False), (((0, deallocates),), False),
                             (((1, finalizes), (1, rolls_back)), False), (((1, finalizes), (0, rolls_back), (0, rolls_back)), False),
                             (((2, finalizes),), False), (((0, 3),), False)):
            with self.subTest(halves=halves):
                frames = [parts] + [frame("RUN_HALF", 2 + i, u32(1, *each, 0)) for i, each in enumerate(halves)]
                status, _, error = self.talk(*frames, frame("END", 2 + len(halves)), waits=True)
                self.assertEqual(status == 0, fine, error)

    def test_absurd_numbers(self):
        """Every word of every message as large as it can be: refused, or of no effect; never the end by a signal."""
        for name, payload in self.PAYLOADS.items():
            for at in range(0, len(payload) - 3, 4):
                if name == "RUN":
                    continue
                with self.subTest(name, at=at):
                    changed = payload[:at] + u32(ALL_ONES) + payload[at + 4:]
                    status, out, error = self.talk(self.FIRST, frame(name, 2, changed), frame("END", 3))
                    self.assertIn(status, (0, 1))
                    self.assertEqual((status == 0, out), (error == b"", b""), error)

    def test_noise(self):
        for seed in range(20):
            noise = bytes((seed * 37 + i * 101 + (i >> 3) * seed) & 0xff for i in range(200))
            with self.subTest(seed):
                self.refused(noise)

    def test_wrong_numbers(self):
        cases = {
            "libraries that are not there": ("LOOKUP", u32(5, 0, 0)), "names in no library": ("LOOKUP", u32(0, 0, 1, 3) + text(b"puts")),
            "a library without a name": ("LOOKUP", u32(0, 2) + text(b"libm.so.6") + text(b"libm.so.6") + u32(0)),
            "an allocation that is not there": ("DEALLOCATE", u32(9, 0, 0)), "number 0": ("FINALIZE", finalize(number=0)),
            "unknown flags": ("FINALIZE", finalize(number=2, flags=1 << 8)), "no such policy": ("FINALIZE", finalize(number=2, policy=4)),
            "nothing to run": ("FINALIZE", finalize(number=2, flags=20)), "run nothing": ("RUN", u32(0) + u64(0) + u32(0)),
            "run with flags": ("RUN", u32(1) + u64(1) + u32(0)), "reserve nothing": ("RESERVE", u64(0) + u32(0)),
            "reserve a part": ("RESERVE", u64(PAGE) + u32(0)), "reserve too much": ("RESERVE", u64(1 << 40) + u32(0)),
            "alignment": ("OPEN_TLS", u32(0, 0, 1) + u64(8, 3) + u32(0, 0, 0)),
            "an image that is too large": ("OPEN_TLS", (start := u32(0, 0, 1) + u64(1, 8)) + blob(start, b"12") + u32(0, 0)),
            "a wish of no kind": ("OPEN_TLS", u32(0, 0, 1) + u64(8, 8) + u32(0, 0, 1) + text() + u32(1, 77) + u64(0)),
            "a text in which there is an end": ("LOOKUP", u32(0, 1, 3) + b"a\0b\0" + u32(0)),
            "a text without an end": ("LOOKUP", u32(0, 1, 3) + b"abcd" + u32(0)),
        }
        for name, (kind, payload) in cases.items():
            with self.subTest(name):
                self.refused(self.FIRST, frame(kind, 2, payload), why=b"malformed")

    def test_segments(self):
        """Outside of what was reserved, where others lie, or writable and executable: nobody asks for that."""
        def one(make, **more):
            return lambda hello: frame("FINALIZE", 1, finalize([make(hello)] if not isinstance(make(hello), list) else make(hello),
                                                               **more))
        outside, taken = b"does not lie in what was reserved", b"lies where another does"
        cases = [
            (lambda h: segment(0), outside), (lambda h: segment(0x400000), outside), (lambda h: segment(1 << 63), outside),
            (lambda h: segment(2**64 - PAGE), outside), (lambda h: segment(h.start - PAGE), outside),
            (lambda h: segment(h.start - PAGE, 2 * PAGE), outside), (lambda h: segment(h.start + h.size), outside),
            (lambda h: segment(h.start + h.size - PAGE, 2 * PAGE), outside), (lambda h: segment(h.start, 2**64 - PAGE), outside),
            (lambda h: segment(h.near & -PAGE), outside), (lambda h: segment(h.start, h.size + PAGE), outside),
            (lambda h: segment(h.start + 8), b"whole pages"), (lambda h: segment(h.start, 100), b"whole pages"),
            (lambda h: segment(h.start, prot=6), b"writable and executable"), (lambda h: segment(h.start, prot=7), b"writable and executable"),
            (lambda h: segment(h.start, prot=8), b"protection"), (lambda h: segment(h.start, lifetime=2), b"lifetime"),
            (lambda h: segment(h.start, content=b"x", content_size=2), b"another size"),
            (lambda h: segment(h.start, content=bytes(PAGE + 1)), b"another size"),
            (lambda h: [segment(h.start, 2 * PAGE), segment(h.start + PAGE)], taken),
            (lambda h: [segment(h.start), segment(h.start)], taken),
            (lambda h: [segment(h.start + 65 * PAGE), segment(h.start + PAGE, 65 * PAGE)], taken),
        ]
        for number, (make, why) in enumerate(cases):
            with self.subTest(number):
                self.refused(one(make), why=why)
        self.refused(one(lambda h: segment(h.start, content_size=8), flags=0), why=b"no content")  # no memory was shared

    def test_segments_that_live(self):
        """What is there cannot be laid over, until it is gone."""
        def at(serial, number, *places, **more):
            return lambda hello: frame("FINALIZE", serial, finalize(
                [segment(hello.start + page * PAGE, pages * PAGE, **more) for page, pages in places], number=number))
        for page, pages in ((10, 1), (9, 2), (11, 1), (0, 200), (12, 100)):
            with self.subTest(page=page, pages=pages):
                self.refused(at(1, 1, (10, 3)), at(2, 2, (page, pages)), why=b"segment 0 lies where another does")
        fine = (0, b"", b"")
        self.assertEqual(self.talk(at(1, 1, (10, 3)), at(2, 2, (9, 1), (13, 64)), frame("END", 3)), fine)
        self.assertEqual(self.talk(at(1, 1, (10, 3)), frame("DEALLOCATE", 2, u32(1, 0, 0)), at(3, 2, (10, 3)), frame("END", 4)), fine)
        self.assertEqual(self.talk(at(1, 1, (10, 3), lifetime=1), at(2, 2, (10, 3)), frame("END", 3)), fine)
        def whole(hello):
            return frame("FINALIZE", 1, finalize([segment(hello.start, hello.size)]))
        self.assertEqual(self.talk(whole, frame("END", 2)), fine)

    def test_memory_that_cannot_be_read(self):
        """No error: an empty answer."""
        for address, size in ((0, 8), (0x400000, 8), (1 << 63, 1 << 20), (2**64 - 1, ALL_ONES)):
            self.assertEqual(self.talk(frame("READ", 1, u64(address) + u32(size)), frame("END", 2)), (0, b"", b""))
            self.assertEqual(self.answers, ["BYTES"])

    def saying(self, what, then):
        """Code that writes WHAT, and goes on with THEN."""
        code = bytes.fromhex("b801000000 bf01000000".replace(" ", "")) + b"\x48\x8d\x35" + u32(7 + len(then))
        return code + b"\xba" + u32(len(what)) + b"\x0f\x05" + then + what

    def says_bye(self, hello):
        """When it is deallocated."""
        place, data = hello.start, hello.start + PAGE
        return frame("FINALIZE", 1, finalize([segment(place, content=self.saying(b"bye\n", b"\xc3"), prot=5),
                                              segment(data, content=u64(place))], [((b"", b""), (b"run-finalisers", u64(data, 8)))]))

    def test_what_is_left_is_undone(self):
        """Whatever the linker says last, and when it is gone."""
        self.assertEqual(self.talk(self.says_bye, frame("END", 2)), (0, b"bye\n", b""))
        self.assertEqual(self.talk(self.says_bye), (0, b"bye\n", b""))
        for last in (frame("LOOKUP", 2, b""), frame("END", 3), frame(999, 2), b"noise", frame("END", 2, version=VERSION + 1),
                     frame("DEALLOCATE", 2, u32(7, 0, 0))):
            status, out, error = self.talk(self.says_bye, last)
            self.assertEqual((status, out), (1, b"bye\n"))
            self.assertRegex(error, rb"\Ajitscope-executor: .+\n\Z")

    def runs(self, hello):
        """Main, until a signal ends it."""
        loop = bytes.fromhex("b822000000 0f05 ebf7".replace(" ", ""))  # pause(2), for ever
        code = self.saying(b"main\n", loop)
        return frame("FINALIZE", 1, finalize([segment(hello.start, content=code, prot=5)], flags=16 | 4 | 8, entry=hello.start))

    def begun(self, hello):
        self.assertEqual(self.process.stdout.readline(), b"main\n")
        return b""

    def test_the_end_while_the_program_runs(self):
        """It does not outlive the connection that it was linked over."""
        self.assertEqual(self.talk(self.runs, self.begun, frame("END", 2)), (-signal.SIGHUP, b"", b""))
        self.assertEqual(self.talk(self.runs, self.begun), (-signal.SIGHUP, b"", b""))

    def test_while_the_program_runs(self):
        """It says what it did not understand, and ends the program: it may not be able to do anything itself."""
        for last, why in ((frame("LOOKUP", 2, b""), b"malformed"), (frame("END", 5), b"number 5, not 2"),
                          (frame("RUN", 2, u32(0) + u64(PAGE) + u32(0)), b"malformed"),
                          (frame("FINALIZE", 2, finalize(number=2, flags=20, entry=PAGE)), b"malformed"),
                          (frame("END", 2, text(b"tired \x1b[2Jof it")), b"the linker has ended the connection: tired \\x1b[2Jof it")):
            status, out, error = self.talk(self.runs, self.begun, last)
            self.assertEqual((status, out), (-signal.SIGHUP, b""))
            self.assertIn(why, error)
            self.assertRegex(error, rb"\Ajitscope-executor: .+\n\Z")


class Executors(SystemTest):
    """The test stands between an executor and a linker, and changes what the former says."""
    PROGRAMS = {
        "hello": ("#include <stdio.h>\nint main(void) { return puts(\"hello\") < 0; }\n", ("-fPIC",), ()),
        "storage": ("static __thread int kept = 4;\nint main(void) { return kept; }\n", ("-fPIC",), ("-rdynamic",)),
        "low": ("int numbers[4] = {1, 2, 3, 4};\nint main(int n, char **v) { return numbers[n]; }\n", ("-fno-pic",), ()),
        "waits": ("int waits(void) { return 1; }\n", ("-fPIC",), ()),
        "calls": ("int waits(void);\nint main(void) { return waits(); }\n", ("-fPIC",), ()),
        "dies": ("int main(void) { return *(volatile int *)8; }\n", ("-fPIC",), ()),
    }
    # Which program has an executor say what.
    SAID = {"HELLO": "hello", "ADDRESSES": "hello", "FINALIZED": "hello", "EXITED": "hello", "TLS_ANSWERS": "storage",
            "EXPORTS_OPENED": "storage", "RESERVED": "low", "CRASHED": "dies"}

    def setUp(self):
        super().setUp()
        self.home = self.folder / "home"
        self.home.mkdir(mode=0o700)
        self.programs = {name: self.compile(source, *flags, name=f"{name}.o") for name, (source, flags, _) in self.PROGRAMS.items()}
        self.number = 0

    def link(self, program, change):
        """What became of the linker, of the executor, and what was told in the recording of a loss."""
        self.number += 1
        path, recording = self.home / str(self.number), f"{self.number}.jsr"
        between = Between(path, [EXECUTOR], change)
        outcome = self.jitscope("run", f"--executor=unix:{path}", "--record", recording, *self.PROGRAMS[program][2],
                                self.programs[program])
        self.heard, executor = between.heard, between.end(LIMIT)
        self.said = between.said
        lost = []
        if (self.folder / recording).exists():
            lost = [row for row in self.show("events", self.folder / recording) if row["event"] == "executor_lost"]
        return outcome, executor, lost

    def changing(self, name, how):
        def change(kind, header, payload):
            return how(header, payload) if kind == name else [header + payload]
        return change

    def refused(self, name, how, why=b"", ends=True):
        outcome, executor, lost = self.link(self.SAID[name], self.changing(name, how))
        self.assertIn(name, self.said)
        self.assertIn(outcome.status, (1, 139) if name in ("CRASHED", "EXITED") else (1,), outcome)
        self.assertIn(b"jitscope: ", outcome.err)
        self.assertIn(why, outcome.err)
        ended_by = {"CRASHED": signal.SIGSEGV, "FINALIZED": signal.SIGHUP}  # the latter when its program still runs
        self.assertGreaterEqual(executor[0], -ended_by.get(name, 0), name)
        if name != "HELLO":  # before it there is no session, and no recording
            self.assertEqual(len(lost), 1, outcome)
            self.assertNotIn("0x", lost[0]["reason"])
        if ends:
            self.assertEqual(self.heard[-1][0], "END")
            self.assertIn(why, self.heard[-1][1])
            if name not in ("CRASHED", "EXITED", "FINALIZED"):  # then the program may have ended by itself
                self.assertEqual(executor[0], 1)
                self.assertIn(b"jitscope-executor: the linker has ended the connection: ", executor[2])
        return outcome, executor, lost

    def test_unchanged(self):
        for program, (status, out) in {"hello": (0, b"hello\n"), "storage": (4, b""), "low": (2, b""), "dies": (139, b"")}.items():
            with self.subTest(program):
                outcome, executor, lost = self.link(program, lambda kind, header, payload: [header + payload])
                self.assertEqual((outcome.status, outcome.out, executor[1]), (status, b"", out), outcome)
                self.assertEqual(len(lost), 1 if program == "dies" else 0)

    def test_cut(self):
        def shortened(size):
            return lambda header, payload: [u32(size(payload)) + header[4:] + payload[:size(payload)]]
        for name in self.SAID:
            for size in (lambda payload: 0, lambda payload: len(payload) // 2, lambda payload: len(payload) - 1):
                self.refused(name, shortened(size))

    def test_too_long(self):
        for name in self.SAID:
            self.refused(name, lambda header, payload: [u32(len(payload) + 1) + header[4:] + payload + b"x"], b"malformed")

    def test_the_stream_ends_inside(self):
        for name in self.SAID:
            for size in (10, 30):
                self.refused(name, lambda header, payload: [(header + payload)[:size], None], b"ended inside a message")

    def test_the_stream_ends_between(self):
        for name in ("ADDRESSES", "FINALIZED", "TLS_ANSWERS"):
            self.refused(name, lambda header, payload: [None], b"the executor has closed the connection", ends=False)
        outcome, _, _ = self.link("hello", self.changing("HELLO", lambda header, payload: [None]))
        self.assertEqual(outcome.status, 1)
        self.assertIn(b"ended before it said anything", outcome.err)

    def test_headers(self):
        cases = [
            ("version", VERSION + 1, f"speaks version {VERSION + 1} of the protocol, this one version {VERSION}"),
            ("serial", 0, "has the number 0, not "), ("serial", 99, "has the number 99, not "), ("size", ALL_ONES, "more than"),
            ("kind", 999, "kind 999"), ("kind", NUMBERS["FINALIZE"], f"kind {NUMBERS['FINALIZE']} comes from the wrong side"),
        ]
        for name in ("HELLO", "ADDRESSES", "FINALIZED", "EXITED", "TLS_ANSWERS"):
            for field, value, why in cases:
                with self.subTest(name, field=field, value=value):
                    def changed(header, payload):
                        fields = dict(zip(("size", "version", "kind", "serial", "answers"), HEADER.unpack(header)))
                        return [HEADER.pack(*{**fields, field: value}.values()) + payload]
                    self.refused(name, changed, why.encode())

    def test_repeated(self):
        """The same again, in the place of the next one."""
        for name in ("ADDRESSES", "FINALIZED", "TLS_ANSWERS", "EXPORTS_OPENED", "RESERVED"):
            with self.subTest(name):
                first = []
                def change(kind, header, payload):
                    if kind == name and not first:
                        first.append(header + payload)
                        return first
                    return first[:1] or [header + payload]
                outcome, _, lost = self.link(self.SAID[name], change)
                self.assertEqual(outcome.status, 1)
                self.assertIn(b"has the number", outcome.err)
                self.assertEqual(len(lost), 1)

    def test_what_was_not_asked(self):
        def answering(kind, **fields):
            def changed(header, payload):
                said = {**dict(zip(("size", "version", "kind", "serial", "answers"), HEADER.unpack(header))), **fields}
                return [HEADER.pack(*{**said, "kind": NUMBERS[kind], "size": 0}.values())]
            return changed
        executors = [name for name, (_, sender) in MESSAGES.items() if sender == "EXECUTOR"]
        for kind in executors:
            for name in ("ADDRESSES", "FINALIZED") if kind in ("ADDRESSES", "EXITED", "RETURNED") else ("ADDRESSES",):
                if kind != name:
                    with self.subTest(kind, inplace=name):
                        self.refused(name, answering(kind))
        for name in ("ADDRESSES", "FINALIZED", "TLS_ANSWERS", "EXPORTS_OPENED", "RESERVED"):
            for answers in (0, 99):
                with self.subTest(name, answers=answers):
                    self.refused(name, answering(name, answers=answers), b"was not asked for")
        self.refused("HELLO", answering("ADDRESSES"), b"it is no executor")

    def test_absurd_numbers(self):
        """The program may then do what it likes; the linker does not die of it."""
        for name in self.SAID:
            size = {"HELLO": 90, "CRASHED": 24, "RESERVED": 24, "EXPORTS_OPENED": 9, "ADDRESSES": 24}.get(name, 40)
            for at in range(0, size, 4 if name in ("FINALIZED", "EXITED") else 8):
                with self.subTest(name, at=at):
                    def changed(header, payload):
                        return [header + payload[:at] + u32(ALL_ONES) + payload[at + 4:] if at + 4 <= len(payload) else header + payload]
                    outcome, _, _ = self.link(self.SAID[name], self.changing(name, changed))
                    self.assertGreaterEqual(outcome.status, 0, outcome)

    def test_more_frames_than_there_can_be(self):
        def crashing(count):
            def changed(header, payload):
                payload = payload[:16] + u32(count) + (u64(8, 8) + text(b"x.so") + text()) * count
                return [u32(len(payload)) + header[4:] + payload]
            return self.link("dies", self.changing("CRASHED", changed))
        self.assertEqual(crashing(64)[0].status, 128 + signal.SIGSEGV)
        self.assertIn(b"message 'crashed' is malformed", crashing(65)[0].err)

    def test_more_than_one_crash(self):
        """Each would be told of at length; and none before anything can run."""
        def twice(header, payload):
            size, version, kind, serial, answers = HEADER.unpack(header)
            return [header + payload, HEADER.pack(size, version, kind, serial + 1, answers) + payload]
        outcome, _, lost = self.link("dies", self.changing("CRASHED", twice))
        self.assertEqual(outcome.err.count(b"the program gets signal"), 1)
        self.assertIn("message 'crashed' of the executor was not asked for", lost[0]["reason"])
        early = frame("CRASHED", 2, u32(signal.SIGSEGV, 1) + u64(8) + u32(0))
        outcome, _, _ = self.link("hello", self.changing("HELLO", lambda header, payload: [header + payload + early]))
        self.assertEqual(outcome.status, 1)
        self.assertNotIn(b"the program gets signal", outcome.err)
        self.assertIn(b"message 'crashed' of the executor was not asked for", outcome.err)

    def test_preloaded_that_are_none(self):
        """Nothing but a shared library's file is read under a name that the executor has chosen, and none of it becomes part of the program."""
        os.mkfifo(self.folder / "waits")
        self.must("ar", "rcs", "archive.a", self.programs["dies"])
        self.text("script.so", "INPUT(archive.a)\n")
        def started_with(*paths):
            def changed(header, payload):
                self.assertEqual(payload[-4:], u32(0))  # with none, as it is
                payload = payload[:-4] + u32(len(paths)) + b"".join(text(os.fsencode(path)) for path in paths)
                return [u32(len(payload)) + header[4:] + payload]
            return changed
        for name, why in (("waits", "it is not a file here"), ("", "it is not a file here"), ("archive.a", "it is no shared library here"),
                          ("waits.o", "it is no shared library here"), ("script.so", "it is no shared library here"),
                          ("none.so", "cannot open: No such file or directory")):
            with self.subTest(name):
                outcome, executor, lost = self.link("hello", self.changing("HELLO", started_with(self.folder / name)))
                self.assertEqual((outcome.status, executor[1], lost), (1, b"", []), outcome)
                self.assertRegex(outcome.err.decode(), f"{name}: {why}\n  help: the process that code is to run in was started with it")
                self.must(JITSCOPE, "replay", f"{self.number}.jsr")

    def test_more_calls_than_threads_can_be(self):
        """Each call that the linker is asked to serve may have to wait, but not for a thread of its own."""
        path, most = self.home / "calls", 1000
        waiting, threads = 1500, []

        def count(linker):
            process = struct.unpack("iii", linker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
            with open(f"/proc/{process}/status") as status:
                return int(re.search(r"Threads:\s*(\d+)", status.read())[1])

        def change(kind, header, payload):
            if kind != "FINALIZED":
                return [header + payload]
            serial = HEADER.unpack(header)[3]
            calls = [frame("LAZY_CALL", serial + i, u64(8)) for i in range(waiting + 5000)]
            between.linker.sendall(b"".join(calls[:waiting]))
            while count(between.linker) < most:  # the link is being made, and all calls wait for it
                time.sleep(0.01)
            time.sleep(0.3)
            threads.append(count(between.linker))
            return calls[waiting:]
        between = Between(path, [EXECUTOR], change)
        outcome = self.jitscope("run", f"--executor=unix:{path}", "--lazy", self.programs["calls"], self.programs["waits"])
        between.end(LIMIT)
        self.assertEqual(outcome.status, 1, outcome)
        self.assertIn(b"message 'lazy-call' of the executor was not asked for", outcome.err)
        self.assertLess(threads[0], most + 10)

    def test_another_library(self):
        """Both sides name both versions."""
        ours = self.must(JITSCOPE, "--version").out.split()[-1]
        def changed(header, payload):
            at = 4 + len(b"jitscope executor") + 1
            length = struct.unpack_from("<I", payload, at)[0]
            payload = payload[:at] + text(b"9.9") + payload[at + 4 + length + 1:]
            return [u32(len(payload)) + header[4:] + payload]
        outcome, executor, _ = self.refused("HELLO", changed, b"it is of version 9.9, the linker of version " + ours)
        self.assertIn(b"it is of version 9.9, the linker of version " + ours, executor[2])


if __name__ == "__main__":
    unittest.main()
