/* Declares hidden what another batch defines with default visibility. */
extern __attribute__((visibility("hidden"))) int open_door(void);

int strict(void) {
    return open_door();
}
