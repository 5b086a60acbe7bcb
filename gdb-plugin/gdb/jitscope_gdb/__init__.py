"""jitscope in gdb: names on demand, commands, a window.

layout.py reads debuggee.h, target.py the target by it; everything else works on target.State.
"""


def install():
    from . import loader
    loader.install()
    if loader.target.has_memory():
        loader.tell()
        loader.look()
