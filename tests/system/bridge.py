"""What linker and executor say to each other (linker/src/executor/bridge.h), spoken by tests: by hand, and in between."""
import pathlib
import re
import socket
import struct
import subprocess
import threading

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "linker" / "src" / "executor"
VERSION = int(re.search(r"BRIDGE_VERSION = (\d+)", (FOLDER / "bridge.h").read_text())[1])
# Name: number, who says it.
MESSAGES = {name: (int(number), sender) for name, number, sender in
            re.findall(r'^MESSAGE\((\w+), (\d+), "[^"]*", (\w+),', (FOLDER / "messages.def").read_text(), re.M)}
NUMBERS = {name: number for name, (number, _) in MESSAGES.items()}
NAMES = {number: name for name, number in NUMBERS.items()}
HEADER = struct.Struct("<IHHQQ")
PAGE = 4096


def u32(*values):
    return struct.pack(f"<{len(values)}I", *values)


def u64(*values):
    return struct.pack(f"<{len(values)}Q", *values)


def text(value=b""):
    return u32(len(value)) + value + b"\0"


def blob(before, value):
    """Behind the payload BEFORE."""
    size = u32(len(value))
    return size + bytes(-len(before + size) % 8) + value


def frame(kind, serial, payload=b"", version=VERSION, answers=0, size=None):
    kind = NUMBERS.get(kind, kind)
    return HEADER.pack(len(payload) if size is None else size, version, kind, serial, answers) + payload


def segment(address, size=PAGE, content=b"", prot=3, lifetime=0, offset=0, content_size=None):
    return u64(address, size, len(content) if content_size is None else content_size, offset) + u32(prot, lifetime), content


def finalize(segments=(), actions=(), number=1, flags=16, policy=3, entry=0, libraries=u32(0, 0), arguments=u32(0)):
    """Actions are two calls each: name, arguments.  Debuggers are told nothing."""
    payload = u32(number, flags, policy) + libraries + arguments + u64(entry) + u32(len(segments))
    payload += b"".join(head for head, _ in segments) + u32(len(actions))
    for action in actions:
        for name, words in action:
            payload += text(name)
            payload += blob(payload, words)
    for _, content in segments if flags & 16 else ():
        payload += blob(payload, content)
    return payload


def receive(stream, size):
    data = b""
    try:
        while len(data) < size and (more := stream.recv(size - len(data))):
            data += more
    except ConnectionResetError:
        pass
    return data


def receive_frame(stream):
    """Kind, header, payload; None at the end."""
    header = receive(stream, HEADER.size)
    if len(header) < HEADER.size:
        return None
    size, _, kind, _, _ = HEADER.unpack(header)
    return NAMES[kind], header, receive(stream, size)


class Hello:
    """What an executor says first."""
    def __init__(self, payload):
        at = 0
        for name in ("magic", "version"):
            length = struct.unpack_from("<I", payload, at)[0]
            setattr(self, name, payload[at + 4:at + 4 + length].decode())
            at += 4 + length + 1
        self.process, self.page, self.near, _, self.start, self.size, self.actions = struct.unpack_from("<IQQQQQI", payload, at)


class Between:
    """Stands between a linker, which comes to PATH, and the executor that COMMAND is: change(name, header, payload) of what
    the executor says gives what the linker is to hear, a list of bytes, in which None
    ends the connection."""

    def __init__(self, path, command, change):
        self.change, self.heard, self.said = change, [], []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        path.chmod(0o600)
        self.listener.listen()
        here, there = socket.socketpair()
        self.executor = subprocess.Popen([*command, "--fd", str(there.fileno())], pass_fds=[there.fileno()], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        there.close()
        self.side = here
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        self.linker = linker = self.listener.accept()[0]
        to_executor = threading.Thread(target=self.hand_on, args=(linker,))
        to_executor.start()
        while found := receive_frame(self.side):
            self.said.append(found[0])
            try:
                for piece in (changed := self.change(*found)):
                    if piece is not None:
                        linker.sendall(piece)
            except OSError:
                pass
            if None in changed:
                break
        linker.shutdown(socket.SHUT_WR)
        to_executor.join()
        linker.close()

    def hand_on(self, linker):
        while found := receive_frame(linker):
            self.heard.append((found[0], found[2]))
            try:
                self.side.sendall(found[1] + found[2])
            except OSError:
                pass
        try:
            self.side.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def end(self, limit):
        """Exit status, standard output and error of the executor."""
        self.thread.join(limit)
        self.listener.close()
        self.side.close()
        out, error = self.executor.communicate(timeout=limit)
        return self.executor.returncode, out, error
