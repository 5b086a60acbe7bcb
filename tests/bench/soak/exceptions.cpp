/* Objects whose destructors wait for the batch's end, and for the thread's; exceptions that pass frames. */
#include <stdexcept>
#include <string>

static int live;

struct Counted {
    std::string text;
    explicit Counted(const char *from) : text(from) {
        live++;
    }
    ~Counted() {
        live--;
    }
};

static Counted global("a text that is too long to be kept in the string itself");
static thread_local Counted local("another one that needs memory of its own, in each thread");

__attribute__((noinline)) static int thrower(int x) {
    Counted passing("destroyed when the exception passes");
    if (x >= 0)
        throw std::runtime_error(std::to_string(x));
    return x;
}

extern "C" int check_exceptions(int x) {
    static Counted late("made by the first call");
    try {
        return thrower(x);
    } catch (const std::exception &error) {
        return std::stoi(error.what()) + (global.text.size() < local.text.size() ? 5000 : 0) +
               (late.text.empty() ? 7 : 0);
    }
}
