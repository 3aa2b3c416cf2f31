#!/usr/bin/env python3
"""What operations on large matrices are measured against: the better of memcpy and a copy with streaming stores, as
large as the matrix and by as many threads. Install: a C compiler"""

import ctypes
import statistics

import measure

options = measure.arguments(__doc__, devices=["cpu"])


def memory(size):
    """Memory that is there, from the start of a page."""
    room = ctypes.create_string_buffer(size + 4096)
    address = ctypes.addressof(room)
    ctypes.memset(address, 1, size + 4096)
    return room, ctypes.c_void_p(-(-address // 4096) * 4096)


copy, times = measure.library("copy.c").copy, {}


def ops(name):
    """All names of one size have one time: that of a copy which reads and writes such a matrix once."""
    side = int(name.rpartition("x")[2])
    if side not in times:
        size, threads = 4 * side * side, min(options.threads, 64)
        (_, source), (_, target) = kept = memory(size), memory(size)
        times[side] = min(
            (
                measure.measure(
                    lambda: copy(target, source, ctypes.c_size_t(size), threads, streaming), lambda: None, options.runs
                )
                for streaming in (0, 1)
            ),
            key=statistics.median,
        )
        del kept
    line = {"benchmark": "ops", "problem": name, "device": options.device}
    measure.report(peer, times[side], byte_count=2 * 4 * side * side, **line)


peer = "copy"
# What caches hold is copied at other rates than memory.
measure.serve(options, peer, {"ops": ops}, problems="*-4096x4096")
