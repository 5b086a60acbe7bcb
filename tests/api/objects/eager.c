/* Its initialiser calls what waits. */
int answer(void);
int begun;
__attribute__((constructor)) static void begin(void) {
    begun += answer();
}
int eager(void) {
    return begun * 100 + answer();
}
