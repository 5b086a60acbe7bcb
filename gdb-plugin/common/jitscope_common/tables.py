"""The tables: each is a function that yields rows of texts, and one line in TABLES."""
import re

from . import debuggee, eh_frame

PROTECTION = "rwx"
LIFETIMES = {0: "standard", 1: "until initialised"}
DOES_NOTHING = "-"
MOST_AT_ONCE = 1 << 20


def clean(text):
    """Names are input: no control byte of theirs reaches the terminal."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def protection(bits):
    return "".join(c if bits >> i & 1 else "-" for i, c in enumerate(PROTECTION))


def show(address):
    return f"0x{address:x}"


def leads_to(state, address):
    """Name of what is at ADDRESS, JIT'd or not, with distance."""
    symbol = state.symbol_at(address)
    if symbol:
        name, distance = symbol[2], address - symbol[0]
        return f"{name}+{distance}" if distance else name
    return state.target.outside(address)


def images(state):
    for image in state.images():
        listed = image.flags & debuggee.CONSTANTS["IMAGE_LISTED"]
        how = "listed" if listed else "loaded by plug-in" if state.target.is_loaded(image) else "unlisted"
        grows = "open" if image.flags & debuggee.CONSTANTS["IMAGE_OPEN"] else "closed"
        yield str(image.number), show(image.address), show(image.size), str(image.batches), str(image.change), grows, how


def segments(state):
    for batch in state.batches():
        for segment in batch.table("segments"):
            yield (batch.name, show(segment.address), show(segment.address + segment.size), show(segment.size),
                   protection(segment.prot), LIFETIMES.get(segment.lifetime, str(segment.lifetime)))


def sections(state):
    for batch in state.batches():
        for section in sorted(batch.table("sections"), key=lambda s: s.address):
            yield (batch.name, show(section.address), show(section.size), protection(section.prot),
                   "zero-fill" if section.zero_fill else "content", batch.text(section.name))


def symbols(state):
    for address, size, name, kind, image in state.symbols():
        batch = state.batch_at(address)
        yield batch.name if batch else f"image {image}", show(address), show(size), kind, name


def read_slot(state, address):
    try:
        return state.target.read_words(address, 1)[0]
    except debuggee.Unreadable:
        return None


