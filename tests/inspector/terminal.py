"""The terminal's room alone: terminal_probe on pseudo terminals, under a shell and in tmux."""
import base64
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import unittest

from PIL import Image

from terminal_harness import KEYS, LIMIT, TerminalTest

HERE = pathlib.Path(__file__).resolve().parent
PROBE = os.environ.get("TERMINAL_PROBE", HERE.parents[1] / "build/dev/tests/inspector/terminal_probe")
SANITIZED = b"__asan_init" in pathlib.Path(PROBE).read_bytes()


class Probe(TerminalTest):
    """Each frame that the probe draws is also in a file: text, then looks."""

    def probe(self, *arguments, **options):
        return self.pty([PROBE, "--dump", self.folder / "frame", *arguments], **options)

    def frame(self):
        """(colours, text, looks) of the last frame, or None."""
        try:
            head, rest = (self.folder / "frame").read_text().split("\n", 1)
        except FileNotFoundError:
            return None
        text, looks = rest.split("--- looks\n")
        cursor = re.search(r"cursor (\d+):(\d+)", looks)
        looks = re.sub(r" dim\b", "", re.sub(r"cursor .*\n", "", looks))
        looks = "".join(line for line in looks.splitlines(True) if " " in line)
        return head, text.rstrip("\n"), merged(looks.rstrip("\n")), (int(cursor[1]), int(cursor[2]))

    def shows_frame(self, terminal):
        frame = self.frame()
        return frame and (frame[1], frame[3]) == (terminal.text().rstrip("\n"), terminal.cursor())

    def assert_shows_frame(self, terminal, looks=True):
        terminal.wait_for(lambda: self.shows_frame(terminal), "the frame to be shown")
        if looks:
            self.assertEqual(terminal.looks(), self.frame()[2])

    def quit(self, terminal):
        terminal.keys("q")
        self.assertEqual(terminal.wait_end(), 0)
        self.assert_given_back(terminal)


def merged(looks):
    """Runs that look the same once "dim" is left out."""
    runs = []
    for line in looks.splitlines():
        place, look = line.split(" ", 1)
        row, columns = place.split(":")
        first, last = map(int, columns.split("-"))
        if runs and runs[-1][0] == row and runs[-1][2] == first - 1 and runs[-1][3] == look:
            runs[-1][2] = last
        else:
            runs.append([row, first, last, look])
    return "\n".join(f"{row}:{first}-{last} {look}" for row, first, last, look in runs)


class Looks(Probe):
    def test_every_style_at_every_depth(self):
        for depth in (256, 16, 0):
            with self.subTest(depth=depth):
                terminal = self.probe("--depth", depth)
                terminal.wait_text("ready")
                self.assert_shows_frame(terminal)
                self.assertEqual(self.frame()[0], f"24 80 {depth}")
                self.assertEqual("fore" in terminal.looks(), depth > 0)
                self.quit(terminal)

    def test_terminals_by_name(self):
        depths = {"xterm-256color": 256, "tmux-256color": 256, "screen-256color": 256, "xterm": 16, "screen": 16,
                  "linux": 16, "rxvt": 16, "vt100": 0, "vt220": 0}
        for name, depth in depths.items():
            with self.subTest(term=name):
                terminal = self.probe(term=name)
                terminal.wait_text("ready")
                self.assertEqual(self.frame()[0], f"24 80 {depth}")
                # Terminals that cannot underline or dim in colour say so in terminfo (ncv), and ncurses obeys.
                self.assert_shows_frame(terminal, looks=name not in ("linux",))
                terminal.keys("PgDn", "x")
                terminal.wait_text("2: key x;")
                self.assert_shows_frame(terminal, looks=name not in ("linux",))
                self.quit(terminal)

    def test_no_color(self):
        for value, arguments, depth in (("1", (), 0), ("", (), 256), ("1", ("--depth", 256), 256)):
            terminal = self.probe(*arguments, env={"NO_COLOR": value})
            terminal.wait_text("ready")
            self.assertEqual(self.frame()[0], f"24 80 {depth}")
            self.quit(terminal)

    def test_ascii(self):
        for env, arguments in (({"LC_ALL": "C"}, ()), ({"LC_ALL": "en_US.ISO-8859-1"}, ()), ({}, ("--ascii", 1))):
            terminal = self.probe(*arguments, env=env)
            terminal.wait_text("ready")
            self.assert_shows_frame(terminal)
            self.assertTrue(terminal.text().isascii())
            self.assertIn("wide \\u{6f22}\\u{5b5>", terminal.text())
            self.quit(terminal)
            self.assertTrue(terminal.raw.isascii())

    def test_utf8_where_the_locale_has_none(self):
        terminal = self.probe("--ascii", 0, env={"LC_ALL": "C"})
        terminal.wait_text("ready")
        terminal.wait_text("wide ? ?  ?  end")
        self.quit(terminal)

    def test_hostile_text_stays_text(self):
        terminal = self.probe()
        terminal.wait_text("\\x1b[2J\\x07 hostile")
        terminal.wait_text("ready")
        self.assertNotIn(b"\x07", terminal.raw)
        self.quit(terminal)


