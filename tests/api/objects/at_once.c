/* Its initialiser calls what waits, and that calls on. */
int caller(void);
static int begun;
__attribute__((constructor)) static void begin(void) {
    begun = caller();
}
int at_once(void) {
    return begun;
}
