"""Batches of more events than are read at once: every row is printed, of each batch; Enter comes to the row that was meant,
though the batch is still being read; code is shown at the address that was asked for."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

JITSCOPE = os.environ["JITSCOPE"]
RECORD_LINKS = os.environ["RECORD_LINKS"]
FUNCTIONS = 20000


def run(*words):
    return subprocess.run([*map(str, words)], stdout=subprocess.PIPE, text=True, timeout=300, check=True).stdout


class LargeBatches(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        objects = [pathlib.Path(cls.folder.name, f"{name}.o") for name in ("one", "two", "three")]
        for path in objects:
            code = "\n".join(f'.section .text.{path.stem}{i},"ax"\n.globl {path.stem}{i}\n{path.stem}{i}: mov ${i}, %eax\nret'
                             for i in range(FUNCTIONS))
            subprocess.run(["as", "-o", path, "-"], input=code + "\n", text=True, check=True, timeout=300)
        cls.recording = pathlib.Path(cls.folder.name, "large.jsr")
        run(RECORD_LINKS, cls.recording, "end", *objects)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def screen(self, *lines):
        script, saved = pathlib.Path(self.folder.name, "script"), pathlib.Path(self.folder.name, "screen")
        script.write_text("".join(f"{line}\n" for line in ("resize 120x30", *lines, f"save-screen {saved}.looks")))
        run(JITSCOPE, "inspect", "--script", script, self.recording)
        rows = pathlib.Path(f"{saved}.looks").read_text().split("\n")
        cursor = int(next(row for row in rows if row.startswith("cursor ")).split()[1].split(":")[0])
        return rows, rows[cursor]

    def test_every_row_is_printed(self):
        for view in ("blocks", "symbols"):
            at = json.loads(run(JITSCOPE, "show", "events", "--json", "--filter", "event = call_destroy",
                                self.recording))[0]["sequence"] - 1
            got = json.loads(run(JITSCOPE, "inspect", "--json", "--batch", view, self.recording))
            wanted = json.loads(run(JITSCOPE, "show", view, "--json", f"--at={at}", self.recording))
            self.assertGreaterEqual(len(got), 3 * FUNCTIONS)
            self.assertEqual(got, wanted)

    def test_enter_waits(self):
        segments = json.loads(run(JITSCOPE, "show", "segments", "--json", self.recording))
        code = [segment["address"] for segment in segments if segment["prot"] == "r-x"]
        for number, address in enumerate(code):
            rows, row = self.screen("map", f"down {2 * number}", "keys Enter Enter") # a gap behind each
            self.assertIn("blocks", rows[0])
            self.assertEqual(row.split()[2], address)

    def test_code_at_a_symbol(self):
        for name in ("one1", f"two{FUNCTIONS // 2}", f"three{FUNCTIONS - 1}"):
            symbol = json.loads(run(JITSCOPE, "show", "symbols", "--json", "--filter", f"name = {name}",
                                    self.recording))[0]
            rows, row = self.screen(f"code {name}")
            self.assertIn("code", rows[0])
            self.assertEqual(row.split()[0], symbol["address"])


if __name__ == "__main__":
    unittest.main()
