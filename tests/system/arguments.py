"""The arguments that gcc would take for a link: archives of all kinds, libraries, ld scripts, response files, options."""
import json
import unittest

from harness import JITSCOPE, SystemTest

MAIN = "extern int member(void);\nint main(void) { return member(); }\n"


def member(status, name="member"):
    return f"int {name}(void) {{ return {status}; }}\n"


class Archives(SystemTest):
    def objects(self):
        main = self.compile(MAIN, name="main.o")
        return main, self.compile(member(21), name="one.o")

    def statuses(self, *inputs):
        """The status of the program, made by jitscope; gcc must agree."""
        return self.same(inputs).status

    def test_with_index(self):
        main, one = self.objects()
        self.assertEqual(self.statuses(main, self.archive("lib.a", one)), 21)

    def test_without_index(self):
        main, one = self.objects()
        outcome = self.jitscope("run", main, self.archive("lib.a", one, flags="rcS"))
        self.assertEqual(outcome.status, 21, outcome)

    def test_thin(self):
        main, one = self.objects()
        self.assertEqual(self.statuses(main, self.archive("lib.a", one, flags="rcsT")), 21)

    def test_thin_in_another_folder(self):
        """Members of a thin archive are named relative to the archive, not to where one stands."""
        main, one = self.objects()
        (self.folder / "deep" / "er").mkdir(parents=True)
        self.must("ar", "rcsT", "deep/er/lib.a", "one.o")
        outcome = self.jitscope("run", main, self.folder / "deep/er/lib.a", cwd="/")
        self.assertEqual(outcome.status, 21, outcome)

    def test_long_names(self):
        main = self.compile(MAIN, name="main.o")
        one = self.compile(member(22), name="a_name_of_a_member_that_is_longer_than_fifteen_characters.o")
        self.assertEqual(self.statuses(main, self.archive("lib.a", one)), 22)
        self.assertEqual(self.statuses(main, self.archive("thin.a", one, flags="rcsT")), 22)

    def test_duplicate_names(self):
        """Two members of one name: both can be reached, each by its symbols."""
        text = "extern int member(void), other(void);\nint main(void) { return member() + other(); }\n"
        main = self.compile(text, name="main.o")
        archive = self.archive("lib.a", self.compile(member(20), name="same.o"))
        same = self.compile(member(3, "other"), name="same.o")
        self.must("ar", "q", archive, same)
        self.assertEqual(self.must("ar", "t", archive).out, b"same.o\nsame.o\n")
        self.assertEqual(self.statuses(main, archive), 23)

    def test_first_archive_wins(self):
        main, one = self.objects()
        first = self.archive("first.a", one)
        second = self.archive("second.a", self.compile(member(99), name="two.o"))
        self.assertEqual(self.statuses(main, first, second), 21)

    def test_members_that_need_each_other(self):
        """Archives that refer to each other want --start-group from gcc; here any order does."""
        main = self.compile("extern int a(void);\nint main(void) { return a(); }\n", name="main.o")
        text = "extern int b(void);\nint a(void) { return b() + 1; }\n"
        one = self.archive("one.a", self.compile(text, name="a.o"), self.compile(member(30, "c"), name="c.o"))
        text = "extern int c(void);\nint b(void) { return c() + 1; }\n"
        two = self.archive("two.a", self.compile(text, name="b.o"))
        for inputs in ((one, two), (two, one), ("-Wl,--start-group", one, two, "-Wl,--end-group"),
                       ("-(", one, two, "-)")):
            self.assertEqual(self.jitscope("run", main, *inputs).status, 32)

    def test_weak_undefined_takes_no_member(self):
        text = "extern int member(void) __attribute__((weak));\nint main(void) { return member ? 1 : 2; }\n"
        main = self.compile(text, name="main.o")
        _, one = self.objects()
        main = self.compile(text, name="main.o")
        self.assertEqual(self.statuses(main, self.archive("lib.a", one)), 2)

    def test_whole_archive(self):
        """A member that nobody refers to but whose constructor counts."""
        text = "int count;\nint main(void) { return count; }\n"
        main = self.compile(text, name="main.o")
        text = "extern int count;\n__attribute__((constructor)) static void more(void) { count += 5; }\n"
        archive = self.archive("lib.a", self.compile(text, name="more.o"))
        self.assertEqual(self.statuses(main, archive), 0)
        self.assertEqual(self.statuses(main, "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive"), 5)
        self.assertEqual(self.jitscope("run", main, "--whole-archive", archive, "--no-whole-archive").status, 5)


