"""Symbols on demand: at each stop the images that no list told lldb of, and that are new or have grown, become modules.

Two places in the program are watched besides, where it is told what breakpoints wait for: the start of a session, before
which nothing can be linked, and the JIT interface's hook.
"""
import atexit
import os
import shutil
import tempfile

import lldb

from jitscope_common import debuggee, elf

from . import interest
from .target import ERRORS, TARGET, use

LISTED = debuggee.CONSTANTS["IMAGE_LISTED"]
PLACES = "^(jitscope_session_create|__jit_debug_register_code)$"
OWN = "jitscope"  # name of the plug-in's breakpoint

_loaded = {}  # (process, image number, image address): (change, path, SBTarget, SBModule)
_folder = None
_seen = None  # (process, change) of the last look at the lists
busy = False  # stops are the plug-in's own


def folder():
    global _folder
    if _folder is None:
        _folder = tempfile.mkdtemp(prefix="jitscope-lldb-")
        atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    return _folder


def is_loaded(image):
    return (TARGET.identity(), image.number, image.address) in _loaded


def _forget(key):
    _, path, sb_target, module = _loaded.pop(key)
    if sb_target.IsValid():
        sb_target.RemoveModule(module)
    try:
        os.unlink(path)
    except OSError:
        pass


def _load(key, image):
    path = os.path.join(folder(), f"jit-{key[0]}-{image.number}.{image.change}")
    # As a library: lldb starts the first executable among a target's modules, and would put this one first.
    elf.Image(TARGET.read, image.address).write(path, elf.ET_DYN)
    if key in _loaded:
        _forget(key)
    module = TARGET.sb.AddModule(path, None, None)
    if not module.IsValid():
        raise ValueError("lldb does not take it")
    _loaded[key] = image.change, path, TARGET.sb, module
    TARGET.sb.SetModuleLoadAddress(module, 0)


def _wanted(state):
    return {(TARGET.identity(), image.number, image.address): image for image in state.images()
            if not image.flags & LISTED and image.batches}


def _of_this_target(key):
    return _loaded[key][2] == TARGET.sb


def update():
    """Loads and drops what has changed."""
    global _seen
    state = debuggee.State(TARGET, *TARGET.find_root())
    now = (TARGET.identity(), state.root.change)
    if now == _seen:
        return
    wanted = _wanted(state)
    for key in [key for key in _loaded if key not in wanted and _of_this_target(key)]:
        _forget(key)
    for key, image in wanted.items():
        if _loaded.get(key, (None,))[0] == image.change:
            continue
        try:
            _load(key, image)
        except (ValueError, OSError, *ERRORS) as error:
            TARGET.warn(f"cannot load debug image {image.number}: {error}")
    _seen = now if not state.in_change else None


def look():
    """As update(), and nothing when there is nothing to look at."""
    try:
        update()
    except ERRORS:
        pass


def tell(texts):
    try:
        interest.write(texts)
    except ERRORS:
        pass  # running, or without such memory: the next stop tries again


# --- called by lldb


class StopHook:
    """Runs before lldb prints where the program stopped."""

    def __init__(self, _target, _arguments, _dictionary):
        pass

    def handle_stop(self, context, _stream):
        if not busy:
            use(context.target)
            tell(interest.EVERYTHING)
            look()
        return True


def on_hook(frame, _location, _arguments, _dictionary):
    """At PLACES; the program goes on."""
    use(frame.thread.process.target)
    tell(interest.wanted(OWN))
    return False


def watch(sb_target):
    places = sb_target.BreakpointCreateByRegex(PLACES)
    places.AddName(OWN)
    places.SetScriptCallbackFunction("jitscope.loader.on_hook")


def install(debugger):
    """Targets that are created later are made like the dummy one."""
    debugger.HandleCommand("target stop-hook add -P jitscope.loader.StopHook")
    watch(debugger.GetDummyTarget())
    for i in range(debugger.GetNumTargets()):
        watch(debugger.GetTargetAtIndex(i))
        use(debugger.GetTargetAtIndex(i))
        tell(interest.EVERYTHING)
        look()
