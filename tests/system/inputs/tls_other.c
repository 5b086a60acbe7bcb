_Thread_local int other = 100;
_Thread_local char bytes[40];
extern _Thread_local int global;

int *address_of_global(void) {
    return &global;
}
