// A stand-in for libnvrtc.so that compiles CUDA C++ for the CPU, for tests on machines without an NVIDIA GPU. Clang
// compiles the unchanged source of a program with device.h included before it. The result is a shared object, which the
// stand-in for the driver (driver.cpp) loads.
//
// Environment variables:
//   STAND_IN_CLANG      the compiler (default clang++)
//   STAND_IN_SANITIZE   `address` compiles with the address sanitizer, see sanitizer.h
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "../../Sources/CCUDA/include/ccuda.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

struct _nvrtcProgram {
  std::string text, log, object;
};

namespace {

std::string contents(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Returns C++ source with two symbols for each kernel, which the stand-in for the driver looks up: the sizes of the
/// kernel's parameters in bytes with a zero after the last, and a function that calls the kernel with its parameters.
/// All parameters have eight bytes, except tensor maps.
std::string calls(const std::string &text) {
  std::ostringstream result;
  static const std::regex head("(^|\n)KERNEL [^;{]*void +([A-Za-z0-9_]+)\\(([^)]*)\\)");
  for (std::sregex_iterator match(text.begin(), text.end(), head), end; match != end; ++match) {
    std::string name = (*match)[2], types, values, sizes;
    std::istringstream parameters((*match)[3]);
    int word = 0;
    for (std::string parameter; std::getline(parameters, parameter, ',');) {
      bool is_map = parameter.find("TENSOR_MAP") != std::string::npos;
      std::string value = "p[" + std::to_string(word) + "]", separator = word == 0 ? "" : ", ";
      types += separator + (is_map ? "TensorMap" : "uint64_t");
      values += separator + (is_map ? "stand_in_parameter<TensorMap>(&" + value + ")" : value);
      sizes += is_map ? "128, " : "8, ";
      word += is_map ? 16 : 1;
    }
    result << "extern \"C\" {\nextern const int stand_in_sizes_" << name << "[] = {" << sizes << "0};\n"
           << "void stand_in_call_" << name << "(const uint64_t *p) { ((void (*)(" << types << "))&" << name << ")("
           << values << "); }\n}\n";
  }
  return result.str();
}

/// Runs a program without LD_PRELOAD, because it does not need the libraries that this process has loaded first.
/// Returns its wait status, or -1 if it did not start.
int run(const std::vector<std::string> &words) {
  std::vector<char *> arguments;
  for (const auto &word : words) arguments.push_back(const_cast<char *>(word.c_str()));
  arguments.push_back(nullptr);
  std::vector<char *> variables;
  for (char **variable = environ; *variable != nullptr; variable += 1) {
    if (strncmp(*variable, "LD_PRELOAD=", 11) != 0) variables.push_back(*variable);
  }
  variables.push_back(nullptr);
  pid_t process;
  if (posix_spawnp(&process, arguments[0], nullptr, nullptr, arguments.data(), variables.data()) != 0) return -1;
  int status = 0;
  while (waitpid(process, &status, 0) < 0) {}
  return status;
}

/// Runs clang, and keeps its results until the process ends.
///
/// All programs for a device begin with the same prelude, which takes most of the compile time. So the text before the
/// first kernel is compiled once, to a precompiled header.
class Compiler {
  std::mutex mutex;
  std::string folder;
  int file_count = 0;
  /// The precompiled header of each prelude; empty if it does not compile.
  std::map<std::string, std::string> headers;
  /// The object of each program.
  std::map<std::string, std::string> objects;

  std::string path(const char *extension) {
    std::lock_guard<std::mutex> lock(mutex);
    return folder + "/" + std::to_string(file_count++) + extension;
  }

  /// Runs clang, and returns whether it succeeded.
  static bool clang(const std::vector<std::string> &words, std::string &log, const std::string &log_path) {
    const char *name = getenv("STAND_IN_CLANG");
    std::vector<std::string> all = {
        "/bin/sh", "-c", "exec \"$0\" \"$@\" 2>" + log_path, name != nullptr ? name : "clang++", "-std=c++20", "-O1",
        "-march=native", "-ffp-contract=off", "-fno-strict-aliasing", "-w", "-fPIC", "-DUNROLL=",
        // On a GPU, a misaligned access is an error, so the accesses of kernels are checked.
        "-fsanitize=alignment", "-fno-sanitize-recover=alignment"};
    const char *sanitizer = getenv("STAND_IN_SANITIZE");
    if (sanitizer != nullptr && strcmp(sanitizer, "address") == 0) {
      all.insert(all.end(), {"-fsanitize=address", "-fsanitize-address-use-after-return=never", "-gline-tables-only"});
    }
    all.insert(all.end(), words.begin(), words.end());
    int status = run(all);
    log = contents(log_path);
    unlink(log_path.c_str());
    return status == 0;
  }

  std::string header(const std::string &prelude) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      auto found = headers.find(prelude);
      if (found != headers.end()) return found->second;
    }
    std::string source = path(".h"), result = path(".pch"), log;
    std::ofstream(source) << "#include \"" STAND_IN_FOLDER "/device.h\"\n#line 1 \"program\"\n" << prelude;
    if (!clang({"-x", "c++-header", source, "-o", result}, log, path(".log"))) result = "";
    std::lock_guard<std::mutex> lock(mutex);
    // Another thread may have compiled the same prelude in the meantime; both results are the same.
    headers[prelude] = result;
    return result;
  }

public:
  Compiler() {
    char pattern[] = "/tmp/cuda-stand-in-XXXXXX";
    if (mkdtemp(pattern) != nullptr) folder = pattern;
  }

