#ifndef COPENCL_H
#define COPENCL_H

#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>

/// Every OpenCL entry point that is used, by its name. The declarations come from the OpenCL headers;
/// the addresses from a loader opened at run time, so that nothing links against it.
#define COPENCL_FUNCTIONS(X)   \
  X(clGetPlatformIDs)          \
  X(clGetPlatformInfo)         \
  X(clGetDeviceIDs)            \
  X(clGetDeviceInfo)           \
  X(clCreateSubDevices)        \
  X(clReleaseDevice)           \
  X(clCreateContext)           \
  X(clReleaseContext)          \
  X(clCreateCommandQueue)      \
  X(clReleaseCommandQueue)     \
  X(clCreateBuffer)            \
  X(clReleaseMemObject)        \
  X(clEnqueueWriteBuffer)      \
  X(clEnqueueReadBuffer)       \
  X(clEnqueueFillBuffer)       \
  X(clEnqueueNDRangeKernel)    \
  X(clCreateProgramWithSource) \
  X(clCreateProgramWithBinary) \
  X(clBuildProgram)            \
  X(clGetProgramBuildInfo)     \
  X(clGetProgramInfo)          \
  X(clReleaseProgram)          \
  X(clCreateKernel)            \
  X(clReleaseKernel)           \
  X(clGetKernelInfo)           \
  X(clSetKernelArg)            \
  X(clGetEventInfo)            \
  X(clGetEventProfilingInfo)   \
  X(clWaitForEvents)           \
  X(clReleaseEvent)            \
  X(clFlush)                   \
  X(clFinish)

#define COPENCL_FIELD(name) __typeof__(&name) _Nonnull name;

/// The table of entry points.
typedef struct COpenCLFunctions {
  COPENCL_FUNCTIONS(COPENCL_FIELD)
} COpenCLFunctions;

/// The entry points of libOpenCL.so.1, or NULL when there is no such library or it lacks one of them.
/// The library is opened at the first call; later ones, from any thread, return the same table.
const COpenCLFunctions *_Nullable copencl_functions(void);

/// Why `copencl_functions` returned NULL.
const char *_Nonnull copencl_failure(void);

// A process can be started once more as a builder: it builds programs that it is sent over a socket, so that a
// platform that keeps what it built on the disk finds it there. Such platforms (PoCL) build one kernel at a
// time in a process, whatever its threads do.

/// What a builder is called, its first word; the second is the number of its device among those of all platforms. The
/// descriptor is the builder's end of the socket. A process that has all three is a builder: no variable of the
/// environment, which a user may set, makes one.
#define COPENCL_BUILDER_NAME "apus-kernel-builder"
#define COPENCL_BUILDER_SOCKET 3

/// What a builder is sent, ahead of the options, the names of the kernels and the text, each ended by a zero. Kernels
/// have memory objects and then one `int` as parameters, and do nothing where that is negative. The answer is a byte,
/// 1 where everything was built.
typedef struct COpenCLJob {
  /// The size of a group of work-items.
  cl_uint local_size;
  /// The sizes of what follows, with the zeros.
  cl_uint option_count;
  cl_uint name_count;
  cl_uint text_count;
} COpenCLJob;

/// Whether this program becomes a builder when it is started as one: not where this library was loaded into another
/// program.
int copencl_can_start_builders(void);

/// Starts `/proc/self/exe` as a builder for a device, with this environment and no descriptors but the socket; the
/// standard ones lead nowhere. The process that was started forks the builder and exits: `process` is to be waited for.
/// Returns 0 or an error of `posix_spawn`.
int copencl_start_builder(int socket, int device, char *_Nullable const *_Nonnull environment, int *_Nonnull process);

/// How many cores this process may use.
int copencl_core_count(void);

#endif