class Refusals(Probe):
    def expect(self, message, **options):
        terminal = self.probe(**options)
        self.assertEqual(terminal.wait_end(), 0)
        self.assertEqual(terminal.raw.decode(), f"error: {message}\r\nleft with 0\r\n")
        self.assert_given_back(terminal)

    def test_terminals_that_cannot(self):
        self.expect("TERM: a terminal 'dumb' cannot show a screen", term="dumb")
        self.expect("TERM: terminfo has no terminal 'no-such-terminal'", term="no-such-terminal")
        self.expect("TERM is not set: nothing says which terminal this is", term="")

    def test_no_terminal(self):
        with open("/dev/null", "rb") as nothing:
            outcome = subprocess.run([PROBE], stdin=nothing, capture_output=True, check=False, timeout=LIMIT)
        self.assertEqual(outcome.stdout, b"error: standard input is no terminal\nleft with 0\n")
        terminal = self.pty(["/bin/sh", "-c", f"{PROBE} | cat"])
        terminal.wait_end()
        self.assertIn("error: standard output is no terminal", terminal.text())

    def test_every_failure_gives_the_terminal_back(self):
        failed = 0
        for number in range(1, 1000):
            terminal = self.probe("--fail", number)
            events = 0
            while terminal.process.poll() is None and "left with" not in terminal.text():
                terminal.pump(0.1)
                if f"{events}: key x;" in terminal.text() or events == 0:
                    events += 1
                    terminal.keys("x")
                if events > 3:
                    terminal.keys("q")
            # A terminal that does not take what is written has hung up.
            if terminal.wait_end() != -signal.SIGHUP:
                self.assertIn("left with 0", terminal.text())
            self.assert_given_back(terminal)
            failed += b"error: " in terminal.raw
            if b"error: " not in terminal.raw and number > failed + 8:
                break
        self.assertGreater(failed, 5)


class Input(Probe):
    def test_every_key(self):
        terminal = self.probe()
        terminal.wait_text("ready")
        keys = [key for key in KEYS if key != "Esc"] + ["^A", "^D", "x", "é", "漢", "Esc"]
        for count, key in enumerate(keys, 1):
            terminal.keys(key)
            terminal.wait_text(f"{count}: key {key};")
        self.quit(terminal)

    def test_keys_of_the_terminal_at_hand(self):
        terminal = self.probe(term="vt100")
        terminal.wait_text("ready")
        terminal.send("\x08")  # vt100: kbs
        terminal.wait_text("1: key Backspace;")
        self.quit(terminal)

    def test_escape_waits_as_told(self):
        terminal = self.probe(env={"ESCDELAY": "5000"})
        terminal.wait_text("ready")
        terminal.send("\x1b")
        terminal.pump(0.3)
        self.assertIn("ready", terminal.text())
        terminal.send("[A")
        terminal.wait_text("1: key Up;")
        self.quit(terminal)

    def test_mouse(self):
        terminal = self.probe()
        terminal.wait_text("ready")
        self.assertTrue(terminal.has_mode("mouse") and terminal.has_mode("decimal mouse"))
        for count, (button, name) in enumerate(((2, "right"), (64, "wheel-up"), (65, "wheel-down"), (0, "left")), 1):
            terminal.click(4, 70, button)
            terminal.wait_text(f"{count}: mouse {name} 4 70;")
        terminal.click(200, 300)
        terminal.wait_text("5: mouse left 23 79;")
        self.quit(terminal)
        terminal = self.probe("--no-mouse")
        terminal.wait_text("ready")
        self.assertFalse(terminal.has_mode("mouse"))
        self.quit(terminal)

    def test_paste(self):
        terminal = self.probe()
        terminal.wait_text("ready")
        self.assertTrue(terminal.has_mode("paste"))
        terminal.send("\x1b[200~qqq\r\x04\x1b[201~")
        terminal.wait_text("5: paste Space;")
        self.quit(terminal)

    def test_much_at_once(self):
        terminal = self.probe()
        terminal.wait_text("ready")
        terminal.send("\x1b[A\x1b[Bxy" * 500)
        terminal.wait_text("2000: key y;")
        self.quit(terminal)


