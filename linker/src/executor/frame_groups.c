#include "executor/frame_groups.h"

#include "base/os.h"
#include "executor/executor_nongnu.h"

#include <pthread.h>
#include <string.h>

enum { MOST_RECORDS = 2048, MOST_BYTES = 256 << 10 };

/* For how long an object that is withdrawn may still be read: a thread needs a few instructions for it, but
 * may not get to them at once. */
#define GRACE ((uint64_t)10 * 1000 * 1000 * 1000)

/* struct object of libgcc's unwind-dw2-fde.h has six words; it must not be known better. */
struct libgcc_object {
    uint64_t words[8];
    uint64_t withdrawn; /* when */
    struct libgcc_object *next;
};

/* About a page of them: one by one they would hold pages of the heap where all else is free. */
enum { SLAB_OBJECTS = 50 };

struct libgcc_slab {
    struct libgcc_slab *next;
    struct libgcc_object objects[SLAB_OBJECTS];
};

_Static_assert(sizeof(struct libgcc_slab) <= FRAME_GROUPS_SLAB, "the header says how large they are");

struct grouped_section {
    uint64_t low, high; /* the code it is about; of large ones, one address there */
    uint64_t records;
    uint64_t range;              /* start of the address space that it shares with its like; 0: none */
    const void *alone[3];        /* the table that has only it, */
    struct libgcc_object object; /* and the object, when there is no memory for another */
    struct grouped_section *next;
};

/* --- address space */

struct allowed {
    uint64_t start, size;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static VEC(struct allowed) allowed;

/* What cannot be noted is not allowed. */
void frame_groups_allow(uint64_t start, uint64_t size) {
    pthread_mutex_lock(&lock);
    jitscope_error_destroy(vec_push(&allowed, (struct allowed){start, size}));
    pthread_mutex_unlock(&lock);
}

void frame_groups_forbid(uint64_t start) {
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < allowed.count; i++)
        if (allowed.data[i].start == start) {
            allowed.data[i] = allowed.data[--allowed.count];
            break;
        }
    if (!allowed.count) {
        vec_destroy(&allowed);
        memset(&allowed, 0, sizeof allowed);
    }
    pthread_mutex_unlock(&lock);
}

static uint64_t range_of(uint64_t low, uint64_t high) {
    uint64_t start = 0;
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < allowed.count; i++)
        if (low >= allowed.data[i].start && high - allowed.data[i].start <= allowed.data[i].size)
            start = allowed.data[i].start;
    pthread_mutex_unlock(&lock);
    return start;
}

/* --- tables */

/* A table whose first 32 bits are 0 is to libgcc an empty section, which it has not kept and will not forget.
 * Half an address of a section can be that; so a table begins with a section of nothing but its end, at
 * another address. */
static const void *first_of_table(void) {
    static const uint32_t ends[2];
    return (uint32_t)(uintptr_t)ends ? &ends[0] : &ends[1];
}

static const void *content_of(const struct grouped_section *section) {
    return section->alone[1];
}

static struct grouped_section *make_section(struct bytes section) {
    struct grouped_section *made = os_allocate_zeroed(sizeof *made);
    bool small = section.size <= MOST_BYTES;
    if (!made)
        return NULL;
    if (!executor_nongnu_extent(section, (uintptr_t)section.data, small ? UINT64_MAX : 1, &made->low,
                                &made->high, &made->records)) {
        os_release(made);
        return NULL;
    }
    made->records = small ? made->records : MOST_RECORDS;
    made->range = range_of(made->low, made->high);
    made->alone[0] = first_of_table();
    made->alone[1] = section.data;
    return made;
}

static uint64_t slabs; /* atomic */

uint64_t frame_groups_slabs(void) {
    return __atomic_load_n(&slabs, __ATOMIC_RELAXED);
}

static struct libgcc_object *make_object(struct frame_groups *groups) {
    if (!groups->slabs || groups->taken == SLAB_OBJECTS) {
        struct libgcc_slab *slab = os_allocate_zeroed(sizeof *slab);
        if (!slab)
            return NULL;
        slab->next = groups->slabs;
        groups->slabs = slab;
        groups->taken = 0;
        __atomic_add_fetch(&slabs, 1, __ATOMIC_RELAXED);
    }
    return &groups->slabs->objects[groups->taken++];
}

static struct libgcc_object *take_object(struct frame_groups *groups) {
    struct libgcc_object *oldest = groups->withdrawn;
    if (!oldest || os_time_ns() - oldest->withdrawn < GRACE)
        return make_object(groups);
    groups->withdrawn = oldest->next;
    return oldest;
}

