// The kernels that hopper_check.cpp runs, with their expected results, which the host computes with plain loops.
#pragma once
#include <stdint.h>

#include <functional>
#include <random>

#include "check.h"

/// The outcome of a case: `error` says what is wrong (empty if nothing is), `results` has the bytes of all arrays that
/// were compared.
struct Outcome {
  std::string error;
  std::vector<unsigned char> results;

  template <typename T> void add(const std::vector<T> &values) {
    auto bytes = (const unsigned char *)values.data();
    results.insert(results.end(), bytes, bytes + values.size() * sizeof(T));
  }

  template <typename T> void compare(const char *name, const std::vector<T> &values, const std::vector<T> &expected) {
    add(values);
    for (size_t i = 0; i < expected.size() && error.empty(); i += 1) {
      if (values[i] == expected[i]) continue;
      error = std::string(name) + "[" + std::to_string(i) + "] is " + std::to_string(values[i]) + ", not " +
          std::to_string(expected[i]);
    }
  }
};

struct Case {
  std::string name, kernel;
  Values values;
  std::function<Outcome(Device &, CUfunction)> run;
};

/// The bits of a number in a type of 2 bytes (bfloat16, float16) or 4 bytes (all others). The conversion to bfloat16
/// truncates; it is exact for the numbers of `numbers`.
inline uint32_t bits_of(const std::string &type, float number) {
  uint32_t bits;
  memcpy(&bits, &number, 4);
  if (type == "bfloat16") return bits >> 16;
  if (type != "float16") return bits;
  _Float16 half = (_Float16)number;
  uint16_t half_bits;
  memcpy(&half_bits, &half, 2);
  return half_bits;
}

/// Random multiples of 1/8 from -2 to below 2, which all operand types represent exactly.
inline std::vector<float> numbers(size_t count, unsigned int seed) {
  std::mt19937 random(seed);
  std::vector<float> result(count);
  for (float &number : result) number = (float)(int)(random() % 32) / 8 - 2;
  return result;
}

/// The bytes of the numbers in a type (see `bits_of`), one number after another.
inline std::vector<unsigned char> packed(const std::string &type, const std::vector<float> &numbers) {
  size_t bytes = type == "bfloat16" || type == "float16" ? 2 : 4;
  std::vector<unsigned char> result(numbers.size() * bytes);
  for (size_t i = 0; i < numbers.size(); i += 1) {
    uint32_t bits = bits_of(type, numbers[i]);
    memcpy(&result[i * bytes], &bits, bytes);
  }
  return result;
}

