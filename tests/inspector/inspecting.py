"""What tests of the whole inspector share: the program on a terminal, and what the same keys show without one."""
import json
import os
import pathlib
import re
import subprocess

from terminal_harness import LIMIT, TerminalTest

HERE = pathlib.Path(__file__).resolve().parent
JITSCOPE = os.path.abspath(os.environ.get("JITSCOPE", HERE.parents[1] / "build/dev/jitscope"))
GOLDEN = HERE.parent / "replay" / "golden"
SANITIZED = b"__asan_init" in pathlib.Path(JITSCOPE).read_bytes()


def script_name(key):
    """Of a key, in scripts; digits and letters are their own."""
    return {" ": "Space"}.get(key, key)


class InspectorTest(TerminalTest):
    def setUp(self):
        super().setUp()
        self.config = self.folder / "config"
        (self.config / "jitscope").mkdir(parents=True)

    def environment(self, **env):
        return {"XDG_CONFIG_HOME": str(self.config), "XDG_RUNTIME_DIR": str(self.folder), **env}

    def recording(self, name):
        """A copy, so that titles are short."""
        path = self.folder / f"{name}.jsr"
        path.write_bytes((GOLDEN / path.name).read_bytes())
        return path.name

    def inspect(self, *words, env=None, ready="overview", **options):
        terminal = self.pty([JITSCOPE, "inspect", *words], env=self.environment(**(env or {})), folder=self.folder, **options)
        if ready:
            terminal.wait_text(ready)
        return terminal

    def script(self, *words, lines, size="80x24", fails=False):
        """Runs LINES without a terminal; returns what it wrote to standard error."""
        done = subprocess.run([JITSCOPE, "inspect", *map(str, words), "--size", size, "--script", "-"], cwd=self.folder,
                              input="\n".join(lines) + "\n", text=True, capture_output=True, timeout=LIMIT, check=False,
                              env={**os.environ, **self.environment()})
        self.assertEqual(bool(done.returncode), fails, (lines, done.stderr))
        return done.stderr

    def shown_after(self, recording, keys, size="80x24"):
        """(text, cursor) that the same engine draws without a terminal."""
        screen = self.folder / "expected.looks"
        screen.unlink(missing_ok=True)
        # One key may well fail: what it says is on the screen then.  `expect` draws, as a terminal does after each key:
        # columns are as wide as what was seen of them.
        lines = [line for key in keys for line in (f"keys {script_name(key)}", "expect")]
        subprocess.run([JITSCOPE, "inspect", recording, "--size", size, "--script", "-"], cwd=self.folder, check=False,
                       input="\n".join([*lines, "save-screen expected.looks"]) + "\n", text=True, capture_output=True,
                       timeout=LIMIT, env={**os.environ, **self.environment()})
        lines = screen.read_text().split("\n")
        rows = int(size.split("x")[1])
        cursor = re.search(r"^cursor (\d+):(\d+)$", "\n".join(lines[rows:]), re.M)
        text = "\n".join(line.rstrip() for line in lines[:rows])
        return text, (int(cursor[1]), int(cursor[2])) if cursor else None

    def assert_shows(self, terminal, recording, keys, size="80x24"):
        text, cursor = self.shown_after(recording, keys, size)
        terminal.wait_for(lambda: (terminal.text().rstrip("\n"), terminal.cursor()) == (text.rstrip("\n"), cursor),
                          f"what {' '.join(keys)} shows without a terminal: cursor {cursor},\n{text}\n")

    def events(self, recording):
        """(event, sequence number) of all events, as `jitscope show` has them."""
        shown = subprocess.run([JITSCOPE, "show", "events", recording, "--json"], cwd=self.folder, capture_output=True,
                               timeout=LIMIT, check=True)
        return [(event["event"], event["sequence"]) for event in json.loads(shown.stdout)]

    def quit(self, terminal):
        terminal.keys("Q")
        self.assertEqual(terminal.wait_end(), 0)
        self.assert_given_back(terminal)

    @staticmethod
    def row_of(terminal, text):
        """The first row with TEXT below the title."""
        return next(i for i, line in enumerate(terminal.lines()) if i and text in line)

    @staticmethod
    def cursor_line(terminal):
        cursor = terminal.cursor()
        return terminal.lines()[cursor[0]] if cursor else ""
