#define _GNU_SOURCE
#include "executor/secret.h"

#include "base/bytes.h"
#include "base/os.h"
#include "executor/bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>

enum { PATIENCE = 10000 /* milliseconds */ };

/* --- reading it */

static struct jitscope_error *wrong_file(const char *path, const char *what) {
    return error_with_help(
        error_in_input(error_create(JITSCOPE_ERROR_USAGE, "the secret's file %s", what), path),
        "make one that only you can read: (umask 077; openssl rand -hex 32 > FILE)");
}

static struct jitscope_error *check_file(const char *path, int fd) {
    uint32_t owner, mode;
    uint64_t size;
    bool regular;
    if (os_file_size(fd, &size, &regular) || os_owner(fd, &owner, &mode))
        return error_system("fstat", path);
    if (!regular)
        return wrong_file(path, "is no regular file");
    if (owner != os_effective_user())
        return wrong_file(path, "belongs to another user");
    return mode & 077 ? wrong_file(path, "is open to other users: its mode is not 0600") : NULL;
}

static bool is_text(const struct secret *secret) {
    for (size_t i = 0; i < secret->size; i++)
        if (secret->bytes[i] < ' ' || secret->bytes[i] > '~')
            return false;
    return true;
}

static struct jitscope_error *check_size(struct secret *secret) {
    if (secret->size && secret->bytes[secret->size - 1] == '\n') {
        secret->size--;
        secret->size += !is_text(secret);
    }
    size_t least = is_text(secret) ? 2 * SECRET_LEAST : SECRET_LEAST;
    if (secret->size >= least)
        return NULL;
    return error_with_help(
        error_create(JITSCOPE_ERROR_USAGE, "the secret has %zu %s: fewer than 128 bits", secret->size,
                     least == SECRET_LEAST ? "bytes" : "characters, of which each counts as 4 bits"),
        "make one: openssl rand -hex 32");
}

static struct jitscope_error *read_all(int fd, struct secret *secret) {
    uint8_t more;
    ssize_t got = 1;
    while (got > 0 && secret->size < sizeof secret->bytes) {
        got = os_read(fd, secret->bytes + secret->size, sizeof secret->bytes - secret->size);
        if (got < 0)
            return error_system("read", secret->file ? secret->file : "the secret's descriptor");
        secret->size += (size_t)got;
    }
    if (got > 0 && os_read(fd, &more, 1) != 0)
        return error_create(JITSCOPE_ERROR_USAGE, "the secret has more than %d bytes", SECRET_MOST);
    return check_size(secret);
}

static struct jitscope_error *read_file(const char *path, struct secret *secret) {
    int fd = os_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0 && errno == ELOOP)
        return wrong_file(path, "is a link");
    if (fd < 0)
        return error_with_help(error_system("cannot open", path),
                               "a secret is good for one try, and its file is gone then");
    secret->file = path;
    struct jitscope_error *error = check_file(path, fd);
    if (!error)
        error = read_all(fd, secret);
    os_close(fd);
    return error;
}

