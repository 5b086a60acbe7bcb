/* Does without a function that it does not find. */
extern int secret(void) __attribute__((weak));

int seek(void) {
    return secret ? secret() : -1;
}
