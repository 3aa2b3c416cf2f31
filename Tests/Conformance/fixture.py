"""Writes results of PyTorch to NAME.safetensors, next to the script NAME.py that computes them. The tests compare the
results of Apus with these files.

All results are computed in float64 from values that are exact in float32, so that the rounding of PyTorch's results is
negligible when the tests compare them with Apus. A tensor is called CASE/KEY:

  input.I, state.K     the inputs in order, and the parameters and buffers by their keys in the state dict
  output.I             the outputs
  after.K              a buffer that the module changed
  gradient.input.I, gradient.K
                       the gradients of a weighted sum of all output elements. The weight of an element is cos(i),
                       where i is the row-major index of the element in its output

Floating-point inputs and states are stored in float32, results in float64. The metadata contain the names of the cases,
in order, and the versions of PyTorch and numpy.
"""

import json
import os
import sys

import numpy
import torch
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.manual_seed(20240611)


def exact(t):
    """The tensor in float64, with values rounded to float32."""
    return t.detach().to(torch.float32).to(torch.float64) if t.is_floating_point() else t.detach()


def pattern(t):
    """The weights of the elements of an output `t`: cos(i) at row-major index i, in the shape of t."""
    return torch.cos(torch.arange(t.numel(), dtype=torch.float64)).reshape(t.shape)


def randn(*shape):
    return exact(torch.randn(*shape))


class Fixture:
    def __init__(self):
        self.path = os.path.splitext(os.path.abspath(sys.argv[0]))[0] + ".safetensors"
        self.cases, self.tensors = [], {}

    def add(self, case, **tensors):
        """Adds a case of tensors; numbers and lists become float64 tensors."""
        if case in self.cases:
            raise ValueError(f"there are two cases {case}")
        self.cases.append(case)
        for key, value in tensors.items():
            self.put(case, key, value)

    def put(self, case, key, value):
        if not isinstance(value, torch.Tensor):
            value = torch.tensor(value, dtype=torch.float64)
        self.tensors[f"{case}/{key}"] = value.detach().clone().contiguous()

    def function(self, case, f, *inputs, **others):
        """Adds a function of tensors, with the gradients of its floating-point inputs. `others` are further tensors of
        the case by their keys."""
        inputs = [exact(x).requires_grad_(x.is_floating_point()) for x in inputs]
        outputs = f(*inputs)
        self.add(case)
        self.record(case, inputs, outputs if isinstance(outputs, (tuple, list)) else [outputs])
        for key, value in others.items():
            self.put(case, key, value)

    def module(self, case, module, *inputs, training=True, repeat=1, call=None):
        """Adds a module with the gradients of inputs and parameters. The module runs `repeat` times, which changes its
        buffers. `call(module, *inputs)` replaces `module(*inputs)`."""
        module = module.double().train(training)
        with torch.no_grad():
            for value in module.state_dict().values():
                if value.is_floating_point():
                    value.copy_(exact(value))
        self.add(case, **{f"state.{k}": v for k, v in module.state_dict().items()})
        before = {k: v.clone() for k, v in module.named_buffers()}
        inputs = [exact(x).requires_grad_(x.is_floating_point()) for x in inputs]
        for _ in range(repeat):
            outputs = (call or (lambda m, *x: m(*x)))(module, *inputs)
        self.record(case, inputs, outputs if isinstance(outputs, (tuple, list)) else [outputs], module)
        for key, value in module.named_buffers():
            if not torch.equal(value, before[key]):
                self.put(case, f"after.{key}", value)

    def record(self, case, inputs, outputs, module=None):
        """Runs the backward pass, then adds the inputs, outputs and gradients to the case."""
        sum((y * pattern(y)).sum() for y in outputs if y.is_floating_point()).backward()
        for i, x in enumerate(inputs):
            self.put(case, f"input.{i}", x.to(torch.float32) if x.is_floating_point() else x)
            if x.requires_grad:
                self.put(case, f"gradient.input.{i}", torch.zeros_like(x) if x.grad is None else x.grad)
        for i, y in enumerate(outputs):
            self.put(case, f"output.{i}", y)
        if module is not None:
            for key, p in module.named_parameters():
                self.put(case, f"gradient.{key}", torch.zeros_like(p) if p.grad is None else p.grad)

    def save(self):
        tensors = {
            k: v.to(torch.float32) if "/state." in k and v.is_floating_point() else v for k, v in self.tensors.items()
        }
        save_file(
            tensors,
            self.path,
            metadata={"cases": json.dumps(self.cases), "torch": torch.__version__, "numpy": numpy.__version__},
        )
        print(f"{os.path.basename(self.path)}: {len(self.cases)} cases, {os.path.getsize(self.path)} bytes")
