// Failures that a test injects into the stand-in for the CUDA driver, and the errors after which the device is lost.
// For failures of kernels, see fail.h.
//
// Environment variable:
//   STAND_IN_FAIL   FUNCTION:N:CODE, with commas between several: call N of the function, counted from 1, returns the
//                   CUDA error CODE. After most errors of kernels (from 700 on), the device is lost, as on a GPU.
#pragma once
#include <stdlib.h>

#include <map>
#include <mutex>
#include <sstream>
#include <string>

#include "../../Sources/CCUDA/include/ccuda.h"

class Faults {
  struct Fault {
    long call;
    CUresult code;
  };
  std::mutex mutex;
  std::multimap<std::string, Fault> faults;
  std::map<std::string, long> calls;

public:
  Faults() {
    const char *setting = getenv("STAND_IN_FAIL");
    std::istringstream list(setting != nullptr ? setting : "");
    for (std::string fault; std::getline(list, fault, ',');) {
      std::istringstream parts(fault);
      std::string function, call, code;
      if (std::getline(parts, function, ':') && std::getline(parts, call, ':') && std::getline(parts, code)) {
        faults.insert({function, {atol(call.c_str()), atoi(code.c_str())}});
      }
    }
  }

  /// Whether every later call returns the same error. Error 701 is a launch that needs too many registers; it does not
  /// run, and the device stays usable.
  static bool is_loss(CUresult error) { return error >= CUDA_ERROR_ILLEGAL_ADDRESS && error != 701; }

  /// Counts a call of a function of the driver. Returns the error that is injected into this call, or CUDA_SUCCESS.
  CUresult count(const char *function) {
    if (faults.empty()) return CUDA_SUCCESS;
    std::lock_guard<std::mutex> lock(mutex);
    long call = ++calls[function];
    auto range = faults.equal_range(function);
    for (auto fault = range.first; fault != range.second; ++fault) {
      if (fault->second.call == call) return fault->second.code;
    }
    return CUDA_SUCCESS;
  }
};
