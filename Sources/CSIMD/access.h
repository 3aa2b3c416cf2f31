// Access to vectors in memory, by the names of their types, and to the lines of a cache.

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)

// Unaligned vector access.
#define LOAD(type, source) (*(const PASTE(type, _any) *)(source))
#define STORE(type, target, value) (*(PASTE(type, _any) *)(target) = (value))
// A store past the caches, to a multiple of 64 bytes.
#define STREAM(type, target, value) __builtin_nontemporal_store((PASTE(type, _line))(value), (PASTE(type, _line) *)(target))
typedef VF VF_any __attribute__((aligned(4), may_alias));
typedef VI VI_any __attribute__((aligned(4), may_alias));
typedef VU VU_any __attribute__((aligned(4), may_alias));
typedef VD VD_any __attribute__((aligned(8), may_alias));
typedef VL VL_any __attribute__((aligned(8), may_alias));
typedef VF VF_line __attribute__((aligned(64), may_alias));
typedef VI VI_line __attribute__((aligned(64), may_alias));
typedef VD VD_line __attribute__((aligned(64), may_alias));
typedef VL VL_line __attribute__((aligned(64), may_alias));

// Copies fewer than 16 words of 4 or 8 bytes: a call of memcpy takes longer than the copy.
#define COPY_PART(name, S)                                                                      \
  INLINE void name(void *target, const void *source, size_t count) {                            \
    char *t = target;                                                                           \
    const char *s = source;                                                                     \
    if (count & 8) { memcpy(t, s, 8 * sizeof(S)); t += 8 * sizeof(S); s += 8 * sizeof(S); }     \
    if (count & 4) { memcpy(t, s, 4 * sizeof(S)); t += 4 * sizeof(S); s += 4 * sizeof(S); }     \
    if (count & 2) { memcpy(t, s, 2 * sizeof(S)); t += 2 * sizeof(S); s += 2 * sizeof(S); }     \
    if (count & 1) memcpy(t, s, sizeof(S));                                                     \
  }
COPY_PART(copy_part_4, uint32_t)
COPY_PART(copy_part_8, uint64_t)
#define copy_part_VF copy_part_4
#define copy_part_VI copy_part_4
#define copy_part_VD copy_part_8
#define copy_part_VL copy_part_8
#define COPY_SOME(type) PASTE(copy_part_, type)

// Lines of a block of some rows, to be asked for row by row: memory is read at its best along rows, whatever the order in
// which numbers are wanted from the caches afterwards. Lengths and distances are bytes.
typedef struct {
  const char *row;
  ptrdiff_t distance;
  size_t rows, length, at;
} lines_ahead;

INLINE void foresee_line(lines_ahead *next) {
  if (next->rows == 0) return;
  __builtin_prefetch(next->row + next->at, 0, 3);
  next->at += 64;
  if (next->at < next->length) return;
  next->at = 0;
  next->row += next->distance;
  next->rows -= 1;
}
