"""Test images with smooth structure."""

import numpy


def scene(height, width, channels, seed=0):
    """Smooth colors with added noise."""
    random = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:height, 0:width]
    planes = [
        127 + 80 * numpy.sin(x / (5 + c) + c) * numpy.cos(y / (4 + c)) + random.normal(0, 20, (height, width))
        for c in range(channels)
    ]
    return numpy.clip(numpy.stack(planes, -1), 0, 255).astype(numpy.uint8)
