/* secret: what linker and executor show each other before anything else, where the kernel cannot say who is
 * at the other end: over TCP.
 *
 * Anybody on a machine can connect to a port of it, and whoever comes first can have a port.  So both sides
 * know one secret, of 128 bits or more, made for this one connection; each shows the other that it knows it,
 * and neither tells it: what goes over the wire are bytes drawn for the occasion, and HMAC-SHA256 (RFC 2104,
 * FIPS 180-4) of them under the secret.  bridge.h has the layout.
 *
 * The linker shows it first, so that the executor answers nobody who does not know it.  What each shows has
 * its side's name in it, so that it cannot be sent back; and the port's number: who has taken one port, and
 * hands all that it hears on to the other side's, is found out.  (So the two ends of a forwarding, such as
 * `ssh -L`, need the same number.)
 *
 * One secret is good for one try, whether that succeeds or not.  HMAC is libcrypto's, loaded when it is
 * needed: a process that has another connection has no libcrypto because of this. */
#ifndef EXECUTOR_SECRET_H
#define EXECUTOR_SECRET_H

#include "base/error.h"
#include "jitscope/executor.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { SECRET_LEAST = 16, SECRET_MOST = 4096 }; /* bytes */

struct secret {
    uint8_t bytes[SECRET_MOST];
    size_t size;
    const char *file; /* it was read from; borrowed, NULL: from a descriptor */
    void *library;
    __typeof__(HMAC) *hmac;
    __typeof__(EVP_sha256) *sha256;
    __typeof__(CRYPTO_memcmp) *differ; /* in constant time */
};

/* Reads it.  A file must be this user's own, a regular one, and closed to all others.  Text counts as 4 bits
 * a character, a newline at its end as none.  Errors: USAGE (none is given, it is too short or too long, the
 * file's mode), NOT_FOUND, SYSTEM.  *SECRET is to be forgotten in any case. */
struct jitscope_error *secret_read(const struct jitscope_secret *source, struct secret *secret);
/* Before a try: its file goes, so that there is no second one. */
struct jitscope_error *secret_use_up(const struct secret *secret);
void secret_forget(struct secret *secret);

/* The two sides of it, on a stream that has just been connected.  Errors: EXECUTOR_GONE, SYSTEM. */
struct jitscope_error *secret_show(const struct secret *secret, int fd, uint16_t port); /* the linker */
struct jitscope_error *secret_ask(const struct secret *secret, int fd, uint16_t port);  /* the executor */

#endif
