"""`jitscope show WHAT --at SEQUENCE` for every WHAT, against the state that this file makes out of the events up to
there, as `show events --json` tells them; recordings are of real sessions: several links, some that fail, some unloaded,
two threads."""
import collections
import os
import random
import unittest

from harness import LIBRARIES, SystemTest

SEVERAL_LINKS = os.environ["SEVERAL_LINKS"]
MOMENTS = 6  # at random, per view and recording, besides those where something happens for the first time
PARTS = {
    "base": "static int count; int counter(void) { return ++count; } int base[9] = {1};\n",
    "user": "extern int counter(void), base[]; extern int puts(const char *); int own;\n"
            "int use(void) { own++; puts(\"used\"); return counter() + base[2] + own; }\n",
    "lost": "extern int nowhere(void); int lost(void) { return nowhere(); }\n",
    "late": "extern double sqrt(double); extern int use(void); __attribute__((constructor)) static void begin(void) { use(); }\n"
            "double late(double x) { return sqrt(x) + use(); }\n",
    "text": "#include <stdio.h>\nint text(void) { return fprintf(stderr, \"%d\", 1); }\n",
}


def microseconds(duration):
    return float(f"{duration // 1000}.{duration // 100 % 10}")


class Link:
    def __init__(self):
        self.sections, self.segments, self.blocks, self.symbols = {}, {}, {}, {}
        self.passes, self.actions, self.debug = {}, {}, None
        self.begun = self.end = None
        self.unloaded = False
        self.lists = collections.defaultdict(list)

    def placed(self, number):
        """Address of a block, 0 when it has none, as places are computed before the layout."""
        return self.blocks[number].get("at", 0)

    def address(self, symbol):
        if symbol.get("bound") is not None:
            return symbol["bound"]
        if symbol["state"] != "defined":
            return None
        if symbol["block"] is None:
            return symbol["offset"]
        block = self.blocks.get(symbol["block"])
        return block["at"] + symbol["offset"] if block and "at" in block else None


