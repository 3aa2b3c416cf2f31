#!/usr/bin/env python3
"""The matrix products of `apus bench` in CLBlast, on an OpenCL device. Install: apt-get install libclblast-dev"""

import ctypes
import random
import subprocess
from ctypes import byref, c_float, c_int, c_size_t, c_uint32, c_uint64, c_void_p

import measure

options = measure.arguments(__doc__, devices=["opencl"])


def library(*names):
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError as error:
            reason = error
    measure.stop(reason, "apt-get install libclblast-dev")


opencl, clblast = library("libOpenCL.so.1"), library("libclblast.so.1", "libclblast.so")
for function in (opencl.clCreateContext, opencl.clCreateCommandQueue, opencl.clCreateBuffer):
    function.restype = c_void_p
ALL_DEVICES, READ_WRITE, COPY_HOST = 0xFFFFFFFF, 1, 32
ROW_MAJOR, NOT_TRANSPOSED, TRANSPOSED = 101, 111, 112


def check(status, what):
    if status != 0:
        raise SystemExit(f"clblast_bench: {what} failed with {status}")


def devices():
    """All devices of all platforms, in the order in which Apus numbers them."""

    def found(function, *arguments):
        count = c_uint32()
        if function(*arguments, 0, None, byref(count)) != 0:
            return []
        handles = (c_void_p * count.value)()
        check(function(*arguments, count, handles, None), "listing devices")
        return list(map(c_void_p, handles))

    kind = c_uint64(ALL_DEVICES)
    return [device for platform in found(opencl.clGetPlatformIDs)
            for device in found(opencl.clGetDeviceIDs, platform, kind)]  # fmt: skip


def version():
    """The version from the package manager, because the library has no function that returns it."""
    command = ["dpkg-query", "-W", "-f", "${Version}", "libclblast1"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "of unknown version"


class Queue:
    def __init__(self):
        index, all_devices = int(options.device.partition(":")[2] or 0), devices()
        if index >= len(all_devices):
            raise SystemExit(f"clblast_bench: no device {options.device}")
        device, status = all_devices[index], c_int()
        self.context = c_void_p(opencl.clCreateContext(None, 1, byref(device), None, None, byref(status)))
        check(status.value, "clCreateContext")
        queue = opencl.clCreateCommandQueue(self.context, device, c_uint64(0), byref(status))
        check(status.value, "clCreateCommandQueue")
        self.handle = c_void_p(queue)

    def buffer(self, count):
        """A buffer on the device with random numbers between -1 and 1. To save time, it repeats a sequence of 1009
        numbers: the values do not change the time of a product."""
        some = [random.uniform(-1, 1) for _ in range(1009)]
        numbers = (c_float * count)(*(some * (count // 1009 + 1))[:count])
        flags, status = c_uint64(READ_WRITE | COPY_HOST), c_int()
        found = opencl.clCreateBuffer(self.context, flags, c_size_t(4 * count), numbers, byref(status))
        check(status.value, "clCreateBuffer")
        return c_void_p(found)

    def finish(self):
        check(opencl.clFinish(self.handle), "clFinish")


def gemm(name):
    m, n, k = map(int, name.split("x"))
    queue = Queue()
    a, b, c = (queue.buffer(count) for count in (m * k, k * n, m * n))
    for transpose in options.transposes:
        # Row strides of the stored matrices: A is [m, k] or [k, m], B is [k, n] or [n, k].
        kinds = [TRANSPOSED if letter == "T" else NOT_TRANSPOSED for letter in transpose]
        strides = [c_size_t(m if transpose[0] == "T" else k), c_size_t(k if transpose[1] == "T" else n)]
        sizes = [c_size_t(size) for size in (m, n, k)]

        def run():
            status = clblast.CLBlastSgemm(
                ROW_MAJOR, *kinds, *sizes, c_float(1), a, c_size_t(0), strides[0], b, c_size_t(0), strides[1],
                c_float(0), c, c_size_t(0), c_size_t(n), byref(queue.handle), None
            )  # fmt: skip
            check(status, "CLBlastSgemm")

        samples = measure.measure(run, queue.finish, options.runs)
        line = {"benchmark": "gemm", "problem": name, "transpose": transpose, "device": options.device}
        measure.report(peer, samples, operations=2 * m * n * k, **line)
    for memory in (a, b, c):
        opencl.clReleaseMemObject(memory)


peer = f"CLBlast {version()}"
measure.serve(options, peer, {"gemm": gemm})
