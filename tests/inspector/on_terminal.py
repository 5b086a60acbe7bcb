"""The inspector on terminals: keys, mouse, sizes, signals, and how the terminal is given back; pseudo terminals with an
emulator, a shell with job control, and tmux.

What is on the terminal is held against what the same keys draw without one (--script), and where a test is about what a key
does, against what the recording is known to hold."""
import base64
import os
import random
import re
import signal
import subprocess
import time
import unittest

from inspecting import JITSCOPE, SANITIZED, InspectorTest
from terminal_harness import LIMIT

INTERPRETER = ["/bin/bash", "--norc", "--noprofile", "--noediting", "-i"]


class Keys(InspectorTest):
    def walk(self, recording, keys):
        """After each key the terminal shows what a script does."""
        terminal = self.inspect(self.recording(recording))
        for i, key in enumerate(keys):
            terminal.keys({"Space": " "}.get(key, key))
            self.assert_shows(terminal, f"{recording}.jsr", keys[:i + 1])
        self.quit(terminal)

    def test_moving(self):
        self.walk("edges", ["5", "j", "Down", "k", "G", "Up", "g", "End", "Home", "0", "^D", "^D", "^U", "PgDn", "PgUp", "^F",
                            "^B", "l", "Right", "h", "Left"])

    def test_places(self):
        self.walk("edges", ["Enter", "Enter", "Enter", "Esc", "q", "q", "Tab", "Tab", "Shift-Tab", "5", "j", "6", "j", "u", "u",
                            "U", "u", "2", "+", "+", "-", "9", "c", "u", "x", "u", "w", "Enter", "Esc", "b", "B"])

    def test_every_screen(self):
        screens = list("1234567890CrapRi!")
        self.walk("unloads", screens + ["?", "PgDn", "PgUp", "x"])

    def test_time(self):
        self.walk("unloads", ["[", "[", "]", "{", "{", "}", "<", "<", ">", "F", "Space", "5", "<", "{", "[", "6", "3", "]"])

    def test_marks_and_sorting(self):
        self.walk("edges", ["5", "j", "j", "m", "a", "Enter", "[", "[", "1", "'", "a", "Enter", "s", "s", "S", "D", "'", "b",
                            "Enter"])

    def test_completion_in_the_prompt(self):
        terminal = self.inspect(self.recording("edges"))
        terminal.keys(":", *"sym", "Tab")
        terminal.wait_text(":symbols")
        terminal.keys("Enter")
        terminal.wait_for(lambda: terminal.lines()[0].startswith(" symbols"), "the screen that was named")
        terminal.keys(":", *"goto 9", "Backspace", *"100", "Enter")
        terminal.wait_text("event 100/")
        terminal.keys(":", "Up", "Enter")
        terminal.keys(":", "Esc", "j")
        terminal.keys(":", *"sort nam", "Tab", "Enter")
        terminal.wait_for(lambda: "name" in terminal.text())
        terminal.keys(":", *"nonsense", "Enter")
        terminal.wait_text("nonsense")
        self.quit(terminal)

    def test_search_and_filter(self):
        recording = self.recording("edges")
        terminal = self.inspect(recording)
        keys = ["5", "/", *"object", "Enter"]
        terminal.keys(*keys)
        self.assert_shows(terminal, recording, keys)
        self.assertIn("object", self.cursor_line(terminal))
        first = terminal.cursor()
        terminal.keys("n")
        terminal.wait_for(lambda: terminal.cursor() > first and "object" in self.cursor_line(terminal), "the next hit")
        terminal.keys("N")
        terminal.wait_for(lambda: terminal.cursor() == first, "the first again")
        terminal.keys("f", *"size > 30", "Enter")
        terminal.wait_text("only size > 30")
        terminal.wait_for(lambda: "twice" not in terminal.text() and " main" in terminal.text(), "rows that pass")
        terminal.keys("f", "Enter")
        terminal.wait_for(lambda: "twice" in terminal.text(), "all rows again")
        self.quit(terminal)

    def test_goto_and_what_is_seen_there(self):
        """Before the first event of a link there is nothing of it; at the end there is."""
        recording = self.recording("edges")
        events = self.events(recording)
        last, [begin] = events[-1][1], [number for name, number in events if name == "link_begin"]
        terminal = self.inspect(recording)
        terminal.keys("5", ":", *"goto 10", "Enter")
        terminal.wait_text(f"event 10/{last}")
        self.assertNotIn("pointer", terminal.text())
        terminal.keys("F")
        terminal.wait_text(f"event {last}/{last}")
        terminal.keys("<")
        terminal.wait_text(f"event {begin}/{last}")
        self.quit(terminal)


