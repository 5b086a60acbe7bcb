/* endpoint: where linker and executor meet, when neither has started the other.
 *
 * The executor waits for one linker, and for no other once it is there.  Who may come:
 *
 *     unix:PATH           a socket of mode 0600, in a folder of mode 0700 that is no link, both the user's
 * own; both sides look at that, and each asks the kernel whose process the other one is (SO_PEERCRED): it
 * must have the same effective user tcp:127.0.0.1:PORT  who knows a secret (secret.h); the port is open on
 * the loopback interface alone, so from other machines one comes through a channel like ssh, which knows who
 * that is
 *
 * Nothing is listened to without being asked for, and nothing is left of it once somebody is there. */
#ifndef EXECUTOR_ENDPOINT_H
#define EXECUTOR_ENDPOINT_H

#include "base/error.h"
#include "jitscope/executor.h"

#include <stdbool.h>
#include <stdint.h>

struct endpoint {
    const char *path; /* NULL: TCP */
    uint16_t port;    /* 0: any that is free; only to listen at */
};

/* "unix:PATH", a path with a / in it, "tcp:PORT", "tcp:127.0.0.1:PORT", "tcp:localhost:PORT".  Errors: USAGE.
 */
struct jitscope_error *endpoint_parse(const char *text, struct endpoint *endpoint);
/* *FD is the stream.  Errors: as jitscope_executor_connect_to(). */
struct jitscope_error *endpoint_connect(const struct endpoint *endpoint, const struct jitscope_secret *secret,
                                        int *fd);
/* Waits for one linker.  Errors: as jitscope_target_listen(). */
struct jitscope_error *endpoint_listen(const struct endpoint *endpoint,
                                       const struct jitscope_listen_options *options, int *fd);

#endif
