#include <string.h>

#include "csimd.h"

/// A key whose unsigned order is the order of the values: NaN is the greatest, and −0 equals 0.
static uint64_t key_f64(uint64_t bits) {
  uint64_t magnitude = bits & 0x7fffffffffffffffu;
  if (magnitude > 0x7ff0000000000000u) return UINT64_MAX;
  if (magnitude == 0) return 0x8000000000000000u;
  return bits >> 63 ? ~bits : bits | 0x8000000000000000u;
}

static uint64_t key_f32(uint32_t bits) {
  uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return UINT32_MAX;
  if (magnitude == 0) return 0x80000000u;
  return bits >> 31 ? (uint32_t)~bits : bits | 0x80000000u;
}

/// Replaces values of the type `lane` by keys of 8 bytes each.
static void make_keys(int lane, int is_descending, size_t count, uint64_t *keys) {
  int bytes = csimd_lane_bytes(lane);
  uint64_t flip = !is_descending ? 0 : bytes == 4 ? UINT32_MAX : UINT64_MAX;
  // Iterate backwards, since a key may be wider than its value.
  for (size_t i = count; i-- > 0;) {
    uint32_t narrow;
    uint64_t wide;
    if (bytes == 4) memcpy(&narrow, (char *)keys + 4 * i, 4);
    else memcpy(&wide, keys + i, 8);
    uint64_t key = lane == CSIMD_F32 ? key_f32(narrow)
        : lane == CSIMD_F64          ? key_f64(wide)
        : lane == CSIMD_I32          ? narrow ^ 0x80000000u
                                     : wide ^ 0x8000000000000000u;
    keys[i] = key ^ flip;
  }
}

static void insertion_sort(size_t count, uint64_t *keys, int64_t *indices) {
  for (size_t i = 1; i < count; i += 1) {
    uint64_t key = keys[i];
    int64_t index = indices[i];
    size_t k = i;
    for (; k > 0 && keys[k - 1] > key; k -= 1) {
      keys[k] = keys[k - 1];
      indices[k] = indices[k - 1];
    }
    keys[k] = key;
    indices[k] = index;
  }
}

void csimd_sort(int lane, int is_descending, size_t count, uint64_t *workspace, int64_t *result) {
  uint64_t *keys = workspace, *other_keys = workspace + count;
  int64_t *indices = (int64_t *)(workspace + 2 * count), *other_indices = (int64_t *)(workspace + 3 * count);
  make_keys(lane, is_descending, count, keys);
  for (size_t i = 0; i < count; i += 1) indices[i] = (int64_t)i;
  if (count <= 48) {
    insertion_sort(count, keys, indices);
    memcpy(result, indices, count * sizeof *result);
    return;
  }
  for (int shift = 0; shift < 8 * csimd_lane_bytes(lane); shift += 8) {
    size_t starts[257] = {0};
    for (size_t i = 0; i < count; i += 1) starts[(keys[i] >> shift & 255) + 1] += 1;
    // Skip a byte that is equal in all keys.
    if (starts[(keys[0] >> shift & 255) + 1] == count) continue;
    for (int i = 0; i < 256; i += 1) starts[i + 1] += starts[i];
    for (size_t i = 0; i < count; i += 1) {
      size_t index = starts[keys[i] >> shift & 255]++;
      other_keys[index] = keys[i];
      other_indices[index] = indices[i];
    }
    uint64_t *swap_keys = keys;
    keys = other_keys;
    other_keys = swap_keys;
    int64_t *swap_indices = indices;
    indices = other_indices;
    other_indices = swap_indices;
  }
  memcpy(result, indices, count * sizeof *result);
}
