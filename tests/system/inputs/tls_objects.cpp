// thread_local objects: made at first use, destroyed when their thread ends; and what std::call_once keeps in
// the library's own thread-local storage.
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>

struct Noisy {
    const char *name;
    std::string text = "hello, thread-local world";
    explicit Noisy(const char *given) : name(given) {
        std::printf("made %s\n", name);
    }
    ~Noisy() {
        std::printf("destroyed %s: %s\n", name, text.c_str());
    }
};

thread_local Noisy outer("outer");
static std::once_flag flag;

static int use() {
    thread_local Noisy inner("inner");
    inner.text += "!";
    return static_cast<int>(outer.text.size() + inner.text.size());
}

inline thread_local int computed = use();

int main() {
    std::printf("%d\n", use());
    std::thread([] {
        std::printf("%d\n", use() + computed);
        std::call_once(flag, [] { std::puts("once"); });
    }).join();
    std::call_once(flag, [] { std::puts("never"); });
    try {
        throw std::string("thrown");
    } catch (const std::string &text) {
        std::puts(text.c_str());
    }
    return 0;
}
