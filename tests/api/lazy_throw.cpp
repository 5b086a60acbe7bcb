// A lazy call that cannot be served becomes an exception, which passes the linked code's frames.
#include "check.h"

#include <iostream>
#include <stdexcept>
#include <string>

static void give_up(void *, const char *function, const char *message) {
    std::string text(message);
    throw std::runtime_error(std::string(function) + ": " + text.substr(0, text.find('\n')));
}

int main() {
    jitscope_session *session = nullptr;
    uint64_t address = 0;
    check(jitscope_session_create(nullptr, &session));
    check(jitscope_session_set_lazy(session, true));
    check(jitscope_session_set_lazy_failure(session, give_up, nullptr));
    check(jitscope_session_add_root(session, "caller"));
    check(jitscope_session_add_file(session, OBJECTS "caller.o"));
    check(jitscope_session_add_file(session, OBJECTS "answer_1.o"));
    check(jitscope_session_add_file(session, OBJECTS "called.o"));
    check(jitscope_session_link(session, nullptr));
    check(jitscope_session_lookup(session, "failing", &address));
    for (int i = 0; i < 2; i++) {
        try {
            call(address);
        } catch (const std::runtime_error &error) {
            std::cout << error.what() << "\n";
        }
    }
    check(jitscope_session_lookup(session, "caller", &address));
    std::cout << "caller() = " << call(address) << "\n";
    jitscope_session_destroy(session);
}
