/* A whole program; it asks its host for more code while it runs. */
extern int host_say(const char *text);
extern int (*host_load(const char *path))(int n);

int main(int argc, char **argv, char **envp) {
    for (int i = 1; i < argc; i++)
        host_say(argv[i]);
    return host_load(envp[0])(argc);
}
