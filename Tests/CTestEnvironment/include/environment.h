// A test that links this target has a temporary folder and its own PoCL kernel cache, see environment.c.
#pragma once

// Makes this process overwrite memory when it is freed, so that later accesses to it fail.
void test_overwrite_freed_memory(void);
