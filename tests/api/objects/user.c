/* Refers to a definition of another batch. */
extern int answer(void);

int twice(void) {
    return 2 * answer();
}