class Mouse(InspectorTest):
    def test_click_double_click_wheel(self):
        terminal = self.inspect(self.recording("edges"))
        terminal.keys("5")
        terminal.wait_text("twice")
        row = self.row_of(terminal, " twice ")
        terminal.click(row, 30)
        terminal.wait_for(lambda: terminal.cursor() == (row, 0), "the cursor where it was clicked")
        top = self.row_of(terminal, " main ")
        terminal.send(f"\x1b[<65;9;{top + 1}M")
        terminal.wait_for(lambda: terminal.cursor() != (row, 0), "the wheel to move")
        terminal.click(0, 5)
        terminal.click(23, 5)
        terminal.click(top, 12)
        terminal.wait_for(lambda: terminal.cursor() == (top, 0), "the cursor where it was clicked")
        # Two clicks are a double click when less than 0.4 seconds pass between them: on a busy machine perhaps not at once.
        self.until(terminal, lambda: terminal.click(top, 12, times=2), lambda: not terminal.lines()[0].startswith(" symbols"),
                   "a double click to enter")
        self.until(terminal, lambda: terminal.keys("Esc"), lambda: terminal.lines()[0].startswith(" symbols"), "the way out")
        self.quit(terminal)

    def until(self, terminal, act, condition, what):
        """Does it again where nothing has come of it for seconds."""
        for _ in range(10):
            act()
            end = time.monotonic() + 5
            while not condition() and time.monotonic() < end:
                terminal.pump(0.02)
            if condition():
                return
        terminal.wait_for(condition, what)

    def test_no_mouse(self):
        terminal = self.inspect("--no-mouse", self.recording("edges"))
        self.assertFalse(terminal.has_mode("mouse"))
        self.quit(terminal)

    def test_pasted_text_is_no_command(self):
        terminal = self.inspect(self.recording("edges"))
        terminal.send("\x1b[200~QQ:quit\r\x1b[201~")
        terminal.keys("5")
        terminal.wait_text("symbols")
        terminal.keys("/")
        terminal.send("\x1b[200~oth\x1b[31mer\x1b[201~")
        terminal.wait_text("oth")
        terminal.keys("^C", "Esc")
        terminal.wait_for(lambda: terminal.lines()[23].startswith("definitions") or "does nothing" in terminal.text(),
                          "the prompt to close")
        self.quit(terminal)


class Sizes(InspectorTest):
    def test_storm(self):
        """Hundreds of sizes while moving: at the end it is as if nothing had been."""
        choose = random.Random(11)
        sizes = [(1, 1), (5, 20), (1, 80), (24, 1), (2, 2), (60, 200), (24, 80)]
        recording = self.recording("edges")
        terminal = self.inspect(recording)
        terminal.keys("0")
        for i in range(400):
            rows, columns = choose.choice(sizes) if i % 3 else (choose.randint(1, 70), choose.randint(1, 220))
            terminal.set_size(rows, columns)
            terminal.keys(choose.choice(["j", "k", "^D", "^U", "PgDn", "Tab", "[", "]", "?", "x", "Esc", "2", "5", "0", "1"]))
            if i % 7 == 0:
                terminal.pump(0.01)
        terminal.keys("Esc", "Esc", "Esc", "Esc")
        for rows, columns in ((5, 20), (1, 1), (40, 120)):
            terminal.set_size(rows, columns)
            terminal.pump(0.05)
        terminal.keys("B", "1", "5", "g", "F")
        self.assert_shows(terminal, recording, ["B", "1", "5", "g", "F"], "120x40")
        self.quit(terminal)

    def test_sizes_one_by_one(self):
        recording = self.recording("edges")
        for rows, columns in ((1, 1), (2, 10), (3, 20), (5, 20), (13, 60), (24, 300)):
            terminal = self.inspect(recording, rows=rows, columns=columns, ready=None)
            self.assert_shows(terminal, recording, [], f"{columns}x{rows}")
            terminal.keys("5", "j")
            self.assert_shows(terminal, recording, ["5", "j"], f"{columns}x{rows}")
            self.quit(terminal)


