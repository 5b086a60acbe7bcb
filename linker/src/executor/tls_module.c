#include "executor/tls_module.h"

#include "base/bytes.h"
#include "base/os.h"
#include "executor/loaded_file.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* The file, as long as the parts before the initial values: headers, hash table, symbols, their names,
 * relocations; then the values; then, on pages of their own since the loader writes there, the dynamic
 * section and two words for each wish.  Offsets are addresses too. */
enum { PAGE = 4096, HEADERS = 5, MOST_DYNAMIC = 16, FIRST_WISH_SYMBOL = 2, LARGEST_ALIGNMENT = 1 << 24 };

struct shape {
    const struct tls_request *request;
    const struct tls_module *const *needed;
    size_t needed_count;
    uint32_t symbols;
    uint64_t hash, symbol_table, strings, strings_size, relocations, image, dynamic, words, end;
};

/* What a later link's library calls the block of LINK. */
enum { BLOCK_NAME_SIZE = 32 };
static int block_name(char *text, uint32_t link) {
    return snprintf(text, BLOCK_NAME_SIZE, "jitscope.tls.%u", link);
}

static bool is_own_block(const struct tls_request *request, const struct tls_wish *wish) {
    return !wish->name && wish->link == request->link;
}

static uint64_t name_size(const struct tls_wish *wish) {
    char text[BLOCK_NAME_SIZE];
    return (wish->name ? strlen(wish->name) : (uint64_t)block_name(text, wish->link)) + 1;
}

static uint64_t measure_strings(const struct shape *shape) {
    const struct tls_request *request = shape->request;
    char text[BLOCK_NAME_SIZE];
    uint64_t size = 1 + (uint64_t)block_name(text, request->link) + 1;
    for (uint32_t i = 0; i < request->wish_count; i++)
        size += name_size(&request->wishes[i]);
    for (size_t i = 0; i < shape->needed_count; i++)
        size += strlen(shape->needed[i]->path) + 1;
    return size;
}

static uint64_t round_up(uint64_t value, uint64_t alignment) {
    return (value + alignment - 1) & ~(alignment - 1);
}

/* What is enough for most blocks.  All have that at least, and sizes that are multiples of it, so that in
 * static TLS they lie without gaps, which the loader would not take back with them. */
enum { USUAL_ALIGNMENT = 32 };

static uint64_t block_alignment(const struct tls_request *request) {
    return request->alignment < USUAL_ALIGNMENT ? USUAL_ALIGNMENT : request->alignment;
}

/* Sizes are far below 2^63: the layout of a batch has 4 GiB at most. */
static void measure(struct shape *shape) {
    const struct tls_request *request = shape->request;
    shape->symbols = FIRST_WISH_SYMBOL + request->wish_count;
    shape->hash = sizeof(Elf64_Ehdr) + HEADERS * sizeof(Elf64_Phdr);
    shape->symbol_table = round_up(shape->hash + (3 + (uint64_t)shape->symbols) * 4, 8);
    shape->strings = shape->symbol_table + shape->symbols * sizeof(Elf64_Sym);
    shape->strings_size = measure_strings(shape);
    shape->relocations = round_up(shape->strings + shape->strings_size, 8);
    shape->image =
        round_up(shape->relocations + request->wish_count * sizeof(Elf64_Rela), block_alignment(request));
    shape->dynamic = round_up(shape->image + request->image_size, PAGE);
    shape->words = shape->dynamic + (MOST_DYNAMIC + shape->needed_count) * sizeof(Elf64_Dyn);
    shape->end = shape->words + request->wish_count * sizeof(struct tls_answer);
}

static void put_headers(const struct shape *shape, uint8_t *file) {
    const struct tls_request *request = shape->request;
    uint64_t writable = shape->end - shape->dynamic, constant = shape->image + request->image_size;
    /* A module without a block has no PT_TLS. */
    Elf64_Phdr segments[HEADERS] = {
        {PT_LOAD, PF_R, 0, 0, 0, constant, constant, PAGE},
        {PT_LOAD, PF_R | PF_W, shape->dynamic, shape->dynamic, shape->dynamic, writable, writable, PAGE},
        {PT_DYNAMIC, PF_R | PF_W, shape->dynamic, shape->dynamic, shape->dynamic,
         shape->words - shape->dynamic, shape->words - shape->dynamic, 8},
        {PT_GNU_STACK, PF_R | PF_W | (request->executable_stack ? PF_X : 0), 0, 0, 0, 0, 0, 16},
        {request->size ? PT_TLS : PT_NULL, PF_R, shape->image, shape->image, shape->image,
         request->image_size, round_up(request->size, block_alignment(request)), block_alignment(request)},
    };
    loaded_file_put_headers(file, segments, HEADERS);
}

