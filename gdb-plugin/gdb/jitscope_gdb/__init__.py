"""jitscope in gdb: names on demand, commands, marks in backtraces, a window.

What is not said to gdb is in jitscope_common.
"""


def install():
    from . import commands, frames, loader, window
    for part in (loader, commands, frames, window):  # the window is told of a stop after what it brought is loaded
        part.install()
    if loader.target.has_memory():
        loader.tell()
        loader.look()