class Ends(InspectorTest):
    def die(self, expected, act, given_back=True):
        terminal = self.inspect(self.recording("edges"))
        for mode in ("alternate", "mouse", "paste"):
            self.assertTrue(terminal.has_mode(mode))
        self.assertNotEqual(terminal.terminal_modes(), terminal.modes_before)
        act(terminal)
        self.assertEqual(terminal.wait_end(), expected)
        if given_back:
            self.assert_given_back(terminal)

    def test_by_key(self):
        for key in ("Q", "^C", "q"):
            self.die(0, lambda terminal: terminal.keys(key))

    def test_asked_to_end(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            self.die(-number, lambda terminal: terminal.signal(number))

    def test_hung_up(self):
        self.die(-signal.SIGHUP, lambda terminal: terminal.hang_up(), given_back=False)

    @unittest.skipIf(SANITIZED, "sanitizers end the program in their own way")
    def test_crashes(self):
        for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL):
            self.die(-number, lambda terminal: terminal.signal(number))

    def test_killed_by_what_nobody_expects(self):
        for number in (signal.SIGQUIT, signal.SIGUSR1, signal.SIGALRM, signal.SIGXCPU):
            self.die(-number, lambda terminal: terminal.signal(number))

    def test_what_cannot_be_opened_leaves_the_terminal_alone(self):
        terminal = self.inspect("nothing.jsr", ready=None)
        self.assertNotEqual(terminal.wait_end(), 0)
        self.assertIn(b"nothing.jsr", terminal.raw)
        self.assertNotIn(b"\x1b", terminal.raw)
        self.assert_given_back(terminal)


class Stops(InspectorTest):
    """Under an interactive shell."""

    def shell(self):
        recording = self.recording("edges")
        shell = self.pty(INTERPRETER, folder=self.folder,
                         env=self.environment(PS1="prompt> ", PROMPT_COMMAND="", HISTFILE=""))
        shell.wait_text("prompt>")
        shell.send(f"stty -a > before; {JITSCOPE} inspect {recording}\r")
        shell.wait_text("batches:")
        return shell

    @staticmethod
    def inspector(shell):
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(shell.process.pid)], capture_output=True, text=True,
                                  check=True)
        return int(children.stdout.split()[-1])

    def expect_prompt(self, shell, name):
        shell.wait_for(lambda: not shell.has_mode("alternate"), "the shell's own screen")
        shell.wait_for(lambda: shell.text().rstrip().endswith("\nprompt>"), "the prompt")
        self.assertFalse(shell.has_mode("mouse") or shell.has_mode("paste"))
        shell.send(f"stty -a > {name}; echo {name}-done\r")
        shell.wait_text(f"\n{name}-done")
        self.assertEqual((self.folder / name).read_text(), (self.folder / "before").read_text())

    def resume(self, shell, keys, size="80x24"):
        shell.send("fg\r")
        self.assert_shows(shell, "edges.jsr", keys, size)
        self.assertTrue(shell.has_mode("alternate") and shell.has_mode("mouse") and shell.has_mode("paste"))

    def test_suspend_and_resume(self):
        shell = self.shell()
        keys = []
        for count, key in enumerate(["5", "j", "k"]):
            shell.keys(key)
            keys.append(key)
            self.assert_shows(shell, "edges.jsr", keys)
            shell.keys("^Z")
            self.expect_prompt(shell, f"stop{count}")
            self.resume(shell, keys)
        shell.keys("Q")
        self.expect_prompt(shell, "end")

    def test_stopped_from_outside(self):
        shell = self.shell()
        for number in (signal.SIGTSTP, signal.SIGSTOP):
            os.kill(self.inspector(shell), number)
            if number == signal.SIGTSTP:
                self.expect_prompt(shell, "stop")
            else:
                shell.wait_text("Stopped")
            shell.set_size(30, 100)
            self.resume(shell, [], "100x30")
            shell.set_size(24, 80)
            self.assert_shows(shell, "edges.jsr", [])
        shell.keys("Q")
        self.expect_prompt(shell, "end")

    def test_continued_without_the_shell(self):
        shell = self.shell()
        number = self.inspector(shell)
        for _ in range(3):
            os.kill(number, signal.SIGCONT)
            shell.pump(0.02)
        shell.keys("5")
        self.assert_shows(shell, "edges.jsr", ["5"])
        shell.keys("Q")
        self.expect_prompt(shell, "end")


