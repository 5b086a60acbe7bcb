"""Recordings that nobody has written: whatever is in them, a replay ends with one of its three verdicts, soon and in little memory.

The fuzz target fuzz_session looks for what nobody thinks of; here is what anybody would try first, on the golden recordings.
"""
import concurrent.futures
import itertools
import pathlib
import random
import resource
import struct
import subprocess
import unittest

from harness import JITSCOPE, LIMIT, SystemTest
from jsr import CHUNK, Recording

GOLDEN = [path for path in sorted((pathlib.Path(__file__).resolve().parent / "golden").glob("*.jsr")) if path.stem != "packed"]
FIRST_CALL = 100
RECORDS = 3  # of each kind in all recordings
SLOWEST, LARGEST = 20, 1 << 30  # seconds of the processor and bytes of one replay; sanitizers included


def wild(old, size):
    top = 1 << 8 * size
    return dict.fromkeys(value % top for value in (0, 1, old + 1, old - 1, top // 2, top - 1, top - 4096, 1 << 24, 77))


class Untrusted(SystemTest):
    def setUp(self):
        super().setUp()
        self.numbers = itertools.count()

    def replay_recordings(self):
        """They need not replay."""

    def verdict(self, data, allowed=(0, 1, 2)):
        path = self.folder / f"{next(self.numbers)}.jsr"
        path.write_bytes(data)
        with subprocess.Popen([JITSCOPE, "replay", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            resource.prlimit(process.pid, resource.RLIMIT_CPU, (SLOWEST, SLOWEST))  # more ends it by a signal
            out, error = process.communicate(timeout=LIMIT)
        path.unlink()
        self.assertIn(process.returncode, allowed, out[-500:] + error[-2000:])
        self.assertEqual(process.returncode == 2, b"cannot be replayed: " in error, error)
        self.assertEqual(process.returncode == 1, out.startswith(b"diverged at event "), out)
        return process.returncode

    def all_verdicts(self, changed, allowed=(0, 1, 2)):
        """CHANGED: pairs of what was done and the bytes."""
        def one(pair):
            try:
                return self.verdict(pair[1], allowed)
            except Exception as error:
                raise AssertionError(pair[0]) from error

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            verdicts = list(pool.map(one, changed))
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, LARGEST)
        print(f"{len(verdicts)} recordings: " + ", ".join(f"{verdicts.count(verdict)} {name}" for verdict, name in enumerate(("identical", "diverged", "impossible"))))
        self.assertGreater(len(verdicts), 100)

    def sealed(self, recording):
        return pathlib.Path(recording.save(self.folder / "sealed")).read_bytes()

    def test_every_field(self):
        """Of calls, answers and states, which are what a replay acts on."""
        def changed():
            seen = {}
            for path in GOLDEN:
                recording = Recording(path)
                original = bytes(recording.data)
                for record in recording.records:
                    if record.type.number < FIRST_CALL and record.name not in ("session_begin", "string", "run"):
                        continue
                    seen[record.name] = seen.get(record.name, 0) + 1
                    if seen[record.name] > RECORDS:
                        continue
                    for field in record.type.fields.values():
                        at = record.at + field.at
                        for value in wild(int.from_bytes(original[at:at + field.size], "little"), field.size):
                            recording.change(record, field.name, value)
                            yield f"{path.name}: event {record.sequence}, {record.name}.{field.name} = {value:#x}", self.sealed(recording)
                            recording.data[:] = original

        self.all_verdicts(changed())

    def test_an_event_is_missing_or_comes_twice(self):
        """As if nothing were where it is; and as if it were said again."""
        def changed():
            seen = {}
            for path in GOLDEN:
                recording = Recording(path)
                for record in recording.records:
                    seen[record.name] = seen.get(record.name, 0) + 1
                    if seen[record.name] <= RECORDS:
                        yield f"{path.name}: without {record.sequence}", self.with_records(recording, record, b"")
                        yield f"{path.name}: twice {record.sequence}", self.with_records(recording, record, record.bytes * 2)

        self.all_verdicts(changed())

    def with_records(self, recording, record, records):
        """The recording with other records in place of one, in chunks that are open: no count and digest to be right."""
        data = bytearray(recording.data)
        at, end = next(chunk for chunk in recording.chunks if chunk[0] < record.at < chunk[1])
        self.assertEqual(len(recording.chunks), 1)
        struct.pack_into("<I", data, at + 8, 0)
        data[record.at:record.at + record.size] = records
        self.assertLess(len(data) - at, recording.chunk_size)
        self.assertGreater(end, at + CHUNK.size)
        return bytes(data)

    def test_a_packed_recording_is_damaged(self):
        data = (GOLDEN[0].parent / "packed.jsr").read_bytes()
        chance = random.Random(1)

        def changed():
            for number in range(200):
                damaged = bytearray(data)
                for _ in range(1 + number % 3):
                    damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
                yield f"packed, {number}", bytes(damaged)
            for size in range(0, len(data), 1 + len(data) // 50):
                yield f"packed, {size} bytes", data[:size]

        self.all_verdicts(changed())

    def test_cut_anywhere(self):
        """What is left of a good recording is good: it replays as far as it goes, or does not hold a session's beginning."""
        def changed():
            for path in GOLDEN:
                data = path.read_bytes()
                for size in range(0, len(data), 1 + len(data) // 60):
                    yield f"{path.name}: {size} bytes", data[:size]
                for size in range(len(data) - 24, len(data)):
                    yield f"{path.name}: {size} bytes", data[:size]

        self.all_verdicts(changed(), allowed=(0, 2))


if __name__ == "__main__":
    unittest.main()
