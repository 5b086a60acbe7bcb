"""Edges of a recording that does not hold them: the inspector has them by replaying, and shows what `jitscope show` does of
a recording that holds them."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

JITSCOPE = os.environ["JITSCOPE"]


def run(*words):
    return subprocess.run([JITSCOPE, *map(str, words)], capture_output=True, text=True, timeout=300, check=True).stdout


class Edges(unittest.TestCase):
    def compare(self, *inputs):
        with tempfile.TemporaryDirectory() as folder:
            coarse, fine = pathlib.Path(folder, "coarse.jsr"), pathlib.Path(folder, "fine.jsr")
            run("link", "--phony-externals", "--whole-archive", "--record", coarse, *inputs)
            run("link", "--phony-externals", "--whole-archive", "--trace=edges", "--record", fine, *inputs)
            got = json.loads(run("inspect", "--batch", "edges", "--json", coarse))
            wanted = json.loads(run("show", "edges", "--json", fine))
        # Of what has no name one says the number, the other the place.
        for rows in (got, wanted):
            for row in rows:
                del row["target"]
        key = lambda row: (row["link"], row["place"], row["kind"])
        self.assertGreater(len(got), 1000)
        self.assertEqual(sorted(got, key=key), sorted(wanted, key=key))

    def test_lua(self):
        self.compare("-l:liblua5.4.a")

    def test_sqlite(self):
        self.compare("-l:libsqlite3.a")

    def test_other_levels(self):
        """What is not had by replaying is said to be missing, where it is."""
        missing = {"session": "overview passes symbols map got", "phase": "overview symbols map got", "block": ""}
        with tempfile.TemporaryDirectory() as folder:
            for level, screens in missing.items():
                recording, script = pathlib.Path(folder, f"{level}.jsr"), pathlib.Path(folder, level)
                run("link", "--phony-externals", f"--trace={level}", "--record", recording, "-l:liblua5.4.a", "-u", "lua_next")
                for screen in "overview passes symbols map got edges events".split():
                    script.write_text(f"resize 200x20\n{screen}\nexpect not recorded at this level\n")
                    done = subprocess.run([JITSCOPE, "inspect", "--script", script, recording], capture_output=True,
                                          text=True, timeout=300, check=False)
                    self.assertEqual(done.returncode == 0, screen in screens.split(), (level, screen, done.stderr))


if __name__ == "__main__":
    unittest.main()
