// A test that links this target has a temporary folder. PoCL's kernel cache is in this folder, unless `POCL_CACHE_DIR`
// was set before. See environment.c.
#pragma once

// Makes this process overwrite memory when it is freed (`M_PERTURB`), so that a later read of it gets wrong values.
void test_overwrite_freed_memory(void);
