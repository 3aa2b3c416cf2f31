#ifndef CCUDA_H
#define CCUDA_H

#include <stddef.h>
#include <stdint.h>

// The declarations of the CUDA driver and of NVRTC (the compiler for CUDA C++) that Apus uses. They are written from
// the reference documentation of the CUDA Driver API and NVRTC, so that no CUDA header is needed to build. The names
// are NVIDIA's.

typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphNode_st *CUgraphNode;
typedef struct CUgraphExec_st *CUgraphExec;

// Swift does not import types with an alignment of 64.
#if defined(__swift__)
#define CCUDA_ALIGNED
#else
#define CCUDA_ALIGNED __attribute__((aligned(64)))
#endif

// Describes a tensor in global memory, and the box of it that one copy by the tensor memory accelerator (TMA)
// transfers. The address of the struct is a multiple of 64 bytes.
typedef struct CCUDA_ALIGNED CUtensorMap {
  uint64_t opaque[16];
} CUtensorMap;

// The parameters of a kernel node of a graph (CUDA_KERNEL_NODE_PARAMS_v2). The call that gets this struct copies the
// kernel arguments to which `parameters` points.
typedef struct CUDA_KERNEL_NODE_PARAMS {
  CUfunction function;
  unsigned int groups_x, groups_y, groups_z, threads_x, threads_y, threads_z, shared_bytes;
  void **parameters;
  void **extra;
  void *kernel;
  CUcontext context;
} CUDA_KERNEL_NODE_PARAMS;

// Results of driver functions.
enum : CUresult {
  CUDA_SUCCESS = 0,
  CUDA_ERROR_INVALID_VALUE = 1,
  CUDA_ERROR_OUT_OF_MEMORY = 2,
  CUDA_ERROR_DEINITIALIZED = 4,
  CUDA_ERROR_DEVICE_UNAVAILABLE = 46,
  CUDA_ERROR_NO_DEVICE = 100,
  CUDA_ERROR_INVALID_DEVICE = 101,
  CUDA_ERROR_INVALID_IMAGE = 200,
  CUDA_ERROR_INVALID_CONTEXT = 201,
  CUDA_ERROR_ECC_UNCORRECTABLE = 214,
  CUDA_ERROR_NOT_READY = 600,
  CUDA_ERROR_ILLEGAL_ADDRESS = 700,
  CUDA_ERROR_LAUNCH_TIMEOUT = 702,
  CUDA_ERROR_ASSERT = 710,
  CUDA_ERROR_HARDWARE_STACK_ERROR = 714,
  CUDA_ERROR_ILLEGAL_INSTRUCTION = 715,
  CUDA_ERROR_MISALIGNED_ADDRESS = 716,
  CUDA_ERROR_INVALID_ADDRESS_SPACE = 717,
  CUDA_ERROR_INVALID_PC = 718,
  CUDA_ERROR_LAUNCH_FAILED = 719,
  CUDA_ERROR_UNKNOWN = 999,
};

// Device attributes.
enum : int {
  CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 1,
  CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
  CU_DEVICE_ATTRIBUTE_INTEGRATED = 18,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97,
  CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED = 115,
};

// Function attributes.
enum : int { CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8 };

// The settings of tensor maps.
typedef enum CUtensorMapDataType : int {
  CU_TENSOR_MAP_DATA_TYPE_UINT8,
  CU_TENSOR_MAP_DATA_TYPE_UINT16,
  CU_TENSOR_MAP_DATA_TYPE_UINT32,
  CU_TENSOR_MAP_DATA_TYPE_INT32,
  CU_TENSOR_MAP_DATA_TYPE_UINT64,
  CU_TENSOR_MAP_DATA_TYPE_INT64,
  CU_TENSOR_MAP_DATA_TYPE_FLOAT16,
  CU_TENSOR_MAP_DATA_TYPE_FLOAT32,
  CU_TENSOR_MAP_DATA_TYPE_FLOAT64,
  CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
  CU_TENSOR_MAP_DATA_TYPE_FLOAT32_FTZ,
  CU_TENSOR_MAP_DATA_TYPE_TFLOAT32,
  CU_TENSOR_MAP_DATA_TYPE_TFLOAT32_FTZ,
} CUtensorMapDataType;
typedef enum CUtensorMapInterleave : int { CU_TENSOR_MAP_INTERLEAVE_NONE } CUtensorMapInterleave;
typedef enum CUtensorMapSwizzle : int {
  CU_TENSOR_MAP_SWIZZLE_NONE,
  CU_TENSOR_MAP_SWIZZLE_32B,
  CU_TENSOR_MAP_SWIZZLE_64B,
  CU_TENSOR_MAP_SWIZZLE_128B,
} CUtensorMapSwizzle;
typedef enum CUtensorMapL2promotion : int {
  CU_TENSOR_MAP_L2_PROMOTION_NONE,
  CU_TENSOR_MAP_L2_PROMOTION_L2_64B,
  CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
  CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
} CUtensorMapL2promotion;
typedef enum CUtensorMapFloatOOBfill : int { CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE } CUtensorMapFloatOOBfill;

