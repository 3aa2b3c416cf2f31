#define _GNU_SOURCE
#include "copencl.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// A builder is this executable, started again as a process that builds OpenCL programs. It exits if no job arrives for
// IDLE_MILLISECONDS, if a job is larger than MOST_BYTES, or if a job takes longer than MOST_SECONDS.
enum { IDLE_MILLISECONDS = 10000, MOST_BYTES = 64 << 20, MOST_SECONDS = 240 };

static cl_device_id device;
static cl_context context;
static cl_command_queue queue;

// Reads exactly `count` bytes; returns 0 if the other end is closed or a read fails.
static int receive(void *bytes, size_t count) {
  char *at = bytes;
  while (count > 0) {
    ssize_t got = read(COPENCL_BUILDER_SOCKET, at, count);
    if (got <= 0) return 0;
    at += got;
    count -= (size_t)got;
  }
  return 1;
}

// Opens a device, by its index among the devices of all platforms, and creates a context and a queue.
static int open_device(const COpenCLFunctions *cl, cl_uint number) {
  cl_platform_id platforms[32];
  cl_uint platform_count = 0;
  if (cl->clGetPlatformIDs(32, platforms, &platform_count) != CL_SUCCESS) return 0;
  for (cl_uint i = 0; i < platform_count && i < 32; i += 1) {
    cl_device_id devices[64];
    cl_uint count = 0;
    if (cl->clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 64, devices, &count) != CL_SUCCESS) continue;
    if (number < count && number < 64) {
      device = devices[number];
      break;
    }
    number -= count;
  }
  cl_int status = CL_DEVICE_NOT_FOUND;
  if (device != NULL) context = cl->clCreateContext(NULL, 1, &device, NULL, NULL, &status);
  if (context != NULL) queue = cl->clCreateCommandQueue(context, device, 0, &status);
  return queue != NULL;
}

// Launches a kernel without memory objects and with −1 as its last argument, which makes the kernel do nothing. The
// launch forces the compiler to finish the kernel.
static int launch(const COpenCLFunctions *cl, cl_program program, const char *name, size_t local_size) {
  cl_int status = 0;
  cl_kernel kernel = cl->clCreateKernel(program, name, &status);
  if (kernel == NULL) return 0;
  cl_int nothing = -1;
  cl_uint count = 0;
  status = cl->clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof count, &count, NULL);
  for (cl_uint argument = 0; status == CL_SUCCESS && argument + 1 < count; argument += 1) {
    status = cl->clSetKernelArg(kernel, argument, sizeof(cl_mem), NULL);
  }
  if (status == CL_SUCCESS) status = cl->clSetKernelArg(kernel, count - 1, sizeof nothing, &nothing);
  if (status == CL_SUCCESS) {
    status = cl->clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &local_size, &local_size, 0, NULL, NULL);
  }
  if (status == CL_SUCCESS) status = cl->clFinish(queue);
  cl->clReleaseKernel(kernel);
  return status == CL_SUCCESS;
}

// Builds one program and launches its kernels, whose names are stored consecutively, each terminated by a zero byte.
static int build(const COpenCLFunctions *cl, const COpenCLJob *job, const char *bytes) {
  if (queue == NULL) return 0;
  const char *options = bytes;
  const char *names = options + job->option_bytes;
  const char *text = names + job->name_bytes;
  cl_int status = 0;
  cl_program program = cl->clCreateProgramWithSource(context, 1, &text, NULL, &status);
  if (program == NULL) return 0;
  int is_built = cl->clBuildProgram(program, 1, &device, options, NULL, NULL) == CL_SUCCESS;
  for (const char *name = names; is_built && name < text; name += strlen(name) + 1) {
    is_built = launch(cl, program, name, job->local_size);
  }
  cl->clReleaseProgram(program);
  return is_built;
}

// Opens the device. If there is no job yet, builds an empty kernel, so that the compiler is loaded when the first job
// arrives.
static void warm_up(const COpenCLFunctions *cl, cl_uint number) {
  static const char text[] = "__kernel void nothing(int at) {}";
  COpenCLJob job = {.local_size = 1, .option_bytes = 1, .name_bytes = sizeof "nothing", .source_bytes = sizeof text};
  char bytes[1 + sizeof "nothing" + sizeof text] = {0};
  memcpy(bytes + 1, "nothing", sizeof "nothing");
  memcpy(bytes + 1 + sizeof "nothing", text, sizeof text);
  struct pollfd input = {.fd = COPENCL_BUILDER_SOCKET, .events = POLLIN};
  if (open_device(cl, number) && poll(&input, 1, 0) == 0) build(cl, &job, bytes);
}

