int answer(void);
int between(void) {
    return answer();
}
