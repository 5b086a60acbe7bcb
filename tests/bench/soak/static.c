/* A thread-local variable at a fixed distance from the thread pointer. */
static __thread int soak_static __attribute__((tls_model("initial-exec"))) = 3;

int check_static(int x);

int check_static(int x) {
    return soak_static++ == 3 ? x : -1;
}
