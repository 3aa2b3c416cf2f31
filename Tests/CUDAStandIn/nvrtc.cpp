// A stand-in for libnvrtc.so that compiles CUDA C++ for the CPU, for tests on machines without an NVIDIA GPU. Clang
// compiles the unchanged source of a program with device.h included before it. The result is a shared object, which the
// stand-in for the driver (driver.cpp) loads.
//
// Environment variables:
//   STAND_IN_CLANG   the compiler (default clang++)
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
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

/// Returns C++ source with a constant for each kernel: its number of parameters. The stand-in for the driver looks up
/// these constants.
std::string parameter_counts(const std::string &text) {
  std::ostringstream result;
  static const std::regex head("(^|\n)KERNEL [^;{]*void +([A-Za-z0-9_]+)\\(([^)]*)\\)");
  for (std::sregex_iterator match(text.begin(), text.end(), head), end; match != end; ++match) {
    std::string parameters = (*match)[3];
    long count = 1;
    for (char c : parameters) count += c == ',';
    result << "extern \"C\" { extern const int stand_in_parameters_" << (*match)[2] << " = " << count << "; }\n";
  }
  return result.str();
}

int run(const std::vector<std::string> &words) {
  std::vector<char *> arguments;
  for (const auto &word : words) arguments.push_back(const_cast<char *>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t process;
  if (posix_spawnp(&process, arguments[0], nullptr, nullptr, arguments.data(), environ) != 0) return -1;
  int status = 0;
  while (waitpid(process, &status, 0) < 0) {}
  return status;
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
  char folder[] = "/tmp/cuda-stand-in-XXXXXX";
  if (mkdtemp(folder) == nullptr) return NVRTC_ERROR_COMPILATION;
  std::string base = folder, source = base + "/program.cpp", object = base + "/program.so", log = base + "/log";
  std::ofstream(source) << "#include \"" STAND_IN_FOLDER "/device.h\"\n#line 1 \"program\"\n"
                        << program->text << "\n"
                        << parameter_counts(program->text);
  const char *compiler = getenv("STAND_IN_CLANG");
  int status = run(
      {"/bin/sh", "-c", "exec \"$0\" \"$@\" 2>" + log, compiler != nullptr ? compiler : "clang++", "-std=c++20", "-O1",
       "-march=native", "-ffp-contract=off", "-fno-strict-aliasing", "-w", "-shared", "-fPIC", source, "-o", object});
  program->log = contents(log);
  program->object = contents(object);
  for (const auto &path : {source, object, log}) unlink(path.c_str());
  rmdir(folder);
  return status == 0 ? NVRTC_SUCCESS : NVRTC_ERROR_COMPILATION;
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