class Frames(Probe):
    def test_only_what_differs_is_written(self):
        terminal = self.probe()
        terminal.wait_text("ready")
        self.assert_shows_frame(terminal)
        self.assertGreater(len(terminal.raw), 2000)
        for count in range(1, 6):
            before = len(terminal.raw)
            terminal.keys("x")
            terminal.wait_text(f"{count}: key x;")
            self.assert_shows_frame(terminal)
            self.assertLess(len(terminal.raw) - before, 200)
        self.quit(terminal)

    def test_a_frame_comes_whole(self):
        """Whatever is read, at most one frame is open in it, and nothing is written outside of frames."""
        terminal = self.probe()
        terminal.wait_text("ready")
        terminal.keys("f")
        terminal.wait_for(lambda: terminal.raw.count(b"\x1b[?2026h") > 20, "twenty frames")
        terminal.keys("x")
        terminal.wait_text("key x;")
        frames = re.split(rb"(\x1b\[\?2026[hl])", terminal.raw)
        self.assertEqual({frames[i] for i in range(1, len(frames), 4)}, {b"\x1b[?2026h"})
        self.assertEqual({frames[i] for i in range(3, len(frames), 4)}, {b"\x1b[?2026l"})
        self.assertEqual({frames[i] for i in range(0, len(frames), 4)}, {b""})
        self.quit(terminal)

    def test_random_frames(self):
        for term in ("xterm-256color", "linux", "vt100"):
            terminal = self.probe(term=term)
            terminal.wait_text("ready")
            for count in range(1, 20):
                terminal.keys("f")
                terminal.pump(0.02)
                terminal.keys("x")
                terminal.wait_text(f"{2 * count}: key x;")
                self.assert_shows_frame(terminal, looks=term != "linux")
            self.quit(terminal)


class Sizes(Probe):
    def test_first_sizes(self):
        for rows, columns in ((1, 1), (1, 2), (2, 1), (2, 2), (1, 200), (200, 1), (3, 7), (100, 300)):
            with self.subTest(rows=rows, columns=columns):
                terminal = self.probe(rows=rows, columns=columns)
                self.assert_shows_frame(terminal)
                self.quit(terminal)

    def test_no_size(self):
        terminal = self.pty([PROBE, "--dump", self.folder / "frame"], rows=24, columns=80)
        terminal.wait_text("ready")
        self.quit(terminal)
        os.remove(self.folder / "frame")
        shell = self.pty(["/bin/sh", "-c", f"stty rows 0 cols 0; {PROBE} --dump {self.folder}/frame"])
        shell.wait_text("ready")
        self.assertEqual(self.frame()[0], "24 80 256")
        shell.keys("q")
        self.assertEqual(shell.wait_end(), 0)

    def test_lying_sizes(self):
        shell = self.pty(["/bin/sh", "-c", f"stty rows 65535 cols 65535; {PROBE} --dump {self.folder}/frame"])
        shell.wait_for(self.frame, "a frame")
        self.assertEqual(self.frame()[0], "1000 2000 256")
        shell.keys("q")
        self.assertEqual(shell.wait_end(), 0)

    def test_lines_and_columns_of_the_environment_do_not_count(self):
        terminal = self.probe(env={"LINES": "10", "COLUMNS": "20"})
        self.assert_shows_frame(terminal)
        self.assertEqual(self.frame()[0], "24 80 256")
        self.quit(terminal)

    def test_resizes_while_drawing(self):
        choose = random.Random(7)
        terminal = self.probe()
        terminal.wait_text("ready")
        terminal.keys("f")
        for _ in range(400):
            terminal.set_size(choose.choice((1, 2, 3, 24, 60)), choose.choice((1, 2, 3, 40, 80, 200)))
            terminal.pump(0.005)
        terminal.set_size(30, 100)
        terminal.wait_text("probe 30x100")
        terminal.keys("x")
        terminal.wait_text("key x;")
        self.assert_shows_frame(terminal)
        self.quit(terminal)

    def test_every_small_size(self):
        terminal = self.probe()
        terminal.wait_text("ready")
        for rows in (5, 4, 3, 2, 1):
            for columns in range(12, 0, -1):
                terminal.set_size(rows, columns)
                terminal.wait_for(lambda: self.frame()[0] == f"{rows} {columns} 256", "the new size")
                self.assert_shows_frame(terminal)
        terminal.set_size(24, 80)
        terminal.wait_text("resize;")
        self.assert_shows_frame(terminal)
        self.quit(terminal)