def read_slots(state, entries):
    """{address: value} of a batch's slots, in one go: they lie side by side, and a remote target answers slowly."""
    if not entries:
        return {}
    first, last = entries[0][0].address, entries[-1][0].address
    if last - first < MOST_AT_ONCE and not any((e.address - first) % 8 for e, _ in entries):
        try:
            words = state.target.read_words(first, (last - first) // 8 + 1)
            return {e.address: words[(e.address - first) // 8] for e, _ in entries}
        except debuggee.Unreadable:
            pass
    return {e.address: read_slot(state, e.address) for e, _ in entries}


def got_rows(state):
    """(batch, entry, name, value now or None): for the window too."""
    for batch in state.batches():
        entries = batch.entries("got")
        values = read_slots(state, entries)
        for entry, name in entries:
            yield batch, entry, name, values[entry.address]


def slot_note(state, entry, value):
    if value is None:
        return "cannot be read"
    return "" if value == entry.target else f"CHANGED: {leads_to(state, value) or 'nothing known is there'}"


def got(state):
    for batch, entry, name, value in got_rows(state):
        yield (batch.name, show(entry.address), show(entry.target), "?" if value is None else show(value), name,
               slot_note(state, entry, value))


def plt_slot(batch, entry):
    entries = batch.table("entries")
    return entries[entry.slot] if entry.slot < len(entries) else None


def plt(state):
    for batch in state.batches():
        for entry, name in batch.entries("plt"):
            slot = plt_slot(batch, entry)
            value = read_slot(state, slot.address) if slot else entry.target
            yield (batch.name, show(entry.address), show(slot.address) if slot else DOES_NOTHING, show(entry.target),
                   "?" if value is None else show(value), name, slot_note(state, entry, value))


def tls(state):
    for batch in state.batches():
        for entry, name in batch.entries("tls"):
            yield batch.name, show(entry.address), show(entry.size), show(entry.target), name


def actions(state):
    for batch in state.batches():
        for action in batch.table("actions"):
            yield (batch.name, batch.text(action.finalize) or DOES_NOTHING, batch.text(action.deallocate) or DOES_NOTHING,
                   show(action.address), show(action.size))


def eh_frames(state):
    for batch in state.batches():
        for section in batch.table("sections"):
            if batch.text(section.name) != ".eh_frame":
                continue
            for record in eh_frame.records(section.address, state.target.read(section.address, section.size)):
                yield (batch.name, show(record.address), show(record.size), record.kind,
                       show(record.start) if record.kind == "FDE" else DOES_NOTHING,
                       show(record.start + record.length) if record.kind == "FDE" else DOES_NOTHING,
                       leads_to(state, record.start) if record.kind == "FDE" else record.augmentation)


def unwinders(state):
    for unwinder in state.root.unwinders:
        if unwinder.name:
            yield unwinder.name.decode(errors="replace"), str(unwinder.sections)


# name: (rows, column titles, what an empty table says, help)
TABLES = {
    "images": (images, "IMAGE ADDRESS SIZE BATCHES CHANGE STATE HOW", "No debug image is registered.",
               "Debug images: ELF files in memory with the names, lines and frames of many batches.\n"
               "HOW: listed in the JIT interface, loaded by this plug-in, or unlisted and not loaded yet."),
    "segments": (segments, "BATCH START END SIZE PROT LIFETIME", "No batch is linked.",
                 "Memory of each batch, by protection."),
    "sections": (sections, "BATCH ADDRESS SIZE PROT CONTENT NAME", "No batch is linked.",
                 "Sections of each batch, in memory."),
    "symbols": (symbols, "BATCH ADDRESS SIZE KIND NAME", "No symbol is known.",
                "Functions, data, stubs (NAME@plt) and slots (NAME@got) of JIT'd code, by address."),
    "got": (got, "BATCH ADDRESS LINKED NOW NAME NOTE", "No batch has a GOT entry.",
            "GOT entries: what was written when they were linked, and what memory holds now.\n"
            "Where the two differ, NOTE says CHANGED and what the slot leads to."),
    "plt": (plt, "BATCH ADDRESS SLOT LINKED NOW NAME NOTE", "No batch has a PLT stub.",
            "PLT stubs: their GOT slot, where it led when linked, and where it leads now."),
    "tls": (tls, "BATCH ADDRESS SIZE TARGET NAME", "No batch has a TLS table entry.",
            "Entries of TLS tables (descriptors and offsets of thread-local variables)."),
    "actions": (actions, "BATCH FINALIZE DEALLOCATE ADDRESS SIZE", "No batch has actions.",
                "Allocation actions: what ran when a batch was finalized, and what will run when it is unloaded.\n"
                "ADDRESS and SIZE are the first two arguments."),
    "eh-frames": (eh_frames, "BATCH ADDRESS SIZE KIND START END FUNCTION", "No batch has an .eh_frame section.",
                  "Records of the .eh_frame sections in memory: CIEs and, per function, FDEs."),
    "unwinders": (unwinders, "UNWINDER SECTIONS", "No .eh_frame section is registered with an unwinder.",
                  "Unwinders inside the program that know JIT'd code, and how many .eh_frame sections each has."),
}


def layout(titles, rows):
    widths = [max(len(row[i]) for row in [titles, *rows]) for i in range(len(titles))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [titles, *rows]]


def completions(target, name):
    """Last cells are names, but for what no name helps with."""
    titles = TABLES[name][1].split()
    column = next((titles.index(t) for t in ("NAME", "FUNCTION", "FINALIZE", "UNWINDER") if t in titles), None)
    state = target.try_state()
    return {row[column] for row in TABLES[name][0](state)} if state and column is not None else set()


def lines(target, name, pattern=""):
    """The table as lines; PATTERN is searched in each cell."""
    produce, titles, empty, _ = TABLES[name]
    state = target.state()
    try:
        search = re.compile(pattern).search
    except re.error as error:
        raise debuggee.Refused(f"Bad regular expression: {error}") from None
    every = [tuple(clean(cell) for cell in row) for row in produce(state)]
    if not every:
        return [empty]
    rows = [row for row in every if not pattern or any(search(cell) for cell in row)]
    if not rows:
        return [f"None of {len(every)} rows matches {clean(pattern)}."]
    found = layout(titles.split(), rows)
    if state.in_change:
        found.append("(the program was stopped while it registers or removes a batch: a row may be missing)")
    return found
