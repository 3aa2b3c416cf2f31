#!/usr/bin/env python3
"""The baseline for operations of `apus bench ops` on 4096x4096 matrices: a copy of one such matrix, on as many threads
as Apus uses, at most 64. The matrix is copied by memcpy and by non-temporal stores, and the faster way is reported.
Install: a C compiler"""

import ctypes
import statistics

import measure

options = measure.arguments(__doc__, devices=["cpu"])


def memory(size):
    """A buffer, and a pointer to `size` bytes of it, aligned to a page. All bytes have been written once, so that the
    copy causes no page faults."""
    room = ctypes.create_string_buffer(size + 4096)
    address = ctypes.addressof(room)
    ctypes.memset(address, 1, size + 4096)
    return room, ctypes.c_void_p(-(-address // 4096) * 4096)


copy, times = measure.library("copy.c").copy, {}


def ops(name):
    """Reports, for any operation on matrices of some size, the time of a copy of one such matrix. The copy reads each
    element once and writes it once."""
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
# Smaller matrices fit into caches, where a copy has other rates than in memory.
measure.serve(options, peer, {"ops": ops}, problems="*-4096x4096")
