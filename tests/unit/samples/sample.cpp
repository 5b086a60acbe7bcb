// Input for tests that damage objects: has COMDAT groups, exception tables, initialisers, GOT loads, calls,
// data pointers.
extern "C" int puts(const char *);
extern int outside;

template <typename T> struct box {
    T value;
    T twice() const {
        return value + value;
    }
};

struct noisy {
    noisy() {
        puts("made");
    }
    ~noisy() {
        puts("gone");
    }
};

static noisy global;
int (*table[])(const char *) = {puts, puts};
__attribute__((weak)) int weak_value = 3;
int common_like[4];

int work(int x) {
    noisy local;
    try {
        if (x < 0)
            throw x;
        return box<int>{x}.twice() + outside;
    } catch (int) {
        return table[0]("caught");
    }
}