class Environment(InspectorTest):
    def test_terminals_by_name(self):
        for name, colours in (("xterm-256color", True), ("xterm", True), ("screen", True), ("tmux-256color", True), ("linux", True),
                              ("vt100", False), ("vt220", False)):
            with self.subTest(term=name):
                recording = self.recording("edges")
                terminal = self.inspect(recording, term=name)
                terminal.keys("5", "j")
                self.assert_shows(terminal, recording, ["5", "j"])
                self.assertEqual("fore" in terminal.looks(), colours)
                self.quit(terminal)

    def test_terminals_that_cannot(self):
        for name, words in (("dumb", "cannot show a screen"), ("no-such", "terminfo has no terminal"), ("", "TERM is not set")):
            terminal = self.inspect(self.recording("edges"), term=name, ready=None)
            self.assertNotEqual(terminal.wait_end(), 0)
            self.assertIn(words, terminal.raw.decode())
            self.assert_given_back(terminal)

    def test_no_color(self):
        for env, words, coloured in (({"NO_COLOR": "1"}, (), False), ({"NO_COLOR": ""}, (), True), ({}, ("--colors", 0), False),
                                     ({"NO_COLOR": "1"}, ("--colors", 16), True)):
            terminal = self.inspect(*words, self.recording("edges"), env=env)
            terminal.wait_text("batches:")
            self.assertEqual("fore" in terminal.looks(), coloured)
            self.assertEqual(bool(re.search(rb"\x1b\[[0-9;]*3[0-9]m", terminal.raw)) or b"38;5" in terminal.raw, coloured)
            self.quit(terminal)

    def test_ascii(self):
        for env, words in (({"LC_ALL": "C"}, ()), ({}, ("--ascii",))):
            terminal = self.inspect(*words, self.recording("edges"), env=env)
            terminal.keys("2", "5", "1", "?")
            terminal.wait_text("Screens")
            terminal.keys("Esc")
            self.quit(terminal)
            self.assertTrue(terminal.raw.isascii())

    def config_file(self, name, text):
        (self.config / "jitscope" / name).write_text(text)

    def test_theme_and_keys(self):
        self.config_file("theme", "# mine\ntitle fore=196 back=17 bold\n")
        self.config_file("keys", "# mine\nX screen symbols\nj up\n5\n^T event -1\n")
        recording = self.recording("edges")
        events = self.events(recording)
        # The session is over: what is shown first is the moment before its end began.
        before_the_end = next(number for name, number in events if name == "call_destroy") - 1
        terminal = self.inspect(recording)
        self.assertRegex(terminal.looks(), r"(?m)^0:0-\d+ fore=196 back=17 bold")
        terminal.keys("X")
        terminal.wait_for(lambda: terminal.lines()[0].startswith(" symbols"))
        terminal.keys("Down", "Down")
        before = (4, 0)
        terminal.wait_for(lambda: terminal.cursor() == before, "two rows down")
        terminal.keys("j")
        terminal.wait_for(lambda: terminal.cursor() == (3, 0), "j to go up")
        terminal.keys("5")
        terminal.wait_text("5 does nothing here")
        terminal.keys("^T")
        terminal.wait_text(f"event {before_the_end - 1}/{events[-1][1]}")
        self.quit(terminal)

    def test_wrong_lines(self):
        for name, text, line in (("theme", "title bold\nnosuchstyle bold\n", 2), ("theme", "title fore=300\n", 1),
                                 ("keys", "X down\n\nNoSuchKey down\n", 3), ("keys", "X nosuchcommand\n", 1)):
            with self.subTest(name=name, text=text):
                self.config_file(name, text)
                terminal = self.inspect(self.recording("edges"), ready=None)
                self.assertEqual(terminal.wait_end(), 2)
                self.assertIn(f"{self.config}/jitscope/{name}:{line}: ", terminal.raw.decode().replace("\r\n", ""))
                self.assertNotIn(b"\x1b", terminal.raw)
                self.assert_given_back(terminal)
                (self.config / "jitscope" / name).unlink()