static bool find(void *library, const char *name, void *function, size_t size) {
    void *symbol = os_library_symbol(library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

static struct jitscope_error *load(struct secret *secret) {
    static const char name[] = "libcrypto.so.3";
    const char *why = "a function is missing";
    secret->library = os_library_open_alone(name, &why);
    if (secret->library && find(secret->library, "HMAC", &secret->hmac, sizeof secret->hmac) &&
        find(secret->library, "EVP_sha256", &secret->sha256, sizeof secret->sha256) &&
        find(secret->library, "CRYPTO_memcmp", &secret->differ, sizeof secret->differ))
        return NULL;
    return error_with_help(
        error_create(JITSCOPE_ERROR_NOT_FOUND, "secrets need libcrypto, which is not here: %s", why),
        "install libssl3");
}

struct jitscope_error *secret_read(const struct jitscope_secret *source, struct secret *secret) {
    *secret = (struct secret){0};
    if (!source->file == !source->is_descriptor)
        return error_with_help(
            error_create(JITSCOPE_ERROR_USAGE,
                         "over TCP a secret is needed, from one file or one descriptor"),
            "--secret-file FILE, the same on both sides: (umask 077; openssl rand -hex 32 > FILE)");
    if (source->file)
        TRY(read_file(source->file, secret));
    else
        TRY(read_all(source->descriptor, secret));
    return load(secret);
}

struct jitscope_error *secret_use_up(const struct secret *secret) {
    if (secret->file && os_remove(secret->file) && errno != ENOENT) /* the other side may have been faster */
        return error_system("cannot remove", secret->file);
    return NULL;
}

void secret_forget(struct secret *secret) {
    explicit_bzero(secret->bytes, sizeof secret->bytes);
    if (secret->library)
        os_library_close(secret->library);
    secret->library = NULL;
}

/* --- on the stream */

static struct jitscope_error *put(int fd, const uint8_t *bytes, size_t size) {
    while (size) {
        const struct iovec piece = {(void *)(uintptr_t)bytes, size};
        ssize_t sent = os_stream_send(fd, &piece, 1, -1);
        if (sent < 0)
            return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "the other side has gone: %s", strerror(errno));
        bytes += sent;
        size -= (size_t)sent;
    }
    return NULL;
}

static struct jitscope_error *get(int fd, uint8_t *bytes, size_t size) {
    while (size) {
        int descriptor;
        ssize_t got = os_stream_receive(fd, bytes, size, &descriptor);
        if (descriptor >= 0)
            os_close(descriptor);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return error_create(JITSCOPE_ERROR_EXECUTOR_GONE,
                                "the other side has said nothing for %d seconds", PATIENCE / 1000);
        if (got <= 0)
            return error_with_help(
                error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "the other side has ended the connection: %s",
                             got ? strerror(errno) : "it has another secret, perhaps"),
                "both need the same secret and the same port, and a secret is good for one try");
        bytes += got;
        size -= (size_t)got;
    }
    return NULL;
}

static void put_head(uint8_t head[BRIDGE_HEAD]) {
    memset(head, 0, BRIDGE_HEAD);
    memcpy(head, BRIDGE_HEAD_MAGIC, sizeof BRIDGE_HEAD_MAGIC - 1);
    store_u32(head + 8, BRIDGE_VERSION);
}

static struct jitscope_error *check_head(const uint8_t head[BRIDGE_HEAD], const char *who) {
    uint32_t version = load_u32(head + 8);
    if (memcmp(head, BRIDGE_HEAD_MAGIC, sizeof BRIDGE_HEAD_MAGIC - 1) != 0)
        return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "who has connected is no jitscope %s", who);
    if (version != BRIDGE_VERSION)
        return error_create(JITSCOPE_ERROR_EXECUTOR_GONE,
                            "the other side speaks version %u of the protocol, this one version %d", version,
                            BRIDGE_VERSION);
    return NULL;
}

/* Of what both have drawn, by WHO shows it. */
static struct jitscope_error *make_proof(const struct secret *secret, const char *who, uint16_t port,
                                         const uint8_t *drawn, uint8_t proof[BRIDGE_PROOF]) {
    enum { NAME = 16, SIZE = NAME + 4 + 4 + 2 * BRIDGE_DRAWN };
    uint8_t said[SIZE] = {0};
    unsigned size = BRIDGE_PROOF;
    memcpy(said, who, strlen(who));
    store_u32(said + NAME, BRIDGE_VERSION);
    store_u32(said + NAME + 4, port);
    memcpy(said + NAME + 8, drawn, (size_t)2 * BRIDGE_DRAWN);
    if (secret->hmac(secret->sha256(), secret->bytes, (int)secret->size, said, sizeof said, proof, &size) &&
        size == BRIDGE_PROOF)
        return NULL;
    return error_create(JITSCOPE_ERROR_SYSTEM, "libcrypto has no HMAC-SHA256");
}

