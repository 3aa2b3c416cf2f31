#!/usr/bin/env python3
"""The baseline for operations of `apus bench ops` on 4096x4096 matrices: a copy of one such matrix. On the CPU, the
copy uses as many threads as Apus, at most 64. memcpy and non-temporal stores are both measured, and the faster way is
reported. On a GPU, PyTorch copies the matrix in device memory.
Install: a C compiler; for a GPU instead: pip install torch"""

import ctypes
import statistics

import measure

options = measure.arguments(__doc__, devices=["cpu", "cuda"])


def memory(size):
    """Returns a buffer and a pointer to `size` bytes in it. The pointer is aligned to a page. All bytes have been
    written once, so that the copy causes no page faults."""
    room = ctypes.create_string_buffer(size + 4096)
    address = ctypes.addressof(room)
    ctypes.memset(address, 1, size + 4096)
    return room, ctypes.c_void_p(-(-address // 4096) * 4096)


def host_times(size):
    copy, threads = measure.library("copy.c").copy, min(options.threads, 64)
    (_, source), (_, target) = kept = memory(size), memory(size)
    times = min(
        (
            measure.measure(
                lambda: copy(target, source, ctypes.c_size_t(size), threads, streaming), lambda: None, options.runs
            )
            for streaming in (0, 1)
        ),
        key=statistics.median,
    )
    del kept
    return times


def device_times(size):
    measure.need("torch", "torch")
    import torch

    source = torch.ones(size, dtype=torch.uint8, device=options.device)
    target = torch.empty_like(source)
    return measure.measure(lambda: target.copy_(source), torch.cuda.synchronize, options.runs)


times = {}


def ops(name):
    """Reports the time of a copy of one matrix. The name of the operation is used only for the size of the matrix. The
    copy reads each element once and writes it once."""
    side = int(name.rpartition("x")[2])
    if side not in times:
        times[side] = (host_times if options.device == "cpu" else device_times)(4 * side * side)
    line = {"benchmark": "ops", "problem": name, "device": options.device}
    measure.report(peer, times[side], byte_count=2 * 4 * side * side, **line)


peer = "copy"
# Smaller matrices fit into caches, where the speed of a copy differs from its speed in memory.
measure.serve(options, peer, {"ops": ops}, problems="*-4096x4096")
