/* executor_linker: an executor that starts its linker, instead of being started by it.
 *
 * Then the executor is the process that a shell waits for, a terminal's signals reach and a debugger or
 * gdbserver starts, with the program's own input, output and exit status.  To whoever looks at it, the
 * program among them, it has no other process (os_spawn_apart()). */
#ifndef TOOLS_EXECUTOR_LINKER_H
#define TOOLS_EXECUTOR_LINKER_H

/* *FD is this process's end of the connection.  exit(3) waits for the linker from now on, so that all it
 * writes, recordings too, is whole then; to be called before the target is created, whose end comes first.
 * -1 with errno. */
int executor_linker_start(char **command, int *fd);
/* The connection has ended, and nothing of the program has called exit(3): the exit status of the linker,
 * which knows why, and has said so.  0 when there is none. */
int executor_linker_end(const char *command);

#endif
