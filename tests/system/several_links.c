/* A session of several links, recorded, as its words say:
 *
 *     several_links RECORDING { add PATH | library NAME | link | fail | unload N | thread }...
 *
 * `link` must work, `fail` is a link that must not; N counts links that worked, from 1; what comes behind
 * `thread` happens on another thread. */
#include <jitscope/jitscope.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct script {
    struct jitscope_session *session;
    struct jitscope_link *links[16];
    unsigned count;
    char **words;
};

static void check(struct jitscope_error *error) {
    if (!error)
        return;
    /* Not through stderr: a copy of it in this program would be far from what is linked. */
    dprintf(2, "several_links: %s\n", jitscope_error_message(error));
    exit(1);
}

static void link_and_expect(struct script *script, bool good) {
    struct jitscope_error *error = jitscope_session_link(script->session, &script->links[script->count]);
    if (good)
        check(error);
    else if (!error)
        exit(3);
    jitscope_error_destroy(error);
    script->count += good;
}

static void *go_on(void *context);

/* Whether words are left for this thread. */
static bool one_word(struct script *script) {
    const char *word = *script->words++;
    pthread_t thread;
    if (!word) {
        script->words--;
        return false;
    }
    if (!strcmp(word, "add"))
        check(jitscope_session_add_file(script->session, *script->words++));
    else if (!strcmp(word, "library"))
        check(jitscope_session_add_library(script->session, *script->words++));
    else if (!strcmp(word, "unload"))
        check(jitscope_session_unload(script->session, script->links[atoi(*script->words++) - 1]));
    else if (!strcmp(word, "thread"))
        return pthread_create(&thread, NULL, go_on, script) || pthread_join(thread, NULL);
    else
        link_and_expect(script, strcmp(word, "fail") != 0);
    return true;
}

static void *go_on(void *context) {
    while (one_word(context))
        continue;
    return NULL;
}

int main(int count, char **words) {
    struct script script = {.words = words + 2};
    if (count < 3)
        return 2;
    struct jitscope_session_options options = {
        .size = sizeof options, .record_path = words[1], .level = JITSCOPE_LEVEL_EDGES};
    check(jitscope_session_create(&options, &script.session));
    go_on(&script);
    jitscope_session_destroy(script.session);
    return 0;
}