class Redrawing(Probe):
    def spoil(self, terminal, data):
        fd = os.open(os.ttyname(terminal.other), os.O_WRONLY | os.O_NOCTTY)
        os.write(fd, data)
        os.close(fd)

    def test_after_somebody_else_wrote(self):
        """Colours, margins, insertion, line drawing, modes: whatever is left behind is not there in the next frame."""
        for term in ("xterm-256color", "linux", "vt100"):
            terminal = self.probe(term=term)
            terminal.wait_text("ready")
            for data in (b"\x1b[31;7m\x1b[5;9r\x1b[4h", b"\x1b[2J\x1b[?25l", b"\x1b(0lqqk\x1b[20;30r", b"\x1b[?1000l\x1b[?2004l"):
                if term == "vt100":
                    data = data.replace(b"\x1b[4h", b"").replace(b"\x1b[?25l", b"")  # it knows neither
                self.spoil(terminal, data + b"garbage" * 30)
                terminal.wait_text("garbage" if b"(0" not in data else "")
                terminal.keys("r")
                terminal.wait_text("key r;")
                terminal.wait_for(lambda: self.shows_frame(terminal), "the frame to be shown")
                self.assertEqual(terminal.has_mode("mouse"), term != "vt100")
                terminal.keys("PgDn")
                terminal.wait_for(lambda: "key PgDn;" in terminal.text() and self.shows_frame(terminal), "the next frame")
            self.quit(terminal)


