/* Right only behind its initialiser. */
static int begun;
__attribute__((constructor)) static void begin(void) {
    begun = 3;
}
int answer(void) {
    return begun;
}
