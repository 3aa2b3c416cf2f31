// A test that links this target has its own PoCL kernel cache: a constructor function sets it before `main`.
#pragma once

// Makes this process overwrite memory when it is freed, so that later accesses to it fail.
void test_overwrite_freed_memory(void);
