#include "shapes.h"

static tracer third("in another object");

namespace {
struct circle : virtual shape {
    explicit circle(double radius) : radius(radius) {
    }
    double area() const override {
        return 3.14159265358979 * radius * radius;
    }
    std::string name() const override {
        return "circle";
    }
    double radius;
};
} // namespace

std::string shape::name() const {
    return "shape";
}

double square::area() const {
    return side * side;
}

std::vector<std::unique_ptr<shape>> make_shapes() {
    std::vector<std::unique_ptr<shape>> shapes;
    shapes.push_back(std::make_unique<square>(2));
    shapes.push_back(std::make_unique<circle>(1.5));
    return shapes;
}

int other_count() {
    return shared_counter<int>();
}
