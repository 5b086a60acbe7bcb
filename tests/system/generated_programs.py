"""Programs made up from a seed: objects that call each other and reach each other's data in every way that C has.

Each object defines functions, variables, thread-local variables, pointers; the others refer to them, by call, by address
in code, by address in data, by a weak or hidden declaration.  Each function prints nothing and returns a number made of
all that it has reached, so that one wrong address changes what the program prints.  One seed gives one program.
"""
import random

VISIBILITIES = ("default", "protected", "hidden", "internal")
MODELS = ("global-dynamic", "local-dynamic", "initial-exec", "local-exec")


class Item:
    """What one object defines and others may reach."""

    def __init__(self, kind, name, owner, visibility="default"):
        self.kind, self.name, self.owner, self.visibility = kind, name, owner, visibility


class Program:
    """sources: one text an object.  static_tls: the program may have models that only executables have."""

    def __init__(self, seed, objects=4, static_tls=True):
        self.random = random.Random(seed)
        self.static_tls = static_tls
        self.features = set()  # what was chosen, of how many
        self.count = objects
        self.items = []
        self.texts = [[] for _ in range(objects)]
        for owner in range(objects):
            self.define(owner)
        for owner in range(objects):
            self.refer(owner)
        self.sources = [self.source(owner) for owner in range(objects)]

    def pick(self, choices):
        return self.random.choice(list(choices))

    def choose(self, what, choices):
        """One of CHOICES, of which some program has to have each."""
        choice = self.pick(range(len(choices := list(choices))))
        self.features.add((what, choice, len(choices)))
        return choices[choice]

    def add(self, kind, owner, text):
        """TEXT with @ for the name and ! for the attributes."""
        visibility = self.choose(f"visibility of a {kind}", VISIBILITIES)
        item = Item(kind, f"{kind}_{owner}_{len(self.items)}", owner, visibility)
        attributes = f'__attribute__((visibility("{visibility}")))'
        self.texts[owner].append(text.replace("@", item.name).replace("!", attributes))
        self.items.append(item)
        return item

    def number(self):
        return self.random.randrange(1, 1000)

    def define(self, owner):
        random, number = self.random, self.number
        for _ in range(random.randrange(2, 5)):
            self.add("function", owner, f"! int @(int x) {{ return x * {number()} + {number()}; }}")
        for _ in range(random.randrange(2, 5)):
            self.add("variable", owner, self.choose("variable", (
                f"! int @ = {number()};", "! int @;", f"! int @ __attribute__((aligned(64))) = {number()};",
                f'! int @ __attribute__((section("own_{owner}"))) = {number()};',
                f"! const int @ = {number()};", f"! volatile int @[{random.randrange(1, 5000)}] = {{{number()}}};".replace("@[", "@_room[") + f" ! int @ = {number()};")))
        for _ in range(random.randrange(1, 3)):
            model = self.choose("model", MODELS if self.static_tls else MODELS[:2])
            self.add("thread", owner, f'! __thread int @ __attribute__((tls_model("{model}"))){self.choose("initial value of a thread", ("", f" = {number()}"))};')
        self.add("indirect", owner, f"static int @_slow(int x) {{ return x + {number()}; }} static int @_fast(int x) {{ return x + {number()}; }}"
                 f"static void *@_choose(void) {{ return {self.pick(('@_slow', '@_fast'))}; }} ! int @(int) __attribute__((ifunc(\"@_choose\")));")
        target = self.pick(item for item in self.items if item.owner == owner and item.kind == "function")
        self.add("function", owner, f'! int @(int) __attribute__((alias("{target.name}")));')
        # One name in all objects: weak everywhere, or common everywhere, or strong in one.
        strong = owner == self.count // 2
        self.texts[owner].append(f'{"" if strong else "__attribute__((weak)) "}int of_all(int x) {{ return x ^ {number()}; }}')
        self.texts[owner].append(f"int common_of_all[{random.randrange(1, 100)}];")
        self.texts[owner].append(f"__attribute__((weak)) int weak_of_all = {number()};")

    def declare(self, item):
        """As the user sees it; a declaration may be stricter than the definition, and weak."""
        strict = VISIBILITIES.index(item.visibility)
        words = [f'visibility("{self.pick(VISIBILITIES[min(strict, 2):3] if strict != 1 else ("default", "protected"))}")']
        if item.kind in ("function", "variable") and self.random.random() < 0.2:
            words = ["weak"] + (['visibility("hidden")'] if strict >= 2 else [])
        attributes = f'__attribute__(({", ".join(words)}))'
        if item.kind in ("function", "indirect"):
            return f"extern int {item.name}(int) {attributes};"
        return f'extern {"__thread " if item.kind == "thread" else ""}int {item.name} {attributes};'

    def use(self, item, place):
        """An expression with the value, and what has to stand before the function."""
        name, number = item.name, self.number()
        if item.kind in ("function", "indirect"):
            return self.choose(f"use of a {item.kind}", (
                (f"{name}({number})", ""),
                (f"reach_{place}({number})", f"static int (*const reach_{place})(int) = {name};"),
                (f"(*reach_{place})[1]({number})", f"static int (*table_{place}[3])(int) = {{0, {name}}}; static int (*(*reach_{place})[3])(int) = &table_{place};"),
                (f"keep({name})({number})", ""),
                (f"({name} == keep({name}) ? {number} : -1)", ""),
                (f"reach_{place}.second.call({number})", "static const struct { char first; union { int (*call)(int); long number; } second; } "
                 f"reach_{place} = {{1, {{{name}}}}};"),
                (f"reach_{place}({number})", f"static __thread int (*reach_{place})(int) = {name};")))
        if item.kind == "thread":
            return self.choose("use of a thread", ((name, ""), (f"*keep_int(&{name})", ""), (f"({name} += {number})", "")))
        return self.choose("use of a variable", (
            (name, ""),
            (f"*reach_{place}", f"static const int *const reach_{place} = &{name};"),
            (f"reach_{place}[1][0]", f"static const int *reach_{place}[2] = {{&{name}, &{name}}};"),
            (f"*(const int *)(behind_{place} - {number})", f"static const char *behind_{place} = (const char *)&{name} + {number};"),
            (f"*keep_int(&{name})", ""),
            (f"*reach_{place}", f"static __thread const int *reach_{place} = &{name};"),
            (f"**reach_{place}", f"static const int *const place_{place} = &{name}; static const int *const *reach_{place} = &place_{place};"),
            (f"*(const int *)reach_{place}", f"static const unsigned long reach_{place} = (unsigned long)&{name};"),
            (f"*(const int *)((const char *)distance_{place} + distance_{place}[0])",
             f'extern const long distance_{place}[] __attribute__((visibility("hidden"))); __asm__(".pushsection .rodata.distance,\\"a\\",@progbits\\n'
             f'.globl distance_{place}\\n.balign 8\\ndistance_{place}: .quad {name} - .\\n.popsection");')))

    def refer(self, owner):
        reachable = [item for item in self.items if item.owner != owner]
        mine = [item for item in self.items if item.owner == owner]
        chosen = self.random.sample(reachable, min(len(reachable), 14)) + self.random.sample(mine, min(len(mine), 5))
        declared = [self.declare(item) for item in chosen if item.owner != owner]
        uses = [self.use(item, f"{owner}_{place}") for place, item in enumerate(chosen)]
        self.texts[owner] = declared + self.texts[owner] + [before for _, before in uses]
        sums = "".join(f"    sum = sum * 31 + (unsigned)({expression});\n" for expression, _ in uses)
        self.texts[owner].append(
            f"unsigned total_{owner}(void) {{\n    unsigned sum = 0;\n{sums}"
            "    sum = sum * 31 + (unsigned)of_all(7) + (unsigned)weak_of_all + (unsigned)common_of_all[0]++;\n"
            f"    return sum;\n}}\n"
            f"__attribute__((constructor({101 + self.random.randrange(1000)}))) static void start(void) {{ common_of_all[0] = common_of_all[0] * 3 + {owner}; }}")

    def source(self, owner):
        head = ("static int (*keep(int (*function)(int)))(int) { __asm__(\"\" : \"+r\"(function)); return function; }\n"
                "static const int *keep_int(const int *place) { __asm__(\"\" : \"+r\"(place)); return place; }\n")
        text = head + "\n".join(self.texts[owner]) + "\n"
        if owner:
            return text
        totals = "".join(f"unsigned total_{i}(void);\n" for i in range(self.count))
        prints = "".join(f'    printf("{i}: %u\\n", total_{i}());\n' for i in range(self.count))
        return (f"#include <pthread.h>\n#include <stdio.h>\n{text}{totals}"
                f"static void *run(void *unused) {{\n{prints}    return unused;\n}}\n"
                "int main(void) {\n    pthread_t thread;\n    run(0);\n    pthread_create(&thread, 0, run, 0);\n"
                "    pthread_join(thread, 0);\n    run(0);\n    return 0;\n}\n")
