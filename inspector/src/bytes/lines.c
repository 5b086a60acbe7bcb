#include "bytes/lines.h"

#include "bytes/sorted_file.h"
#include "dwarf/image_lines.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

/* In memory that both see. */
struct lines_counts {
    _Atomic uint32_t rows, files, is_complete;
};

struct file_name {
    uint64_t offset;
    uint64_t length;
};

/* --- the child */

struct order {
    int from, to;
    uint64_t offset, size;
    struct lines_counts *counts;
};

static bool write_whole(int fd, const void *data, uint64_t size, uint64_t offset) {
    for (const uint8_t *at = data; size;) {
        ssize_t put = os_write_at(fd, at, size, offset);
        if (put <= 0)
            return false;
        at += put;
        offset += (uint64_t)put;
        size -= (uint64_t)put;
    }
    return true;
}

static bool write_rows(const struct order *order, const struct dwarf_lines *lines) {
    for (uint32_t i = 0; i < lines->rows.count; i++) {
        const struct line_row *row = &lines->rows.data[i];
        struct line_entry entry = {row->address, row->is_end ? 0 : row->line, row->file};
        if (!write_whole(order->to, &entry, sizeof entry, (uint64_t)i * sizeof entry))
            return false;
    }
    return true;
}

static bool write_files(const struct order *order, const struct dwarf_lines *lines) {
    uint64_t table = (uint64_t)lines->rows.count * sizeof(struct line_entry);
    uint64_t at = table + (uint64_t)lines->files.count * sizeof(struct file_name);
    for (uint32_t i = 0; i < lines->files.count; i++) {
        const char *text = lines->files.data[i] ? lines->files.data[i] : "";
        struct file_name name = {at, strlen(text)};
        if (!write_whole(order->to, &name, sizeof name, table + i * sizeof name) ||
            !write_whole(order->to, text, name.length, at))
            return false;
        at += name.length;
    }
    return true;
}

static void read_image(void *context, const struct worker_ends *ends) {
    const struct order *order = context;
    struct debug_image image;
    struct dwarf_lines lines;
    uint8_t *bytes = os_allocate(order->size);
    (void)ends;
    if (!bytes || !read_whole(order->from, bytes, order->size, order->offset) ||
        debug_image_open((struct bytes){bytes, order->size}, &image) || image_lines_read(&image, &lines) ||
        !write_rows(order, &lines) || !write_files(order, &lines))
        return;
    atomic_store(&order->counts->rows, lines.rows.count);
    atomic_store(&order->counts->files, lines.files.count);
    atomic_store(&order->counts->is_complete, 1);
}

/* --- the parent */

static struct jitscope_error *start(struct lines *lines, struct order *order) {
    lines->counts =
        os_map(NULL, sizeof *lines->counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!lines->counts)
        return error_system("mmap", NULL);
    order->counts = lines->counts;
    return worker_start(&lines->worker, read_image, order);
}

static void end_work(struct lines *lines) {
    worker_stop(&lines->worker);
    if (lines->counts)
        os_unmap(lines->counts, sizeof *lines->counts);
    lines->counts = NULL;
    lines->working = 0;
}

struct jitscope_error *lines_start(struct lines *lines, uint32_t link, int fd, uint64_t offset,
                                   uint64_t size) {
    TRY(vec_reserve(&lines->links, 1));
    struct link_lines *fresh = &lines->links.data[lines->links.count++];
    *fresh = (struct link_lines){.link = link, .data = os_memory_file("jitscope-lines")};
    struct order order = {.from = fd, .to = fresh->data, .offset = offset, .size = size};
    struct jitscope_error *error =
        fresh->data < 0 ? error_system("memfd_create", NULL) : start(lines, &order);
    lines->working = link;
    if (error) {
        end_work(lines);
        fresh->is_ready = true; /* with no rows */
    }
    return error;
}

struct link_lines *lines_find(struct lines *lines, uint32_t link) {
    for (uint32_t i = 0; i < lines->links.count; i++)
        if (lines->links.data[i].link == link)
            return &lines->links.data[i];
    return NULL;
}

void lines_listen(struct lines *lines) {
    struct link_lines *link = lines->working ? lines_find(lines, lines->working) : NULL;
    if (!link)
        return;
    worker_listen(&lines->worker);
    if (!lines->worker.ended)
        return;
    if (atomic_load(&lines->counts->is_complete)) {
        link->rows = atomic_load(&lines->counts->rows);
        link->files = atomic_load(&lines->counts->files);
    }
    link->is_ready = true;
    end_work(lines);
}

bool lines_row(const struct link_lines *link, uint64_t address, struct line_entry *row) {
    if (address == UINT64_MAX)
        return false;
    uint32_t behind = sorted_file_first(link->data, 0, link->rows, sizeof *row, address + 1);
    return behind && read_whole(link->data, row, sizeof *row, (uint64_t)(behind - 1) * sizeof *row) &&
           row->line && row->file != NO_FILE;
}

bool lines_file(const struct link_lines *link, uint32_t file, struct text *out) {
    struct file_name name;
    char buffer[4096];
    uint64_t table = (uint64_t)link->rows * sizeof(struct line_entry);
    if (file >= link->files || !read_whole(link->data, &name, sizeof name, table + file * sizeof name))
        return false;
    uint64_t length = name.length < sizeof buffer ? name.length : sizeof buffer;
    if (!read_whole(link->data, buffer, length, name.offset))
        return false;
    text_append_bytes(out, buffer, length);
    return true;
}

void lines_destroy(struct lines *lines) {
    end_work(lines);
    for (uint32_t i = 0; i < lines->links.count; i++)
        if (lines->links.data[i].data >= 0)
            os_close(lines->links.data[i].data);
    vec_destroy(&lines->links);
}