static void give_object(struct frame_groups *groups, struct libgcc_object *object) {
    object->withdrawn = os_time_ns();
    object->next = NULL;
    if (!groups->withdrawn)
        groups->withdrawn_end = &groups->withdrawn;
    *groups->withdrawn_end = object;
    groups->withdrawn_end = &object->next;
}

/* The group of COUNT sections from FIRST on, which libgcc is told of; false without memory, which one section
 * does not need. */
static bool tell(struct frame_groups *groups, struct grouped_section *first, uint32_t count,
                 struct frame_group *group) {
    *group = (struct frame_group){.first = first, .count = count, .table = first->alone};
    if (count > 1)
        group->table = os_allocate_zeroed(((size_t)count + 2) * sizeof *group->table);
    if (group->table)
        group->object = take_object(groups);
    if (!group->object && count == 1)
        group->object = &first->object;
    if (!group->object) {
        os_release(group->table);
        return false;
    }
    group->table[0] = first_of_table();
    for (uint32_t i = 0; i < count; i++, first = first->next) {
        group->table[i + 1] = content_of(first);
        group->records += first->records;
        group->last = first->low;
    }
    groups->add_table(group->table, group->object->words);
    return true;
}

static void withdraw(struct frame_groups *groups, const struct frame_group *group) {
    groups->remove_table(group->table);
    if (group->count > 1)
        os_release(group->table);
    if (group->object != &group->first->object)
        give_object(groups, group->object);
}

static struct grouped_section *last_of(const struct frame_group *group) {
    struct grouped_section *last = group->first;
    for (uint32_t i = 1; i < group->count; i++)
        last = last->next;
    return last;
}

/* There is room. */
static void insert(struct frame_groups *groups, uint32_t at, struct frame_group group) {
    struct frame_group *place = groups->groups.data + at;
    memmove(place + 1, place, (groups->groups.count - at) * sizeof *place);
    *place = group;
    groups->groups.count++;
}

static void erase(struct frame_groups *groups, uint32_t at, uint32_t count) {
    struct frame_group *place = groups->groups.data + at;
    groups->groups.count -= count;
    memmove(place, place + count, (groups->groups.count - at) * sizeof *place);
}

/* --- in and out */

