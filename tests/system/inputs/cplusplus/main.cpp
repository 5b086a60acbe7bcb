// Exceptions through several frames and out of libstdc++'s own, static constructors and destructors in and
// out of functions, iostream, templates in several objects, virtual bases, dynamic_cast, threads and locales.
#include "shapes.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <typeinfo>
#include <vector>

static tracer first("first");
static tracer second("second");

static tracer &lazy() {
    static tracer made("made on first use");
    return made;
}

static int throw_from_depth(int depth) {
    tracer frame("frame");
    if (depth == 0)
        throw oops("deep");
    return throw_from_depth(depth - 1) + 1;
}

static void exceptions() {
    try {
        throw_from_depth(3);
    } catch (const std::runtime_error &error) {
        std::cout << "caught " << error.what() << " as " << typeid(error).name() << '\n';
    }
    try {
        std::vector<int>(3).at(10);
    } catch (const std::out_of_range &) {
        std::cout << "out_of_range\n";
    }
    try {
        try {
            throw 42;
        } catch (...) {
            std::throw_with_nested(std::logic_error("outer"));
        }
    } catch (const std::exception &error) {
        try {
            std::rethrow_if_nested(error);
        } catch (int inner) {
            std::cout << error.what() << " holds " << inner << '\n';
        }
    }
    std::exception_ptr kept;
    std::thread([&kept] {
        try {
            throw_from_depth(1);
        } catch (...) {
            kept = std::current_exception();
        }
    }).join();
    try {
        std::rethrow_exception(kept);
    } catch (const oops &) {
        std::cout << "carried across threads\n";
    }
}

static void callbacks() {
    std::vector<std::string> words{"pear", "apple", "fig"};
    std::sort(words.begin(), words.end(), [](const auto &a, const auto &b) { return a.size() < b.size(); });
    for (const auto &word : words)
        std::cout << word << ' ';
    std::function<int(int)> twice = [](int x) { return 2 * x; };
    std::map<std::string, int> counts{{"b", twice(2)}, {"a", twice(1)}};
    for (const auto &[name, count] : counts)
        std::cout << name << '=' << count << ' ';
    std::cout << '\n';
    int values[] = {3, 1, 2};
    try {
        std::qsort(values, 3, sizeof *values, [](const void *, const void *) -> int { throw 1; });
    } catch (int) {
        std::cout << "thrown through qsort\n";
    }
}

int main() {
    std::cout << "main\n" << std::fixed << std::setprecision(3);
    lazy();
    for (const auto &shape : make_shapes())
        std::cout << shape->name() << ' ' << shape->area()
                  << (dynamic_cast<square *>(shape.get()) ? " square\n" : "\n");
    exceptions();
    callbacks();
    std::ostringstream text;
    text << std::hex << std::showbase << 255 << ' ' << std::boolalpha << true;
    std::cout << text.str() << ' ' << shared_counter<int>() << shared_counter<int>() << other_count()
              << std::endl;
    std::atomic<int> total{0};
    std::vector<std::thread> threads;
    for (int i = 1; i <= 4; i++)
        threads.emplace_back([&total, i] { total += i; });
    for (auto &thread : threads)
        thread.join();
    std::cout << total << '\n';
    return 9;
}
