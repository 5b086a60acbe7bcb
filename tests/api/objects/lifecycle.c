/* Says when its initialiser and its finaliser run. */
extern int host_say(const char *text);

__attribute__((constructor)) static void begin(void) {
    host_say("initialiser");
}

__attribute__((destructor)) static void end(void) {
    host_say("finaliser");
}

int answer(void) {
    return 42;
}
