"""compare.py EXPECTED PROGRAM: what PROGRAM prints, and its exit status, must be what the file EXPECTED holds."""
import difflib
import os
import pathlib
import subprocess
import sys

expected, program = pathlib.Path(sys.argv[1]), sys.argv[2]
done = subprocess.run([program], capture_output=True, text=True, timeout=300)
actual = f"{done.stdout}exit status {done.returncode}\n"
if os.environ.get("JITSCOPE_REWRITE"):
    expected.write_text(actual)
wanted = expected.read_text()
sys.stderr.write(done.stderr)
sys.stdout.writelines(difflib.unified_diff(wanted.splitlines(True), actual.splitlines(True), "expected", "actual"))
sys.exit(actual != wanted)