/* A writer of the string table: where the next text goes. */
struct strings {
    uint8_t *start;
    uint32_t next;
};

static uint32_t put_string(struct strings *strings, const char *text) {
    uint32_t at = strings->next;
    size_t size = strlen(text) + 1;
    memcpy(strings->start + at, text, size);
    strings->next += (uint32_t)size;
    return at;
}

static uint32_t put_block_name(struct strings *strings, uint32_t link) {
    char text[BLOCK_NAME_SIZE];
    block_name(text, link);
    return put_string(strings, text);
}

/* Symbol 1 is the block, for later links; each wish about something else has a symbol to be found. */
static void put_symbols(const struct shape *shape, uint8_t *file, struct strings *strings) {
    const struct tls_request *request = shape->request;
    uint8_t *at = file + shape->symbol_table + sizeof(Elf64_Sym);
    Elf64_Sym symbol = {.st_name = put_block_name(strings, request->link),
                        .st_info = ELF64_ST_INFO(STB_GLOBAL, request->size ? STT_TLS : STT_NOTYPE),
                        .st_shndx = request->size ? 1 : SHN_UNDEF,
                        .st_size = request->size};
    memcpy(at, &symbol, sizeof symbol);
    for (uint32_t i = 0; i < request->wish_count; i++) {
        const struct tls_wish *wish = &request->wishes[i];
        symbol = (Elf64_Sym){.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_TLS)};
        symbol.st_name = wish->name ? put_string(strings, wish->name) : put_block_name(strings, wish->link);
        memcpy(at + (1 + i) * sizeof symbol, &symbol, sizeof symbol);
    }
}

/* One bucket, and in it the block: the only symbol that anybody looks for here (gABI chapter 5, "Hash
 * Table"). */
static void put_hash(const struct shape *shape, uint8_t *file) {
    store_u32(file + shape->hash, 1);
    store_u32(file + shape->hash + 4, shape->symbols);
    store_u32(file + shape->hash + 8, 1);
}

static void put_relocations(const struct shape *shape, uint8_t *file) {
    static const uint32_t types[] = {[TLS_WORD_MODULE] = R_X86_64_DTPMOD64,
                                     [TLS_WORD_OFFSET] = R_X86_64_DTPOFF64,
                                     [TLS_WORD_TP_OFFSET] = R_X86_64_TPOFF64,
                                     [TLS_WORD_DESCRIPTOR] = R_X86_64_TLSDESC};
    for (uint32_t i = 0; i < shape->request->wish_count; i++) {
        const struct tls_wish *wish = &shape->request->wishes[i];
        uint64_t symbol = is_own_block(shape->request, wish) ? 0 : FIRST_WISH_SYMBOL + (uint64_t)i;
        Elf64_Rela relocation = {.r_offset = shape->words + i * sizeof(struct tls_answer),
                                 .r_info = ELF64_R_INFO(symbol, types[wish->kind]),
                                 .r_addend = (int64_t)wish->addend};
        memcpy(file + shape->relocations + i * sizeof relocation, &relocation, sizeof relocation);
    }
}

static void put_dynamic(const struct shape *shape, uint8_t *dynamic, struct strings *strings) {
    const Elf64_Dyn fixed[] = {
        {DT_HASH, {shape->hash}},
        {DT_SYMTAB, {shape->symbol_table}},
        {DT_SYMENT, {sizeof(Elf64_Sym)}},
        {DT_STRTAB, {shape->strings}},
        {DT_STRSZ, {shape->strings_size}},
        {DT_RELA, {shape->relocations}},
        {DT_RELASZ, {shape->request->wish_count * sizeof(Elf64_Rela)}},
        {DT_RELAENT, {sizeof(Elf64_Rela)}},
        {DT_FLAGS, {DF_BIND_NOW}},
    };
    _Static_assert(sizeof fixed / sizeof *fixed < MOST_DYNAMIC, "there is an end behind them");
    memcpy(dynamic, fixed, sizeof fixed);
    for (size_t i = 0; i < shape->needed_count; i++) {
        Elf64_Dyn needed = {DT_NEEDED, {put_string(strings, shape->needed[i]->path)}};
        memcpy(dynamic + sizeof fixed + i * sizeof needed, &needed, sizeof needed);
    }
}