static struct jitscope_error *check_proof(const struct secret *secret, const char *who, uint16_t port,
                                          const uint8_t *drawn, const uint8_t proof[BRIDGE_PROOF]) {
    uint8_t expected[BRIDGE_PROOF];
    TRY(make_proof(secret, who, port, drawn, expected));
    if (secret->differ(proof, expected, BRIDGE_PROOF) == 0)
        return NULL;
    return error_with_help(
        error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "the %s does not know the secret", who),
        "the secret is used up: make another; the ports of both ends of a forwarding must be the same");
}

static struct jitscope_error *draw(uint8_t *bytes) {
    return os_random(bytes, BRIDGE_DRAWN) ? error_system("getrandom", NULL) : NULL;
}

static struct jitscope_error *show(const struct secret *secret, int fd, uint16_t port) {
    uint8_t challenge[BRIDGE_HEAD + BRIDGE_DRAWN], proof[BRIDGE_HEAD + BRIDGE_DRAWN + BRIDGE_PROOF],
        drawn[2 * BRIDGE_DRAWN], answer[BRIDGE_PROOF];
    put_head(proof);
    TRY(put(fd, proof, BRIDGE_HEAD)); /* so that the other side, too, can name both versions */
    TRY(get(fd, challenge, sizeof challenge));
    TRY(check_head(challenge, "executor"));
    memcpy(drawn, challenge + BRIDGE_HEAD, BRIDGE_DRAWN);
    TRY(draw(drawn + BRIDGE_DRAWN));
    memcpy(proof + BRIDGE_HEAD, drawn + BRIDGE_DRAWN, BRIDGE_DRAWN);
    TRY(make_proof(secret, "linker", port, drawn, proof + BRIDGE_HEAD + BRIDGE_DRAWN));
    TRY(put(fd, proof + BRIDGE_HEAD, sizeof proof - BRIDGE_HEAD));
    TRY(get(fd, answer, sizeof answer));
    return check_proof(secret, "executor", port, drawn, answer);
}

static struct jitscope_error *ask(const struct secret *secret, int fd, uint16_t port) {
    uint8_t challenge[BRIDGE_HEAD + BRIDGE_DRAWN], head[BRIDGE_HEAD], drawn[2 * BRIDGE_DRAWN],
        proof[BRIDGE_PROOF];
    put_head(challenge);
    TRY(draw(drawn));
    memcpy(challenge + BRIDGE_HEAD, drawn, BRIDGE_DRAWN);
    TRY(put(fd, challenge, sizeof challenge));
    TRY(get(fd, head, sizeof head));
    TRY(check_head(head, "linker"));
    TRY(get(fd, drawn + BRIDGE_DRAWN, BRIDGE_DRAWN));
    TRY(get(fd, proof, sizeof proof));
    TRY(check_proof(secret, "linker", port, drawn, proof));
    TRY(make_proof(secret, "executor", port, drawn, proof));
    return put(fd, proof, sizeof proof);
}

/* Nobody is waited for for ever before it is known who that is. */
static struct jitscope_error *in_time(struct jitscope_error *(*side)(const struct secret *, int, uint16_t),
                                      const struct secret *secret, int fd, uint16_t port) {
    if (os_limit_waiting(fd, PATIENCE))
        return error_system("setsockopt", NULL);
    TRY(side(secret, fd, port));
    return os_limit_waiting(fd, 0) ? error_system("setsockopt", NULL) : NULL;
}

struct jitscope_error *secret_show(const struct secret *secret, int fd, uint16_t port) {
    return in_time(show, secret, fd, port);
}

struct jitscope_error *secret_ask(const struct secret *secret, int fd, uint16_t port) {
    return in_time(ask, secret, fd, port);
}
