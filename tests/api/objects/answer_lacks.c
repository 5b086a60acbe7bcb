/* What it calls there is not. */
int nowhere(void);
int answer(void) {
    return nowhere();
}