class Ends(Probe):
    def die(self, expected, act, given_back=True):
        terminal = self.probe()
        terminal.wait_text("ready")
        self.assertNotEqual(terminal.terminal_modes(), terminal.modes_before)
        act(terminal)
        self.assertEqual(terminal.wait_end(), -expected)
        if given_back:
            self.assert_given_back(terminal)

    def test_asked_to_end(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            self.die(number, lambda terminal: terminal.signal(number))

    def test_asked_twice_while_it_hangs(self):
        def hangs(terminal):
            """Waits in pause() and no longer for a key."""
            return (pathlib.Path("/proc") / str(terminal.process.pid) / "syscall").read_text().startswith("34 ")

        def act(terminal):
            terminal.keys("h")
            terminal.wait_for(lambda: hangs(terminal), "it to hang")
            terminal.signal(signal.SIGTERM)
            terminal.pump(0.1)
            self.assertIsNone(terminal.process.poll())
            terminal.signal(signal.SIGTERM)
        self.die(signal.SIGTERM, act)

    def test_hung_up(self):
        self.die(signal.SIGHUP, lambda terminal: terminal.hang_up(), given_back=False)

    @unittest.skipIf(SANITIZED, "sanitizers end the program in their own way")
    def test_crashes(self):
        for key, number in (("s", signal.SIGSEGV), ("a", signal.SIGABRT), ("o", signal.SIGSEGV), ("i", signal.SIGILL)):
            with self.subTest(key=key):
                self.die(number, lambda terminal: terminal.keys(key))

    def test_killed(self):
        for number in (signal.SIGQUIT, signal.SIGUSR1, signal.SIGSEGV, signal.SIGFPE, signal.SIGABRT, signal.SIGALRM,
                       signal.SIGPIPE, signal.SIGXCPU):
            if SANITIZED and number in (signal.SIGSEGV, signal.SIGFPE, signal.SIGABRT):
                continue
            with self.subTest(signal=number):
                self.die(number, lambda terminal: terminal.signal(number))

    def test_ignored_signals_stay_ignored(self):
        terminal = self.pty(["/bin/sh", "-c", f"trap '' HUP TERM; exec {PROBE} --dump {self.folder}/frame"])
        terminal.wait_text("ready")
        terminal.signal(signal.SIGTERM)
        terminal.signal(signal.SIGHUP)
        terminal.keys("x")
        terminal.wait_text("1: key x;")
        self.quit(terminal)


class Stops(Probe):
    """Under an interactive shell with job control."""

    def shell(self):
        shell = self.pty(["/bin/bash", "--norc", "--noprofile", "--noediting", "-i"],
                         env={"PS1": "prompt> ", "PROMPT_COMMAND": "", "HISTFILE": ""})
        shell.wait_text("prompt>")
        shell.send(f"stty -a > {self.folder}/before; {PROBE} --dump {self.folder}/frame\r")
        shell.wait_text("ready")
        return shell

    def probe_id(self, shell):
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(shell.process.pid)], capture_output=True, text=True,
                                  check=True)
        return int(children.stdout.split()[-1])

    def expect_prompt(self, shell, name):
        """The shell is in front, and finds the terminal as it left it."""
        shell.wait_for(lambda: not shell.has_mode("alternate"), "the shell's own screen")
        shell.wait_for(lambda: shell.text().rstrip().endswith("\nprompt>"), "the prompt")
        self.assertFalse(shell.has_mode("mouse") or shell.has_mode("paste"))
        shell.send(f"stty -a > {self.folder}/{name}; echo {name}-done\r")
        shell.wait_text(f"\n{name}-done")
        self.assertEqual((self.folder / name).read_text(), (self.folder / "before").read_text())

    def resume(self, shell):
        shell.send("fg\r")
        shell.wait_text("resize;")
        shell.wait_for(lambda: self.shows_frame(shell), "the frame to be shown")
        self.assertTrue(shell.has_mode("alternate") and shell.has_mode("mouse") and shell.has_mode("paste"))

    def end(self, shell):
        shell.keys("q")
        self.expect_prompt(shell, "end")

    def test_by_key(self):
        shell = self.shell()
        for count in range(3):
            shell.keys("^Z")
            self.expect_prompt(shell, f"stop{count}")
            self.resume(shell)
            shell.keys("x")
            shell.wait_text("key x;")
        self.end(shell)

    def test_from_outside(self):
        shell = self.shell()
        os.kill(self.probe_id(shell), signal.SIGTSTP)
        self.expect_prompt(shell, "stop")
        shell.set_size(30, 90)
        self.resume(shell)
        shell.wait_text("probe 30x90")
        shell.set_size(24, 80)
        shell.wait_text("probe 24x80")
        self.end(shell)

    def test_stopped_without_being_asked(self):
        shell = self.shell()
        os.kill(self.probe_id(shell), signal.SIGSTOP)
        shell.wait_text("Stopped")
        self.resume(shell)
        self.end(shell)

    def test_a_pipeline_stops_as_a_whole(self):
        shell = self.pty(["/bin/bash", "--norc", "--noprofile", "--noediting", "-i"],
                         env={"PS1": "prompt> ", "PROMPT_COMMAND": "", "HISTFILE": ""})
        shell.wait_text("prompt>")
        shell.send(f"stty -a > {self.folder}/before; sh -c '{PROBE} --dump {self.folder}/frame; echo after'\r")
        shell.wait_text("ready")
        shell.keys("^Z")
        self.expect_prompt(shell, "stop")
        self.resume(shell)
        self.end(shell)

    def test_where_nobody_could_continue_it(self):
        """An orphaned process group is never stopped: the probe goes on at once."""
        terminal = self.probe()
        terminal.wait_text("ready")
        terminal.keys("^Z")
        terminal.wait_text("resize;")
        self.assert_shows_frame(terminal)
        self.quit(terminal)


