// Creates a folder for the test process and the processes that it starts, and names it in `APUS_TEST_FOLDER`. Sets
// `POCL_CACHE_DIR`, unless it is already set, so that programs are built from source and the user's cache is not used.
// The constructor sets the variables before the first thread starts, because changing the environment while other
// threads read it would be a data race.
#define _XOPEN_SOURCE 700
#include "environment.h"

#include <ftw.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
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

__attribute__((constructor)) static void set_environment(void) {
  if (getenv("APUS_TEST_FOLDER") || !mkdtemp(folder)) return;
  owner = getpid();
  atexit(remove_folder);
  setenv("APUS_TEST_FOLDER", folder, 1);
  char cache[sizeof folder + 8];
  snprintf(cache, sizeof cache, "%s/pocl", folder);
  if (!mkdir(cache, 0700)) setenv("POCL_CACHE_DIR", cache, 0);
}

void test_overwrite_freed_memory(void) { mallopt(M_PERTURB, 0xA5); }