class State:
    """What events say, one by one."""

    def __init__(self):
        self.inputs, self.links, self.session = {}, collections.defaultdict(Link), None
        self.came_in = 0  # inputs since a link has ended
        self.reservations, self.warnings = [], []
        self.kinds = collections.Counter()

    def apply(self, event):
        link, kind = self.links[event["link_number"]], event["event"]
        self.kinds[kind] += 1
        teller = getattr(self, "on_" + kind, None)
        if teller:
            teller(link, event)
        else:
            link.lists[kind].append(event)

    def on_session_begin(self, _, event):
        self.session = event

    def on_input(self, _, event):
        self.inputs[event["input"]] = event
        self.came_in += 1

    def on_reservation(self, _, event):
        self.reservations.append(event)

    def on_link_begin(self, link, event):
        link.begun = event

    def on_link_end(self, link, event):
        link.end, link.inputs, self.came_in = event, self.came_in, 0

    def on_unload(self, link, _):
        link.unloaded = True

    def on_debug_image(self, link, event):
        link.debug = event

    def on_section(self, link, event):
        link.sections[event["section"]] = event

    def on_segment(self, link, event):
        link.segments[event["segment"]] = event

    def on_block(self, link, event):
        link.blocks[event["block"]] = dict(event)

    def on_block_placed(self, link, event):
        link.blocks[event["block"]]["at"] = event["address"]

    def on_block_removed(self, link, event):
        link.blocks[event["block"]]["reason"] = event["reason"]

    def on_symbol(self, link, event):
        link.symbols[event["symbol"]] = dict(event, state="defined")

    def on_symbol_external(self, link, event):
        link.symbols[event["symbol"]] = dict(event, state="external", size=0, scope="default", kind="none", block=None)

    def on_symbol_resolved(self, link, event):
        link.symbols[event["symbol"]].update(state="resolved", bound=event["address"],
                                             where=event["where"] or event["provider"])

    def on_symbol_unresolved(self, link, event):
        link.symbols[event["symbol"]]["state"] = "unresolved"

    def on_symbol_bound(self, link, event):
        link.symbols[event["symbol"]]["bound"] = event["address"]

    def on_pass_begin(self, link, event):
        link.passes[event["pass"]] = {"begin": event}

    def on_pass_end(self, link, event):
        link.passes[event["pass"]]["end"] = event

    def on_action(self, link, event):
        link.actions[event["action"]] = event

    # --- names

    def input_name(self, number):
        return self.inputs[number]["name"] if number in self.inputs else None

    def where(self, symbol):
        return symbol["where"] if symbol["state"] == "resolved" else self.input_name(symbol["input"])

    @staticmethod
    def symbol_name(link, number):
        symbol = link.symbols.get(number)
        return symbol["name"] if symbol and symbol["name"] else f"symbol {number}"

    # --- views

    def each(self):
        return sorted(self.links.items())

    def show_inputs(self):
        return [[i, e["kind"], e["size"], e["name"], self.input_name(e["container"]), e["pulled_by"]]
                for i, e in sorted(self.inputs.items())]

    def show_batches(self):
        rows = []
        for number, link in self.each():
            if not link.begun:
                continue
            end, failed = link.end, link.end and link.end["outcome"] == "failed"
            state = "failed" if failed else "unloaded" if link.unloaded else "linked" if end else "linking"
            tables = collections.Counter(e["table"] for e in link.lists["table_entry"])
            memory = collections.Counter()
            for s in link.segments.values():
                memory[s["prot"]] += s["content_size"] + s["zero_fill_size"]
            rows.append([number, state, link.begun["sequence"], microseconds(end["duration"]) if end else None,
                         link.inputs if end else self.came_in, len(link.sections),
                         sum("reason" not in b for b in link.blocks.values()), len(link.symbols)] +
                        [tables[k] for k in ("got", "plt", "tls")] + [memory[k] for k in ("r-x", "r--", "rw-")] +
                        [end["error"] if failed else None])
        return rows

    def show_sections(self):
        rows = []
        for number, link in self.each():
            for i, section in sorted(link.sections.items()):
                blocks = [b for b in link.blocks.values() if b["section"] == i and "reason" not in b]
                rows.append([number, i, section["name"], section["prot"], section["lifetime"], len(blocks),
                             sum(b["size"] for b in blocks), min((b["at"] for b in blocks if "at" in b), default=None)])
        return rows

    def show_segments(self):
        return [[number, i, s["address"], s["address"] + s["content_size"] + s["zero_fill_size"], s["content_size"],
                 s["zero_fill_size"], s["prot"], s["lifetime"], s["blocks"],
                 link.lists["allocation"][-1]["state"] if link.lists["allocation"] else "placed"]
                for number, link in self.each() for i, s in sorted(link.segments.items())]

    def show_blocks(self):
        return [[number, i, b.get("at"), b["size"], b["alignment"],
                 link.sections[b["section"]]["name"], self.input_name(b["input"]),
                 b.get("reason") or ("placed" if "at" in b else "read")]
                for number, link in self.each() for i, b in sorted(link.blocks.items())]

    def show_symbols(self):
        rows = []
        for number, link in self.each():
            rows += [[number, i, link.address(s), s["size"], s["kind"], s["linkage"], s["scope"], s["state"], s["name"],
                      self.where(s)] for i, s in sorted(link.symbols.items()) if s["name"]]
            rows += [[number] + [None] * 6 + [f"discarded for {self.input_name(e['in_favour_of'])} ({e['reason']})",
                                              e["name"], self.input_name(e["input"])]
                     for e in link.lists["symbol_discarded"]]
        return rows

    def show_edges(self):
        rows = []
        for number, link in self.each():
            for e in link.lists["fixup"]:
                block = link.blocks[e["block"]]
                rows.append([number, link.placed(e["block"]) + e["offset"], link.sections[block["section"]]["name"],
                             block["input_offset"] + e["offset"], e["kind"], self.symbol_name(link, e["target"]),
                             e["addend"], e["before"], e["after"]])
        return rows

    def entries(self, table):
        for number, link in self.each():
            slots = {e["target"]: link.blocks[e["block"]].get("at") for e in link.lists["table_entry"]
                     if e["table"] == "got"}
            for e in link.lists["table_entry"]:
                if e["table"] != table:
                    continue
                symbol, asking = link.symbols[e["target"]], link.blocks[e["asked_by"]]
                asked = f"{link.sections[asking['section']]['name']}+{asking['input_offset'] + e['asked_at']:#x}"
                name = self.input_name(asking["input"])
                yield ([number, e["entry"], link.blocks[e["block"]].get("at"), self.symbol_name(link, e["target"]),
                        link.address(symbol)] + ([slots.get(e["target"])] if table == "plt" else []) +
                       [self.where(symbol), f"{name}: {asked}" if name else asked, e["sequence"]])

    def show_got(self):
        return list(self.entries("got"))

    def show_plt(self):
        return list(self.entries("plt"))

    def show_tls(self):
        return list(self.entries("tls"))

    def show_actions(self):
        rows, unknown = [], {"finalize": "", "deallocate": "", "address": 0, "size": 0}
        for number, link in self.each():
            ran = set()
            for e in link.lists["action_result"]:
                action = link.actions.get(e["action"], unknown)
                function = action["finalize" if e["half"] == "finalize" else "deallocate"]
                ran.add((e["action"], e["half"] == "finalize"))
                rows.append([number, e["action"], e["half"], function, action["address"], action["size"],
                             e["outcome"], microseconds(e["duration"]), e["message"]])
            for half in ("finalize", "deallocate"):
                rows += [[number, i, half, a[half], a["address"], a["size"], "not run", None, None]
                         for i, a in sorted(link.actions.items()) if a[half] and (i, half == "finalize") not in ran]
        return rows

    def show_registrations(self):
        return [[number, e["allocation"], e["with"], e["address"], e["size"],
                 "registered" if e["half"] == "finalize" else "deregistered"]
                for number, link in self.each() for e in link.lists["registration"]]

    def show_eh_frames(self):
        rows = []
        for number, link in self.each():
            functions = {}
            for _, s in sorted(link.symbols.items(), reverse=True):
                if s["name"] and s["kind"] == "function":
                    functions[s["block"], s["offset"]] = s["name"]
            for e in link.lists["cfi_record"]:
                block = link.blocks[e["block"]]
                if "reason" in block:
                    continue
                row = [number, link.placed(e["block"]), block["size"], e["kind"],
                       link.placed(e["cie"]) if e["cie"] is not None else None]
                if e["function"] is None:
                    rows.append(row + [None] * 3)
                else:
                    place = e["function"], e["function_offset"]
                    rows.append(row + [link.placed(place[0]) + place[1], e["function_size"], functions.get(place, "")])
        return rows

    def show_passes(self):
        rows = []
        for number, link in self.each():
            before = dict.fromkeys(("blocks", "symbols", "edges"), 0)
            for i, one in sorted(link.passes.items()):
                row, end = [number, i, one["begin"]["phase"], one["begin"]["name"]], one.get("end")
                if not end:
                    rows.append(row + [None] * 8 + ["running"])
                    continue
                rows.append(row + [microseconds(end["duration"]), end["sections"], end["blocks"], end["symbols"],
                                   end["edges"]] + [end[k] - before[k] for k in before] + [end["outcome"]])
                before = {k: end[k] for k in before}
        return rows

    def show_memory(self):
        rows = [[None, "reservation", e["address"], e["size"], e["why"], None] for e in self.reservations]
        for number, link in self.each():
            rows += [[number, f"allocation {e['allocation']}", e["address"], e["size"], e["state"],
                      microseconds(e["duration"])] for e in link.lists["allocation"]]
            rows += [[number, f"segment {e['segment']}", e["address"], e["size"], e["prot"], None]
                     for e in link.lists["protect"]]
        return rows

    def show_summary(self):
        """Not the session's lines, which hold from its first event on."""
        rows = [["inputs", str(len(self.inputs))]]
        for number, link in self.each():
            if not link.begun:
                continue
            end = link.end
            rows.append([f"link {number}", f"{end['outcome']} in {end['duration'] // 1000} us"
                         f"{', unloaded' if link.unloaded else ''}" if end else "not finished"])
            if end and end["outcome"] == "failed":
                rows.append(["  error", end["error"]])
            rows.append(["  graph", f"{len(link.sections)} sections, "
                         f"{sum('reason' not in b for b in link.blocks.values())} blocks, {len(link.symbols)} symbols, "
                         f"{len(link.lists['table_entry'])} table entries, {len(link.lists['edge_relaxed'])} relaxed "
                         "edges"])
            if link.debug:
                rows.append(["  debug image", "{size} bytes: {symbols} symbols, {frames} frames, {units} units of "
                             "{inputs} inputs".format(**link.debug)])
        rows.append(["events per kind", ""])
        kinds = sorted(self.kinds.items(), key=lambda item: (-item[1], item[0]))
        return rows + [[f"  {kind}", str(count)] for kind, count in kinds]


