/* Needs answer(), wherever it waits, since it takes its address. */
int answer(void);
int (*taken)(void) = answer;
int taker(void) {
    return answer();
}
