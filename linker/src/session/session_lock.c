/* The session's lock.
 *
 * One thread at a time owns a session, from a call's beginning to its end, and can come back: exit(3) inside
 * an initialiser, a lookup inside a callback.  It is a lock of its own making: in a child of fork(), which an
 * initialiser may have made, the C library's recursive locks take the thread that holds them for a stranger;
 * and lazy calls want more than a lock that is held or not.
 *
 * Lazy calls.  Code that calls a function which waits to be linked (session/lazy.c) becomes a caller of the
 * session wherever it is.  Four cases:
 *
 *   - Nobody owns the session: the thread takes it, as for any call.
 *   - Another thread is in the linker: the thread waits.
 *   - The session's owner is itself in code that a link runs, in an initialiser say: then the session is
 * *open*: everything that the linker holds is in order, or is put aside by the nested link
 * (memory_set_aside()).  The thread that asks borrows the session, be it the owner itself, which would else
 * wait for itself, or another, which an initialiser may be waiting for.  Loans nest, and end in reverse: when
 * the owner's initialiser returns while the session is lent, the owner waits until it is given back.
 *   - The thread is in the linker itself (a signal handler, a memory manager, a resolver, a pass): there is
 * no way; the call fails.
 *
 * What an initialiser must not wait for is still another thread's *ordinary* call of the session. */
#include "session/session_state.h"

static bool is_owner(const struct jitscope_session *session) {
    return pthread_equal(__atomic_load_n(&session->owner, __ATOMIC_RELAXED), pthread_self());
}

static void set_owner(struct jitscope_session *session, pthread_t owner) {
    __atomic_store_n(&session->owner, owner, __ATOMIC_RELAXED);
}

void session_lock_create(struct jitscope_session *session) {
    pthread_mutex_init(&session->lock, NULL); /* neither can fail on Linux */
    pthread_cond_init(&session->changed, NULL);
}

void session_lock_destroy(struct jitscope_session *session) {
    pthread_cond_destroy(&session->changed);
    pthread_mutex_destroy(&session->lock);
}

static void wait_for_change(struct jitscope_session *session) {
    session->waiters++;
    pthread_cond_wait(&session->changed, &session->lock);
    session->waiters--;
}

static void tell_change(struct jitscope_session *session) {
    if (session->waiters)
        pthread_cond_broadcast(&session->changed);
}

void session_lock_to_read(struct jitscope_session *session) {
    pthread_mutex_lock(&session->lock);
    while (session->owner && !is_owner(session))
        wait_for_change(session);
    set_owner(session, pthread_self());
    session->depth++;
    pthread_mutex_unlock(&session->lock);
}

void session_lock(struct jitscope_session *session) {
    session_lock_to_read(session);
    trace_enter_link(&session->trace, session->trace.link);
}

void session_unlock(struct jitscope_session *session) {
    pthread_mutex_lock(&session->lock);
    if (!--session->depth) {
        set_owner(session, (pthread_t)0);
        tell_change(session);
    }
    pthread_mutex_unlock(&session->lock);
}

/* In a child of fork() the lock may be held by a thread that is not there: what that thread was changing is
 * left alone. */
bool session_is_lost(struct jitscope_session *session) {
    if (session->process == os_process_id() || is_owner(session))
        return false;
    if (pthread_mutex_trylock(&session->lock))
        return true;
    bool lost = session->owner != 0;
    pthread_mutex_unlock(&session->lock);
    return lost;
}

/* --- open to lazy calls */

uint32_t session_open(void *context) {
    struct jitscope_session *session = context;
    pthread_mutex_lock(&session->lock);
    uint32_t before = session->open_depth;
    session->open_depth = session->depth;
    tell_change(session);
    pthread_mutex_unlock(&session->lock);
    return before;
}

void session_shut(void *context, uint32_t before) {
    struct jitscope_session *session = context;
    pthread_mutex_lock(&session->lock);
    while (session->depth && !is_owner(session)) /* lent */
        wait_for_change(session);
    session->open_depth = before;
    pthread_mutex_unlock(&session->lock);
    trace_enter_link(&session->trace, session->trace.link);
}

static bool is_open(const struct jitscope_session *session) {
    return session->open_depth && session->depth == session->open_depth;
}

bool session_borrow(struct jitscope_session *session, struct session_loan *loan) {
    if (session_is_lost(session))
        return false;
    pthread_mutex_lock(&session->lock);
    while (session->owner && !is_open(session) && !is_owner(session))
        wait_for_change(session);
    bool can = !session->owner || is_open(session);
    if (can) {
        *loan = (struct session_loan){session->owner, session->depth, session->open_depth};
        set_owner(session, pthread_self());
        session->depth = 1;
        session->open_depth = 0;
    }
    pthread_mutex_unlock(&session->lock);
    if (can)
        trace_enter_link(&session->trace, session->trace.link); /* this thread's events from here on */
    return can;
}

void session_give_back(struct jitscope_session *session, const struct session_loan *loan) {
    pthread_mutex_lock(&session->lock);
    set_owner(session, loan->owner);
    session->depth = loan->depth;
    session->open_depth = loan->open_depth;
    tell_change(session);
    pthread_mutex_unlock(&session->lock);
}

void session_wait_for_link(struct jitscope_session *session, uint32_t ended) {
    pthread_mutex_lock(&session->lock);
    while (session->ended_links == ended)
        wait_for_change(session);
    pthread_mutex_unlock(&session->lock);
}

void session_tell_ended_link(struct jitscope_session *session) {
    pthread_mutex_lock(&session->lock);
    session->ended_links++;
    tell_change(session);
    pthread_mutex_unlock(&session->lock);
}
