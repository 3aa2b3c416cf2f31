#!/usr/bin/env python3
"""Writes inspection.safetensors (see fixture.py): saliency maps (Simonyan et al., 2013) and Grad-CAM (Selvaraju et al.,
2017) of a small network. All tensors belong to the case "chain".

  input.0, input.1     images, and the classes whose scores are explained
  state.K              the parameters of the network
  output.0             the scores
  saliency             max over channels of |d score / d pixel| for the given classes; saliency.largest for the class
                       with the largest score
  cam, cam.4           Grad-CAM for the last convolution, and for layer 4, the ReLU after it: relu(sum_k alpha_k A_k),
                       where A_k is channel k of the layer's output, and alpha_k the mean of the gradient of the score
                       with respect to A_k

usage: python3 inspection.py    (torch, numpy, safetensors)
"""

import torch
from fixture import Fixture, exact, randn

fixture = Fixture()
model = (
    torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(4, 6, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(96, 5),
    )
    .double()
    .eval()
)
with torch.no_grad():
    for value in model.state_dict().values():
        value.copy_(exact(value))
x, classes = randn(3, 2, 8, 8), torch.tensor([4, 0, 2])


def saliency(classes):
    image = x.clone().requires_grad_()
    model(image).gather(1, classes[:, None]).sum().backward()
    return image.grad.abs().max(1).values


def cam(layer):
    kept = []
    handle = model[layer].register_forward_hook(lambda module, inputs, output: kept.append(output))
    score = model(x).gather(1, classes[:, None]).sum()
    handle.remove()
    gradient = torch.autograd.grad(score, kept[0])[0]
    alpha = gradient.mean((2, 3), keepdim=True)
    return (alpha * kept[0]).sum(1).relu()


fixture.add("chain", **{f"state.{k}": v for k, v in model.state_dict().items()})
fixture.put("chain", "input.0", x.to(torch.float32))
fixture.put("chain", "input.1", classes)
fixture.put("chain", "output.0", model(x))
fixture.put("chain", "saliency", saliency(classes))
fixture.put("chain", "saliency.largest", saliency(model(x).argmax(1)))
fixture.put("chain", "cam", cam(3))
fixture.put("chain", "cam.4", cam(4))
fixture.save()
