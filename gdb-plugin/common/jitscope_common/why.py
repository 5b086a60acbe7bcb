"""`jitscope why ADDRESS`: what an address is, as far as the live process knows, and how it came to be so by its recording."""
from . import debuggee, recording, tables
from .tables import show

NO_RECORDING = ("How it came to be so only a recording tells: `jitscope run --record FILE`, or JITSCOPE_RECORD=FOLDER in the "
                "environment of any program, makes one; {} names one.")


def distance(address, start):
    return f"{show(start)} + {address - start}" if address > start else show(start)


def in_entry(state, batch, entry, address):
    name = batch.text(entry.symbol)
    kind = {"got": "the GOT entry", "plt": "the PLT stub", "tls": "the TLS table entry"}[debuggee.TABLES[entry.table]]
    yield f"It is in {kind} of {name} ({distance(address, entry.address)})."
    slot = tables.plt_slot(batch, entry) if debuggee.TABLES[entry.table] == "plt" else entry
    if slot and debuggee.TABLES[entry.table] != "tls":
        value = tables.read_slot(state, slot.address)
        yield f"Linked to {show(entry.target)}{named(state, entry.target)}."
        if value is None:
            yield f"Its slot {show(slot.address)} cannot be read."
        elif value != entry.target:
            yield f"Since then the slot {show(slot.address)} was changed: it holds {show(value)}{named(state, value)}."
        else:
            yield f"The slot {show(slot.address)} still holds that."


def named(state, address):
    name = tables.leads_to(state, address)
    return f" ({name})" if name else ""


def in_batch(state, batch, address):
    yield f"{show(address)} belongs to batch {batch.name} (session:link)."
    segment, section = batch.segment_at(address), batch.section_at(address)
    yield f"Segment: {tables.protection(segment.prot)} {show(segment.address)} to {show(segment.address + segment.size)}."
    yield (f"Section: {batch.text(section.name)} ({distance(address, section.address)})." if section
           else "Section: none, it is padding between sections.")
    symbol, entry = state.symbol_at(address), batch.entry_at(address)
    if symbol and not entry:
        yield f"Symbol: {symbol[2]} ({distance(address, symbol[0])}), {symbol[3]}, {symbol[1]} bytes, in debug image {symbol[4]}."
    elif not entry:
        yield "Symbol: none covers it."
    if entry:
        yield from in_entry(state, batch, entry, address)


def elsewhere(state, address):
    image = next((i for i in state.images() if i.address <= address < i.address + i.size), None)
    if image:
        yield f"{show(address)} lies in debug image {image.number} itself ({show(image.address)} + {address - image.address})."
        return
    graves = state.graves_at(address)
    for start, size, name, session, link in graves[:4]:
        yield (f"{show(address)} was in {name} ({distance(address, start)}, {size} bytes) of batch {session}:{link}, "
               f"which has been unloaded.")
    if not graves:
        name = tables.leads_to(state, address)
        yield f"{show(address)} is no JIT'd code" + (f": it is {name}." if name else ", and nothing known is there.")


def explain(state, address):
    batch = state.batch_at(address)
    yield from in_batch(state, batch, address) if batch else elsewhere(state, address)
    recorded = recording.answers(state.target, address)
    if recorded is not None:
        yield from recorded
    elif batch or state.graves_at(address):
        yield NO_RECORDING.format(state.target.NAMES_RECORDING)


def lines(target, text):
    if not text.strip():
        raise debuggee.Refused("jitscope why ADDRESS: an address, or an expression whose value is one, is missing.")
    return [tables.clean(line) for line in explain(target.state(), target.address_for(text.strip()))]
