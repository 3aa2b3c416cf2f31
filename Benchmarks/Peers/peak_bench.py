#!/usr/bin/env python3
"""The peak rate of the processor: multiply-adds in registers per second, with a given number of threads.
Install: a C compiler"""

import ctypes

import measure

options = measure.arguments(__doc__, devices=["cpu", "opencl"])
peak = measure.library("peak.c", "-ffp-contract=fast").peak
peak.restype = ctypes.c_double
ROUNDS = 1_000_000
rates = []


def gemm(name):
    """Reports the time that the product would take at the peak rate of the processor. The peak rate is measured once
    for all products."""
    m, n, k = map(int, name.split("x"))
    threads = min(options.threads, 64)
    operations = peak(threads, ctypes.c_long(1))
    if not rates:
        samples = measure.measure(lambda: peak(threads, ctypes.c_long(ROUNDS)), lambda: None, options.runs)
        rates.extend(operations * ROUNDS / sample for sample in samples)
    for transpose in options.transposes:
        line = {"benchmark": "gemm", "problem": name, "transpose": transpose, "device": options.device}
        measure.report(peer, [2 * m * n * k / rate for rate in rates], operations=2 * m * n * k, **line)


peer = "peak"
measure.serve(options, peer, {"gemm": gemm})
