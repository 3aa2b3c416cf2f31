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

#endif