/* --- the file */

static struct jitscope_error *write_parts(int fd, const struct shape *shape, uint8_t *head,
                                          uint8_t *dynamic) {
    const struct tls_request *request = shape->request;
    struct strings strings = {head + shape->strings, 1};
    put_headers(shape, head);
    put_hash(shape, head);
    put_symbols(shape, head, &strings);
    put_relocations(shape, head);
    put_dynamic(shape, dynamic, &strings);
    if (os_resize(fd, shape->end))
        return error_system("ftruncate", "a module for thread-local storage");
    TRY(loaded_file_write(fd, head, shape->relocations + request->wish_count * sizeof(Elf64_Rela), 0));
    TRY(loaded_file_write(fd, request->image, request->image_size, shape->image));
    return loaded_file_write(fd, dynamic, shape->words - shape->dynamic, shape->dynamic);
}

static struct jitscope_error *write_file(int fd, const struct shape *shape) {
    uint8_t *head = os_allocate_zeroed(shape->relocations + shape->request->wish_count * sizeof(Elf64_Rela));
    uint8_t *dynamic = os_allocate_zeroed(shape->words - shape->dynamic);
    struct jitscope_error *error =
        head && dynamic ? write_parts(fd, shape, head, dynamic) : error_no_memory();
    os_release(head);
    os_release(dynamic);
    return error;
}

/* --- the loader */

/* "PATH: what is wrong", and the path means nothing to anybody. */
static struct jitscope_error *refusal(const struct tls_module *module, const char *text) {
    size_t length = strlen(module->path);
    if (!text)
        return error_no_memory();
    if (!strncmp(text, module->path, length) && text[length] == ':')
        text += length + 1 + strspn(text + length + 1, " ");
    bool is_static = strstr(text, "static TLS") != NULL, is_hidden = strstr(text, "cannot open") != NULL;
    struct jitscope_error *error =
        error_create(is_static ? JITSCOPE_ERROR_ADDRESS_SPACE : JITSCOPE_ERROR_UNRESOLVED,
                     "the dynamic loader says of the batch's thread-local storage: %s", text);
    return is_hidden
               ? error_with_help(
                     error,
                     "the block is opened through /proc, which must be mounted and tell of this process")
               : error;
}

static struct jitscope_error *open_file(struct tls_module *module, int fd, const struct shape *shape,
                                        struct tls_answer *answers) {
    const char *text;
    TRY(write_file(fd, shape));
    module->path = loaded_file_path(fd);
    if (!module->path)
        return error_no_memory();
    module->library = os_library_open_alone(module->path, &text);
    if (!module->library)
        return refusal(module, text);
    const uint8_t *base = os_library_base(module->library);
    os_library_hide(module->library);
    memcpy(answers, base + shape->words, shape->request->wish_count * sizeof *answers);
    return NULL;
}

struct jitscope_error *tls_module_open(struct tls_module *module, const struct tls_request *request,
                                       const struct tls_module *const *needed, size_t needed_count,
                                       struct tls_answer *answers) {
    struct shape shape = {.request = request, .needed = needed, .needed_count = needed_count};
    *module = (struct tls_module){.link = request->link};
    if (request->alignment > LARGEST_ALIGNMENT)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED,
                            "thread-local storage aligned to %llu bytes: %d at most",
                            (unsigned long long)request->alignment, LARGEST_ALIGNMENT);
    measure(&shape);
    if (shape.strings_size > INT32_MAX)
        return error_create(JITSCOPE_ERROR_ADDRESS_SPACE, "more names than a shared library can have");
    int fd = os_memory_file("jitscope-tls");
    if (fd < 0)
        return error_system("memfd_create", "a module for thread-local storage");
    struct jitscope_error *error = open_file(module, fd, &shape, answers);
    os_close(fd);
    if (error)
        tls_module_close(module);
    return error;
}

uint64_t tls_module_block(const struct tls_module *module) {
    char name[BLOCK_NAME_SIZE];
    block_name(name, module->link);
    return (uint64_t)(uintptr_t)os_library_symbol_alone(module->library, name);
}

void tls_module_close(struct tls_module *module) {
    if (module->library)
        os_library_close(module->library);
    os_release(module->path);
    *module = (struct tls_module){0};
}
