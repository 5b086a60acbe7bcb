/* Calls answer() and, once that is linked, what calls it, too. */
int answer(void);
int between(void);
int outer(int deep) {
    return deep ? between() : answer();
}
