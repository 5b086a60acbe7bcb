/* What both objects of the C++ program see: classes whose tables, guards and templates are in both. */
#ifndef CLASSES_H
#define CLASSES_H

#include <array>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <typeinfo>
#include <vector>

#define SAY(...) (std::printf("%s: ", __func__), std::printf(__VA_ARGS__), std::puts(""))

struct base {
    int number = 1;
    virtual ~base() = default;
    virtual const char *name() const {
        return "base";
    }
};
struct left : virtual base {
    int more = 2;
    const char *name() const override {
        return "left";
    }
};
struct right : virtual base {
    int other = 3;
    virtual int sum() const {
        return number + other;
    }
};
struct bottom final : left, right {
    bottom();
    ~bottom() override;
    const char *name() const override;
    int sum() const override {
        return right::sum() + more;
    }
};
struct unrelated {
    virtual ~unrelated() = default;
};
class failure : public virtual std::exception {
  public:
    explicit failure(int code) : code(code) {
    }
    const char *what() const noexcept override;
    int code;
};

inline int counter = [] { return 40; }();
inline int &shared_count() {
    static int count = ++counter;
    return count;
}
template <typename T> struct pool {
    static inline std::vector<T> values;
    static thread_local T last;
    static int add(T value) {
        values.push_back(value);
        last = value;
        return static_cast<int>(values.size());
    }
};
template <typename T> thread_local T pool<T>::last = T();

template <int N> constexpr std::array<int, N> squares() {
    std::array<int, N> table{};
    for (int i = 0; i < N; i++)
        table[i] = i * i;
    return table;
}
inline constexpr auto table = squares<20>();
template <typename... T> constexpr auto sum_all(T... values) {
    return (values + ...);
}

base *make(int which);
const std::type_info &type_of_elsewhere();
std::function<int(int)> adder(int amount);
int used_elsewhere(int value);
[[noreturn]] void fail(int depth, int code);
const int *address_of_table();
int (*instance_elsewhere())(int);
const char *local_class_name(base **made);

#endif
