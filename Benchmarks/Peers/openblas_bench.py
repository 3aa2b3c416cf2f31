#!/usr/bin/env python3
"""The matrix products of `apus bench` in OpenBLAS, with its own threads.

Install: apt-get install libopenblas-dev
"""

import ctypes
import ctypes.util
import os
import random
from ctypes import c_float

import measure

options = measure.arguments(__doc__, devices=["cpu", "opencl"])
if os.environ.get("APUS_SIMD") == "avx2":
    # Apus is restricted to AVX2, so OpenBLAS is restricted too. OpenBLAS reads OPENBLAS_CORETYPE when it is loaded.
    os.environ["OPENBLAS_CORETYPE"] = "Haswell"
name = ctypes.util.find_library("openblas")
if name is None:
    measure.stop("libopenblas was not found", "apt-get install libopenblas-dev")

openblas = ctypes.CDLL(name)
openblas.openblas_set_num_threads(options.threads)
openblas.openblas_get_config.restype = openblas.openblas_get_corename.restype = ctypes.c_char_p
ROW_MAJOR, NOT_TRANSPOSED, TRANSPOSED = 101, 111, 112


def numbers(count):
    """Random numbers between -1 and 1. To save time, a sequence of 1009 numbers is repeated: the values do not change
    the time of a product."""
    some = [random.uniform(-1, 1) for _ in range(1009)]
    return (c_float * count)(*(some * (count // 1009 + 1))[:count])


def gemm(name):
    m, n, k = map(int, name.split("x"))
    a, b, c = numbers(m * k), numbers(k * n), numbers(m * n)
    for transpose in options.transposes:
        kinds = [TRANSPOSED if letter == "T" else NOT_TRANSPOSED for letter in transpose]
        strides = [m if transpose[0] == "T" else k, k if transpose[1] == "T" else n]

        def run():
            openblas.cblas_sgemm(ROW_MAJOR, *kinds, m, n, k, c_float(1), a, strides[0], b, strides[1], c_float(0), c, n)

        samples = measure.measure(run, lambda: None, options.runs)
        line = {"benchmark": "gemm", "problem": name, "transpose": transpose, "device": options.device}
        measure.report(peer, samples, operations=2 * m * n * k, **line)


name_and_version, core = openblas.openblas_get_config().split()[:2], openblas.openblas_get_corename()
peer = " ".join(word.decode() for word in [*name_and_version, core])
measure.serve(options, peer, {"gemm": gemm})