class Libraries(SystemTest):
    def shared(self, name, text):
        path = self.folder / name
        source = self.text("shared.c", text)
        self.must("gcc", "-shared", "-fPIC", source, "-o", path)
        return path

    def test_shared_library(self):
        main = self.compile(MAIN, name="main.o")
        library = self.shared("libmember.so", member(24))
        self.assertEqual(self.jitscope("run", main, library).status, 24)
        self.assertEqual(self.jitscope("run", main, f"-L{self.folder}", "-lmember").status, 24)
        self.assertEqual(self.jitscope("run", "-L", self.folder, main, "-l", "member").status, 24)
        self.assertEqual(self.jitscope("run", main, "-L", self.folder, "-l:libmember.so").status, 24)

    def test_a_library_that_refers_to_the_program(self):
        """It is opened before the program is linked; what the loader says is said once, and what helps."""
        main = self.compile("extern int ask(void);\nint answer(void) { return 24; }\nint main(void) { return ask(); }\n", name="main.o")
        library = self.shared("libask.so", "extern int answer(void);\nint ask(void) { return answer(); }\n")
        outcome = self.jitscope("run", main, library)
        self.assertEqual(outcome.status, 1)
        self.assertIn(f"error: {library}: undefined symbol: answer\n  help: libraries among the inputs are opened before".encode(),
                      outcome.err)

    def test_what_holds_anyway(self):
        """Options of links that gcc is told to make are no errors when there is nothing left to do."""
        main = self.compile("int main(void) { return 23; }\n", name="main.o")
        words = ["-z", "now", "-Wl,-z,defs", "-zrelro", "-Wl,-z,noexecstack", "-Wl,--no-undefined", "-nostartfiles"]
        self.assertEqual(self.jitscope("run", main, *words).status, 23)
        for words in (("--lazy", "-z", "now"), ("--lazy", "-z", "relro"), ("--lazy", "-z", "defs"), ("--lazy", "--no-undefined")):
            outcome = self.jitscope("run", main, *words)
            self.assertEqual(outcome.status, 2)
            self.assertIn(b"exclude each other", outcome.err)
        self.assertEqual(self.jitscope("link", main, "--phony-externals", "--no-undefined").status, 2)
        for word, help in (("-Wl,-z,lazy", "no output file to mark"), ("-Wl,--build-id", "no output file to mark"),
                           ("-Wl,-Map=x.map", "show sections"), ("-Wl,--wrap=malloc", "no symbol is renamed")):
            outcome = self.jitscope("run", main, word)
            self.assertEqual(outcome.status, 2)
            self.assertIn(help.encode(), outcome.err)

    def test_shared_before_static(self):
        main = self.compile(MAIN, name="main.o")
        self.archive("libmember.a", self.compile(member(25), name="one.o"))
        self.assertEqual(self.jitscope("run", main, "-L", self.folder, "-lmember").status, 25)
        self.shared("libmember.so", member(26))
        self.assertEqual(self.jitscope("run", main, "-L", self.folder, "-lmember").status, 26)
        self.assertEqual(self.jitscope("run", main, "-L", self.folder, "-l:libmember.a").status, 25)

    def test_data_of_a_shared_library(self):
        """Read and written through the GOT; the library sees what the program wrote."""
        text = "extern int value, *where(void);\nint main(void) { value++; return *where() == value ? value : 1; }\n"
        main = self.compile(text, "-fPIC", name="main.o")
        library = self.shared("libvalue.so", "int value = 40;\nint *where(void) { return &value; }\n")
        self.assertEqual(self.jitscope("run", main, library).status, 41)

    def test_ld_scripts(self):
        main = self.compile(MAIN, name="main.o")
        self.archive("libone.a", self.compile(member(27), name="one.o"))
        self.shared("libtwo.so", "int two;\n")
        for script in ("INPUT ( libone.a )", "INPUT(-lone)", "GROUP ( libone.a AS_NEEDED ( libtwo.so ) )",
                       f"/* a comment */\nOUTPUT_FORMAT(elf64-x86-64)\nGROUP ( {self.folder}/libone.a )",
                       "INPUT(libtwo.so , libone.a)", 'INPUT("libone.a")'):
            self.text("libscript.so", script + "\n")
            outcome = self.jitscope("run", main, "-L", self.folder, "-lscript")
            self.assertEqual(outcome.status, 27, f"{script}: {outcome!r}")
            self.assertEqual(self.same([main], [f"-L{self.folder}", "-lscript"],
                                       env={"LD_LIBRARY_PATH": str(self.folder)}).status, 27)

    def test_a_script_names_a_file_of_the_search_path(self):
        """As that of libgcc_s does, whose library lies in another folder."""
        main = self.compile(MAIN, name="main.o")
        self.archive("libone.a", self.compile(member(27), name="one.o"))
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "libscript.so").write_text("GROUP ( libone.a -lgcc_s )\n")
        working, words = elsewhere, [f"-L{elsewhere}", f"-L{self.folder}", "-lscript"]
        self.must("gcc", main, *words, "-o", "program", cwd=working)
        for outcome in self.run_command("./program", cwd=working), self.jitscope("run", main, *words, cwd=working):
            self.assertEqual(outcome.status, 27, outcome)
        (elsewhere / "libscript.so").write_text("GROUP ( libnowhere.a )\n")
        outcome = self.jitscope("run", main, *words, cwd=working)
        self.assertEqual(outcome.status, 1)
        self.assertIn(b"libnowhere.a: cannot open", outcome.err)

    def test_the_c_librarys_own_script(self):
        main = self.compile("#include <stdio.h>\nint main(void) { puts(\"hello\"); return 3; }\n", name="main.o")
        self.assertEqual(self.same([main], ["-lc"]).out, b"hello\n")
        self.assertEqual(self.same([main], ["/usr/lib/x86_64-linux-gnu/libc.so"]).out, b"hello\n")

    def test_functions_of_libc_nonshared(self):
        """atexit, at_quick_exit, pthread_atfork, and the stat family of older headers are in libc_nonshared.a only."""
        text = """
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void say(void) { puts("at exit"); }
static void before(void) { puts("before fork"); fflush(stdout); }
int main(void) {
    atexit(say);
    pthread_atfork(before, NULL, NULL);
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        at_quick_exit(say);
        quick_exit(4);
    }
    waitpid(child, &status, 0);
    return WEXITSTATUS(status) + 1;
}
"""
        outcome = self.same([self.compile(text, name="main.o")])
        self.assertEqual((outcome.status, outcome.out.count(b"at exit")), (5, 1))

    def test_as_needed(self):
        text = "#include <stdio.h>\n__attribute__((constructor)) static void loud(void) { puts(\"loaded\"); }\nint x;\n"
        library = self.shared("libloud.so", text)
        main = self.compile("int main(void) { return 0; }\n", name="main.o")
        self.assertEqual(self.jitscope("run", main, library).out, b"loaded\n")
        self.assertEqual(self.jitscope("run", main, "--as-needed", library).out, b"")
        self.assertEqual(self.jitscope("run", main, "-Wl,--as-needed,--no-as-needed", library).out, b"loaded\n")

    def test_nodefaultlibs(self):
        main = self.compile("#include <stdio.h>\nint main(void) { return puts(\"x\"); }\n", name="main.o")
        outcome = self.jitscope("run", "-nodefaultlibs", main)
        self.assertEqual(outcome.status, 1)
        self.assertIn(b"  puts\n", outcome.err)


