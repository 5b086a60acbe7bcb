/* Coroutines, concepts, comparison, constant initialisation: C++20. */
#include <compare>
#include <coroutine>
#include <cstdio>
#include <exception>
#include <utility>

template <typename T> struct generator {
    struct promise_type {
        T value;
        std::exception_ptr error;
        generator get_return_object() {
            return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() noexcept {
            return {};
        }
        std::suspend_always final_suspend() noexcept {
            return {};
        }
        std::suspend_always yield_value(T next) {
            value = std::move(next);
            return {};
        }
        void return_void() {
        }
        void unhandled_exception() {
            error = std::current_exception();
        }
    };
    std::coroutine_handle<promise_type> handle;
    generator(std::coroutine_handle<promise_type> h) : handle(h) {
    }
    generator(generator &&other) : handle(std::exchange(other.handle, {})) {
    }
    ~generator() {
        if (handle)
            handle.destroy();
    }
    bool next() {
        handle.resume();
        if (handle.promise().error)
            std::rethrow_exception(handle.promise().error);
        return !handle.done();
    }
};

struct noisy {
    const char *text;
    ~noisy() {
        std::printf("gone: %s\n", text);
    }
};

generator<int> fibonacci(int limit) {
    noisy here{"fibonacci"};
    for (int a = 0, b = 1; a < limit; b = std::exchange(a, b) + b)
        co_yield a;
    throw limit;
}

template <typename T>
concept addable = requires(T a, T b) {
    a + b;
};
template <addable T> T twice(T value) {
    return value + value;
}

struct version {
    int major, minor;
    auto operator<=>(const version &) const = default;
};
constinit static version current{3, 4};
consteval int cube(int n) {
    return n * n * n;
}

int main() {
    int sum = 0;
    try {
        auto numbers = fibonacci(100);
        while (numbers.next())
            sum += numbers.handle.promise().value;
    } catch (int limit) {
        std::printf("%d up to %d\n", sum, limit);
    }
    {
        auto unfinished = fibonacci(1000);
        unfinished.next();
    }
    std::printf("%d %d %d\n", twice(21), current < version{3, 5}, cube(3));
    return sum % 100;
}
