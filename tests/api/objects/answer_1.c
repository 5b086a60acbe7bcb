int kept = 100;
int answer(void) {
    return 1;
}