  ~Compiler() { run({"rm", "-rf", folder}); }

  bool build(const std::string &text, std::string &object, std::string &log) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      auto found = objects.find(text);
      if (found != objects.end()) {
        object = found->second;
        return true;
      }
    }
    size_t start = text.find("\nKERNEL ");
    std::string prelude = start == std::string::npos ? "" : text.substr(0, start + 1);
    std::string precompiled = prelude.empty() ? "" : header(prelude);
    std::string source = path(".cpp"), result = path(".so");
    std::ofstream file(source);
    if (precompiled.empty()) {
      file << "#include \"" STAND_IN_FOLDER "/device.h\"\n#line 1 \"program\"\n" << text;
    } else {
      long line = std::count(prelude.begin(), prelude.end(), '\n') + 1;
      file << "#line " << line << " \"program\"\n" << text.substr(start + 1);
    }
    file << "\n" << calls(text);
    file.close();
    std::vector<std::string> words = {"-shared", source, "-o", result};
    if (!precompiled.empty()) words.insert(words.begin(), {"-include-pch", precompiled});
    bool is_built = clang(words, log, path(".log"));
    object = contents(result);
    unlink(source.c_str());
    unlink(result.c_str());
    if (is_built) {
      std::lock_guard<std::mutex> lock(mutex);
      objects[text] = object;
    }
    return is_built;
  }
};

Compiler &compiler() {
  static Compiler compiler;
  return compiler;
}

} // namespace

EXPORT nvrtcResult nvrtcVersion(int *major, int *minor) {
  *major = 13;
  *minor = 0;
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcGetNumSupportedArchs(int *count) {
  *count = 1;
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcGetSupportedArchs(int *architectures) {
  *architectures = 90;
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcCreateProgram(
    nvrtcProgram *program, const char *text, const char *, int, const char *const *, const char *const *) {
  *program = new _nvrtcProgram{text, "", ""};
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcDestroyProgram(nvrtcProgram *program) {
  delete *program;
  *program = nullptr;
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int, const char *const *) {
  bool is_built = compiler().build(program->text, program->object, program->log);
  return is_built ? NVRTC_SUCCESS : NVRTC_ERROR_COMPILATION;
}

EXPORT nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, size_t *bytes) {
  *bytes = program->object.size();
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char *cubin) {
  memcpy(cubin, program->object.data(), program->object.size());
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t *bytes) {
  *bytes = program->log.size() + 1;
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char *log) {
  memcpy(log, program->log.c_str(), program->log.size() + 1);
  return NVRTC_SUCCESS;
}
