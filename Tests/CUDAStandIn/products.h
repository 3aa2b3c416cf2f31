// Warpgroup MMA (wgmma) instructions.
#pragma once
#include <stdint.h>
#include <string.h>

#include "tensor_copies.h"

namespace {

/// The types of operands. hopper.h passes their numbers.
enum class FactorType : int { bfloat16, float16, tf32 };

double number(FactorType type, uint32_t bits) {
  if (type == FactorType::float16) {
    uint16_t half = (uint16_t)bits;
    _Float16 result;
    memcpy(&result, &half, sizeof result);
    return (double)result;
  }
  bits = type == FactorType::bfloat16 ? bits << 16 : bits & ~0x1fffu;
  float result;
  memcpy(&result, &bits, sizeof result);
  return (double)result;
}

/// An operand in shared memory, decoded from its descriptor.
struct SharedFactor {
  uintptr_t start;
  uint32_t leading, stride;
  int bits, width;
  bool is_k_major;
  FactorType type;

  /// - Parameter base: the lowest address for which the block made a descriptor. It completes the address in the
  /// descriptor, of which only the lowest 18 bits are stored.
  SharedFactor(uint64_t descriptor, uintptr_t base, bool is_k_major, FactorType type)
      : is_k_major(is_k_major), type(type) {
    static constexpr int bits_of_mode[4] = {0, 3, 2, 1};
    bits = bits_of_mode[descriptor >> 62];
    width = 16 << bits;
    uintptr_t low = (descriptor & 0x3fff) << 4;
    start = base + ((low - base) & 0x3ffff);
    leading = (uint32_t)(descriptor >> 16 & 0x3fff) << 4;
    stride = (uint32_t)(descriptor >> 32 & 0x3fff) << 4;
    if ((descriptor & 0x3fffc000c000c000) != 0 || base == 0) {
      fail(CUDA_ERROR_ILLEGAL_INSTRUCTION, "a product with the descriptor %016llx", (unsigned long long)descriptor);
    }
    if ((start >> 7 & ((1u << bits) - 1)) != 0) {
      fail(
          CUDA_ERROR_ILLEGAL_INSTRUCTION, "a factor at %p does not begin where its swizzle pattern of %d bytes begins",
          (void *)start, 8 * width);
    }
  }

  /// The element of row `line` of A or column `line` of B at the inner index `term`.
  double at(int line, int term) const {
    int bytes = type == FactorType::tf32 ? 4 : 2;
    // The position of the element along the contiguous dimension in bytes, and its index along the other dimension.
    uint32_t along = (uint32_t)((is_k_major ? term : line) * bytes), across = (uint32_t)(is_k_major ? line : term);
    uint32_t offset = across % 8 * (uint32_t)width + along % (uint32_t)width;
    if (bits == 0) {
      offset += is_k_major ? across / 8 * stride + along / 16 * leading : across / 8 * leading + along / 16 * stride;
    } else if (is_k_major) {
      // The terms of one wgmma have 32 bytes, so they never continue in another pattern.
      offset += across / 8 * stride + along / (uint32_t)width * (uint32_t)width;
    } else {
      offset += across / 8 * stride + along / (uint32_t)width * leading;
    }
    auto address = (const void *)swizzled(start + offset, bits);
    sanitizer::check_read(address, (size_t)bytes);
    uint32_t element = 0;
    memcpy(&element, address, (size_t)bytes);
    return number(type, element);
  }
};

/// A thread's share of a wgmma instruction: the results in two rows and a quarter of the columns of D.
struct Product {
  static constexpr bool reads = true;
  static constexpr int most_terms = 16;
  FactorType type;
  float *d;
  int columns;
  bool accumulates;
  /// The index of the thread in its warpgroup.
  int thread;
  bool has_registers, is_a_k_major, is_b_k_major;
  uint64_t a, b;
  /// The registers of A of the four threads that hold the elements of the two rows of A.
  uint32_t registers[4][4];
  uintptr_t base;

  int terms() const { return type == FactorType::tf32 ? 8 : 16; }

  double left(int part, int term) const {
    if (type == FactorType::tf32) return number(type, registers[term % 4][part + term / 4 * 2]);
    return number(type, registers[term % 8 / 2][part + term / 8 * 2] >> term % 2 * 16 & 0xffff);
  }

  void land() const {
    int lane = thread % 32, row = thread / 32 * 16 + lane / 4;
    double factor[2][most_terms];
    if (has_registers) {
      for (int i = 0; i < 2 * terms(); i += 1) factor[i / terms()][i % terms()] = left(i / terms(), i % terms());
    } else {
      SharedFactor shared(a, base, is_a_k_major, type);
      for (int i = 0; i < 2 * terms(); i += 1) {
        factor[i / terms()][i % terms()] = shared.at(row + i / terms() * 8, i % terms());
      }
    }
    SharedFactor shared(b, base, is_b_k_major, type);
    for (int j = 0; j < columns / 4; j += 1) {
      double right[most_terms];
      for (int k = 0; k < terms(); k += 1) right[k] = shared.at(j / 2 * 8 + lane % 4 * 2 + j % 2, k);
      for (int part = 0; part < 2; part += 1) {
        float &result = d[j / 2 * 4 + part * 2 + j % 2];
        // The products are exact, and the sum (in float64) is rounded to float32 once. A GPU's order and rounding are
        // not documented.
        double sum = accumulates ? (double)result : 0;
        for (int k = 0; k < terms(); k += 1) sum += factor[part][k] * right[k];
        result = (float)sum;
      }
    }
  }
};

} // namespace
