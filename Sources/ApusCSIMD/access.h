// Vector loads and stores by type name, and prefetching of cache lines.

#include "../../Kernels/prelude/indices.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)

// Unaligned vector access.
#define LOAD(type, source) (*(const PASTE(type, _any) *)(source))
#define STORE(type, target, value) (*(PASTE(type, _any) *)(target) = (value))
// A non-temporal store to an address that is a multiple of 64 bytes.
#define STREAM(type, target, value) \
  __builtin_nontemporal_store((PASTE(type, _line))(value), (PASTE(type, _line) *)(target))
typedef VF VF_any __attribute__((aligned(4), may_alias));
typedef VI VI_any __attribute__((aligned(4), may_alias));
typedef VU VU_any __attribute__((aligned(4), may_alias));
typedef VD VD_any __attribute__((aligned(8), may_alias));
typedef VL VL_any __attribute__((aligned(8), may_alias));
typedef VF VF_line __attribute__((aligned(64), may_alias));
typedef VI VI_line __attribute__((aligned(64), may_alias));
typedef VD VD_line __attribute__((aligned(64), may_alias));
typedef VL VL_line __attribute__((aligned(64), may_alias));

// Copies fewer than 16 words of 4 or 8 bytes by at most four moves of constant size. These compile to loads and stores;
// memcpy of a variable size would be a call.
#define COPY_PART(name, S)                                           \
  INLINE void name(void *target, const void *source, size_t count) { \
    char *t = target;                                                \
    const char *s = source;                                          \
    if (count & 8) {                                                 \
      memcpy(t, s, 8 * sizeof(S));                                   \
      t += 8 * sizeof(S);                                            \
      s += 8 * sizeof(S);                                            \
    }                                                                \
    if (count & 4) {                                                 \
      memcpy(t, s, 4 * sizeof(S));                                   \
      t += 4 * sizeof(S);                                            \
      s += 4 * sizeof(S);                                            \
    }                                                                \
    if (count & 2) {                                                 \
      memcpy(t, s, 2 * sizeof(S));                                   \
      t += 2 * sizeof(S);                                            \
      s += 2 * sizeof(S);                                            \
    }                                                                \
    if (count & 1) memcpy(t, s, sizeof(S));                          \
  }
COPY_PART(copy_part_4, uint32_t)
COPY_PART(copy_part_8, uint64_t)
#define copy_part_VF copy_part_4
#define copy_part_VI copy_part_4
#define copy_part_VD copy_part_8
#define copy_part_VL copy_part_8
#define COPY_SOME(type) PASTE(copy_part_, type)

#define CSIMD_CACHE_LINE 64
// Iterates over the cache lines of a block of memory, row by row (see csimd_prefetch_block): lines that follow each
// other in memory are prefetched one after the other, even if the elements are later read in another order.
typedef struct {
  csimd_prefetch_block rest;
  // The byte offset in the current row.
  size_t at;
} prefetch_cursor;

// The next cache line, or NULL after the last one.
INLINE const char *prefetch_next(prefetch_cursor *cursor) {
  if (cursor->rest.count == 0) return NULL;
  const char *row = cursor->rest.data, *line = row + cursor->at;
  cursor->at += CSIMD_CACHE_LINE;
  if (cursor->at >= cursor->rest.length) {
    cursor->at = 0;
    cursor->rest.data = row + cursor->rest.distance;
    cursor->rest.count -= 1;
  }
  return line;
}

// Prefetches the next cache line into the L1 cache.
INLINE void prefetch_line(prefetch_cursor *cursor) {
  const char *line = prefetch_next(cursor);
  if (line) __builtin_prefetch(line, 0, 3);
}

// A block of memory that a product prefetches into the L2 cache: `lines_per_tile` cache lines before each tile.
typedef struct {
  prefetch_cursor cursor;
  size_t lines_per_tile;
} prefetch_share;

INLINE prefetch_share prefetch_share_of(const csimd_prefetch_block *block, size_t tiles) {
  prefetch_share result = {{{NULL, 0, 0, 0}, 0}, 0};
  if (!block || block->length == 0) return result;
  result.cursor.rest = *block;
  result.lines_per_tile = CEIL_DIVIDE(block->count * CEIL_DIVIDE(block->length, CSIMD_CACHE_LINE), tiles);
  return result;
}

// Prefetches a block of at least k rows, k rows at a time. A tile of a product (a block of results in registers) takes
// k steps, one for each term. Each step prefetches a cache line of a different row, so that a tile prefetches one
// column: a cache line of each of k rows. A block with more columns than the product has tiles is not prefetched.
typedef struct {
  /// The current k rows, the next column in these rows, and the last k rows of the block.
  const char *rows, *next, *last_rows;
  /// `length`: the number of columns of k rows. `left`: how many columns of the current k rows are not yet prefetched.
  /// `count`: how many columns of the whole block are not yet prefetched.
  size_t length, left, count;
  /// The byte strides of k rows, and of one row.
  size_t distance, step;
} prefetch_lines;

INLINE prefetch_lines prefetch_lines_of(const csimd_prefetch_block *block, size_t k, size_t tiles) {
  prefetch_lines result = {NULL, NULL, NULL, 0, 0, 0, 0, 0};
  if (!block || block->length == 0 || k == 0 || block->count < k) return result;
  size_t length = CEIL_DIVIDE(block->length, CSIMD_CACHE_LINE), count = CEIL_DIVIDE(block->count, k) * length;
  if (count > tiles) return result;
  result.rows = result.next = block->data;
  // The last k rows may overlap the k rows before them.
  result.last_rows = result.rows + (block->count - k) * block->distance;
  result.length = result.left = length;
  result.count = count;
  result.distance = k * block->distance;
  result.step = block->distance;
  return result;
}

// The first cache line of the next column, or NULL after the last column.
INLINE const char *next_line(prefetch_lines *lines) {
  if (lines->count == 0) return NULL;
  if (lines->left == 0) {
    size_t rest = (size_t)(lines->last_rows - lines->rows);
    lines->rows += rest < lines->distance ? rest : lines->distance;
    lines->next = lines->rows;
    lines->left = lines->length;
  }
  const char *line = lines->next;
  lines->next += CSIMD_CACHE_LINE;
  lines->left -= 1;
  lines->count -= 1;
  return line;
}

INLINE void prefetch_for_tile(prefetch_share *share) {
  for (size_t i = 0; i < share->lines_per_tile; i += 1) {
    const char *line = prefetch_next(&share->cursor);
    if (!line) return;
    __builtin_prefetch(line, 0, 2);
  }
}
