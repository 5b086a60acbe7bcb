/* Its initialiser would run, if somebody had what it calls. */
extern int soak_undefined(void);
int soak_filler[100] = {1};

__attribute__((constructor)) static void begin(void) {
    soak_filler[0] = soak_undefined();
}
