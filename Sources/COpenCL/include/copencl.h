#ifndef COPENCL_H
#define COPENCL_H

#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>

/// The names of all OpenCL entry points that are used. The OpenCL headers declare them; their addresses come from
/// a library that is opened at run time, so that nothing links against it.
#define COPENCL_FUNCTIONS(X)   \
  X(clGetPlatformIDs)          \
  X(clGetPlatformInfo)         \
  X(clGetDeviceIDs)            \
  X(clGetDeviceInfo)           \
  X(clCreateSubDevices)        \
  X(clCreateContext)           \
  X(clReleaseContext)          \
  X(clCreateCommandQueue)      \
  X(clReleaseCommandQueue)     \
  X(clCreateBuffer)            \
  X(clReleaseMemObject)        \
  X(clEnqueueWriteBuffer)      \
  X(clEnqueueReadBuffer)       \
  X(clEnqueueFillBuffer)       \
  X(clEnqueueMapBuffer)        \
  X(clEnqueueUnmapMemObject)   \
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

/// The entry points of libOpenCL.so.1, or NULL if there is no such library or if it lacks an entry point.
/// The first call opens the library; later calls, from any thread, return the same table.
const COpenCLFunctions *_Nullable copencl_functions(void);

/// Why `copencl_functions` returned NULL.
const char *_Nonnull copencl_failure(void);

// PoCL builds only one kernel at a time per process, even if several threads build, and it caches built programs on
// disk. For such a platform, this executable is started again as a builder process, which builds the programs that it
// receives over a socket.

/// The first argument (argv[0]) of a builder. The second argument is the index of the builder's device among the
/// devices of all platforms. A process is a builder if it has these two arguments and the socket. Environment
/// variables, which a user may set, have no influence.
#define COPENCL_BUILDER_NAME "apus-kernel-builder"
/// The descriptor of a builder's end of the socket.
#define COPENCL_BUILDER_SOCKET 3

/// The header of a job for a builder, followed by the build options, the names of the kernels and the source, each
/// terminated by a zero byte. The parameters of a kernel are memory objects and then one `int`; the kernel does nothing
/// if the `int` is negative. The builder launches each kernel with such an `int`, because only a launch forces the
/// compiler to finish the kernel. The answer is one byte: 1 if everything was built.
typedef struct COpenCLJob {
  /// The number of work-items in a work-group.
  cl_uint local_size;
  /// The byte counts of the options, names and source, including the zero bytes.
  cl_uint option_bytes;
  cl_uint name_bytes;
  cl_uint source_bytes;
} COpenCLJob;

/// Whether this program can be started as a builder. It cannot if this code is in a library that another program has
/// loaded.
int copencl_can_start_builders(void);

/// Starts `/proc/self/exe` as a builder for a device, with this environment. The builder's only descriptors are the
/// socket and the three standard descriptors, which refer to /dev/null. The started process forks the builder and
/// exits; `process` receives its ID, and the caller must wait for it. Returns 0 or an error of `posix_spawn`.
int copencl_start_builder(int socket, int device, char *_Nullable const *_Nonnull environment, int *_Nonnull process);

#endif
