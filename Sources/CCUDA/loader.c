#define _GNU_SOURCE
#include "ccuda.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A function to look up: its symbol, and where to store its address.
typedef struct {
  const char *symbol;
  void *pointer;
} entry;

static char *open_library(const char *path, const entry *entries, size_t count) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return strdup(dlerror());
  for (size_t i = 0; i < count; i += 1) {
    void *address = dlsym(library, entries[i].symbol);
    if (address == NULL) {
      char *reason = NULL;
      if (asprintf(&reason, "%s has no function %s", path, entries[i].symbol) < 0) abort();
      dlclose(library);
      return reason;
    }
    memcpy(entries[i].pointer, &address, sizeof address);
  }
  return NULL;
}

#define ENTRY(name, symbol, parameters) {#symbol, &table->name},
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

char *ccuda_open_driver(const char *path, CCUDADriver *table) {
  const entry entries[] = {CCUDA_DRIVER_FUNCTIONS(ENTRY)};
  return open_library(path, entries, COUNT_OF(entries));
}

char *ccuda_open_compiler(const char *path, CCUDACompiler *table) {
  const entry entries[] = {CCUDA_NVRTC_FUNCTIONS(ENTRY)};
  return open_library(path, entries, COUNT_OF(entries));
}
