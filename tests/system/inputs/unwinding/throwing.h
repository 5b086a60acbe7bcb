/* What the two halves of the program say to each other: one becomes a shared library, the other is linked in
 * memory. */
#ifndef THROWING_H
#define THROWING_H

#if defined(BARE) /* no headers of a C++ library: what the Itanium C++ ABI and the language promise */
namespace std {
typedef void (*terminate_handler)();
terminate_handler set_terminate(terminate_handler) noexcept;
int uncaught_exceptions() noexcept;
} // namespace std
#else
#include <exception>
#endif

struct __attribute__((visibility("default"))) Shared {
    int value;
    explicit Shared(int value) : value(value) {
    }
    virtual ~Shared();
    virtual int twice() const;
};
struct __attribute__((visibility("default"))) Derived : Shared {
    explicit Derived(int value) : Shared(value) {
    }
    ~Derived() override;
    int twice() const override;
};

extern "C" {
typedef void (*callback)(int);
void native_throw(int kind);
int native_catch(callback function, int argument);
void native_call(callback function, int argument);
void native_backtrace(void **addresses, int *count, int most);
}
#endif
