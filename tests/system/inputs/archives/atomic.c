/* libatomic.a: operations of 16 bytes, by functions whose versions for this processor it chooses; and of 5
 * bytes, by locks. */
#include <stdatomic.h>
#include <stdio.h>

struct odd {
    char bytes[5];
};

static _Atomic __int128 wide;
static _Atomic struct odd odd;

int main(void) {
    __int128 expected = 0, big = ((__int128)1 << 100) + 3;
    printf("%d\n", atomic_compare_exchange_strong(&wide, &expected, big));
    printf("%d\n", atomic_load(&wide) == big);
    atomic_fetch_add(&wide, 4);
    printf("%d\n", (int)(atomic_exchange(&wide, 1) - big));
    struct odd in = {"four"};
    atomic_store(&odd, in);
    struct odd out = atomic_load(&odd);
    printf("%s %d\n", out.bytes, atomic_is_lock_free(&odd));
    return 4;
}
