#!/usr/bin/env python3
"""Reads the files of EventFileTests with TensorBoard, and compares their contents with the expected values.

usage: APUS_TENSORBOARD=DIR swift test … --filter EventFileTests
       python3 tensorboard_check.py DIR    (tensorboard, numpy; a new DIR each time)
"""

import os
import sys

import numpy
from tensorboard.backend.event_processing import event_accumulator, event_file_loader
from tensorboard.compat.proto import event_pb2

failures = []


def check(what, condition, *details):
    if not condition:
        failures.append(what)
        print(f"FAILED {what}: {details}")


def noise(i):
    """The same function as Samples.noise in Tests/ApusTestSupport."""
    mask = (1 << 64) - 1
    z = i * 0x9E3779B97F4A7C15 & mask
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
    return ((z ^ (z >> 31)) >> 11) * 2.0**-53


folder = sys.argv[1]
files = sorted(f for f in os.listdir(folder) if "tfevents" in f)
check("two files", len(files) == 2, files)

# Load() checks the checksums of the records. Every event must be encoded as the protobuf library encodes it. Each term
# of the sum below is the number of records that one part of EventFileTests.writesWhatTheScriptReads writes. A file
# begins with 2 records, the version and the start of the session. After them, each value with a tag is a record; the
# rate in steps per second, which the log computes from `seconds`, is such a value.
count = 0
for name in files:
    for record in event_file_loader.RawEventFileLoader(os.path.join(folder, name)).Load():
        event = event_pb2.Event.FromString(record)
        check("encoding", event.SerializeToString(deterministic=True) == record, event)
        count += 1
check("records", count == 2 + 20 + 4 + 3 + 20 + 2 + 10 + 2 + 3, count)
first = next(iter(event_file_loader.LegacyEventFileLoader(os.path.join(folder, files[0])).Load()))
check("version", first.file_version == "brain.Event:2", first)

events = event_accumulator.EventAccumulator(
    folder, size_guidance={k: 0 for k in ("scalars", "histograms", "images", "tensors")}
)
events.Reload()
tags = events.Tags()
check(
    "tags",
    sorted(tags["scalars"])
    == ["accuracy/test", "loss/step", "loss/train", "speed/examples_per_second", "speed/steps_per_second"],
    tags,
)


def scalars(tag):
    return {e.step: e.value for e in events.Scalars(tag)}


losses = scalars("loss/step")
# Steps 31 to 40 come from the second file; these steps of the first file are dropped.
expected = {s: 1 / s for s in range(1, 21)} | {s: 99.0 for s in range(21, 31)} | {s: 1 / s for s in range(31, 41)}
check("steps", sorted(losses) == sorted(expected), sorted(losses))
check("losses", all(losses[s] == numpy.float32(v) for s, v in expected.items()), losses)
check("each step once", len(events.Scalars("loss/step")) == 40, len(events.Scalars("loss/step")))
check("train loss", scalars("loss/train") == {20: 0.25, 40: 0.125, 60: 0.0625}, scalars("loss/train"))
check("accuracy", scalars("accuracy/test") == {20: 0.5, 40: 0.75, 60: 0.875}, scalars("accuracy/test"))
# Step 40 has no speed: the run was resumed at step 30, and the records do not contain the time of step 30.
check("speed", scalars("speed/steps_per_second") == {20: 10.0, 60: 5.0}, scalars("speed/steps_per_second"))
check("examples", scalars("speed/examples_per_second") == {20: 1000.0}, scalars("speed/examples_per_second"))

values = numpy.array([noise(i) * 4 - 1 for i in range(1000)])
histogram = events.Histograms("weights")[0].histogram_value
edges = numpy.linspace(values.min(), values.max(), 65)
check("histogram", histogram.num == 1000 and histogram.min == values.min() and histogram.max == values.max())
check(
    "histogram's sums",
    numpy.isclose(histogram.sum, values.sum()) and numpy.isclose(histogram.sum_squares, (values**2).sum()),
)
check("histogram's edges", numpy.allclose(histogram.bucket_limit, edges[1:]), histogram.bucket_limit)
check("histogram's counts", list(histogram.bucket) == list(numpy.histogram(values, edges)[0]), histogram.bucket)

picture = events.Images("pictures/checkerboard")[0]
check(
    "picture",
    (picture.step, picture.width, picture.height) == (20, 5, 5) and picture.encoded_image_string[:4] == b"\x89PNG",
)

text = events.Tensors("configuration")[0]
check("text", text.tensor_proto.string_val[0].decode() == "# Configuration\n\nlearning rate **0.1** — ☃", text)
metadata = events.SummaryMetadata("configuration")
check("plugin", metadata.plugin_data.plugin_name == "text", metadata)

# The reader of TensorBoard's server converts each value to a tensor with the name of a plugin.
served = [
    v
    for name in files
    for e in event_file_loader.EventFileLoader(os.path.join(folder, name)).Load()
    for v in e.summary.value
]
plugins = {v.tag: v.metadata.plugin_data.plugin_name for v in served if v.metadata.plugin_data.plugin_name}
check(
    "plugins",
    plugins.get("weights") == "histograms"
    and plugins.get("pictures/checkerboard") == "images"
    and plugins.get("loss/step") == "scalars"
    and plugins.get("configuration") == "text",
    plugins,
)

print(f"{count} records in {len(files)} files, {len(failures)} failures")
sys.exit(1 if failures else 0)