class Taking(InspectorTest):
    def test_copy(self):
        terminal = self.inspect(self.recording("edges"))
        terminal.keys("5", "j", "y")
        terminal.wait_text("copied 0x10000000")
        self.assertIn(b"\x1b]52;c;" + base64.b64encode(b"0x10000000") + b"\x07", terminal.raw)
        terminal.keys("Y")
        terminal.wait_text("copied 1")
        copied = re.findall(rb"\x1b\]52;c;([^\x07]*)\x07", terminal.raw)
        self.assertEqual(base64.b64decode(copied[-1]).split(b"\t")[-2:], [b"main", b"main.o"])
        self.quit(terminal)

    def test_export_and_write(self):
        recording = self.recording("edges")
        terminal = self.inspect(recording)
        terminal.keys("6", ":", *"export got.json", "Enter")
        terminal.wait_text("wrote got.json")
        terminal.keys(":", *"write copy.jsr", "Enter")
        terminal.wait_text("wrote copy.jsr")
        terminal.keys(":", *"write edges.jsr", "Enter")
        terminal.wait_text("edges.jsr is there already")
        self.quit(terminal)
        self.assertEqual((self.folder / "copy.jsr").read_bytes(), (self.folder / recording).read_bytes())
        shown = subprocess.run([JITSCOPE, "show", "got", recording, "--json"], cwd=self.folder, capture_output=True, check=True)
        self.assertEqual((self.folder / "got.json").read_bytes(), shown.stdout)

    def test_write_what_was_killed(self):
        """A copy of a recording whose writer died, and of a packed one, replays as the original does."""
        for name in ("killed", "packed", "unloads"):
            recording = self.recording(name)
            self.script(recording, lines=["write copy.jsr"])
            replays = [subprocess.run([JITSCOPE, "replay", path], cwd=self.folder, capture_output=True, text=True, check=False)
                       for path in (recording, "copy.jsr")]
            self.assertEqual(replays[0].returncode, replays[1].returncode)
            self.assertEqual(replays[0].stdout, replays[1].stdout)
            shown = [subprocess.run([JITSCOPE, "show", "events", path, "--json"], cwd=self.folder, capture_output=True,
                                    check=True).stdout for path in (recording, "copy.jsr")]
            self.assertEqual(*shown)
            (self.folder / "copy.jsr").unlink()

    def test_write_fails(self):
        recording = self.recording("edges")
        for path, words in (("", "write wants the name of a file"), ("no/such/folder.jsr", "cannot write"), (".", "is there already")):
            self.assertIn(words, self.script(recording, lines=[f"write {path}"], fails=True))


