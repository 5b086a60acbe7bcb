"""Screens as they are drawn, held against those in scenes/: text, attributes and cursor, at four sizes, in UTF-8 and ASCII,
in 256 colours and none.  JITSCOPE_REWRITE=1 writes them anew.

A scene is a script of the inspector; its first line names the recording, among those of tests/replay/golden, which do not
change from run to run, and says `fails` behind it when a line of the script does.  The recordings are looked at in a folder of their own, so that titles are the same everywhere."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
RECORDINGS = HERE.parent / "replay" / "golden"
SCENES = sorted((HERE / "scenes").glob("*.scene"))
SIZES = ["80x24", "120x40", "200x60", "20x5"]
REWRITE = os.environ.get("JITSCOPE_REWRITE") == "1"


def run_scene(scene, folder, size, *options):
    """The screen at the scene's end, with its looks."""
    recording, *script = scene.read_text().splitlines()
    name, *fails = recording.removeprefix("# ").split()
    shutil.copy(RECORDINGS / name, folder / name)
    output = folder / "screen.looks"
    output.unlink(missing_ok=True)
    script.append("save-screen screen.looks")
    done = subprocess.run([os.environ["JITSCOPE"], "inspect", "--script", "-", "--size", size, *options, name],
                          input="\n".join(script) + "\n", cwd=folder, text=True, capture_output=True, timeout=300,
                          env={**os.environ, "XDG_CONFIG_HOME": "/nonexistent"})
    if bool(done.returncode) != bool(fails) or bool(done.stderr) != bool(fails):
        raise AssertionError(f"{scene.name} at {size}: exit {done.returncode}: {done.stderr}")
    return output.read_text()


def split(screen, size):
    """Text and looks."""
    rows = int(size.split("x")[1])
    lines = screen.split("\n")
    return "\n".join(lines[:rows]), "\n".join(lines[rows:])


def compose(scene, folder, size):
    colours, looks256 = split(run_scene(scene, folder, size), size)
    mono, looks0 = split(run_scene(scene, folder, size, "--colors", "0"), size)
    ascii_text, ascii_looks = split(run_scene(scene, folder, size, "--ascii"), size)
    ascii_mono, _ = split(run_scene(scene, folder, size, "--ascii", "--colors", "0"), size)
    if mono != colours or ascii_mono != ascii_text:
        raise AssertionError(f"{scene.name} at {size}: colours change the text")
    if not ascii_text.isascii():
        raise AssertionError(f"{scene.name} at {size}: --ascii draws other characters")
    parts = [("UTF-8", colours), ("ASCII", ascii_text), ("looks, 256 colours", looks256), ("looks, no colours", looks0),
             ("looks, 256 colours, ASCII", ascii_looks)]
    return "".join(f"--- {name}\n{text.rstrip()}\n" for name, text in parts)


class Screens(unittest.TestCase):
    pass


def make_test(scene, size):
    def test(self):
        expected = scene.with_suffix(f".{size}.expected")
        with tempfile.TemporaryDirectory() as folder:
            got = compose(scene, pathlib.Path(folder), size)
        if REWRITE:
            expected.write_text(got)
        self.maxDiff = None
        self.assertEqual(expected.read_text(), got)
    return test


for scene_file in SCENES:
    for screen_size in SIZES:
        setattr(Screens, f"test_{scene_file.stem}_{screen_size}".replace("-", "_"), make_test(scene_file, screen_size))

if __name__ == "__main__":
    if not SCENES:
        sys.exit("there are no scenes")
    unittest.main()
