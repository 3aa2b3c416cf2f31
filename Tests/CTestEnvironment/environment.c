// Sets a separate PoCL kernel cache for every test process, so that programs are built from source and the user's cache
// is not used. If `POCL_CACHE_DIR` is already set, its value is kept. The constructor sets the variable before the
// first thread starts, because changing the environment while other threads read it would be a data race.
#define _XOPEN_SOURCE 700
#include "environment.h"

#include <ftw.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/apus-tests-XXXXXX";
static pid_t owner;

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
  (void)status, (void)kind, (void)place;
  return remove(path);
}

static void remove_folder(void) {
  if (getpid() == owner) nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

__attribute__((constructor)) static void give_cache(void) {
  if (getenv("POCL_CACHE_DIR") || !mkdtemp(folder)) return;
  owner = getpid();
  setenv("POCL_CACHE_DIR", folder, 1);
  atexit(remove_folder);
}

void test_overwrite_freed_memory(void) { mallopt(M_PERTURB, 0xA5); }
