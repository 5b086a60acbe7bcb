/* module_file: what an ELF file that a process has mapped says of its symbols.  Nothing in it is trusted. */
#ifndef TOOLS_MODULE_FILE_H
#define TOOLS_MODULE_FILE_H

#include "base/bytes.h"

#include <elf.h>
#include <stdbool.h>

/* Sees each symbol that is defined; false ends it. */
typedef bool (*module_symbol_function)(void *context, const Elf64_Sym *symbol, const char *name);

/* Those of .symtab and .dynsym.  A file of another kind has none. */
void module_file_each_symbol(struct bytes file, module_symbol_function function, void *context);
/* Virtual address, before relocation, of the file's byte OFFSET. */
uint64_t module_file_address(struct bytes file, uint64_t offset);

#endif
