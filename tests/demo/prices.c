/* Adds up a list of prices, and has a bug: README finds it in four commands. */
#include <stdio.h>
#include <stdlib.h>

struct item {
    const char *name;
    int price;
    struct item *next;
};

static struct item *make(const char *name, int price, struct item *next) {
    struct item *item = malloc(sizeof *item);
    item->name = name;
    item->price = price;
    if (next)
        item->next = next;
    return item;
}

static int total(const struct item *item) {
    int sum = 0;
    for (; item; item = item->next)
        sum += item->price;
    return sum;
}

int main(void) {
    struct item *milk = make("milk", 2, make("sugar", 5, NULL));
    free(milk); /* sold out */
    struct item *list = make("tea", 3, NULL);
    list = make("bread", 4, list);
    list = make("salt", 1, list);
    printf("%d\n", total(list)); /* 8, one should think */
    return 0;
}