// Flags of streams and events.
enum : unsigned int {
  CU_STREAM_NON_BLOCKING = 1,
  CU_EVENT_DEFAULT = 0,
  CU_EVENT_DISABLE_TIMING = 2,
};

/// The functions of the driver, as X(name, symbol, parameters). Every function returns a CUresult. A symbol with a
/// suffix such as _v2 is the version of the function that has these parameters. All symbols exist since CUDA 12.0.
#define CCUDA_DRIVER_FUNCTIONS(X)                                                                                      \
  X(cuInit, cuInit, (unsigned int flags))                                                                              \
  X(cuDriverGetVersion, cuDriverGetVersion, (int *version))                                                            \
  X(cuGetErrorString, cuGetErrorString, (CUresult error, const char **text))                                           \
  X(cuDeviceGetCount, cuDeviceGetCount, (int *count))                                                                  \
  X(cuDeviceGet, cuDeviceGet, (CUdevice * device, int ordinal))                                                        \
  X(cuDeviceGetName, cuDeviceGetName, (char *name, int length, CUdevice device))                                       \
  X(cuDeviceGetAttribute, cuDeviceGetAttribute, (int *value, int attribute, CUdevice device))                          \
  X(cuDeviceTotalMem, cuDeviceTotalMem_v2, (size_t *bytes, CUdevice device))                                           \
  X(cuDevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain, (CUcontext * context, CUdevice device))                        \
  X(cuDevicePrimaryCtxRelease, cuDevicePrimaryCtxRelease_v2, (CUdevice device))                                        \
  X(cuCtxSetCurrent, cuCtxSetCurrent, (CUcontext context))                                                             \
  X(cuMemGetInfo, cuMemGetInfo_v2, (size_t *available, size_t *total))                                                 \
  X(cuMemAlloc, cuMemAlloc_v2, (CUdeviceptr * address, size_t bytes))                                                  \
  X(cuMemFree, cuMemFree_v2, (CUdeviceptr address))                                                                    \
  X(cuMemAllocAsync, cuMemAllocAsync, (CUdeviceptr * address, size_t bytes, CUstream stream))                          \
  X(cuMemFreeAsync, cuMemFreeAsync, (CUdeviceptr address, CUstream stream))                                            \
  X(cuMemHostAlloc, cuMemHostAlloc, (void **memory, size_t bytes, unsigned int flags))                                 \
  X(cuMemFreeHost, cuMemFreeHost, (void *memory))                                                                      \
  X(cuMemsetD8Async, cuMemsetD8Async, (CUdeviceptr address, unsigned char value, size_t count, CUstream stream))       \
  X(cuMemcpyHtoDAsync, cuMemcpyHtoDAsync_v2, (CUdeviceptr target, const void *source, size_t bytes, CUstream stream))  \
  X(cuMemcpyDtoDAsync, cuMemcpyDtoDAsync_v2, (CUdeviceptr target, CUdeviceptr source, size_t bytes, CUstream stream))  \
  X(cuMemcpyDtoHAsync, cuMemcpyDtoHAsync_v2, (void *target, CUdeviceptr source, size_t bytes, CUstream stream))        \
  X(cuStreamCreate, cuStreamCreate, (CUstream * stream, unsigned int flags))                                           \
  X(cuStreamDestroy, cuStreamDestroy_v2, (CUstream stream))                                                            \
  X(cuStreamSynchronize, cuStreamSynchronize, (CUstream stream))                                                       \
  X(cuStreamWaitEvent, cuStreamWaitEvent, (CUstream stream, CUevent event, unsigned int flags))                        \
  X(cuEventCreate, cuEventCreate, (CUevent * event, unsigned int flags))                                               \
  X(cuEventDestroy, cuEventDestroy_v2, (CUevent event))                                                                \
  X(cuEventRecord, cuEventRecord, (CUevent event, CUstream stream))                                                    \
  X(cuEventQuery, cuEventQuery, (CUevent event))                                                                       \
  X(cuEventSynchronize, cuEventSynchronize, (CUevent event))                                                           \
  X(cuEventElapsedTime, cuEventElapsedTime, (float *milliseconds, CUevent start, CUevent end))                         \
  X(cuModuleLoadData, cuModuleLoadData, (CUmodule * module, const void *image))                                        \
  X(cuModuleUnload, cuModuleUnload, (CUmodule module))                                                                 \
  X(cuModuleGetFunction, cuModuleGetFunction, (CUfunction * function, CUmodule module, const char *name))              \
  X(cuFuncSetAttribute, cuFuncSetAttribute, (CUfunction function, int attribute, int value))                           \
  X(cuLaunchKernel, cuLaunchKernel,                                                                                    \
    (CUfunction function, unsigned int groups_x, unsigned int groups_y, unsigned int groups_z, unsigned int threads_x, \
     unsigned int threads_y, unsigned int threads_z, unsigned int shared_bytes, CUstream stream, void **parameters,    \
     void **extra))                                                                                                    \
  X(cuTensorMapEncodeTiled, cuTensorMapEncodeTiled,                                                                    \
    (CUtensorMap * map, CUtensorMapDataType type, uint32_t rank, void *address, const uint64_t *sizes,                 \
     const uint64_t *strides, const uint32_t *box, const uint32_t *element_strides, CUtensorMapInterleave interleave,  \
     CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion, CUtensorMapFloatOOBfill fill))                      \
  X(cuGraphCreate, cuGraphCreate, (CUgraph * graph, unsigned int flags))                                               \
  X(cuGraphDestroy, cuGraphDestroy, (CUgraph graph))                                                                   \
  X(cuGraphAddKernelNode, cuGraphAddKernelNode_v2,                                                                     \
    (CUgraphNode * node, CUgraph graph, const CUgraphNode *dependencies, size_t count,                                 \
     const CUDA_KERNEL_NODE_PARAMS *parameters))                                                                       \
  X(cuGraphInstantiate, cuGraphInstantiateWithFlags,                                                                   \
    (CUgraphExec * executable, CUgraph graph, unsigned long long flags))                                               \
  X(cuGraphExecKernelNodeSetParams, cuGraphExecKernelNodeSetParams_v2,                                                 \
    (CUgraphExec executable, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS *parameters))                             \
  X(cuGraphLaunch, cuGraphLaunch, (CUgraphExec executable, CUstream stream))                                           \
  X(cuGraphExecDestroy, cuGraphExecDestroy, (CUgraphExec executable))

