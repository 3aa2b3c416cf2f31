#!/usr/bin/env python3
"""The workloads of `apus bench` in PyTorch, in up to three forms: eager; channels-last, for convolutions and networks
that contain them; and compiled, for operations and training steps.
Install: pip install torch, and for the compiled form a C++ compiler"""

import shutil
from contextlib import nullcontext
from functools import partial

import measure

FORMS = {
    "gemm": ["eager"], "conv": ["eager", "channels-last"], "ops": ["eager", "compiled"],
    "step": ["eager", "channels-last", "compiled"], "loader": ["eager"],
}  # fmt: skip
floats = ["float32", "float16", "bfloat16"]
options = measure.arguments(
    __doc__, ["cpu", "cuda", "opencl"], FORMS, {"gemm": [*floats, "int8"], "conv": floats, "ops": floats},
    precisions=["float32", "mixed", "mixed-bfloat16"],
)  # fmt: skip
measure.need("torch", "torch")
if options.form == "compiled" and not any(map(shutil.which, ("c++", "g++", "clang++"))):
    measure.stop("torch.compile found no C++ compiler", "apt-get install g++")

import torch  # noqa: E402, only after the check above
import torch.nn as nn  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch_models import VGG, AlexNet, Bottleneck, CharLSTM, CharTransformer, ResNet  # noqa: E402

peer = f"torch {torch.__version__}"
# PyTorch has no OpenCL: an OpenCL device is compared with PyTorch on the CPU.
is_gpu = options.device.startswith("cuda")
if is_gpu and not torch.cuda.is_available():
    measure.stop(f"{peer} finds no CUDA device", "NVIDIA's driver, and a PyTorch that is built for CUDA")
device = torch.device(options.device if is_gpu else "cpu")
dtype = getattr(torch, options.dtype)
torch.set_num_threads(options.threads)
torch.manual_seed(1)
# No TF32: Apus does not use a shorter type by default, either.
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
# The shapes of a workload do not change, so cuDNN may measure which of its kernels is the fastest.
torch.backends.cudnn.benchmark = True
# A call that launches a GPU kernel returns before the kernel has run. `measure` calls a body many times and then waits
# for the GPU once.
synchronize = torch.cuda.synchronize if is_gpu else lambda: None
report = partial(measure.report, peer, benchmark=options.kind, device=options.device, dtype=options.dtype)


def clock(body, **line):
    report(measure.measure(body, synchronize, options.runs), **line)


def random(*shape):
    if dtype == torch.int8:
        return torch.randint(-8, 8, shape, dtype=dtype, device=device)
    return (torch.rand(*shape, device=device) * 2 - 1).to(dtype)


def laid_out(images):
    """Converts images, the weights of a convolution or a whole model to channels-last if that is the chosen form."""
    return images.to(memory_format=torch.channels_last) if options.form == "channels-last" else images


def built(body):
    return torch.compile(body) if options.form == "compiled" else body


def gemm(name):
    m, n, k = map(int, name.split("x"))
    is_integer = dtype == torch.int8
    result = torch.empty(m, n, dtype=torch.int32 if is_integer else dtype, device=device)
    product = torch._int_mm if is_integer else torch.matmul
    for transpose in options.transposes:
        a = random(k, m).t() if transpose[0] == "T" else random(m, k)
        b = random(n, k).t() if transpose[1] == "T" else random(k, n)
        clock(lambda: product(a, b, out=result), problem=name, transpose=transpose, operations=2 * m * n * k)


