#include "inspected/reasons.h"

#include "base/os.h"
#include "base/text.h"
#include "bytes/sorted_file.h"
#include "bytes/worker.h"
#include "record/detail.h"
#include "record/recorded.h"
#include "record/recorded_archives.h"

#include <string.h>

/* An answer in the file between child and parent; steps follow, or an error's message and help. */
struct answer_head {
    uint64_t size; /* with this */
    uint32_t steps;
    uint32_t code; /* of the error; NO_ERROR: there is none */
};
enum { NO_ERROR = UINT32_MAX >> 1 };

struct step_head {
    uint64_t sequence;
    uint32_t kind, length;
};

struct reasons {
    struct worker worker;
    int fd;
    uint64_t read; /* bytes of the file */
    struct text answer;
    VEC(struct reason) list;
};

/* --- the child's side
 * ------------------------------------------------------------------------------------------------- */

struct order {
    struct inspected *inspected;
    const char *question;
    int fd;
};

static void put(struct text *out, uint64_t sequence, uint32_t kind, const char *text) {
    struct step_head head = {.sequence = sequence, .kind = kind, .length = (uint32_t)strlen(text)};
    text_append_bytes(out, (const char *)&head, sizeof head);
    text_append_bytes(out, text, head.length);
}

static uint64_t number_of(const struct why_answer *answer, const struct why_step *step) {
    if (step->kind != WHY_EVENT)
        return UINT64_MAX;
    return answer->numbers ? answer->numbers[step->event.sequence] : step->event.sequence;
}

static void put_answer(struct text *out, const struct why_answer *answer) {
    for (uint32_t i = 0; i < answer->steps.count; i++) {
        const struct why_step *step = &answer->steps.data[i];
        put(out, number_of(answer, step), step->kind, step->text);
    }
}

static void put_error(struct text *out, const struct jitscope_error *error) {
    put(out, UINT64_MAX, WHY_ANSWER, error_text(error));
    put(out, UINT64_MAX, WHY_NOTE, error_help(error) ? error_help(error) : "");
}

static void write_whole(int fd, const void *bytes, size_t size) {
    for (const char *at = bytes; size;) {
        ssize_t wrote = os_write(fd, at, size);
        if (wrote <= 0)
            return; /* the parent sees that there is no answer */
        at += wrote;
        size -= (size_t)wrote;
    }
}

static void hand_over(const struct order *order, const struct worker_ends *ends,
                      const struct why_answer *answer, const struct jitscope_error *error) {
    struct text steps = {0}, whole = {0};
    if (error)
        put_error(&steps, error);
    else
        put_answer(&steps, answer);
    struct answer_head head = {.size = sizeof head + steps.length,
                               .steps = error ? 2 : answer->steps.count,
                               .code = error ? (uint32_t)jitscope_error_code(error) : NO_ERROR};
    text_append_bytes(&whole, (const char *)&head, sizeof head);
    text_append_bytes(&whole, steps.data ? steps.data : "", steps.length);
    if (!whole.failed && !steps.failed)
        write_whole(order->fd, whole.data, whole.length);
    worker_say(ends);
    text_destroy(&steps);
    text_destroy(&whole);
}

static struct jitscope_error *ask(const struct order *order, const struct worker_ends *ends,
                                  const struct mirror *mirror, struct recorded *recorded,
                                  const uint64_t *numbers) {
    const struct why_archives archives = {.defines = recorded_archive_defines, .context = recorded};
    struct why_answer answer = {0};
    struct jitscope_error *error = why_ask(mirror, order->question, recorded ? &archives : NULL, &answer);
    if (!error)
        answer.numbers = numbers;
    hand_over(order, ends, &answer, error);
    if (!error)
        why_destroy(&answer);
    return error;
}

/* Once more, of a recording with all edges. */
static struct jitscope_error *ask_in_detail(const struct order *order, const struct worker_ends *ends,
                                            struct recorded *recorded) {
    struct detail detail;
    struct mirror mirror = {0};
    struct text reason = {0};
    bool made = false;
    struct jitscope_error *error = detail_make(&order->inspected->file, &detail, &made, &reason);
    if (!error && made)
        error = mirror_load(&mirror, &detail.file, detail_sequence(&detail, order->inspected->now));
    if (!error && made)
        error = ask(order, ends, &mirror, recorded, detail.numbers);
    text_destroy(&reason);
    return error; /* memory goes with the child */
}

