/* The half that is a shared library: it throws, catches and calls back. */
#include "throwing.h"
#include <execinfo.h>
#include <stdio.h>

Shared::~Shared() {
}
int Shared::twice() const {
    return 2 * value;
}
Derived::~Derived() {
}
int Derived::twice() const {
    return 20 * value;
}

namespace {
struct Noted {
    const char *name;
    ~Noted() {
        printf("  %s is left, %d on the way\n", name, std::uncaught_exceptions());
    }
};
} // namespace

void native_throw(int kind) {
    Noted noted{"native_throw"};
    switch (kind) {
    case 0:
        throw 42;
    case 1:
        throw Shared(7);
    case 2:
        throw Derived(7);
    default:
        throw "a text";
    }
}

int native_catch(callback function, int argument) {
    try {
        Noted noted{"native_catch"};
        function(argument);
    } catch (int number) {
        return printf("  native: int %d\n", number);
    } catch (const Shared &shared) {
        return printf("  native: shared %d\n", shared.twice());
    } catch (...) {
        return printf("  native: something\n");
    }
    return printf("  native: nothing\n");
}

void native_call(callback function, int argument) {
    Noted noted{"native_call"};
    function(argument);
}

void native_backtrace(void **addresses, int *count, int most) {
    *count = backtrace(addresses, most);
}
