/* recording_follow: a recording that is read while it is written.
 *
 * A followed file is opened as any other, and grows by recording_refresh(), as many times a second as
 * somebody looks.  Chunks that are still open are copied as far as their records are published; when one is
 * sealed, its digest must fit what was copied.  New chunks are found behind those that are known: a writer
 * takes those of an extent in order, and appends sealed ones behind it.  When it ends it cuts the file behind
 * its last record.
 *
 * Threads publish into chunks of their own, and chunks are looked at one after another: what comes in first
 * need not be first in order.  A followed file tells only what is *settled*: file->runs, and with them
 * event_next(), event_after(), and mirrors, end before the first sequence number that is not there yet.  What
 * lies behind waits for it.  So runs are only ever added at the end, or grow there: a cursor that has come to
 * the end goes on after a refresh, and run numbers, offsets and event_after() cursors stay what they are.  Of
 * the file's tables elements may move; the bytes of strings stay.  Records stay until the file is closed for
 * who reads without a window; with one, until the next event or refresh.
 *
 * No more memory is used than a chunk per open chunk, what strings and runs need, and what readers without
 * window ask for: what was sealed is read again when it is asked for, as in large files.
 *
 * A gap that stays (a damaged file) is given up when the writer has ended: its session has ended and all
 * chunks are sealed, or the file was cut behind the last one, or the caller says that its process is gone.
 * What a damaged file tells twice comes when it is found, not in order.  One thread at a time. */
#ifndef TRACE_RECORDING_FOLLOW_H
#define TRACE_RECORDING_FOLLOW_H

#include "trace/recording.h"

/* Opens PATH to follow it: in it is what was published by now.  A packed recording, or one whose chunks are
 * of a size that no writer uses, is read as recording_open() does, and has ended.  Errors: those of
 * recording_open(). */
struct jitscope_error *recording_open_followed(const char *path, struct recording_file *file);
/* The same for an open file, which may have no name (a memfd); FD is taken over, in case of an error too. */
struct jitscope_error *recording_open_descriptor(int fd, struct recording_file *file);

/* Brings in what was published since the last call, or a part of it that keeps a call shorter than a frame:
 * with *MORE another call may bring in more at once.  Without anything new it costs two system calls, and two
 * more for each open chunk.  Errors: SYSTEM, NO_MEMORY, RECORDING (the file was cut, or written by somebody
 * else); after one nothing more comes in, and what came in is as good as it was. */
struct jitscope_error *recording_refresh(struct recording_file *file, bool *more);

/* The events that are told: all with sequence numbers below this one. */
uint64_t recording_settled(const struct recording_file *file);
/* Events that came in and wait for one before them. */
uint64_t recording_waiting(const struct recording_file *file);

/* Whether chunk INDEX, counted from 0, holds some of them. */
bool recording_waits_in(const struct recording_file *file, uint32_t index);

/* The writer's process has ended: the next refreshes bring in what it left, and tell what waits. */
void recording_writer_is_gone(struct recording_file *file);
/* Nothing more will come in. */
bool recording_has_ended(const struct recording_file *file);

/* For recording_close(). */
void recording_follow_destroy(struct recording_follow *follow);

#endif
