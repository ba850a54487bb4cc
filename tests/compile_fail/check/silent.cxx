// expect: a sentence no compiler writes
static_assert(false, "another sentence");
