long kept = 5;
int answer(void) {
    return (int)kept;
}