static void work(void *context, const struct worker_ends *ends) {
    const struct order *order = context;
    const struct recording_file *file = &order->inspected->file;
    struct recorded recorded;
    struct jitscope_error *error = recorded_open(&recorded, file);
    bool has_inputs = !error;
    jitscope_error_destroy(error);
    error = ask(order, ends, &order->inspected->mirror, has_inputs ? &recorded : NULL, NULL);
    if (!error && has_inputs && detail_is_missing(file, LEVEL_EDGES))
        error = ask_in_detail(order, ends, &recorded);
    jitscope_error_destroy(error);
}

/* --- the parent's
 * ------------------------------------------------------------------------------------------------- */

struct jitscope_error *reasons_ask(struct inspected *inspected, const char *question, struct reasons **out) {
    struct reasons *reasons = os_allocate_zeroed(sizeof *reasons);
    if (!reasons)
        return error_no_memory();
    reasons->fd = os_memory_file("jitscope why");
    struct order order = {inspected, question, reasons->fd};
    struct jitscope_error *error = reasons->fd < 0 ? error_system("memfd_create", NULL) : NULL;
    if (!error)
        error = worker_start(&reasons->worker, work, &order);
    if (error) {
        reasons_destroy(reasons);
        return error;
    }
    *out = reasons;
    return NULL;
}

void reasons_destroy(struct reasons *reasons) {
    if (!reasons)
        return;
    worker_stop(&reasons->worker);
    if (reasons->fd >= 0)
        os_close(reasons->fd);
    text_destroy(&reasons->answer);
    vec_destroy(&reasons->list);
    os_release(reasons);
}

/* One more answer, if it is there as a whole. */
static bool read_answer(struct reasons *reasons, struct answer_head *head) {
    char buffer[4096];
    if (!read_whole(reasons->fd, head, sizeof *head, reasons->read) || head->size < sizeof *head)
        return false;
    text_clear(&reasons->answer);
    for (uint64_t at = sizeof *head; at < head->size;) {
        uint64_t size = head->size - at < sizeof buffer ? head->size - at : sizeof buffer;
        if (!read_whole(reasons->fd, buffer, size, reasons->read + at))
            return false;
        text_append_bytes(&reasons->answer, buffer, size);
        at += size;
    }
    reasons->read += head->size;
    return !reasons->answer.failed;
}

static struct jitscope_error *take_steps(struct reasons *reasons, uint32_t count) {
    size_t at = 0;
    reasons->list.count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct step_head head;
        if (reasons->answer.length - at < sizeof head)
            break;
        memcpy(&head, reasons->answer.data + at, sizeof head);
        at += sizeof head;
        if (reasons->answer.length - at < head.length)
            break;
        TRY(vec_push(&reasons->list, (struct reason){head.sequence, (enum why_step_kind)head.kind,
                                                     reasons->answer.data + at, head.length}));
        at += head.length;
    }
    return NULL;
}

static struct jitscope_error *say_error(const struct reasons *reasons, enum jitscope_error_code code) {
    if (reasons->list.count < 2)
        return error_no_memory();
    const struct reason *text = &reasons->list.data[0], *help = &reasons->list.data[1];
    struct jitscope_error *error = error_create(code, "%.*s", (int)text->length, text->text);
    return help->length ? error_with_help(error, "%.*s", (int)help->length, help->text) : error;
}

struct jitscope_error *reasons_listen(struct reasons *reasons, bool *known) {
    struct answer_head head;
    worker_listen(&reasons->worker);
    while (read_answer(reasons, &head)) {
        TRY(take_steps(reasons, head.steps));
        if (head.code != NO_ERROR)
            return say_error(reasons, (enum jitscope_error_code)head.code);
    }
    *known = reasons->list.count;
    if (*known || !reasons->worker.ended)
        return NULL;
    return error_create(JITSCOPE_ERROR_RECORDING, "the process that was to find out ended without an answer");
}

bool reasons_are_final(const struct reasons *reasons) {
    return reasons->worker.ended;
}

int reasons_descriptor(const struct reasons *reasons) {
    return reasons->worker.ended ? -1 : reasons->worker.heard;
}

uint32_t reasons_count(const struct reasons *reasons) {
    return reasons->list.count;
}

const struct reason *reasons_get(const struct reasons *reasons, uint32_t number) {
    return &reasons->list.data[number];
}
