#include "disassembly.h"

#include <capstone/capstone.h>
#include <inttypes.h>

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

static void put_all(struct text *out, const char *indent, csh engine, cs_insn *instruction, struct bytes code,
                    uint64_t address) {
    const uint8_t *at = code.data;
    size_t left = code.size;
    while (left) {
        if (cs_disasm_iter(engine, &at, &left, &address, instruction)) {
            put_instruction(out, indent, instruction);
            continue;
        }
        put_data(out, indent, at, address);
        at++, left--, address++;
    }
}

void disassemble(struct text *out, const char *indent, struct bytes code, uint64_t address) {
    csh engine;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &engine) != CS_ERR_OK)
        return;
    cs_insn *instruction = cs_malloc(engine);
    if (instruction) {
        put_all(out, indent, engine, instruction, code, address);
        cs_free(instruction, 1);
    }
    cs_close(&engine);
}
