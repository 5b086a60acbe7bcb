// Exceptions through JIT'd frames and through the C library's.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace shapes {

struct Guard {
    std::string name;
    explicit Guard(const char *text) : name(text) {
    }
    ~Guard() {
        std::printf("leaving %s\n", name.c_str());
    }
};

template <typename Number> struct Box {
    Number width, height;
    Number area() const {
        return width * height; // LINE: box
    }
};

static int refuse(const void *, const void *) {
    Guard guard("refuse");
    throw std::runtime_error("not comparable"); // LINE: throw
}

__attribute__((noinline)) int sort(int *numbers, int count) {
    Guard guard("sort");
    std::qsort(numbers, static_cast<std::size_t>(count), sizeof *numbers, refuse); // LINE: qsort
    return 0;
}

__attribute__((noinline)) void say(const char *text) {
    std::printf("caught %s\n", text);
}

} // namespace shapes

int main() {
    int numbers[] = {3, 2, 1};
    shapes::Box<long> box{6, 7};
    try {
        return shapes::sort(numbers, 3); // LINE: try
    } catch (const std::runtime_error &error) {
        shapes::say(error.what());
    }
    return static_cast<int>(box.area());
}
