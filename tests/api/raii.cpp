// From C++: the headers are clean, and a session fits a unique_ptr.
#include <jitscope/jitscope.h>

#include <iostream>
#include <memory>
#include <stdexcept>

namespace {

struct SessionEnd {
    void operator()(jitscope_session *session) const {
        jitscope_session_destroy(session);
    }
};
using Session = std::unique_ptr<jitscope_session, SessionEnd>;

void check(jitscope_error *error) {
    if (!error)
        return;
    std::string message = jitscope_error_message(error);
    jitscope_error_destroy(error);
    throw std::runtime_error(message);
}

Session make_session() {
    jitscope_session *session = nullptr;
    jitscope_session_options options{};
    options.size = sizeof options;
    check(jitscope_session_create(&options, &session));
    return Session(session);
}

template <typename Function> Function *find(const Session &session, const char *name) {
    uint64_t address = 0;
    check(jitscope_session_lookup(session.get(), name, &address));
    return reinterpret_cast<Function *>(static_cast<uintptr_t>(address));
}

} // namespace

int main() {
    Session session = make_session();
    check(jitscope_session_add_file(session.get(), OBJECTS "fib.o"));
    check(jitscope_session_link(session.get(), nullptr));
    std::cout << "fib(20) = " << find<int(int)>(session, "fib")(20) << "\n";
    try {
        find<int(int)>(session, "fob");
    } catch (const std::runtime_error &error) {
        std::cout << error.what() << "\n";
    }
}
