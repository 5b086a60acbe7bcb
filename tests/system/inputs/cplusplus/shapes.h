#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

struct tracer {
    explicit tracer(const char *name) : name(name) {
        std::cout << "+ " << name << '\n';
    }
    ~tracer() {
        std::cout << "- " << name << '\n';
    }
    const char *name;
};

struct oops : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct shape {
    virtual ~shape() = default;
    virtual double area() const = 0;
    virtual std::string name() const;
};

struct square : virtual shape {
    explicit square(double side) : side(side) {
    }
    double area() const override;
    double side;
};

std::vector<std::unique_ptr<shape>> make_shapes();

// One variable in all objects that use it.
template <typename T> inline int shared_counter() {
    static T count = 0;
    return ++count;
}

int other_count();
