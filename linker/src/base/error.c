#include "base/error.h"

#include "base/os.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct jitscope_error {
    enum jitscope_error_code code;
    uint64_t offset;
    char *input;
    char *section;
    char *symbol;
    char *text; /* what happened, without coordinates */
    char *help;
    char *message; /* everything composed; rebuilt when a part changes */
};

struct jitscope_error error_no_memory_instance = {
    .code = JITSCOPE_ERROR_NO_MEMORY,
    .offset = NO_OFFSET,
    .text = "out of memory",
    .message = "out of memory",
};

static const struct {
    const char *name;
    int status;
} codes[] = {
    {"SUCCESS", 0},
#define ERROR(name, status, text) {#name, status},
#include "jitscope/errors.def"
#undef ERROR
};

static char *copy_string(const char *text) {
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    char *copy = os_allocate(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

static char *format_string(const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = length < 0 ? NULL : os_allocate((size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

static void append_coordinates(struct text *out, const struct jitscope_error *error) {
    if (error->input)
        text_append_escaped(out, error->input, strlen(error->input));
    if (error->section) {
        text_append(out, error->input ? ": " : "");
        text_append_escaped(out, error->section, strlen(error->section));
    }
    if (error->offset != NO_OFFSET)
        text_print(out, "%s0x%" PRIx64,
                   error->section ? "+"
                   : error->input ? ": offset "
                                  : "offset ",
                   error->offset);
    if (error->symbol) {
        text_append(out, out->length ? ": symbol '" : "symbol '");
        text_append_escaped(out, error->symbol, strlen(error->symbol));
        text_append(out, "'");
    }
    if (out->length)
        text_append(out, ": ");
}

/* Newlines in the text are ours (lists of referrers); every other control byte came from an input. */
static void append_lines(struct text *out, const char *text) {
    for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
        text_append_escaped(out, text, (size_t)(end - text));
        text_append(out, "\n");
    }
    text_append_escaped(out, text, strlen(text));
}

static void compose(struct jitscope_error *error) {
    struct text out = {0};
    append_coordinates(&out, error);
    append_lines(&out, error->text);
    if (error->help) {
        text_append(&out, "\n  help: ");
        append_lines(&out, error->help);
    }
    os_release(error->message);
    error->message = text_take(&out);
}

/* TEXT is consumed. */
static struct jitscope_error *build(enum jitscope_error_code code, const struct coordinates *where,
                                    char *text) {
    struct jitscope_error *error = text ? os_allocate_zeroed(sizeof *error) : NULL;
    if (!error) {
        os_release(text);
        return error_no_memory();
    }
    error->code = code;
    error->offset = where->offset;
    error->input = copy_string(where->input);
    error->section = copy_string(where->section);
    error->symbol = copy_string(where->symbol);
    error->text = text;
    compose(error);
    return error;
}

struct jitscope_error *error_create(enum jitscope_error_code code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = format_string(format, arguments);
    va_end(arguments);
    return build(code, &NOWHERE, text);
}

struct jitscope_error *error_at(enum jitscope_error_code code, const struct coordinates *where,
                                const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = format_string(format, arguments);
    va_end(arguments);
    return build(code, where, text);
}

struct jitscope_error *error_system(const char *call, const char *what) {
    int number = errno;
    enum jitscope_error_code code = number == ENOENT   ? JITSCOPE_ERROR_NOT_FOUND
                                    : number == ENOMEM ? JITSCOPE_ERROR_NO_MEMORY
                                                       : JITSCOPE_ERROR_SYSTEM;
    struct coordinates where = {.input = what, .offset = NO_OFFSET};
    return error_at(code, &where, "%s: %s", call, strerror(number));
}

struct jitscope_error *error_with_help(struct jitscope_error *error, const char *format, ...) {
    if (!error || error == error_no_memory())
        return error;
    va_list arguments;
    va_start(arguments, format);
    char *help = format_string(format, arguments);
    va_end(arguments);
    os_release(error->help);
    error->help = help;
    compose(error);
    return error;
}

/* Only for errors about an input: others say what to do themselves, or nothing can be done. */
static const char *usual_help(const struct jitscope_error *error) {
    switch (error->code) {
    case JITSCOPE_ERROR_TRUNCATED:
        return "the file was cut off or damaged: make it again";
    case JITSCOPE_ERROR_FORMAT:
    case JITSCOPE_ERROR_OUT_OF_RANGE:
        return "the file is damaged, or what wrote it is at fault: make it again";
    case JITSCOPE_ERROR_UNSUPPORTED:
        return "leave this input out, or make it without that";
    case JITSCOPE_ERROR_RECORDING:
        return "record the link again with --record";
    case JITSCOPE_ERROR_SYSTEM:
        return "check the file, and who may read and write it";
    case JITSCOPE_ERROR_NOT_FOUND:
        return "check the name, and which folder it is relative to";
    default:
        return NULL;
    }
}

struct jitscope_error *error_with_default_help(struct jitscope_error *error, const char *help) {
    return error && help && !error->help ? error_with_help(error, "%s", help) : error;
}

struct jitscope_error *error_with_usual_help(struct jitscope_error *error) {
    return error && error->input ? error_with_default_help(error, usual_help(error)) : error;
}

struct jitscope_error *error_in_input(struct jitscope_error *error, const char *input) {
    if (!error || error == error_no_memory() || error->input)
        return error;
    error->input = copy_string(input);
    compose(error);
    return error;
}

struct jitscope_error *jitscope_error_create(enum jitscope_error_code code, const char *message) {
    return build(code, &NOWHERE, copy_string(message ? message : ""));
}

void jitscope_error_destroy(struct jitscope_error *error) {
    if (!error || error == error_no_memory())
        return;
    os_release(error->input);
    os_release(error->section);
    os_release(error->symbol);
    os_release(error->text);
    os_release(error->help);
    os_release(error->message);
    os_release(error);
}

enum jitscope_error_code jitscope_error_code(const struct jitscope_error *error) {
    return error ? error->code : JITSCOPE_SUCCESS;
}

const char *jitscope_error_code_name(enum jitscope_error_code code) {
    return (size_t)code < sizeof codes / sizeof *codes ? codes[code].name : "UNKNOWN";
}

int jitscope_error_exit_status(enum jitscope_error_code code) {
    return (size_t)code < sizeof codes / sizeof *codes ? codes[code].status : 1;
}

const char *jitscope_error_message(const struct jitscope_error *error) {
    if (!error)
        return "success";
    return error->message ? error->message : error->text;
}

const char *error_text(const struct jitscope_error *error) {
    return error->text;
}

const char *error_help(const struct jitscope_error *error) {
    return error->help;
}

const char *jitscope_error_input(const struct jitscope_error *error) {
    return error ? error->input : NULL;
}

const char *jitscope_error_section(const struct jitscope_error *error) {
    return error ? error->section : NULL;
}

const char *jitscope_error_symbol(const struct jitscope_error *error) {
    return error ? error->symbol : NULL;
}

uint64_t jitscope_error_offset(const struct jitscope_error *error) {
    return error ? error->offset : NO_OFFSET;
}
