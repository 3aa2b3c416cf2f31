// Checks the instructions of prelude/hopper.h on the stand-in or on a GPU with compute capability 9.0: runs the kernels
// of kernels/ and compares their results with those that the host computes. On the stand-in, each kernel runs with both
// orders of threads and with all modes of asynchronous effects, and all runs must give the same bits.
//
// usage: hopper-check LIBCUDA LIBNVRTC            runs all kernels
//        hopper-check LIBCUDA LIBNVRTC --faults   runs kernels with a planted fault; each must fail in some mode
//        hopper-check --dump FOLDER               writes the programs to a folder
#include <sys/wait.h>
#include <unistd.h>

#include "check_cases.h"

namespace {

struct Mode {
  int is_reversed, copies;
};

std::vector<Mode> modes_of(const Device &device) {
  if (device.set_copies == nullptr) return {{0, 0}};
  std::vector<Mode> modes;
  for (int copies = 0; copies < 3; copies += 1) {
    for (int is_reversed = 0; is_reversed < 2; is_reversed += 1) modes.push_back({is_reversed, copies});
  }
  return modes;
}

/// Runs a case in all modes. Returns what is wrong, or an empty text.
std::string run(Device &device, const Case &test, const std::string &text) {
  CUfunction function = device.build(text, test.kernel.c_str());
  std::vector<unsigned char> first;
  for (Mode mode : modes_of(device)) {
    if (device.set_copies != nullptr) {
      device.set_reverse(mode.is_reversed);
      device.set_copies(mode.copies);
    }
    Outcome outcome = test.run(device, function);
    std::string suffix = " (order " + std::to_string(mode.is_reversed) + ", copies " + std::to_string(mode.copies) +
        ")";
    if (!outcome.error.empty()) return outcome.error + suffix;
    if (first.empty()) first = outcome.results;
    if (outcome.results != first) return "the results depend on the mode" + suffix;
  }
  return "";
}

/// Checks that `cuTensorMapEncodeTiled` accepts good arguments, and refuses them if one is changed to a wrong value.
/// Returns what is wrong, or an empty text.
std::string check_arguments(Device &device) {
  struct Arguments {
    const char *name;
    uint64_t address, size, stride;
    uint32_t rank, columns, rows, element_stride;
    int swizzle, expected;
  };
  alignas(128) static char memory[4096];
  auto address = (uint64_t)memory;
  const Arguments list[] = {
      {"good arguments", address, 64, 128, 2, 32, 8, 1, 2, 0},
      {"an address that is not a multiple of 16", address + 8, 64, 128, 2, 32, 8, 1, 2, 1},
      {"no elements", address, 0, 128, 2, 32, 8, 1, 2, 1},
      {"too many elements", address, (1ull << 32) + 1, 128, 2, 32, 8, 1, 2, 1},
      {"a stride that is not a multiple of 16", address, 64, 136, 2, 32, 8, 1, 2, 1},
      {"a stride of 2^40", address, 64, 1ull << 40, 2, 32, 8, 1, 2, 1},
      {"rank 0", address, 64, 128, 0, 32, 8, 1, 2, 1},
      {"rank 6", address, 64, 128, 6, 32, 8, 1, 2, 1},
      {"an empty box", address, 64, 128, 2, 32, 0, 1, 2, 1},
      {"a box of 257 rows", address, 64, 128, 2, 32, 257, 1, 2, 1},
      {"a row of 72 bytes", address, 64, 128, 2, 36, 8, 1, 0, 1},
      {"a row longer than the swizzle", address, 64, 128, 2, 40, 8, 1, 2, 1},
      {"an element stride of 0", address, 64, 128, 2, 32, 8, 0, 2, 1},
      {"an element stride of 9", address, 64, 128, 2, 32, 8, 9, 2, 1},
      {"an unknown swizzle", address, 64, 128, 2, 32, 8, 1, 99, 1},
  };
  for (const auto &a : list) {
    CUtensorMap map;
    uint64_t sizes[6] = {a.size, 8, 1, 1, 1, 1}, strides[5] = {a.stride, 1024, 1024, 1024, 1024};
    uint32_t box[6] = {a.columns, a.rows, 1, 1, 1, 1}, ones[6] = {a.element_stride, 1, 1, 1, 1, 1};
    int result = device.encode(
        &map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, a.rank, (void *)a.address, sizes, strides, box, ones,
        CU_TENSOR_MAP_INTERLEAVE_NONE, (CUtensorMapSwizzle)a.swizzle, CU_TENSOR_MAP_L2_PROMOTION_NONE,
        CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (result != a.expected) return std::string(a.name) + ": cuTensorMapEncodeTiled returns " + std::to_string(result);
  }
  return "";
}

/// A planted fault: in the source of a case, the text `original` is replaced by `planted`.
struct Fault {
  Case test;
  const char *original, *planted;
};

std::vector<Fault> faults() {
  Case barriers = barriers_case(), ring = ring_case(), box = box_case({128, {70, 40}, {64, 20}, {-5, 30}});
  Case k_major = warpgroup_case("bfloat16", 64, "K", "K"), mn_major = warpgroup_case("float16", 128, "MN", "MN");
  return {
      // Wrong phases, a wrong count, a missing initialization, missing named barriers.
      {barriers, "round / 2 % 2 ^ 1", "round / 2 % 2"},
      {barriers, "full[slot], round / 2 % 2)", "full[slot], round / 2 % 2 ^ 1)"},
      {barriers, "MBARRIER_INIT(&full[i], 32)", "MBARRIER_INIT(&full[i], 33)"},
      {barriers, "MBARRIER_INIT(&full[i], 32);", ""},
      {barriers, "NAMED_BARRIER(1, 64);", ""},
      {barriers, "NAMED_BARRIER_ARRIVE(2, 96);", ""},
      // Missing waits, a missing commit, and wrong numbers of bytes.
      {box, "MBARRIER_WAIT(bar, 0);", ""},
      {box, "MBARRIER_EXPECT(bar, ", "MBARRIER_EXPECT(bar, 16 + "},
      {box, "MBARRIER_EXPECT(bar, ", "MBARRIER_EXPECT(bar, -16 + "},
      {box, "TMA_WAIT(0);", ""},
      {box, "TMA_COMMIT();", ""},
      // A wrong swizzle in a descriptor or in local memory, a wrong advance, a wrong row of a result register, a
      // missing wait, a missing commit, exchanged distances in a descriptor, and a wrong major.
      {k_major, "WGMMA_128B", "WGMMA_64B"},
      {k_major, "(byte) / 16 ^ (row) % 8", "(byte) / 16 ^ (row) % 4"},
      {k_major, "step * 32", "step * 16"},
      {k_major, "lane / 4 + i / 2 % 2 * 8;", "lane / 4 + i % 2 * 8;"},
      {k_major, "WGMMA_WAIT(0);", ""},
      {k_major, "WGMMA_COMMIT();", ""},
      {mn_major, "WGMMA_DESCRIPTOR(b, 8192, 1024,", "WGMMA_DESCRIPTOR(b, 1024, 8192,"},
      {mn_major, "<MN_MAJOR, MN_MAJOR>", "<MN_MAJOR, K_MAJOR>"},
      // The ring: wrong phases, a stage that is released before wgmma has read it, a stage that is filled without a
      // wait until it is empty, a store of sums that are not complete, sums that are overwritten before they are
      // stored, a wrong swizzle, and a missing wait for the last store.
      {ring, "MBARRIER_WAIT(&full[turn % 2], turn / 2 % 2)", "MBARRIER_WAIT(&full[turn % 2], turn / 2 % 2 ^ 1)"},
      {ring, "MBARRIER_WAIT(&empty[turn % 2], turn / 2 % 2 ^ 1)", "MBARRIER_WAIT(&empty[turn % 2], turn / 2 % 2)"},
      {ring, "WGMMA_WAIT(0);\n    WGMMA_KEEP(d);\n    if (lid % 128 == 0) MBARRIER_ARRIVE(&empty[turn % 2]);",
       "if (lid % 128 == 0) MBARRIER_ARRIVE(&empty[turn % 2]);\n    WGMMA_WAIT(0);\n    WGMMA_KEEP(d);"},
      {ring, "MBARRIER_WAIT(&empty[turn % 2], turn / 2 % 2 ^ 1);", ""},
      {ring, "ASYNC_FENCE();\n      NAMED_BARRIER(1 + part, 128);", "ASYNC_FENCE();"},
      {ring, "if (lid % 128 == 0) TMA_WAIT_READ(0);", ""},
      {ring, "64 * 64, 0, 512, WGMMA_64B", "64 * 64, 0, 512, WGMMA_128B"},
      {ring, "if (lid % 128 == 0) TMA_WAIT(0);", ""},
  };
}

/// Runs a kernel with a fault in a process of its own, because the device may be lost after a fault. Returns whether
/// the fault was found.
bool is_found(const Fault &fault, char **libraries) {
  pid_t process = fork();
  if (process == 0) {
    // The stand-in's messages are expected.
    if (freopen("/dev/null", "w", stderr) == nullptr) _exit(3);
    Device device(libraries[0], libraries[1]);
    std::string text = program(fault.test.kernel, fault.test.values);
    std::string changed = replaced(text, fault.original, fault.planted);
    if (changed == text) _exit(4);
    std::string error = run(device, fault.test, changed);
    printf("%s: %s → %s: %s\n", fault.test.kernel.c_str(), fault.original, fault.planted, error.c_str());
    fflush(stdout);
    _exit(error.empty() ? 0 : 1);
  }
  int status = 0;
  waitpid(process, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

int check_faults(char **libraries) {
  int count = 0, missed = 0;
  for (const auto &fault : faults()) {
    count += 1;
    if (is_found(fault, libraries)) continue;
    missed += 1;
    fprintf(stderr, "hopper-check: %s: not found: %s → %s\n", fault.test.kernel.c_str(), fault.original, fault.planted);
  }
  printf("hopper-check: %d planted faults, %d not found\n", count, missed);
  return missed == 0 ? 0 : 1;
}

int check_all(char **libraries) {
  Device device(libraries[0], libraries[1]);
  std::string error = check_arguments(device);
  int failed = error.empty() ? 0 : 1, count = 0;
  if (failed) fprintf(stderr, "hopper-check: %s\n", error.c_str());
  for (const auto &test : all_cases()) {
    count += 1;
    error = run(device, test, program(test.kernel, test.values));
    if (error.empty()) continue;
    failed += 1;
    fprintf(stderr, "hopper-check: %s: %s\n", test.name.c_str(), error.c_str());
  }
  printf("hopper-check: %d kernels in %zu modes, %d failures\n", count, modes_of(device).size(), failed);
  return failed == 0 ? 0 : 1;
}

void dump(const std::string &folder) {
  int number = 0;
  for (const auto &test : all_cases()) {
    std::ofstream file(folder + "/hopper-" + std::to_string(number++) + ".cu");
    file << program(test.kernel, test.values);
  }
}

} // namespace

int main(int count, char **arguments) {
  if (count == 3 && strcmp(arguments[1], "--dump") == 0) {
    dump(arguments[2]);
    return 0;
  }
  if (count == 3) return check_all(arguments + 1);
  if (count == 4 && strcmp(arguments[3], "--faults") == 0) return check_faults(arguments + 1);
  fprintf(stderr, "usage: hopper-check LIBCUDA LIBNVRTC [--faults] | --dump FOLDER\n");
  return 64;
}