class Clipboard(Probe):
    def test_the_terminals(self):
        terminal = self.probe()
        terminal.wait_text("ready")
        terminal.keys("c")
        terminal.wait_text("key c;")
        wanted = b"\x1b]52;c;" + base64.b64encode(b"copied \xfftext\n") + b"\x07"
        terminal.wait_for(lambda: wanted in terminal.raw, "OSC 52")
        before = terminal.raw.count(b"]52;")
        terminal.keys("C")
        terminal.wait_text("too long")
        self.assertEqual(terminal.raw.count(b"]52;"), before)
        self.quit(terminal)

    def test_tmux_without_a_server(self):
        terminal = self.probe(env={"TMUX": "/nonexistent/socket,1,0"})
        terminal.wait_text("ready")
        terminal.keys("c")
        terminal.wait_for(lambda: b"\x1b]52;c;" in terminal.raw, "OSC 52")
        self.quit(terminal)


class InTmux(Probe):
    def start(self, **options):
        tmux = self.tmux(f"{PROBE} --dump {self.folder}/frame; cat", **options)
        tmux.wait_text("ready")
        return tmux

    def test_screen_and_cursor(self):
        tmux = self.start()
        tmux.wait_for(lambda: self.shows_frame(tmux), "the frame to be shown")
        tmux.keys("PPage", "C-d", "Down")
        tmux.wait_text("3: key Down;")
        tmux.wait_for(lambda: self.shows_frame(tmux), "the frame to be shown")
        self.assertRegex(tmux.escaped(), "\x1b\\[2m[^\n]*cell")
        self.assertEqual(tmux.ask("#{alternate_on} #{mouse_standard_flag} #{mouse_sgr_flag}"), "1 1 1")
        tmux.keys("q")
        tmux.wait_text("left with 0")
        self.assertEqual(tmux.ask("#{alternate_on} #{mouse_standard_flag} #{cursor_flag}"), "0 0 1")

    def test_copies(self):
        for options in ((), ("set -g set-clipboard on",), ("set -g set-clipboard off",)):
            tmux = self.start(options=options)
            tmux.keys("c")
            tmux.wait_for(lambda: tmux.run("list-buffers"), "a buffer")
            self.assertEqual(tmux.run("show-buffer"), b"copied \xfftext\n".decode(errors="replace"))
            tmux.keys("q")
            tmux.wait_text("left with 0")

    def test_sizes(self):
        choose = random.Random(3)
        tmux = self.start()
        tmux.keys("f")
        for _ in range(60):
            tmux.set_size(choose.randint(1, 60), choose.randint(1, 200))
        tmux.set_size(25, 90)
        tmux.wait_text("probe 25x90")
        tmux.keys("x")
        tmux.wait_text("key x;")
        tmux.wait_for(lambda: self.shows_frame(tmux), "the frame to be shown")
        tmux.keys("q")
        tmux.wait_text("left with 0")


class Pictures(Probe):
    def test_a_picture_has_the_terminals_colours(self):
        path = self.folder / "screen.png"
        outcome = subprocess.run([sys.executable, "-B", HERE / "picture.py", path, "--size", "90x24", "--do", "wait=ready",
                                  "--do", "key=PgDn", "--do", "wait=PgDn;", "--", PROBE], capture_output=True, text=True,
                                 check=False, timeout=300)
        self.assertEqual((outcome.returncode, outcome.stderr), (0, ""))
        picture = Image.open(path).convert("RGB")
        width, height = (picture.width - 20) // 90, (picture.height - 20) // 24
        self.assertEqual((picture.width, picture.height), (90 * width + 20, 24 * height + 20))
        grounds = {(0, 89): (135, 175, 215), (23, 89): (68, 68, 68), (1, 89): (26, 27, 32)}  # 110, 238, none
        for (row, column), colour in grounds.items():
            self.assertEqual(picture.getpixel((10 + column * width + 4, 10 + row * height + 4)), colour)
        name = picture.crop((10, 10 + 11 * height, 10 + 5 * width, 10 + 12 * height))  # "error", 203 on none
        self.assertIn((255, 95, 95), [colour for _, colour in name.getcolors()])


if __name__ == "__main__":
    unittest.main()
