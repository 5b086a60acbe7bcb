/* perf's map of JIT'd code (tools/perf/Documentation/jit-interface.txt in Linux): lines "START SIZE NAME",
 * numbers hexadecimal without prefix, NAME up to the end of the line.  The file has no notion of time: of two
 * links that had the same memory one after the other only the one that is there at the end can be told. */
#include "export/export.h"

#include "export/live_code.h"
#include "export/output.h"

#include <inttypes.h>

struct jitscope_error *export_perf_map(const struct export_source *source, struct output *out) {
    struct live_codes codes;
    struct text line = {0};
    TRY(live_codes_find(source, &codes));
    struct jitscope_error *error = NULL;
    for (uint32_t i = 0; i < codes.list.count && !error; i++) {
        const struct live_code *code = &codes.list.data[i];
        text_print(&line, "%" PRIx64 " %" PRIx64 " ", code->address, code->size);
        live_code_name(source, code, &line);
        text_append(&line, "\n");
        error = output_text(out, &line);
    }
    text_destroy(&line);
    live_codes_destroy(&codes);
    return error;
}
