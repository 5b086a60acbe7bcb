static int calls[4];

int count(int which) {
    return ++calls[which & 3];
}

int unused(void) {
    return calls[0];
}
