/* Exceptions inside JIT'd code, into it and through it.  The first argument says what to do. */
#include "throwing.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

namespace {

struct Noted {
    const char *name;
    explicit Noted(const char *name) : name(name) {
    }
    Noted(const Noted &) = delete;
    ~Noted() {
        printf("  %s is left, %d on the way\n", name, std::uncaught_exceptions());
    }
};

struct Local { /* of an unnamed namespace: its type_info is this object's own */
    int value;
};

#define KEPT __attribute__((noinline))

KEPT void throw_local(int value) {
    Noted noted("throw_local");
    if (value >= 0)
        throw Local{value};
}

KEPT void descend(int depth, callback function, int argument) {
    char name[16];
    snprintf(name, sizeof name, "descend %d", depth);
    Noted noted(name);
    if (depth)
        descend(depth - 1, function, argument);
    else
        function(argument);
}

/* --- inside */

KEPT void inside() {
    try {
        descend(3, throw_local, 5);
    } catch (const Local &local) {
        printf("local %d\n", local.value);
    }
    try {
        try {
            descend(1, throw_local, 6);
        } catch (int) {
            printf("never\n");
        }
    } catch (Local &local) {
        printf("outer %d\n", local.value);
    }
}

KEPT void again() {
    try {
        try {
            try {
                throw Derived(3);
            } catch (Shared &shared) {
                shared.value++;
                throw;
            }
        } catch (const Derived &derived) {
            printf("again %d\n", derived.twice());
            throw 9;
        }
    } catch (int number) {
        printf("replaced by %d\n", number);
    }
}

struct Part {
    int number;
    explicit Part(int number) : number(number) {
        if (number == 3)
            throw number;
        printf("  part %d is made\n", number);
    }
    ~Part() {
        printf("  part %d goes\n", number);
    }
};
int parts_made;
struct Numbered : Part {
    Numbered() : Part(++parts_made) {
    }
};
struct Whole {
    Part one{1}, two{2};
    Numbered rest[4];
    Whole() try : one(10) { printf("never\n"); } catch (int number) {
        printf("  whole: %d\n", number);
    }
};

KEPT void made_in_part() {
    try {
        Whole whole;
    } catch (int number) {
        printf("no whole: %d\n", number);
    }
    parts_made = 0;
    try {
        delete[] new Numbered[5];
    } catch (int number) {
        printf("no array: %d\n", number);
    }
}

struct Throwing {
    ~Throwing() noexcept(false) {
        try {
            throw 2;
        } catch (int number) {
            printf("  inside a clean-up: %d, %d on the way\n", number, std::uncaught_exceptions());
        }
    }
};
KEPT void nested() {
    try {
        Throwing throwing;
        throw 1;
    } catch (int number) {
        printf("nested %d\n", number);
    }
}

/* --- across the border */

void call_native_throw(int kind) {
    Noted noted("call_native_throw");
    native_throw(kind);
}

void catch_native(int kind) {
    try {
        descend(1, call_native_throw, kind);
    } catch (int number) {
        printf("int %d\n", number);
    } catch (const Derived &derived) {
        printf("derived %d\n", derived.twice());
    } catch (const Shared &shared) {
        printf("shared %d\n", shared.twice());
    } catch (...) {
        printf("something\n");
    }
}

void call_back(int value) {
    native_call(throw_local, value);
}

KEPT void across() {
    for (int kind = 0; kind < 4; kind++)
        catch_native(kind);
    try {
        native_call(call_back, 8);
    } catch (const Local &local) {
        printf("through native frames: %d\n", local.value);
    }
    native_catch(throw_local, 1);
    native_catch(throw_local, -1);
    for (int kind = 0; kind < 4; kind++)
        native_catch(call_native_throw, kind);
    native_catch(
        [](int value) {
            descend(
                2, [](int inner) { throw Derived(inner); }, value);
        },
        4);
    native_catch(catch_native, 2);
}

/* --- threads */

#if defined(BARE)
extern "C" void *__cxa_current_primary_exception();
extern "C" void __cxa_rethrow_primary_exception(void *);
extern "C" void __cxa_decrement_exception_refcount(void *);
struct Carried {
    void *object = nullptr;
    ~Carried() {
        __cxa_decrement_exception_refcount(object);
    }
    void take() {
        object = __cxa_current_primary_exception();
    }
    void give() const {
        __cxa_rethrow_primary_exception(object);
    }
};
#else
struct Carried {
    std::exception_ptr object;
    void take() {
        object = std::current_exception();
    }
    void give() const {
        std::rethrow_exception(object);
    }
};
#endif

void *fail_elsewhere(void *argument) {
    try {
        descend(1, throw_local, 11);
    } catch (...) {
        static_cast<Carried *>(argument)->take();
    }
    return nullptr;
}

KEPT void carried() {
    Carried carried;
    pthread_t thread;
    pthread_create(&thread, nullptr, fail_elsewhere, &carried);
    pthread_join(thread, nullptr);
    for (int i = 0; i < 2; i++)
        try {
            carried.give();
        } catch (const Local &local) {
            printf("carried %d\n", local.value);
        }
}

void *wait_forever(void *) {
    Noted noted("wait_forever");
    descend(
        2,
        [](int) {
            for (;;)
                pause();
        },
        0);
    return nullptr;
}

void *leave(void *) {
    Noted noted("leave");
    native_call(
        [](int) {
            descend(
                1, [](int) { pthread_exit(const_cast<char *>("left")); }, 0);
        },
        0);
    return nullptr;
}

void *swallow(void *) {
    try {
        leave(nullptr);
    } catch (...) {
        printf("  a forced unwinding is seen\n");
        throw;
    }
    return nullptr;
}

KEPT void ended() {
    pthread_t thread;
    void *result;
    pthread_create(&thread, nullptr, wait_forever, nullptr);
    usleep(20000);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    printf("cancelled %d\n", result == PTHREAD_CANCELED);
    void *(*const functions[])(void *) = {leave, swallow};
    for (auto function : functions) {
        pthread_create(&thread, nullptr, function, nullptr);
        pthread_join(thread, &result);
        printf("%s\n", static_cast<char *>(result));
    }
}

/* --- not C++ */

_Unwind_Exception foreign_exception;

void raise_foreign(int) {
    Noted noted("raise_foreign");
    memcpy(&foreign_exception.exception_class, "TESTLANG", 8);
    foreign_exception.exception_cleanup = [](_Unwind_Reason_Code code, _Unwind_Exception *) {
        printf("  cleaned up, reason %d\n", code);
    };
    _Unwind_Reason_Code code = _Unwind_RaiseException(&foreign_exception);
    printf("not raised: %d\n", code);
}

jmp_buf stopped;
_Unwind_Reason_Code stop(int, _Unwind_Action actions, _Unwind_Exception_Class, _Unwind_Exception *,
                         _Unwind_Context *context, void *limit) {
    if (actions & _UA_END_OF_STACK)
        abort();
    if (_Unwind_GetCFA(context) > reinterpret_cast<uintptr_t>(limit))
        longjmp(stopped, 1);
    return _URC_NO_REASON;
}
void *limit_of_stack;
KEPT void force(int) {
    Noted noted("force");
    _Unwind_ForcedUnwind(&foreign_exception, stop, limit_of_stack);
    printf("not forced\n");
}

KEPT void foreign() {
    try {
        descend(1, raise_foreign, 0);
    } catch (...) {
        printf("something foreign\n");
    }
    native_catch(raise_foreign, 0);
    limit_of_stack = __builtin_frame_address(0);
    if (!setjmp(stopped))
        descend(2, force, 0);
    else
        printf("forced\n");
}

/* --- walks */

void *returns[16];
int depth_of_returns;

void *walked[128];
int walked_count;

KEPT void measure(int kind) {
    if (kind)
        _Unwind_Backtrace(
            [](_Unwind_Context *context, void *) {
                if (walked_count < 128)
                    walked[walked_count++] = reinterpret_cast<void *>(_Unwind_GetIP(context));
                return _URC_NO_REASON;
            },
            nullptr);
    else
        native_backtrace(walked, &walked_count, 128);
}

KEPT void climb(int depth, int kind) {
    returns[depth_of_returns++] = __builtin_return_address(0);
    if (depth)
        climb(depth - 1, kind);
    else
        measure(kind);
    __asm__ volatile("" ::: "memory");
}

/* Each return address that the climbing functions had, innermost first and next to each other. */
KEPT void walks() {
    for (int kind = 0; kind < 2; kind++) {
        depth_of_returns = walked_count = 0;
        climb(6, kind);
        int at = 0;
        while (at < walked_count && walked[at] != returns[depth_of_returns - 1])
            at++;
        int same = 0;
        while (same < depth_of_returns && at + same < walked_count &&
               walked[at + same] == returns[depth_of_returns - 1 - same])
            same++;
        printf("walk %d: %d of %d\n", kind, same, depth_of_returns);
    }
}

/* --- the end */

void ends_here() {
    printf("terminated\n");
    fflush(stdout);
    _exit(9);
}

KEPT void promise() noexcept {
    descend(1, throw_local, 1);
}

KEPT void terminated(int how) {
    std::set_terminate(ends_here);
    switch (how) {
    case 0:
        try {
            promise();
        } catch (...) {
            printf("never\n");
        }
        break;
    case 1:
        throw_local(2);
        break;
    case 2:
        try {
            throw 1;
        } catch (int) {
        }
        throw;
    case 3: {
        struct Bad {
            ~Bad() noexcept(false) {
                throw 3;
            }
        } bad;
        throw 1;
    }
    }
}

struct Early {
    int caught = 0;
    Early() {
        try {
            throw_local(1);
        } catch (const Local &) {
            caught = 1;
        }
    }
    ~Early() {
        try {
            descend(0, throw_local, 2);
        } catch (const Local &local) {
            printf("at the end: %d\n", local.value);
        }
    }
} early;

} // namespace

int main(int count, char **words) {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    printf("early %d\n", early.caught);
    const char *what = count > 1 ? words[1] : "all";
    if (!strncmp(what, "end", 3))
        terminated(atoi(what + 3));
    inside();
    again();
    made_in_part();
    nested();
    across();
    carried();
    if (strcmp(what, "unforced"))
        ended();
    foreign();
    walks();
    return 0;
}
