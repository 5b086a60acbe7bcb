/* synthetic: what the linker itself puts into a batch: common symbols' memory, the symbols that linkers
 * define
 * (__dso_handle, _TLS_MODULE_BASE_, _GLOBAL_OFFSET_TABLE_, __start_X, __stop_X), sections made by name. */
#ifndef PASS_SYNTHETIC_H
#define PASS_SYNTHETIC_H

#include "graph/graph.h"

/* The standard-lifetime section of that name with content, made when it is new. */
struct jitscope_error *synthetic_section(struct graph *graph, const char *name, uint8_t prot,
                                         uint32_t *section);

/* Whether a reference to NAME is to what the linker makes for each batch, so that no library is asked for it:
 * __dso_handle, _TLS_MODULE_BASE_, _GLOBAL_OFFSET_TABLE_. */
bool synthetic_is_made(const char *name);

/* Pre-prune pass: gives each common symbol its zero-filled block. */
struct jitscope_error *allocate_commons(struct graph *graph, void *unused);
/* Pre-prune pass: __dso_handle, when it is referred to and nobody defines it: a word that holds its own
 * address, as in crtbegin's; and _TLS_MODULE_BASE_. */
struct jitscope_error *define_dso_handle(struct graph *graph, void *unused);
/* Post-allocation pass: _GLOBAL_OFFSET_TABLE_, and __start_X and __stop_X for sections whose name is X. */
struct jitscope_error *define_bounds(struct graph *graph, void *unused);
/* Resolve pass, after everybody else was asked: the names at the edges of a program that ld's default script
 * PROVIDEs
 * (__executable_start, etext, edata, end and their variants). */
struct jitscope_error *provide_program_bounds(struct graph *graph, void *unused);

#endif