def conv(name):
    s = measure.convolution(name)
    x = laid_out(random(s["N"], s["C"], s["H"], s["W"]))
    w = laid_out(random(s["K"], s["C"] // s["G"], s["R"], s["S"]))
    sizes = {"stride": s["U"], "padding": s["P"], "dilation": s["D"], "groups": s["G"]}
    y = F.conv2d(x, w, **sizes)
    gradient = laid_out(random(*y.shape))

    def backward(mask):
        return torch.ops.aten.convolution_backward(
            gradient, x, w, None, [s["U"]] * 2, [s["P"]] * 2, [s["D"]] * 2, False, [0, 0], s["G"], mask
        )

    passes = {
        "forward": lambda: F.conv2d(x, w, **sizes),
        "input": lambda: backward([True, False, False]),
        "weight": lambda: backward([False, True, False]),
    }
    for chosen in options.passes:
        clock(passes[chosen], problem=name, operations=2 * y.numel() * w[0].numel(), **{"pass": chosen})


def other_width(x):
    return x.half() if x.dtype == torch.float32 else x.float()


# For each operation: a function from the matrix size to the shapes of the inputs, and a function that computes the
# result. As in Apus, results are new tensors.
ONE, TWO, THREE = (lambda n, count=count: [(n, n)] * count for count in (1, 2, 3))
OPERATIONS = {
    "copy": (ONE, torch.clone), "negate": (ONE, torch.neg), "relu": (ONE, torch.relu), "rsqrt": (ONE, torch.rsqrt),
    "exp": (ONE, torch.exp), "log": (ONE, torch.log), "tanh": (ONE, torch.tanh), "sigmoid": (ONE, torch.sigmoid),
    "sin": (ONE, torch.sin), "erf": (ONE, torch.erf), "gelu": (ONE, F.gelu), "to-float16": (ONE, other_width),
    "gelu-tanh": (ONE, lambda x: F.gelu(x, approximate="tanh")),
    "gelu-tanh-gradient": (ONE, lambda x: torch.ops.aten.gelu_backward(torch.ones_like(x), x, approximate="tanh")),
    "add": (TWO, torch.add), "multiply": (TWO, torch.mul), "divide": (TWO, torch.div), "less": (TWO, torch.lt),
    "add-row": (lambda n: [(n, n), (n,)], torch.add), "add-column": (lambda n: [(n, n), (n, 1)], torch.add),
    "fused-chain": (THREE, lambda x, y, z: torch.relu(torch.tanh(x * y + z) * x)),
    "transpose": (ONE, lambda x: x.t().contiguous()), "concatenate": (TWO, lambda x, y: torch.cat([x, y], 1)),
    "sum": (ONE, torch.sum), "sum-rows": (ONE, lambda x: x.sum(1)), "sum-columns": (ONE, lambda x: x.sum(0)),
    "max-rows": (ONE, lambda x: x.amax(1)), "argmax-rows": (ONE, lambda x: x.argmax(1)),
    "cumulative-sum-rows": (ONE, lambda x: x.cumsum(1)), "cumulative-sum-columns": (ONE, lambda x: x.cumsum(0)),
    "variance-rows": (ONE, lambda x: x.var(1)), "log-sum-exp-rows": (ONE, lambda x: x.logsumexp(1)),
    "softmax-rows": (ONE, lambda x: x.softmax(1)), "layer-norm-rows": (ONE, lambda x: F.layer_norm(x, x.shape[1:])),
    "gather-rows": (ONE, lambda x: x[torch.arange(len(x) - 1, -1, -1, device=x.device)]),
    "attention": (lambda n: [(4, 16, n, 64)] * 3, F.scaled_dot_product_attention),
}  # fmt: skip


def ops(name):
    operation, _, size = name.rpartition("-")
    shapes, body = OPERATIONS[operation]
    inputs = [random(*shape) for shape in shapes(int(size.split("x")[0]))]
    moved = sum(tensor.nbytes for tensor in [*inputs, body(*inputs)])
    run = built(body)
    clock(lambda: run(*inputs), problem=name, byte_count=moved)


def mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )


def lenet5():
    features = [nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
    features += [nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    return nn.Sequential(*features, nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


class Rows(nn.Module):
    """A classifier of images `[batch, 1, rows, inputs]`: a recurrent layer reads the rows of an image as a sequence."""

    def __init__(self, layer, inputs=28, size=128):
        super().__init__()
        self.layer = layer(inputs, size, batch_first=True)
        self.output = nn.Linear(size, 10)

    def forward(self, x):
        return self.output(self.layer(x.squeeze(1))[0][:, -1])


def adam(parameters):
    return torch.optim.Adam(parameters, 1e-3)


def sgd(parameters):
    return torch.optim.SGD(parameters, 1e-2, momentum=0.9)


def images(batch=128, size=(1, 28, 28), classes=10):
    return lambda: (torch.randn(batch, *size, device=device), torch.randint(0, classes, (batch,), device=device))


def text(batch, length):
    return lambda: tuple(torch.randint(0, 96, (batch, length), device=device) for _ in range(2))


STEPS = {
    "mlp-b128-adam": (mlp, adam, images()),
    "lenet5-b128-sgd": (lenet5, sgd, images()),
    "resnet18-cifar-b32": (ResNet, sgd, images(32, (3, 32, 32))),
    "vgg16bn-cifar-b32": (VGG, sgd, images(32, (3, 32, 32))),
    "alexnet-224-b16": (AlexNet, sgd, images(16, (3, 224, 224), 1000)),
    "rnn-rows-b128-h128": (lambda: Rows(nn.RNN), adam, images()),
    "lstm-rows-b128-h128": (lambda: Rows(nn.LSTM), adam, images()),
    "gru-rows-b128-h128": (lambda: Rows(nn.GRU), adam, images()),
    "charlm-lstm2-h256-t64-b32": (lambda: CharLSTM(96, dropout=0), adam, text(32, 64)),
    "transformer4-d256-t128-b16": (lambda: CharTransformer(96), adam, text(16, 128)),
}
# Workloads for GPUs, which run only if they are named.
LARGE = {
    "resnet50-224-b256": (
        lambda: ResNet(1000, small=False, blocks=(3, 4, 6, 3), block=Bottleneck),
        sgd,
        images(256, (3, 224, 224), 1000),
    ),
    "lstm2-h512-t64-b64": (lambda: Rows(partial(nn.LSTM, num_layers=2), 512, 512), adam, images(64, (1, 64, 512))),
}


def precision():
    """The context of the forward pass: in mixed precision, PyTorch's autocast chooses the types of operations."""
    short = {"mixed": torch.float16, "mixed-bfloat16": torch.bfloat16}.get(options.precision)
    return torch.autocast(device.type, short) if short else nullcontext()


def step(name):
    make, optimizer, batch = (STEPS | LARGE)[name]
    use = measure.ProcessUse()
    model = make().to(device)
    inputs, targets = batch()
    if options.form == "channels-last":
        if not any(isinstance(module, nn.Conv2d) for module in model.modules()):
            return
        model, inputs = laid_out(model), laid_out(inputs)
    rule = optimizer(model.parameters())
    # As in Apus, float16 gradients need a loss scale, which the scaler adapts. bfloat16 gradients need none.
    scaler = torch.amp.GradScaler(device.type) if options.precision == "mixed" else None

    @built
    def loss_of():
        with precision():
            return F.cross_entropy(model(inputs).flatten(0, -2), targets.flatten())

    def run():
        rule.zero_grad()
        loss = loss_of()
        if scaler:
            scaler.scale(loss).backward()
            scaler.step(rule)
            scaler.update()
        else:
            loss.backward()
            rule.step()
        return loss

    run().item()
    use.first_loss()
    samples = measure.measure(run, synchronize, options.runs, span=0.1)
    line = {"problem": name} | use.line()
    if options.precision != "float32":
        line["precision"] = options.precision
    if is_gpu:
        line["peak_bytes"] = torch.cuda.max_memory_allocated()
    report(samples, **line)


def loader(name):
    measure.need("PIL", "pillow")
    import images

    epoch = images.loader(name, options.threads)
    epoch()
    samples = measure.measure(epoch, lambda: None, options.runs)
    report(samples, problem=name, dtype="uint8", images=images.EPOCH)


bodies = {"gemm": gemm, "conv": conv, "ops": ops, "step": step}
# Images are loaded on the CPU only.
bodies |= {"loader": loader} if options.device == "cpu" else {}
measure.serve(options, peer, bodies, STEPS, large=LARGE)