/* The first group behind ADDRESS. */
static uint32_t find_behind(const struct frame_groups *groups, uint64_t address) {
    uint32_t low = 0, high = groups->groups.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (groups->groups.data[middle].first->low > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static bool joins(const struct frame_group *group, uint64_t range, uint64_t records) {
    return group->first->range == range && group->records <= records &&
           group->records + records <= MOST_RECORDS;
}

/* SECTION with its neighbours from *FROM up to TO: which those are. */
static void choose(const struct frame_groups *groups, const struct grouped_section *section, uint32_t *from,
                   uint32_t *to) {
    uint64_t records = section->records;
    bool more = section->range != 0;
    while (more) {
        more = false;
        if (*from > 0 && joins(&groups->groups.data[*from - 1], section->range, records)) {
            records += groups->groups.data[--*from].records;
            more = true;
        }
        if (*to < groups->groups.count && joins(&groups->groups.data[*to], section->range, records)) {
            records += groups->groups.data[(*to)++].records;
            more = true;
        }
    }
}

/* One chain of the sections of the groups from FROM up to TO, with SECTION before the group AT; how many. */
static uint32_t chain(struct frame_groups *groups, struct grouped_section *section, uint32_t from,
                      uint32_t at, uint32_t to, struct grouped_section **first) {
    struct grouped_section **end = first;
    uint32_t count = 1;
    for (uint32_t i = from; i <= to; i++) {
        if (i == at) {
            *end = section;
            end = &section->next;
        }
        if (i == to)
            break;
        *end = groups->groups.data[i].first;
        end = &last_of(&groups->groups.data[i])->next;
        count += groups->groups.data[i].count;
    }
    *end = NULL;
    return count;
}

/* COUNT sections from FIRST on become as many groups, which are put before the group AT.  Until they all are
 * known, what is known already must not hide the others: the last comes first. */
static uint32_t part(struct frame_groups *groups, struct grouped_section *first, uint32_t count,
                     uint32_t at) {
    for (uint32_t left = count; left-- > 0;) {
        struct frame_group group;
        struct grouped_section *section = first;
        for (uint32_t i = 0; i < left; i++)
            section = section->next;
        tell(groups, section, 1, &group);
        insert(groups, at, group);
    }
    return count;
}

/* The same for one group, or, without memory for it, many; how many. */
static uint32_t regroup(struct frame_groups *groups, struct grouped_section *first, uint32_t count,
                        uint32_t at) {
    struct frame_group group;
    if (!count || !tell(groups, first, count, &group))
        return part(groups, first, count, at);
    insert(groups, at, group);
    return 1;
}

/* There will be sections that are in no group, and lie where nobody knows. */
static void close_groups(struct frame_groups *groups) {
    for (uint32_t at = groups->closed ? 0 : groups->groups.count; at-- > 0;) {
        struct frame_group old = groups->groups.data[at];
        if (old.count == 1)
            continue;
        uint32_t made = part(groups, old.first, old.count, at);
        withdraw(groups, &old);
        erase(groups, at + made, 1);
    }
    groups->closed = true;
}

/* SECTION lies between members of the group AT. */
static void enter(struct frame_groups *groups, struct grouped_section *section, uint32_t at) {
    struct frame_group old = groups->groups.data[at];
    struct grouped_section *before = old.first;
    uint32_t index = 1, made = 0;
    for (; before->next->low < section->low; index++)
        before = before->next;
    struct grouped_section *behind = before->next;
    if (old.records + section->records <= MOST_RECORDS) {
        before->next = section;
        section->next = behind;
        made += regroup(groups, old.first, old.count + 1, at);
    } else {
        made += regroup(groups, behind, old.count - index, at);
        made += regroup(groups, section, 1, at);
        made += regroup(groups, old.first, index, at);
    }
    withdraw(groups, &old);
    erase(groups, at + made, 1);
}

/* SECTION lies before the group AT.  In the order of their addresses its neighbours go. */
static void join(struct frame_groups *groups, struct grouped_section *section, uint32_t at) {
    uint32_t from = at, to = at;
    struct grouped_section *first;
    struct frame_group group;
    choose(groups, section, &from, &to);
    uint32_t count = chain(groups, section, from, at, to, &first);
    if (!tell(groups, first, count, &group)) { /* alone, then: that takes no memory */
        from = to = at;
        tell(groups, section, 1, &group);
    }
    for (uint32_t i = from; i < to; i++)
        withdraw(groups, &groups->groups.data[i]);
    erase(groups, from, to - from);
    insert(groups, from, group);
}

void frame_groups_add(struct frame_groups *groups, struct bytes section) {
    struct grouped_section *made = groups->closed ? NULL : make_section(section);
    /* In the end there is one group for each, and one more that is about to go. */
    struct jitscope_error *error = made ? vec_reserve(&groups->groups, groups->sections + 2) : NULL;
    if (made && !error) {
        uint32_t at = find_behind(groups, made->low);
        groups->sections++;
        if (at && groups->groups.data[at - 1].last > made->low)
            enter(groups, made, at - 1);
        else
            join(groups, made, at);
        return;
    }
    jitscope_error_destroy(error);
    os_release(made);
    close_groups(groups);
    groups->add_section(section.data);
}

/* The group that SECTION, which begins to be about ADDRESS, is in, and its number there; false: it is in
 * none.  Other groups may have sections about the same address. */
static bool find(const struct frame_groups *groups, struct bytes section, uint64_t address, uint32_t *at,
                 uint32_t *index) {
    for (*at = find_behind(groups, address); *at && groups->groups.data[*at - 1].last >= address;) {
        const struct frame_group *group = &groups->groups.data[--*at];
        const struct grouped_section *member = group->first;
        for (*index = 0; *index < group->count; ++*index, member = member->next)
            if (content_of(member) == section.data)
                return true;
    }
    return false;
}

/* Without the member INDEX of the group AT. */
static void split(struct frame_groups *groups, uint32_t at, uint32_t index) {
    struct frame_group old = groups->groups.data[at];
    struct grouped_section *gone = old.first;
    for (uint32_t i = 0; i < index; i++)
        gone = gone->next;
    uint32_t made = regroup(groups, gone->next, old.count - index - 1, at);
    made += regroup(groups, old.first, index, at);
    withdraw(groups, &old);
    erase(groups, at + made, 1);
    groups->sections--;
    os_release(gone);
}

void frame_groups_remove(struct frame_groups *groups, struct bytes section) {
    uint64_t low, high, records;
    uint32_t at, index;
    uint64_t most = section.size <= MOST_BYTES ? UINT64_MAX : 1;
    if (executor_nongnu_extent(section, (uintptr_t)section.data, most, &low, &high, &records) &&
        find(groups, section, low, &at, &index))
        split(groups, at, index);
    else
        groups->remove_section(section.data);
}

void frame_groups_destroy(struct frame_groups *groups) {
    if (!groups)
        return;
    for (struct libgcc_slab *next; groups->slabs; groups->slabs = next) {
        next = groups->slabs->next;
        os_release(groups->slabs);
        __atomic_sub_fetch(&slabs, 1, __ATOMIC_RELAXED);
    }
    vec_destroy(&groups->groups);
    os_release(groups);
}