/// A tensor map whose box has no gaps (all element strides are 1). `strides` has the distances in bytes between
/// neighbors along dimensions 1 and up.
inline CUtensorMap tensor_map(
    Device &device, CUtensorMapDataType type, CUdeviceptr address, std::vector<uint64_t> sizes,
    std::vector<uint64_t> strides, std::vector<uint32_t> box, int swizzle) {
  CUtensorMap map;
  const uint32_t ones[5] = {1, 1, 1, 1, 1};
  Device::check(
      device.encode(
          &map, type, (uint32_t)sizes.size(), (void *)address, sizes.data(), strides.data(), box.data(), ones,
          CU_TENSOR_MAP_INTERLEAVE_NONE, (CUtensorMapSwizzle)swizzle, CU_TENSOR_MAP_L2_PROMOTION_NONE,
          CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
      "cuTensorMapEncodeTiled");
  return map;
}

// MARK: - Barriers

inline Case barriers_case() {
  return {"barriers", "barriers", {{"rounds", "10"}}, [](Device &device, CUfunction function) {
            std::vector<int> expected;
            for (int round = 0; round < 10; round += 1) {
              for (int lane = 0; lane < 32; lane += 1) expected.push_back(round * 100 + 31 - lane);
            }
            for (int i = 0; i < 64; i += 1) expected.push_back(i + 1000);
            for (int i = 0; i < 3; i += 1) expected.push_back(1);
            DeviceArray<int> result(device, std::vector<int>(expected.size(), -1));
            Outcome outcome;
            if (!device.launch(function, 1, 96, {&result.address})) outcome.error = "the launch fails";
            if (outcome.error.empty()) outcome.compare("result", result.values(), expected);
            return outcome;
          }};
}

// MARK: - Boxes

/// A tensor of 16-bit numbers in global memory, and the box of it that TMA copies. `width` is the width of the swizzle
/// in bytes; 0: no swizzle. `start` is the position of the box's first element.
struct BoxShape {
  int width;
  std::vector<uint64_t> sizes;
  std::vector<uint32_t> box;
  std::vector<int> start;

  /// The number of elements between neighbors along a dimension. Rows are padded to a multiple of 16 bytes, as TMA
  /// requires.
  uint64_t stride(size_t dimension) const {
    uint64_t row = (sizes[0] + 7) / 8 * 8;
    return dimension == 0 ? 1 : dimension == 1 ? row : row * (sizes[1] + 1);
  }
  size_t element_count() const { return (size_t)(sizes.size() == 2 ? stride(1) * sizes[1] : stride(2) * sizes[2]); }
  size_t row_bytes() const { return 2 * box[0]; }
  size_t row_count() const { return (size_t)box[1] * (sizes.size() == 2 ? 1 : box[2]); }

  /// The index of element `x` of a row of the box in the tensor's memory; -1 if the element is outside of the tensor.
  /// Rows are counted through all planes of the box.
  int64_t position(size_t row, size_t x) const {
    int64_t index[3] = {(int64_t)x + start[0], (int64_t)(row % box[1]) + start[1], (int64_t)(row / box[1])};
    if (sizes.size() == 3) index[2] += start[2];
    int64_t result = 0;
    for (size_t k = 0; k < sizes.size(); k += 1) {
      if (index[k] < 0 || index[k] >= (int64_t)sizes[k]) return -1;
      result += index[k] * (int64_t)stride(k);
    }
    return result;
  }

  /// The index (in 16-bit elements) of an element of the box in local memory. The swizzle permutes the chunks of 16
  /// bytes within each row. Rows of 64 or 32 bytes that lie in the same 128 bytes have the same permutation.
  size_t place(size_t row, size_t x) const {
    size_t chunk = 2 * x / 16;
    if (width == 128) chunk ^= row % 8;
    if (width == 64) chunk ^= row / 2 % 4;
    if (width == 32) chunk ^= row / 4 % 2;
    return row * row_bytes() / 2 + chunk * 8 + x % 8;
  }
};

inline Outcome run_box(Device &device, CUfunction function, const BoxShape &shape) {
  std::vector<uint16_t> elements(shape.element_count());
  for (size_t i = 0; i < elements.size(); i += 1) elements[i] = (uint16_t)(i * 7 + 1);
  std::vector<uint16_t> raw(shape.row_bytes() / 2 * shape.row_count(), 0), stored(elements.size(), 0xeeee);
  DeviceArray<uint16_t> source(device, elements), target(device, stored);
  DeviceArray<uint16_t> bytes(device, std::vector<uint16_t>(raw.size(), 0xdddd));
  std::vector<int> position = shape.start;
  position.resize(4);
  DeviceArray<int> start(device, position);
  std::vector<uint64_t> strides;
  for (size_t k = 1; k < shape.sizes.size(); k += 1) strides.push_back(2 * shape.stride(k));
  int swizzle = shape.width == 0 ? 0 : shape.width == 32 ? 1 : shape.width == 64 ? 2 : 3;
  auto encode = [&](CUdeviceptr address) {
    return tensor_map(device, CU_TENSOR_MAP_DATA_TYPE_UINT16, address, shape.sizes, strides, shape.box, swizzle);
  };
  CUtensorMap from = encode(source.address), to = encode(target.address);
  for (size_t row = 0; row < shape.row_count(); row += 1) {
    for (size_t x = 0; x < shape.box[0]; x += 1) {
      int64_t at = shape.position(row, x);
      if (at < 0) continue;
      raw[shape.place(row, x)] = stored[(size_t)at] = elements[(size_t)at];
    }
  }
  Outcome outcome;
  if (!device.launch(function, 1, 64, {&from, &to, &start.address, &bytes.address})) outcome.error = "the launch fails";
  if (outcome.error.empty()) outcome.compare("local memory", bytes.values(), raw);
  if (outcome.error.empty()) outcome.compare("the tensor", target.values(), stored);
  return outcome;
}

inline Case box_case(const BoxShape &shape) {
  bool is_flat = shape.sizes.size() == 2;
  std::string position = is_flat ? "start[0], start[1]" : "start[0], start[1], start[2]";
  std::string suffix = is_flat ? "2D" : "3D";
  Values values = {
      {"bytes", std::to_string(shape.row_bytes() * shape.row_count())},
      {"LOAD", "TMA_LOAD_" + suffix + "(box, &source, " + position + ", bar);"},
      {"STORE", "TMA_STORE_" + suffix + "(&target, box, " + position + ");"}};
  std::string name = "boxes " + suffix + ", swizzle " + std::to_string(shape.width) + ", from " +
      std::to_string(shape.start[0]) + ", " + std::to_string(shape.start[1]);
  return {
      name, "boxes", values, [shape](Device &device, CUfunction function) { return run_box(device, function, shape); }};
}

// MARK: - Products

/// The product A · Bᵀ of A (`rows` × `terms`) and B (`columns` × `terms`), both row-major.
inline std::vector<float> product(
    const std::vector<float> &a, const std::vector<float> &b, size_t rows, size_t columns, size_t terms) {
  std::vector<float> result(rows * columns);
  for (size_t i = 0; i < rows; i += 1) {
    for (size_t j = 0; j < columns; j += 1) {
      double sum = 0;
      for (size_t k = 0; k < terms; k += 1) sum += (double)a[i * terms + k] * (double)b[j * terms + k];
      result[i * columns + j] = (float)sum;
    }
  }
  return result;
}

/// A 64 × `columns` product by wgmma. `left` and `right` are the layouts of A and B in local memory: `K` (K-major) or
/// `MN` (MN-major). If `left` is `registers`, A is in registers.
inline Case warpgroup_case(const std::string &type, size_t columns, const std::string &left, const std::string &right) {
  bool is_half = type != "tf32", has_registers = left == "registers";
  std::string n = std::to_string(columns), load;
  std::string function = std::string(has_registers ? "WGMMA_REGISTERS_" : "WGMMA_") + type + "_m64n" + n;
  if (is_half) function += has_registers ? "<" + right + "_MAJOR>" : "<" + left + "_MAJOR, " + right + "_MAJOR>";
  if (has_registers) {
    // The inner index (term) of the first element in register i. A register holds two 16-bit elements or one TF32
    // element.
    std::string term = is_half ? "j * 16 + i / 2 * 8 + lane % 4 * 2" : "j * 8 + i / 2 * 4 + lane % 4";
    load = "u32 r[4][4];\n  UNROLL for (int j = 0; j < 4; j += 1) {\n    UNROLL for (int i = 0; i < 4; i += 1) {\n"
           "      r[j][i] = *(const u32 *)(left + (lid / 32 * 16 + lane / 4 + i % 2 * 8) * terms + " +
        term + ");\n    }\n  }";
  }
  Values values = {
      {"columns", n},
      {"size", is_half ? "2" : "4"},
      {"T", is_half ? "u16" : "u32"},
      {"leftMajor", (has_registers ? "K" : left) + "_MAJOR"},
      {"rightMajor", right + "_MAJOR"},
      {"leftAdvance", left == "MN" ? "2048" : "32"},
      {"rightAdvance", right == "MN" ? "2048" : "32"},
      {"swizzle", "WGMMA_128B"},
      {"REGISTERS", load},
      {"PRODUCT", function + "(d, " + (has_registers ? "r[step]" : "leftStep") + ", rightStep, step > 0);"}};
  auto run = [type, columns, is_half](Device &device, CUfunction function) {
    size_t terms = is_half ? 64 : 32;
    auto a = numbers(64 * terms, 1), b = numbers(columns * terms, 2);
    DeviceArray<unsigned char> left(device, packed(type, a)), right(device, packed(type, b));
    DeviceArray<float> result(device, std::vector<float>(64 * columns, -1));
    Outcome outcome;
    if (!device.launch(function, 1, 128, {&left.address, &right.address, &result.address})) {
      outcome.error = "the launch fails";
      return outcome;
    }
    outcome.compare("result", result.values(), product(a, b, 64, columns, terms));
    return outcome;
  };
  return {"warpgroup " + type + " " + n + " " + left + " " + right, "warpgroup", values, run};
}

/// A product whose tiles pass through a ring of stages in local memory. The last tiles reach past the ends of rows,
/// columns and terms.
inline Case ring_case() {
  return {"ring", "ring", {{"rowTiles", "2"}, {"steps", "5"}}, [](Device &device, CUfunction function) {
            constexpr size_t rows = 226, columns = 118, terms = 152, pitch = 120;
            auto a = numbers(rows * terms, 3), b = numbers(columns * terms, 4);
            DeviceArray<unsigned char> left(device, packed("bfloat16", a)), right(device, packed("bfloat16", b));
            DeviceArray<float> result(device, std::vector<float>(rows * pitch, -1));
            auto factor = [&](CUdeviceptr address, size_t lines, uint32_t box) {
              return tensor_map(
                  device, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, address, {terms, lines}, {2 * terms}, {32, box},
                  CU_TENSOR_MAP_SWIZZLE_64B);
            };
            CUtensorMap from = factor(left.address, rows, 128), by = factor(right.address, columns, 64);
            CUtensorMap to = tensor_map(
                device, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, result.address, {columns, rows}, {4 * pitch}, {32, 64},
                CU_TENSOR_MAP_SWIZZLE_128B);
            auto sums = product(a, b, rows, columns, terms);
            std::vector<float> expected(rows * pitch, -1);
            for (size_t i = 0; i < rows * columns; i += 1) expected[i / columns * pitch + i % columns] = sums[i];
            Outcome outcome;
            if (!device.launch(function, 2, 384, {&from, &by, &to})) outcome.error = "the launch fails";
            if (outcome.error.empty()) outcome.compare("result", result.values(), expected);
            return outcome;
          }};
}

inline std::vector<Case> all_cases() {
  std::vector<Case> cases = {barriers_case(), ring_case()};
  for (int width : {0, 32, 64, 128}) {
    uint32_t columns = width == 0 ? 40 : (uint32_t)width / 2;
    for (std::vector<int> start : {std::vector<int>{0, 0}, {-5, 30}, {60, -3}}) {
      cases.push_back(box_case({width, {70, 40}, {columns, 20}, start}));
    }
    cases.push_back(box_case({width, {27, 9, 6}, {width == 0 ? 24 : columns, 4, 3}, {-2, 6, 4}}));
  }
  for (size_t columns : {64, 128, 256}) {
    for (const char *left : {"K", "MN"}) {
      for (const char *right : {"K", "MN"}) cases.push_back(warpgroup_case("bfloat16", columns, left, right));
    }
    cases.push_back(warpgroup_case("bfloat16", columns, "registers", columns == 128 ? "MN" : "K"));
    cases.push_back(warpgroup_case("tf32", columns, "K", "K"));
    cases.push_back(warpgroup_case("float16", columns, columns == 64 ? "MN" : "K", columns == 256 ? "K" : "MN"));
  }
  cases.push_back(warpgroup_case("tf32", 64, "registers", "K"));
  cases.push_back(warpgroup_case("float16", 64, "registers", "MN"));
  return cases;
}
