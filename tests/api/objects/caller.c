int called(int n);
int answer(void);
int caller(void) {
    return answer() * 10 + answer();
}
int failing(void) {
    return called(1);
}
