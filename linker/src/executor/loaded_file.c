#include "executor/loaded_file.h"

#include "base/os.h"
#include "base/text.h"

#include <string.h>

/* The bits of NUMBER as "/." and "/", which change nothing in where a path leads. */
static void spell(struct text *path, uint64_t number) {
    for (; number; number >>= 1)
        text_append(path, number & 1 ? "/." : "/");
}

char *loaded_file_path(int fd) {
    static uint64_t files;
    struct text path = {0};
    text_print(&path, "/proc/%d/fd", os_process_id());
    /* First what differs, since the loader compares each path with all others. */
    spell(&path, __atomic_add_fetch(&files, 1, __ATOMIC_RELAXED));
    text_print(&path, "/../fd");
    spell(&path, (uint64_t)(uintptr_t)&files);
    text_print(&path, "/%d", fd);
    return text_take(&path);
}

void loaded_file_put_headers(uint8_t *file, const Elf64_Phdr *segments, uint16_t count) {
    Elf64_Ehdr header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                         .e_type = ET_DYN,
                         .e_machine = EM_X86_64,
                         .e_version = EV_CURRENT,
                         .e_phoff = sizeof header,
                         .e_ehsize = sizeof header,
                         .e_phentsize = sizeof *segments,
                         .e_phnum = count};
    memcpy(file, &header, sizeof header);
    memcpy(file + sizeof header, segments, count * sizeof *segments);
}

struct jitscope_error *loaded_file_write(int fd, const void *bytes, uint64_t size, uint64_t offset) {
    for (uint64_t done = 0; done < size;) {
        ssize_t written = os_write_at(fd, (const uint8_t *)bytes + done, size - done, offset + done);
        if (written < 0)
            return error_system("pwrite", "a library made in memory");
        done += (uint64_t)written;
    }
    return NULL;
}
