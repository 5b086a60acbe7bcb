"""Bad inputs through the real tool.  Each case stands in cases.py; what the tool says stands in bad_inputs.expected,
word by word.  JITSCOPE_REWRITE=1 rewrites that file: read the difference before you commit it.

Whatever the case, the exit status is 1 or 2, standard output stays empty, and there is one error, with help.
"""
import os
import pathlib
import re
import resource
import subprocess
import tempfile
import unittest

from cases import CASES, many_sections

JITSCOPE = os.path.abspath(os.environ.get("JITSCOPE", "build/dev/jitscope"))
EXPECTED = pathlib.Path(__file__).resolve().parent / "bad_inputs.expected"
LIMIT = 60  # seconds of the processor; hostile input must not keep the tool busy


def limit():
    """More ends it by a signal."""
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))


def run(folder, words):
    return subprocess.run([JITSCOPE, *words], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=limit, timeout=600)


def write_files(folder, files):
    for name, content in files.items():
        if content is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def outcome(case):
    """The text of one case in the expected file."""
    with tempfile.TemporaryDirectory(prefix="jitscope-bad-") as folder:
        write_files(pathlib.Path(folder), case.files)
        for words in case.before:
            subprocess.run([JITSCOPE if words[0] == "jitscope" else words[0], *words[1:]], cwd=folder, check=True,
                           stdout=subprocess.DEVNULL)
        if case.after:
            case.after(pathlib.Path(folder))
        done = run(folder, case.words)
    shown = " ".join(word if word and " " not in word else f"'{word}'" for word in case.words)
    text = f"=== {case.name}\n$ jitscope {shown}\nstatus {done.returncode}\n"
    return text + (f"stdout {done.stdout!r}\n" if done.stdout else "") + done.stderr.decode("utf-8", "backslashreplace")


class BadInputs(unittest.TestCase):
    maxDiff = None

    def expected(self):
        blocks = re.split(r"^(?==== )", EXPECTED.read_text(), flags=re.M)[1:]
        return {block.split("\n", 1)[0][4:]: block for block in blocks}

    def check_shape(self, text):
        """What holds for all messages, whatever the golden file says."""
        head, status, *message = text.split("\n")[1:]
        self.assertRegex(status, "^status [12]$", text)
        errors = [line for line in message if line.startswith("jitscope: error: ")]
        self.assertEqual(len(errors), 1, text)
        self.assertIn("\n  help: ", text)
        self.assertRegex(text, r"^[\t\n -~\u2000-\u20ff]*$")

    def test_every_case(self):
        texts = [outcome(case) for case in CASES]
        if os.environ.get("JITSCOPE_REWRITE"):
            EXPECTED.write_text("".join(texts))
        expected = self.expected()
        self.assertEqual(sorted(expected), sorted(case.name for case in CASES))
        for case, text in zip(CASES, texts):
            with self.subTest(case.name):
                self.assertEqual(text, expected[case.name])
                self.check_shape(text)


class UnusualButGood(unittest.TestCase):
    """Large numbers alone are no fault."""

    def test_more_sections_than_sixteen_bits_count(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "many.o").write_bytes(many_sections(66000))
            done = run(folder, ["link", "many.o", "--entry", "main"])
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn(b"entry    0x", done.stdout)

    def test_empty_archive(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "empty.a").write_bytes(b"!<arch>\n")
            self.assertEqual(run(folder, ["link", "empty.a"]).returncode, 0)


if __name__ == "__main__":
    unittest.main()
