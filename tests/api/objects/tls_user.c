/* Another link's thread-local variable, dynamically and at a constant distance. */
extern __thread int level;
__thread int mine __attribute__((tls_model("initial-exec"))) = 7;

int read_level(void) {
    return level * 100 + mine++;
}