class Options(SystemTest):
    def test_response_files(self):
        main = self.compile(MAIN, name="main.o")
        one = self.compile(member(28), name="with space.o")
        self.text("inner", f'"{one}"')
        file = self.text("outer", f"{main}\n@{self.folder}/inner\n--trace='off'")
        self.assertEqual(self.jitscope("run", f"@{file}").status, 28)
        self.assertEqual(self.jitscope("run", f"@{file}", "--", "@not-a-file").status, 28)

    def test_define(self):
        """An absolute symbol: its address is the value."""
        main = self.compile("extern char answer[];\nint main(void) { return (int)(long)answer; }\n", "-fPIC",
                            name="main.o")
        for spelling in (("--define", "answer=33"), ("--define=answer=0x21",), ("-Wl,--defsym=answer=33",),
                         ("--defsym", "answer=33")):
            self.assertEqual(self.jitscope("run", *spelling, main).status, 33, spelling)

    def test_entry(self):
        main = self.compile("int main(void) { return 1; }\nint start(int n, char **v) { return n + v[1][0]; }\n",
                            name="main.o")
        self.assertEqual(self.jitscope("run", "--entry", "start", main, "--", "A").status, 2 + 65)
        self.assertEqual(self.jitscope("run", "-e", "start", main, "--", "A").status, 2 + 65)

    def test_gc_sections(self):
        text = "int used(void) { return 8; }\nint unused(void) { return 9; }\nint main(void) { return used(); }\n"
        main = self.compile(text, "-O1", "-fno-inline", "-ffunction-sections", name="main.o")
        names = {}
        for words in ((), ("--gc-sections",), ("--gc-sections", "-u", "unused")):
            recording = self.folder / "r.jsr"
            self.assertEqual(self.jitscope("run", *words, "--record", recording, main).status, 8)
            rows = self.show("symbols", recording, "--filter", "address > 0")
            names[words] = {row["name"] for row in rows}
        self.assertEqual([sorted(found & {"used", "unused", "main"}) for found in names.values()],
                         [["main", "unused", "used"], ["main", "used"], ["main", "unused", "used"]])

    def test_rdynamic(self):
        """A plug-in finds functions and data of the program that opens it; but not what is hidden."""
        plugin = self.folder / "plugin.so"
        self.must("gcc", "-shared", "-fPIC", "-o", plugin, self.text("plugin.c", """
            extern int give(int), given, *where;
            int plugged(void) { given++; return give(given) + (where == &given) * 100; }
            """))
        main = self.compile("""
            #include <dlfcn.h>
            #include <stdio.h>
            int given = 4, *where = &given;
            int give(int n) { return n * 2; }
            __attribute__((visibility("hidden"))) int hidden(void) { return 0; }
            int main(int count, char **arguments) {
                void *plugin = dlopen(arguments[count - 1], RTLD_NOW);
                int (*plugged)(void) = plugin ? dlsym(plugin, "plugged") : NULL;
                if (!plugged)
                    return puts(strstr(dlerror(), "undefined")) & 0;
                int result = plugged();
                return printf("%d %d %d\\n", result, given, dlsym(RTLD_DEFAULT, "hidden") != NULL);
            }
            """.replace("#include <stdio.h>", "#include <stdio.h>\n#include <string.h>"), "-D_GNU_SOURCE", name="main.o")
        self.assertIn(b"undefined symbol", self.same([main], (), [plugin]).out)
        for option in "-rdynamic", "-Wl,--export-dynamic":
            outcome = self.same([main], [option], [plugin])
            self.assertEqual((outcome.status, outcome.out), (8, b"110 5 0\n"))

    def test_link_prints_segments_and_entry(self):
        main = self.compile("int data = 5;\nint main(void) { return data; }\n", name="main.o")
        plain = self.must(JITSCOPE, "link", "--base", "0x400000", main)
        self.assertIn(b"entry    0x0000000000400000  main", plain.out)
        report = json.loads(self.must(JITSCOPE, "link", "--json", "--base", "0x400000", main).out)
        self.assertTrue(report)

    def test_phony_externals(self):
        main = self.compile(MAIN, name="main.o")
        self.assertEqual(self.jitscope("link", main).status, 1)
        self.must(JITSCOPE, "link", "--phony-externals", main)
        self.assertEqual(self.jitscope("run", "--phony-externals", main).status, 2)

    def test_signals_and_statuses_pass_through(self):
        for body, status in (("abort();", self.ended_by(6)), ("exit(300);", 300 % 256), ("_Exit(7);", 7), ("raise(9);", self.ended_by(9)),
                             ("*(volatile int *)8 = 0;", self.ended_by(11))):
            text = f"#include <signal.h>\n#include <stdlib.h>\nint main(void) {{ {body} return 0; }}\n"
            main = self.compile(text, "-O0", "-w", name="main.o")
            self.assertEqual(self.jitscope("run", main).status, status, body)

    def test_check(self):
        text = "#include <stdio.h>\nint twelve = 12;\nint main(void) { return puts(\"ran\") < 0; }\n"
        main = self.compile(text, name="main.o")
        good = self.text("good", "*{4}twelve == 12 # a comment\n*{8}got(puts) == puts\nsize(twelve) == 4\n")
        self.assertEqual(self.jitscope("run", "--check", good, main).out, b"ran\n")
        bad = self.text("bad", "*{4}twelve == 13\n")
        outcome = self.jitscope("run", "--check", bad, main)
        self.assertEqual((outcome.status, outcome.out), (1, b""))
        self.assertIn(b"bad:1", outcome.err)


class Completion(SystemTest):
    def completed(self, *words):
        """What bash offers for the last word."""
        script = ('eval "$("$0" help --completion)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _jitscope; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        return self.must("bash", "-c", script, JITSCOPE, "jitscope", *words).out.decode().split()

    def test_commands_and_options(self):
        self.assertEqual(self.completed("ins"), ["inspect"])
        self.assertEqual(self.completed("inspect", "--s"), ["--session", "--script", "--size"])
        self.assertEqual(self.completed("run", "--inspect"), ["--inspectable"])

    def test_values(self):
        self.assertEqual(self.completed("inspect", "--batch", "s"), ["segments", "sections", "symbols"])
        self.assertEqual(self.completed("inspect", "--batch", "=", "eh"), ["eh-frames"])
        self.assertEqual(self.completed("show", "se"), ["sections", "segments"])
        self.assertEqual(self.completed("show", "--f"), ["--filter"])
        self.assertEqual(self.completed("export", "--to", "per"), ["perf-map", "perfetto"])


if __name__ == "__main__":
    unittest.main()