class Garbage(InspectorTest):
    def spoil(self, terminal):
        """What a program in the background may write."""
        fd = os.open(os.ttyname(terminal.other), os.O_WRONLY | os.O_NOCTTY)
        os.write(fd, b"\x1b[2J\x1b[H" + b"garbage \x1b[31;7m" * 40 + b"\x1b[5;10r\x1b[?25l\x1b[?1000l\x1b[?2004l\x1b[4h")
        os.close(fd)
        terminal.wait_text("garbage")

    def test_redraw(self):
        recording = self.recording("edges")
        terminal = self.inspect(recording)
        terminal.keys("5", "j")
        self.assert_shows(terminal, recording, ["5", "j"])
        looks = terminal.looks()
        for _ in range(3):
            self.spoil(terminal)
            self.assertFalse(terminal.has_mode("mouse"))
            terminal.keys("^L")
            self.assert_shows(terminal, recording, ["5", "j"])
            self.assertEqual(terminal.looks(), looks)
            self.assertTrue(terminal.has_mode("mouse") and terminal.has_mode("paste"))
            self.assertIsNone(terminal.screen.margins if terminal.screen.margins != (0, 23) else None)
        terminal.keys("j")
        self.assert_shows(terminal, recording, ["5", "j", "j"])
        self.quit(terminal)

    def test_modes_that_somebody_else_changed(self):
        terminal = self.inspect(self.recording("edges"))
        subprocess.run(["stty", "sane"], stdin=terminal.other, check=True)
        terminal.send("\x0c\r")  # a terminal that is not raw keeps lines until they end
        terminal.pump(0.2)
        terminal.wait_for(lambda: terminal.terminal_modes()[3] == 0 or not terminal.terminal_modes()[3] & 2, "raw mode")
        terminal.keys("Esc", "Esc", "5")
        terminal.wait_for(lambda: terminal.lines()[0].startswith(" symbols"))
        self.quit(terminal)


class InTmux(InspectorTest):
    def start(self, **options):
        self.recording("edges")
        tmux = self.tmux(f"cd {self.folder}; {JITSCOPE} inspect edges.jsr; echo status $?; cat", env=self.environment(),
                         **options)
        tmux.wait_text("batches:")
        return tmux

    def end(self, tmux, status=0):
        tmux.wait_text(f"status {status}")
        self.assertEqual(tmux.ask("#{alternate_on} #{mouse_standard_flag} #{cursor_flag}"), "0 0 1")

    def test_keys_and_copies(self):
        tmux = self.start()
        tmux.keys("5", "Down", "y")
        self.assert_shows(tmux, "edges.jsr", ["5", "Down", "y"])
        tmux.wait_for(lambda: tmux.run("list-buffers"), "a buffer")
        self.assertEqual(tmux.run("show-buffer"), "0x10000000")
        tmux.keys("NPage", "PPage", "Enter", "Escape", "BTab", "F1")
        tmux.wait_text("Screens")
        tmux.keys("Escape")
        tmux.keys("Q")
        self.end(tmux)

    def test_sizes(self):
        choose = random.Random(5)
        tmux = self.start()
        for _ in range(60):
            tmux.set_size(choose.randint(1, 60), choose.randint(1, 200))
            tmux.keys(choose.choice(["j", "0", "5", "PPage"]))
        tmux.set_size(30, 100)
        tmux.keys("1", "5", "g")
        self.assert_shows(tmux, "edges.jsr", ["1", "5", "g"], "100x30")
        tmux.keys("Q")
        self.end(tmux)

    def test_killed(self):
        tmux = self.start()
        number = int(subprocess.run(["pgrep", "-P", tmux.ask("#{pane_pid}")], capture_output=True, text=True, check=True).stdout)
        os.kill(number, signal.SIGTERM)
        self.end(tmux, 128 + signal.SIGTERM)

    def test_server_that_ends(self):
        """The pane is gone: so is the inspector."""
        tmux = self.start()
        number = int(subprocess.run(["pgrep", "-P", tmux.ask("#{pane_pid}")], capture_output=True, text=True, check=True).stdout)
        subprocess.run(["tmux", "-S", f"{tmux.folder.name}/socket", "kill-server"], check=True)
        end = time.monotonic() + LIMIT
        while os.path.exists(f"/proc/{number}"):
            self.assertLess(time.monotonic(), end, "the inspector is still there")
            tmux.pump(0.02)


if __name__ == "__main__":
    unittest.main()
