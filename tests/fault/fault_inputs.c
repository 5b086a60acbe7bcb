/* The inputs of fault_test.c, one part to an object. */
#ifdef PART_MAIN /* refers to the archive, the shared library and the C library; has initialisers */
#include <stdio.h>
extern int member(int), shared(int);
int initialised;
int common_array[100];
__attribute__((constructor)) static void initialise(void) {
    initialised = member(1);
}
__attribute__((destructor)) static void finalise(void) {
    initialised = 0;
}
static int direct(void) {
    return 3;
}
static int (*resolve(void))(void) {
    return direct;
}
int indirect(void)
    __attribute__((ifunc("resolve"))); /* nobody refers to it: a link that runs nothing goes on */
int answer(void) {
    char text[16];
    return snprintf(text, sizeof text, "%d", common_array[3]) + member(10) + shared(20) + initialised;
}
#endif
#ifdef PART_LAZY /* as MAIN, but nothing is called before somebody calls it */
extern int member(int);
int answer(void) {
    return member(10) + 25;
}
#endif
#ifdef PART_MEMBER
int member(int x) {
    return x + 1;
}
#endif
#ifdef PART_SHARED
int shared(int x) {
    return x + 2;
}
#endif
#ifdef PART_USER /* a second batch, which refers to the first */
extern int answer(void);
int twice(void) {
    return 2 * answer();
}
#endif
#ifdef PART_BROKEN /* an initialiser that is no function: the link fails in its last phase */
int never;
__attribute__((section(".init_array"), used)) static void (*const nothing)(void) = (void (*)(void)) - 1L;
#endif