VIEWS = [name[5:].replace("_", "-") for name in vars(State) if name.startswith("show_")]


class TimeTravel(SystemTest):
    def record(self, *words):
        recording = self.folder / "session.jsr"
        self.must(SEVERAL_LINKS, recording, *words)
        return recording

    def part(self, name, *flags):
        return self.compile(PARTS[name], "-O1", "-fPIC", *flags, name=f"{name}.o")

    def states(self, events, moments):
        state, wanted = State(), set(moments)
        for event in events:
            state.apply(event)
            if event["sequence"] in wanted:
                yield event["sequence"], state

    @staticmethod
    def choose(events, seed):
        """Random moments, and those right before and behind an event that is the first of its kind in its link."""
        last, seen, moments = events[-1]["sequence"], set(), {0, events[-1]["sequence"]}
        chance = random.Random(seed)
        for event in events:
            if (event["link_number"], event["event"]) not in seen:
                moments |= {max(event["sequence"] - 1, 0), event["sequence"]}
                seen.add((event["link_number"], event["event"]))
        few = chance.sample(sorted(moments), min(len(moments), 2 * MOMENTS))
        return sorted({0, last, *few, *(chance.randint(0, last) for _ in range(MOMENTS))})

    def check(self, recording):
        events = self.show("events", recording)
        self.assertEqual([event["sequence"] for event in events], list(range(len(events))))
        for at, state in self.states(events, self.choose(events, len(events))):
            for view in VIEWS:
                expected = getattr(state, "show_" + view.replace("-", "_"))()
                rows = [list(row.values()) for row in self.show(view, recording, "--at", at)]
                if view == "summary":
                    rows = rows[next(i for i, row in enumerate(rows) if row[0] == "inputs"):]
                self.assertEqual(rows, expected, f"{view} at {at}")
            self.assertEqual(self.show("events", recording, "--at", at), events[:at + 1])
        return events

    def test_links_that_come_and_go(self):
        events = self.check(self.record(
            "add", self.part("base"), "link", "add", self.part("user", "-g"), "link", "add", self.part("lost"), "fail",
            "add", self.part("text"), "link", "unload", 3, "add", self.part("late"), "library", "m", "link",
            "unload", 4, "unload", 2))
        kinds = collections.Counter(event["event"] for event in events)
        self.assertEqual(kinds["unload"], 3 + 1)  # the last goes with the session
        self.assertEqual(kinds["link_end"], 5)
        self.assertEqual(kinds["symbol_unresolved"], 1)

    def test_threads(self):
        self.check(self.record("add", self.part("base"), "link", "thread", "add", self.part("user"), "link",
                               "add", self.part("lost"), "fail", "thread", "add", self.part("late"), "library", "m",
                               "link", "unload", 3))

    def test_a_library(self):
        """Hundreds of blocks; archives of which members are taken; definitions that lose."""
        main = self.compile("#include <lua5.4/lauxlib.h>\nint main(void) { return !luaL_newstate(); }\n", "-O1",
                            name="main.o")
        other = self.compile("__attribute__((weak)) int main(void) { return 2; }\n", "-O1", name="other.o")
        self.check(self.record("add", other, "add", main, "add", LIBRARIES / "liblua5.4.a", "library", "m", "link",
                               "add", self.part("base"), "link", "unload", 1))


if __name__ == "__main__":
    unittest.main()
