__attribute__((visibility("hidden"))) int hidden_number = 4;