typedef int nvrtcResult;
typedef struct _nvrtcProgram *nvrtcProgram;
enum : nvrtcResult { NVRTC_SUCCESS = 0, NVRTC_ERROR_COMPILATION = 6 };

/// The functions of NVRTC, as X(name, symbol, parameters). Every function returns an nvrtcResult.
#define CCUDA_NVRTC_FUNCTIONS(X)                                                                                    \
  X(nvrtcVersion, nvrtcVersion, (int *major, int *minor))                                                           \
  X(nvrtcGetNumSupportedArchs, nvrtcGetNumSupportedArchs, (int *count))                                             \
  X(nvrtcGetSupportedArchs, nvrtcGetSupportedArchs, (int *architectures))                                           \
  X(nvrtcCreateProgram, nvrtcCreateProgram,                                                                         \
    (nvrtcProgram * program, const char *text, const char *name, int header_count, const char *const *headers,      \
     const char *const *header_names))                                                                              \
  X(nvrtcDestroyProgram, nvrtcDestroyProgram, (nvrtcProgram * program))                                             \
  X(nvrtcCompileProgram, nvrtcCompileProgram, (nvrtcProgram program, int option_count, const char *const *options)) \
  X(nvrtcGetCUBINSize, nvrtcGetCUBINSize, (nvrtcProgram program, size_t *bytes))                                    \
  X(nvrtcGetCUBIN, nvrtcGetCUBIN, (nvrtcProgram program, char *cubin))                                              \
  X(nvrtcGetProgramLogSize, nvrtcGetProgramLogSize, (nvrtcProgram program, size_t *bytes))                          \
  X(nvrtcGetProgramLog, nvrtcGetProgramLog, (nvrtcProgram program, char *log))

#define CCUDA_FIELD(name, symbol, parameters) int(*name) parameters;

/// The functions of libcuda.so.1.
typedef struct CCUDADriver {
  CCUDA_DRIVER_FUNCTIONS(CCUDA_FIELD)
} CCUDADriver;

/// The functions of libnvrtc.so.
typedef struct CCUDACompiler {
  CCUDA_NVRTC_FUNCTIONS(CCUDA_FIELD)
} CCUDACompiler;

/// Opens a library and looks up its functions. `path` is a path that contains a slash, or a name that the dynamic
/// loader searches for. The library stays open for the rest of the process.
/// - Returns: NULL on success, else a string with the reason for the failure, which the caller frees.
char *ccuda_open_driver(const char *path, CCUDADriver *driver);
char *ccuda_open_compiler(const char *path, CCUDACompiler *compiler);

#endif
