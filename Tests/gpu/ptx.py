#!/usr/bin/env python3
"""Shows which inline PTX instructions the OpenCL compiler of an NVIDIA GPU accepts: builds and runs one small kernel
for each instruction, and compares its results with the expected numbers. Prints a JSON object for each kernel: name,
device, driver, built, right, and the end of the compiler's log. Needs only libOpenCL.so.1.
"""

import ctypes
import json
import struct
import subprocess
import sys
from ctypes import byref, c_char_p, c_int32, c_size_t, c_uint64, c_void_p

WARP = 32


def bfloat16(value: float) -> int:
    return struct.unpack("<I", struct.pack("<f", value))[0] >> 16


def pair(value: float) -> int:
    return bfloat16(value) << 16 | bfloat16(value)


def floats(values) -> list[int]:
    return [struct.unpack("<I", struct.pack("<f", value))[0] for value in values]


# The fragments of mma.m16n8k16: lane l holds elements of rows l / 4 and l / 4 + 8 of A, and of column l / 4 of B. With
# A[r][k] = r + 1 and B[k][c] = c + 1, the product is 16 · (r + 1) · (c + 1).
MMA_INPUT = [word for l in range(WARP) for word in (pair(l // 4 + 1), pair(l // 4 + 9), pair(l // 4 + 1))]
MMA_OUTPUT = floats(16 * (l // 4 + 1 + 8 * (i // 2)) * (l % 4 * 2 + 1 + i % 2) for l in range(WARP) for i in range(4))
# ldmatrix gives lane l elements 2 · (l % 4) and 2 · (l % 4) + 1 of row l / 4 of each 8x8 matrix of 16-bit numbers.
MATRIX_OUTPUT = [
    64 * i + l // 4 * 8 + l % 4 * 2 | (64 * i + l // 4 * 8 + l % 4 * 2 + 1) << 16 for l in range(WARP) for i in range(4)
]

HEAD = "kernel void probe(global const uint *x, global uint *y) { uint l = get_local_id(0); "

# name: source, input words, expected words
PROBES = {
    "no PTX": (HEAD + "y[l] = x[l ^ 1]; }", list(range(WARP)), [l ^ 1 for l in range(WARP)]),
    "shfl.sync": (
        HEAD + 'uint r; asm volatile("shfl.sync.bfly.b32 %0, %1, 1, 31, -1;" : "=r"(r) : "r"(x[l])); y[l] = r; }',
        list(range(WARP)), [l ^ 1 for l in range(WARP)],
    ),
    "mma.sync bf16": (
        HEAD + "uint a = x[3 * l], b = x[3 * l + 1], c = x[3 * l + 2]; float r[4] = {0, 0, 0, 0};"
        'asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %4, %5}, '
        '{%6, %6}, {%0, %1, %2, %3};" : "+f"(r[0]), "+f"(r[1]), "+f"(r[2]), "+f"(r[3]) : "r"(a), "r"(b), "r"(c));'
        "for (int i = 0; i < 4; i++) y[4 * l + i] = as_uint(r[i]); }",
        MMA_INPUT, MMA_OUTPUT,
    ),
    "ldmatrix": (
        HEAD + "local uint s[128] __attribute__((aligned(16)));"
        "for (int i = 0; i < 4; i++) s[4 * l + i] = x[4 * l + i];"
        "barrier(CLK_LOCAL_MEM_FENCE); uint at = (uint)(size_t)(s + 4 * l), r[4];"
        'asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];" '
        ': "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at) : "memory");'
        "for (int i = 0; i < 4; i++) y[4 * l + i] = r[i]; }",
        [2 * i | (2 * i + 1) << 16 for i in range(128)], MATRIX_OUTPUT,
    ),
    "cp.async": (
        HEAD + "local uint s[128] __attribute__((aligned(16))); uint at = (uint)(size_t)(s + 4 * l);"
        'asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" : : "r"(at), "l"(x + 4 * l) : "memory");'
        'asm volatile("cp.async.commit_group;"); asm volatile("cp.async.wait_group 0;" : : : "memory");'
        "barrier(CLK_LOCAL_MEM_FENCE); for (int i = 0; i < 4; i++) y[4 * l + i] = s[(4 * l + i) ^ 1]; }",
        list(range(128)), [i ^ 1 for i in range(128)],
    ),
}  # fmt: skip


class OpenCL:
    """The first GPU, or the first device if there is no GPU."""

    def __init__(self):
        self.library = ctypes.CDLL("libOpenCL.so.1")
        for name in ("clCreateContext", "clCreateCommandQueue", "clCreateProgramWithSource", "clCreateKernel"):
            getattr(self.library, name).restype = c_void_p
        self.library.clCreateBuffer.restype = c_void_p
        self.device = c_void_p(self.first_device())
        self.name = self.text(self.library.clGetDeviceInfo, self.device, 0x102B)
        self.driver = self.text(self.library.clGetDeviceInfo, self.device, 0x102D)
        error = c_int32()
        self.context = c_void_p(self.library.clCreateContext(None, 1, byref(self.device), None, None, byref(error)))
        self.check("clCreateContext", error.value)
        create = self.library.clCreateCommandQueue
        self.queue = c_void_p(create(self.context, self.device, c_uint64(0), byref(error)))
        self.check("clCreateCommandQueue", error.value)

    @staticmethod
    def check(name: str, status: int):
        if status != 0:
            raise RuntimeError(f"{name} failed with status {status}")

    @staticmethod
    def text(function, *arguments) -> str:
        size = c_size_t()
        function(*arguments, c_size_t(0), None, byref(size))
        data = ctypes.create_string_buffer(size.value + 1)
        function(*arguments, size, data, None)
        return data.value.decode(errors="replace").strip()

    def first_device(self) -> int:
        platforms, count = (c_void_p * 16)(), ctypes.c_uint32()
        self.check("clGetPlatformIDs", self.library.clGetPlatformIDs(16, platforms, byref(count)))
        for kind in (4, 0xFFFFFFFF):  # GPUs, then all devices
            for platform in platforms[: count.value]:
                device, found = c_void_p(), ctypes.c_uint32()
                get = self.library.clGetDeviceIDs
                if get(c_void_p(platform), c_uint64(kind), 1, byref(device), byref(found)) == 0 and found.value:
                    return device.value
        raise RuntimeError("OpenCL has no device")

    def run(self, source: str, words: list[int], count: int) -> tuple[list[int] | None, str]:
        """Builds the kernel and runs it with one work-group of 32 work-items. Returns the words that the kernel wrote
        (`None` if it did not build) and the log of the compiler."""
        library, error = self.library, c_int32()
        text = c_char_p(source.encode())
        create = library.clCreateProgramWithSource
        program = c_void_p(create(self.context, 1, byref(text), None, byref(error)))
        self.check("clCreateProgramWithSource", error.value)
        status = library.clBuildProgram(program, 1, byref(self.device), b"", None, None)
        log = self.text(library.clGetProgramBuildInfo, program, self.device, 0x1183)
        if status != 0:
            return None, log
        kernel = c_void_p(library.clCreateKernel(program, b"probe", byref(error)))
        self.check("clCreateKernel", error.value)
        given, found = (ctypes.c_uint32 * len(words))(*words), (ctypes.c_uint32 * count)()
        buffers = []
        for index, (flags, data) in enumerate([(4 | 32, given), (1 | 32, found)]):  # read only, read and write; copied
            size = c_size_t(ctypes.sizeof(data))
            buffer = c_void_p(library.clCreateBuffer(self.context, c_uint64(flags), size, data, byref(error)))
            self.check("clCreateBuffer", error.value)
            self.check("clSetKernelArg", library.clSetKernelArg(kernel, index, c_size_t(8), byref(buffer)))
            buffers.append(buffer)
        items = byref(c_size_t(WARP))
        launch = library.clEnqueueNDRangeKernel
        self.check("clEnqueueNDRangeKernel", launch(self.queue, kernel, 1, None, items, items, 0, None, None))
        size = c_size_t(ctypes.sizeof(found))
        read = library.clEnqueueReadBuffer
        self.check("clEnqueueReadBuffer", read(self.queue, buffers[1], 1, c_size_t(0), size, found, 0, None, None))
        return list(found), log


def probe(name: str) -> dict:
    source, words, expected = PROBES[name]
    device = OpenCL()
    try:
        found, log = device.run(source, words, len(expected))
        if found is None and "asm" in source:  # another spelling
            found, again = device.run(source.replace("asm volatile", "__asm__ volatile"), words, len(expected))
            log = f"with asm: {log[-240:]} with __asm__: {again[-240:]}"
    except RuntimeError as reason:
        found, log = [], str(reason)
    line = {"name": name, "device": device.name, "driver": device.driver}
    return line | {"built": found is not None, "right": found == expected, "log": log[-600:]}


def main():
    if len(sys.argv) > 1:
        try:
            print(json.dumps(probe(sys.argv[1])))
        except (OSError, RuntimeError) as reason:
            print(f"ptx: {reason}", file=sys.stderr)
            sys.exit(69)
        return
    # A kernel that fails may leave the device unusable for its process, so each kernel runs in a process of its own.
    for name in PROBES:
        run = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True)
        if run.returncode == 69:
            sys.exit(run.stderr.strip())
        crash = {"name": name, "built": False, "right": False, "log": f"status {run.returncode}: {run.stderr[-400:]}"}
        print(run.stdout.strip() or json.dumps(crash), flush=True)


if __name__ == "__main__":
    main()