static void serve(cl_uint number) {
  // SIGALRM ends this process if the compiler hangs.
  alarm(MOST_SECONDS);
  const COpenCLFunctions *cl = copencl_functions();
  if (cl == NULL) return;
  warm_up(cl, number);
  for (;;) {
    alarm(0);
    struct pollfd input = {.fd = COPENCL_BUILDER_SOCKET, .events = POLLIN};
    if (poll(&input, 1, IDLE_MILLISECONDS) <= 0) return;
    COpenCLJob job;
    if (!receive(&job, sizeof job)) return;
    size_t count = (size_t)job.option_bytes + job.name_bytes + job.source_bytes;
    if (count > MOST_BYTES) return;
    alarm(MOST_SECONDS);
    char *bytes = malloc(count);
    if (bytes == NULL || !receive(bytes, count)) return;
    char answer = (char)build(cl, &job, bytes);
    free(bytes);
    if (write(COPENCL_BUILDER_SOCKET, &answer, 1) != 1) return;
  }
}

// Closes all descriptors from `first` on.
static void close_from(int first) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, (unsigned)first, ~0u, 0u) == 0) return;
#endif
  DIR *directory = opendir("/proc/self/fd");
  if (directory == NULL) return;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    int descriptor = atoi(entry->d_name);
    if (descriptor >= first && descriptor != dirfd(directory)) close(descriptor);
  }
  closedir(directory);
}

// Whether a descriptor is a local (Unix domain) socket, as builders receive it.
static int is_local_socket(int descriptor) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

// Runs before main. A process that was started as a builder only forks the builder and exits. Thus the builder is not a
// child of the process that uses it. That process may wait for any of its children, and must not find a builder among
// them.
__attribute__((constructor(101))) static void begin(int count, char **words) {
  if (count != 2 || strcmp(words[0], COPENCL_BUILDER_NAME) != 0) return;
  char *end = NULL;
  unsigned long number = strtoul(words[1], &end, 10);
  if (end == words[1] || *end != 0 || !is_local_socket(COPENCL_BUILDER_SOCKET)) return;
  if (fork() != 0) _exit(0);
  // Some C libraries cannot close the descriptors when they start a process.
  close_from(COPENCL_BUILDER_SOCKET + 1);
  // Reset the signal mask, which is inherited from the process that started this one.
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGALRM, SIG_DFL);
  serve((cl_uint)number);
  _exit(0);
}

int copencl_start_builder(int socket, int device, char *const *environment, int *process) {
  char number[16];
  snprintf(number, sizeof number, "%d", device);
  char *words[] = {COPENCL_BUILDER_NAME, number, NULL};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int descriptor = 0; descriptor < 3; descriptor += 1) {
    posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0);
  }
  posix_spawn_file_actions_adddup2(&actions, socket, COPENCL_BUILDER_SOCKET);
#if __GLIBC_PREREQ(2, 34)
  posix_spawn_file_actions_addclosefrom_np(&actions, COPENCL_BUILDER_SOCKET + 1);
#endif
  pid_t child = 0;
  int status = posix_spawn(&child, "/proc/self/exe", &actions, NULL, words, environment);
  posix_spawn_file_actions_destroy(&actions);
  *process = child;
  return status;
}

static int first_object(struct dl_phdr_info *info, size_t size, void *result) {
  (void)size;
  *(ElfW(Addr) *)result = info->dlpi_addr;
  return 1;
}

int copencl_can_start_builders(void) {
  // A restarted program runs the constructor above only if the constructor is part of the program itself.
  ElfW(Addr) program = 0;
  dl_iterate_phdr(first_object, &program);
  Dl_info here;
  struct link_map *object = NULL;
  if (!dladdr1((void *)begin, &here, (void **)&object, RTLD_DL_LINKMAP)) return 0;
  return object != NULL && object->l_addr == program;
}
