// The CUDA driver and NVRTC that hopper_check.cpp uses: the libraries of a real GPU or the stand-ins.
#pragma once
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "../../Sources/CCUDA/include/ccuda.h"
#include "tensor_map.h"

/// Ends the process with status 3; after wrong results, the status is 1.
[[noreturn]] inline void give_up(const std::string &message) {
  fprintf(stderr, "hopper-check: %s\n", message.c_str());
  _exit(3);
}

inline std::string contents(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) give_up("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline std::string replaced(std::string text, const std::string &original, const std::string &replacement) {
  for (size_t at = text.find(original); at != std::string::npos; at = text.find(original, at + replacement.size())) {
    text.replace(at, original.size(), replacement);
  }
  return text;
}

typedef std::map<std::string, std::string> Values;

/// The options for NVRTC.
inline const std::vector<std::string> options = {"--std=c++17", "--fmad=false", "--gpu-architecture=sm_90a"};

/// The source of a program: the prelude, then a file of kernels/ in which each `$name` is replaced by its value.
inline std::string program(const std::string &name, const Values &values) {
  std::string folder = STAND_IN_FOLDER, text = "// NVRTC options:";
  for (const auto &option : options) text += " " + option;
  text += "\n#define WIDTH 1\n#define HAS_FLOAT64 1\n";
  for (const char *file : {"cuda", "matrix", "hopper"}) {
    text += contents(folder + "/../../Kernels/prelude/" + file + ".h");
  }
  std::string kernel = contents(folder + "/kernels/" + name + ".cu");
  for (const auto &[parameter, value] : values) kernel = replaced(kernel, "$" + parameter, value);
  return text + kernel;
}

/// A device. `check` ends the process if a call of the driver has failed. An error while a kernel runs does not end it,
/// because tests expect such errors: `launch` returns false.
struct Device {
  CCUDADriver driver = {};
  CCUDACompiler compiler = {};
  TensorMapEncoder encode = nullptr;
  /// Functions that only the stand-in exports (see instructions.h); null for a real driver.
  void (*set_reverse)(int) = nullptr, (*set_copies)(int) = nullptr;
  CUstream stream = nullptr;

  Device(const char *driver_path, const char *compiler_path) {
    void *library = dlopen(driver_path, RTLD_NOW), *nvrtc = dlopen(compiler_path, RTLD_NOW);
    if (library == nullptr || nvrtc == nullptr) give_up(dlerror());
#define LOOK_UP_DRIVER(name, symbol, parameters) driver.name = (decltype(driver.name))dlsym(library, #symbol);
    CCUDA_DRIVER_FUNCTIONS(LOOK_UP_DRIVER)
#define LOOK_UP_COMPILER(name, symbol, parameters) compiler.name = (decltype(compiler.name))dlsym(nvrtc, #symbol);
    CCUDA_NVRTC_FUNCTIONS(LOOK_UP_COMPILER)
    encode = (TensorMapEncoder)dlsym(library, "cuTensorMapEncodeTiled");
    set_reverse = (void (*)(int))dlsym(library, "stand_in_set_reverse");
    set_copies = (void (*)(int))dlsym(library, "stand_in_set_copies");
    CUdevice device;
    CUcontext context;
    check(driver.cuInit(0), "cuInit");
    check(driver.cuDeviceGet(&device, 0), "cuDeviceGet");
    check(driver.cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
    check(driver.cuCtxSetCurrent(context), "cuCtxSetCurrent");
    check(driver.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
  }

  static void check(int code, const char *function) {
    if (code != 0) give_up(std::string(function) + " returns " + std::to_string(code));
  }

  CUfunction build(const std::string &text, const char *kernel) {
    nvrtcProgram program;
    check(compiler.nvrtcCreateProgram(&program, text.c_str(), kernel, 0, nullptr, nullptr), "nvrtcCreateProgram");
    std::vector<const char *> words;
    for (const auto &option : options) words.push_back(option.c_str());
    if (compiler.nvrtcCompileProgram(program, (int)words.size(), words.data()) != NVRTC_SUCCESS) {
      size_t bytes = 0;
      compiler.nvrtcGetProgramLogSize(program, &bytes);
      std::string log(bytes, 0);
      compiler.nvrtcGetProgramLog(program, log.data());
      give_up(std::string(kernel) + " does not compile:\n" + log.substr(0, 4000));
    }
    size_t bytes = 0;
    check(compiler.nvrtcGetCUBINSize(program, &bytes), "nvrtcGetCUBINSize");
    std::string cubin(bytes, 0);
    check(compiler.nvrtcGetCUBIN(program, cubin.data()), "nvrtcGetCUBIN");
    compiler.nvrtcDestroyProgram(&program);
    CUmodule module;
    CUfunction function;
    check(driver.cuModuleLoadData(&module, cubin.data()), "cuModuleLoadData");
    check(driver.cuModuleGetFunction(&function, module, kernel), "cuModuleGetFunction");
    return function;
  }

  /// Runs a kernel to its end. Returns whether it succeeded.
  bool launch(CUfunction function, unsigned int groups, unsigned int threads, std::vector<void *> parameters) {
    check(
        driver.cuLaunchKernel(function, groups, 1, 1, threads, 1, 1, 0, stream, parameters.data(), nullptr),
        "cuLaunchKernel");
    return driver.cuStreamSynchronize(stream) == CUDA_SUCCESS;
  }
};

/// An array in device memory.
template <typename T> struct DeviceArray {
  Device &device;
  size_t bytes;
  CUdeviceptr address = 0;

  DeviceArray(Device &device, const std::vector<T> &values) : device(device), bytes(values.size() * sizeof(T)) {
    Device::check(device.driver.cuMemAlloc(&address, bytes), "cuMemAlloc");
    Device::check(device.driver.cuMemcpyHtoDAsync(address, values.data(), bytes, device.stream), "a copy");
    device.driver.cuStreamSynchronize(device.stream);
  }
  ~DeviceArray() { device.driver.cuMemFree(address); }
  DeviceArray(const DeviceArray &) = delete;

  std::vector<T> values() const {
    std::vector<T> result(bytes / sizeof(T));
    device.driver.cuMemcpyDtoHAsync(result.data(), address, bytes, device.stream);
    device.driver.cuStreamSynchronize(device.stream);
    return result;
  }
};
