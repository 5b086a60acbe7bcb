#include "classes.h"
#include <algorithm>
#include <atomic>
#include <exception>
#include <iostream>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <variant>

static void casts() {
    for (int i = 0; i < 4; i++) {
        std::unique_ptr<base> one(make(i));
        auto *as_right = dynamic_cast<right *>(one.get());
        auto *as_bottom = dynamic_cast<bottom *>(one.get());
        SAY("%s %d %d %d %d %d", one->name(), as_right ? as_right->sum() : 0, as_bottom != nullptr,
            dynamic_cast<unrelated *>(one.get()) != nullptr,
            dynamic_cast<void *>(one.get()) == static_cast<void *>(one.get()),
            typeid(*one) == typeid(bottom));
    }
    SAY("%s %d %d", typeid(left).name(), typeid(left) == type_of_elsewhere(),
        &typeid(left) == &type_of_elsewhere());
    try {
        std::unique_ptr<base> one(make(0));
        dynamic_cast<bottom &>(*one).number = 4;
    } catch (const std::bad_cast &) {
        SAY("bad cast");
    }
    base *made = nullptr;
    const char *name = local_class_name(&made);
    SAY("%d %s", typeid(*made).name() == name, made->name());
    delete made;
}

static void statics() {
    shared_count() += used_elsewhere(1);
    SAY("%d %d", shared_count(), counter);
    int (*here)(int) = [](int value) { return pool<int>::add(value); };
    here(3);
    SAY("%d %d %d", instance_elsewhere()(4), instance_elsewhere() == &pool<int>::add, pool<int>::last);
    SAY("%d %d", address_of_table() == table.data(), table[19] + sum_all(1, 2L, short(3)));
    static std::once_flag flag;
    int built = 0;
    std::vector<std::thread> threads;
    static std::atomic<int> constructed{0};
    struct slow {
        slow() {
            std::this_thread::yield();
            constructed++;
        }
    };
    for (int i = 0; i < 8; i++)
        threads.emplace_back([&built] {
            static slow only_once;
            std::call_once(flag, [&built] { built++; });
            pool<int>::last += 100;
        });
    for (auto &thread : threads)
        thread.join();
    SAY("%d %d %d", built, constructed.load(), pool<int>::last);
}

static void exceptions() {
    try {
        fail(3, 17);
    } catch (const std::exception &e) {
        auto *ours = dynamic_cast<const failure *>(&e);
        SAY("%s %d", e.what(), ours ? ours->code : -1);
    }
    try {
        try {
            fail(0, 2);
        } catch (failure &) {
            std::throw_with_nested(std::runtime_error("outer"));
        }
    } catch (const std::runtime_error &e) {
        try {
            std::rethrow_if_nested(e);
        } catch (const failure &inner) {
            SAY("%s around %s", e.what(), inner.what());
        }
    }
    std::exception_ptr kept;
    std::thread([&kept] {
        try {
            throw std::string("from a thread");
        } catch (...) {
            kept = std::current_exception();
        }
    }).join();
    try {
        std::rethrow_exception(kept);
    } catch (const std::string &text) {
        SAY("%s", text.c_str());
    }
    try {
        std::vector<int>().at(3);
    } catch (const std::out_of_range &) {
        SAY("out of range");
    }
    int(left::*member) = &left::more;
    const char *(base::*method)() const = &base::name;
    bottom one;
    SAY("%d %s", one.*member, (one.*method)());
}

static void functions() {
    std::function<int(int)> twice = [](int value) { return 2 * value; };
    std::vector<std::function<int(int)>> all{adder(5), twice, used_elsewhere,
                                             std::bind(std::plus<int>(), std::placeholders::_1, 9)};
    int value = 1;
    for (auto &one : all)
        value = one(value);
    std::variant<int, std::string, std::unique_ptr<int>> either = std::string("text");
    struct visitor {
        int operator()(int number) const {
            return number;
        }
        int operator()(const std::string &text) const {
            return static_cast<int>(text.size());
        }
        int operator()(const std::unique_ptr<int> &pointer) const {
            return *pointer;
        }
    };
    int first = std::visit(visitor(), either);
    either = std::make_unique<int>(31);
    SAY("%d %d %d", value, first, std::visit(visitor(), either));
}

static void library() {
    std::map<std::string, std::vector<int>> words;
    std::istringstream in("the cat and the dog and the bird");
    int place = 0;
    for (std::string word; in >> word;)
        words[word].push_back(place++);
    for (const auto &[word, places] : words)
        std::cout << word << ' ' << places.size() << ' ' << places.front() << '\n';
    std::optional<double> maybe = 2.5;
    std::ostringstream out;
    out.precision(3);
    out << std::hex << std::showbase << 255 << ' ' << maybe.value() << ' ' << std::boolalpha << true;
    std::cout << out.str() << std::endl;
    std::array<int, 6> numbers{5, 2, 9, 1, 7, 3};
    std::stable_sort(numbers.begin(), numbers.end(), std::greater<>());
    std::cout << numbers[0] << numbers[5] << std::endl;
}

struct at_exit {
    const char *text;
    ~at_exit() {
        std::printf("destroyed %s\n", text);
    }
};
static at_exit early __attribute__((init_priority(200))) = {"last"};
static at_exit late = {"first"};
static thread_local at_exit in_thread = {"a thread's"};

int main() {
    std::ios::sync_with_stdio(true);
    std::thread([] { in_thread.text = "another thread's"; }).join();
    casts();
    statics();
    exceptions();
    functions();
    library();
    in_thread.text = "the main thread's";
    return 12;
}
