#include "classes.h"

bottom::bottom() {
    number = 10;
}
bottom::~bottom() = default;
const char *bottom::name() const {
    return "bottom";
}
const char *failure::what() const noexcept {
    return "a failure";
}

base *make(int which) {
    switch (which) {
    case 0:
        return new base;
    case 1:
        return new left;
    case 2:
        return new bottom;
    default: {
        struct : right {
            const char *name() const override {
                return "anonymous";
            }
        } static only;
        base *copy = new right(only);
        return copy;
    }
    }
}

const std::type_info &type_of_elsewhere() {
    return typeid(left);
}

std::function<int(int)> adder(int amount) {
    return [amount](int value) { return value + amount; };
}

int used_elsewhere(int value) {
    return value + shared_count();
}

struct noisy {
    int depth;
    ~noisy() {
        std::printf("leaving %d\n", depth);
    }
};

void fail(int depth, int code) {
    noisy here{depth};
    if (depth)
        fail(depth - 1, code + 1);
    throw failure(code);
}

const int *address_of_table() {
    return table.data();
}

int (*instance_elsewhere())(int) {
    return &pool<int>::add;
}

const char *local_class_name(base **made) {
    struct local : base {
        const char *name() const override {
            return "local";
        }
    };
    *made = new local;
    return typeid(local).name();
}
