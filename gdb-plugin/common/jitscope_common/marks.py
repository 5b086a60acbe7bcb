"""How a frame of JIT'd code is marked in a backtrace."""
from . import debuggee, tables


def mark(state, pc):
    """(what to add to the name, the name of what is gone); None twice for other code."""
    batch = state.batch_at(pc)
    if batch:
        entry = batch.entry_at(pc)
        if entry and debuggee.TABLES.get(entry.table) == "plt":
            return "[jit stub]", None
        return "[jit]", None
    graves = state.graves_at(pc)
    return ("[jit, unloaded]", graves[0][2]) if graves else (None, None)


def name_at(state, pc):
    """For a frame that the debugger has no name for."""
    return tables.leads_to(state, pc).partition("+")[0] or tables.show(pc)
