"""Symbols on demand: at each stop the images that no list told gdb of, and that are new or have grown, become symbol files.

Never while gdb unwinds or looks for a symbol: only from the events stop, new_objfile and before_prompt.
"""
import atexit
import os
import shutil
import tempfile

import gdb

from jitscope_common import debuggee, elf

from . import interest, target

LISTED = debuggee.CONSTANTS["IMAGE_LISTED"]
_loaded = {}  # (inferior, process, image number, image address): (change, path)
_folder = None
_seen = None  # (process, change) of the last look at the lists


def folder():
    global _folder
    if _folder is None:
        _folder = tempfile.mkdtemp(prefix="jitscope-gdb-")
        atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    return _folder


def is_loaded(image):
    return any(key[2:] == (image.number, image.address) for key in _loaded)


def _forget(key):
    path = _loaded.pop(key)[1]
    try:
        gdb.execute(f"remove-symbol-file {path}", to_string=True)
    except gdb.error:
        pass  # `file` or `symbol-file` dropped it already
    try:
        os.unlink(path)
    except OSError:
        pass


def forget_all(inferior):
    for key in [key for key in _loaded if key[0] == inferior]:
        _forget(key)


def _load(key, image):
    path = os.path.join(folder(), f"jit-{key[1]}-{image.number}.{image.change}")
    elf.Image(target.read, image.address).write(path)
    if key in _loaded:
        _forget(key)
    _loaded[key] = image.change, path
    gdb.execute(f"add-symbol-file {path}", to_string=True)


def _wanted(state, inferior):
    return {(inferior.num, inferior.pid, image.number, image.address): image for image in state.images()
            if not image.flags & LISTED and image.batches}


def update():
    """Loads and drops what has changed.  True when anything did."""
    global _seen
    inferior = gdb.selected_inferior()
    state = debuggee.State(target.TARGET, *target.find_root())
    now = (inferior.num, inferior.pid, state.root.change)
    if now == _seen:
        return False
    wanted = _wanted(state, inferior)
    changed = False
    for key in [key for key in _loaded if key[0] == inferior.num and key not in wanted]:
        _forget(key)
        changed = True
    for key, image in wanted.items():
        if _loaded.get(key, (None,))[0] == image.change:
            continue
        try:
            _load(key, image)
            changed = True
        except (ValueError, OSError, *target.ERRORS) as error:
            target.TARGET.warn(f"cannot load debug image {image.number}: {error}")
    _seen = now if not state.in_change else None
    return changed


def _is_nameless():
    try:
        return gdb.newest_frame().name() is None
    except gdb.error:
        return False


def look():
    """As update(), and nothing when there is nothing to look at."""
    try:
        return update()
    except (target.Refused, target.Unreadable):
        return False


# --- events


def _on_stop(_event):
    nameless = _is_nameless()
    tell()
    if look() and nameless and not _is_nameless():
        gdb.execute("frame")  # gdb has printed this place without its name


def tell(_event=None, besides=None):
    try:
        interest.write(besides)
    except target.ERRORS:
        pass  # running, or without such memory: the next stop tries again


def _on_objfile(event):
    """A process says that it is there by its libraries; the vDSO comes last of all, when it is whole.  A core never stops
    anywhere: it is looked at then."""
    tell()
    if event.new_objfile.filename.startswith("system-supplied DSO") and target.has_memory() and target.is_core():
        look()


def _before_prompt():
    inferior = gdb.selected_inferior()
    if not inferior.threads():
        forget_all(inferior.num)
        return
    tell()
    look()


def _on_exit(event):
    forget_all(event.inferior.num)


def _on_end(_event):
    try:
        interest.withdraw()
    except target.ERRORS:
        pass


def install():
    gdb.events.stop.connect(_on_stop)
    gdb.events.exited.connect(_on_exit)
    gdb.events.new_objfile.connect(_on_objfile)
    gdb.events.breakpoint_created.connect(tell)
    gdb.events.breakpoint_modified.connect(tell)
    gdb.events.breakpoint_deleted.connect(lambda gone: tell(besides=gone.number))
    gdb.events.before_prompt.connect(_before_prompt)
    if hasattr(gdb.events, "gdb_exiting"):
        gdb.events.gdb_exiting.connect(_on_end)
