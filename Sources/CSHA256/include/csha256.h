#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Whether the processor has SHA-256 instructions.
bool csha256_has_instructions(void);

/// Runs the compression function of FIPS 180-4 over `count` blocks of 64 bytes, and updates the hash value `state`.
void csha256_compress_portable(uint32_t state[8], const void *blocks, size_t count);

/// Does the same as `csha256_compress_portable` with SHA-256 instructions, which the processor must have.
void csha256_compress_instructions(uint32_t state[8], const void *blocks, size_t count);
