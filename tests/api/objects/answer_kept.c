int kept = 5;
int answer(void) {
    return kept++;
}
