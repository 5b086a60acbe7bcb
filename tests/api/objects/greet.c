/* Needs a function that only the host program has. */
extern int host_say(const char *text);

int greetings;

int greet(void) {
    greetings++;
    return host_say("hello from linked code");
}
