#include "copencl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static COpenCLFunctions functions;
static char failure[512];
static int is_loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  void *library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    snprintf(failure, sizeof failure, "%s", dlerror());
    return;
  }
#define COPENCL_RESOLVE(name)                                            \
  *(void **)&functions.name = dlsym(library, #name);                     \
  if (*(void **)&functions.name == NULL) {                               \
    snprintf(failure, sizeof failure, "libOpenCL.so.1 lacks %s", #name); \
    return;                                                              \
  }
  COPENCL_FUNCTIONS(COPENCL_RESOLVE)
  is_loaded = 1;
}

const COpenCLFunctions *copencl_functions(void) {
  pthread_once(&once, load);
  return is_loaded ? &functions : NULL;
}

const char *copencl_failure(void) { return failure; }
