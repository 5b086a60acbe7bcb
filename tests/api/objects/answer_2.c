int answer(void) {
    return 2;
}
