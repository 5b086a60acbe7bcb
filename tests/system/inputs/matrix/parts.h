struct operation {
    const char *name;
    long (*apply)(long, long);
};

extern const struct operation operations[];
extern const int operation_count;
extern int big_table[1000];
extern int *const table_pointer;

const char *weekday(int day);
double sum(int count, ...);
int weak_choice(void);
int hidden_value(void);
