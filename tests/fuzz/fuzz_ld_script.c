/* The text of an ld script. */
#include "fuzz_common.h"

#include "object/ld_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct ld_script script;
    struct bytes file = {data, size};
    ld_script_is(file);
    struct jitscope_error *error = ld_script_parse(file, &script);
    size_t bytes = 0;
    for (uint32_t i = 0; !error && i < script.items.count; i++)
        bytes += strlen(script.items.data[i].text);
    FUZZ_HOLDS(bytes <= size);
    if (!error)
        ld_script_destroy(&script);
    fuzz_expect_message(error);
    return 0;
}
