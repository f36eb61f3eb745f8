/* A shared library that is no plugin. */
__attribute__((visibility("default"))) int no_entry_answer(void) {
  return 42;
}
