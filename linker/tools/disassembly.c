#include "disassembly.h"

#include "base/os.h"

#include <capstone/capstone.h>
#include <inttypes.h>
#include <string.h>

enum { LONGEST_INSTRUCTION = 15 };

static void put_bytes(struct text *out, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < LONGEST_INSTRUCTION && i < 8; i++)
        text_print(out, i < size ? "%02x " : "   ", i < size ? bytes[i] : 0);
    if (size > 8)
        text_append(out, "... ");
}

static void put_instruction(struct text *out, const char *indent, const cs_insn *instruction) {
    text_print(out, "%s0x%" PRIx64 "  ", indent, instruction->address);
    put_bytes(out, instruction->bytes, instruction->size);
    text_print(out, " %s %s\n", instruction->mnemonic, instruction->op_str);
}

static void put_data(struct text *out, const char *indent, const uint8_t *at, uint64_t address) {
    text_print(out, "%s0x%" PRIx64 "  ", indent, address);
    put_bytes(out, at, 1);
    text_append(out, " (no instruction)\n");
}

/* capstone is loaded when there is something to disassemble: a third of the time in which this program starts
 * would go into the tables of all the machines it knows. */
#define SPELL(number)          SPELL_EXPANDED(number)
#define SPELL_EXPANDED(number) #number
#define CAPSTONE_LIBRARY       "libcapstone.so." SPELL(CS_API_MAJOR)

struct capstone {
    void *library;
    __typeof__(cs_open) *open;
    __typeof__(cs_malloc) *allocate;
    __typeof__(cs_disasm_iter) *next;
    __typeof__(cs_free) *release;
    __typeof__(cs_close) *close;
};

/* POSIX wants object and function pointers to be the same; ISO C has no cast between them. */
static bool find(const struct capstone *capstone, const char *name, void *function) {
    void *symbol = os_library_symbol_alone(capstone->library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static bool open_capstone(struct capstone *capstone) {
    const char *text;
    capstone->library = os_library_open_alone(CAPSTONE_LIBRARY, &text);
    return capstone->library && find(capstone, "cs_open", &capstone->open) &&
           find(capstone, "cs_malloc", &capstone->allocate) &&
           find(capstone, "cs_disasm_iter", &capstone->next) &&
           find(capstone, "cs_free", &capstone->release) && find(capstone, "cs_close", &capstone->close);
}

static void close_capstone(const struct capstone *capstone) {
    if (capstone->library)
        os_library_close(capstone->library);
}

/* --- lines */

struct disassembly {
    struct text *out;
    const char *indent;
    struct capstone capstone;
    csh engine;
    cs_insn *instruction;
};

static void put_all(struct disassembly *disassembly, struct bytes code, uint64_t address) {
    struct text *out = disassembly->out;
    const char *indent = disassembly->indent;
    const uint8_t *at = code.data;
    size_t left = code.size;
    while (left) {
        if (disassembly->capstone.next(disassembly->engine, &at, &left, &address, disassembly->instruction)) {
            put_instruction(out, indent, disassembly->instruction);
            continue;
        }
        put_data(out, indent, at, address);
        at++, left--, address++;
    }
}

static void disassemble_with(struct disassembly *disassembly, struct bytes code, uint64_t address) {
    const struct capstone *capstone = &disassembly->capstone;
    if (capstone->open(CS_ARCH_X86, CS_MODE_64, &disassembly->engine) != CS_ERR_OK)
        return;
    disassembly->instruction = capstone->allocate(disassembly->engine);
    if (disassembly->instruction) {
        put_all(disassembly, code, address);
        capstone->release(disassembly->instruction, 1);
    }
    capstone->close(&disassembly->engine);
}

void disassemble(struct text *out, const char *indent, struct bytes code, uint64_t address) {
    struct disassembly disassembly = {.out = out, .indent = indent};
    if (open_capstone(&disassembly.capstone))
        disassemble_with(&disassembly, code, address);
    else
        text_print(out, "%s(no instructions: " CAPSTONE_LIBRARY " is not here, or not whole)\n", indent);
    close_capstone(&disassembly.capstone);
}
