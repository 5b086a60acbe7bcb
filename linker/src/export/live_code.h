/* live_code: which links are in memory when a recording ends, and the code in them.
 *
 * A session that is destroyed unloads all its links on the way out, and a program's exit runs their
 * deallocate actions; neither is what an export is about.  So the end of a recording is the call that ends
 * the session. */
#ifndef EXPORT_LIVE_CODE_H
#define EXPORT_LIVE_CODE_H

#include "export/export.h"

#include "base/text.h"

struct live_links {
    VEC(const struct mirror_link *) list; /* in order of number */
};

/* Errors: NO_MEMORY. */
struct jitscope_error *live_links_find(const struct export_source *source, struct live_links *links);
void live_links_destroy(struct live_links *links);

/* Whether a segment is in memory once the link's initialisers have run. */
bool segment_stays(const struct mirror_segment *segment);
/* The segment that BLOCK lies in when that is in memory, else NULL. */
const struct mirror_segment *block_home(const struct mirror_link *link, const struct mirror_block *block);

/* A function or a stub. */
struct live_code {
    uint64_t address, size;
    const struct mirror_link *link;
    uint32_t name; /* string id; what a stub leads to */
    bool stub;
};

struct live_codes {
    VEC(struct live_code) list; /* by address */
};

/* Named code of all live links.  Errors: NO_MEMORY. */
struct jitscope_error *live_codes_find(const struct export_source *source, struct live_codes *codes);
void live_codes_destroy(struct live_codes *codes);
/* "puts@plt", escaped. */
void live_code_name(const struct export_source *source, const struct live_code *code, struct text *name);

#endif
