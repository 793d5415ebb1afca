"""Prints torch.json and writes torch.safetensors: what PyTorch computes, for tests/torch.rs.

pip install torch numpy safetensors, then, in this folder:
python3 torch_reference.py > torch.json

Weights and features are numbers of single precision; PyTorch computes in double precision, so that
differences are the rounding of the crate alone.
"""

import copy
import json

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

WIDTHS = [4, 32, 16, 2]
ROWS = 8
TEMPERATURE, SOFT, HARD = 2.5, 0.25, 0.75


class Model(nn.Module):
    def __init__(self, widths):
        super().__init__()
        layers = []
        for inputs, outputs in zip(widths, widths[1:]):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.net = nn.Sequential(*layers[:-1])

    def forward(self, x):
        return self.net(x)


def numbers(tensor):
    return [float(f"{value:.9g}") for value in tensor.detach().flatten().tolist()]


def parameters(model):
    return {name: numbers(value) for name, value in model.state_dict().items()}


def cross_entropy(outputs, labels, **_):
    return nn.CrossEntropyLoss()(outputs, labels)


def mean_square(outputs, targets, **_):
    return nn.MSELoss()(outputs, targets)


def distillation(outputs, labels, teacher, **_):
    soft = nn.KLDivLoss(reduction="batchmean")(
        functional.log_softmax(outputs / TEMPERATURE, dim=1),
        functional.softmax(teacher / TEMPERATURE, dim=1),
    )
    hard = functional.cross_entropy(outputs, labels)
    return SOFT * TEMPERATURE**2 * soft + HARD * hard


def evaluate(loss, model, x, targets):
    model = copy.deepcopy(model)
    value = loss(model(x), **targets)
    value.backward()
    gradients = {name: numbers(own.grad) for name, own in model.named_parameters()}
    return {"loss": value.item(), "gradients": gradients}


def train(model, x, targets, steps):
    """Adam with a rate that makes three steps matter; the loss before each, and what comes out."""
    model = copy.deepcopy(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = cross_entropy(model(x), **targets)
        losses.append(value.item())
        value.backward()
        optimizer.step()
    return {"rate": 0.01, "losses": losses, "parameters": parameters(model)}


def single(shape, scale=1.0):
    """Normal numbers of single precision, as doubles."""
    return (torch.randn(shape) * scale).float().double()


def main():
    torch.manual_seed(20240501)
    model = Model(WIDTHS).double()
    with torch.no_grad():
        for own in model.parameters():
            own.copy_(own.float().double())
    x = single((ROWS, WIDTHS[0]))
    labels = torch.randint(0, WIDTHS[-1], (ROWS,))
    teacher = single((ROWS, WIDTHS[-1]), 3.0)
    targets = {"labels": labels, "targets": single((ROWS, WIDTHS[-1])), "teacher": teacher}

    small = Model([3, 5, 2])
    save_file(small.state_dict(), "torch.safetensors", metadata={"features": "a,b,c"})
    row = single((1, 3))

    print(json.dumps({
        "torch": torch.__version__.split("+")[0],
        "widths": WIDTHS,
        "parameters": parameters(model),
        "features": numbers(x),
        "labels": labels.tolist(),
        "targets": numbers(targets["targets"]),
        "teacher": numbers(teacher),
        "temperature": TEMPERATURE,
        "soft": SOFT,
        "hard": HARD,
        "outputs": numbers(model(x)),
        "cross_entropy": evaluate(cross_entropy, model, x, targets),
        "mean_square": evaluate(mean_square, model, x, targets),
        "distillation": evaluate(distillation, model, x, targets),
        "adam": train(model, x, targets, 3),
        "file": {"row": numbers(row), "outputs": numbers(small.double()(row))},
    }, separators=(",", ":")))


if __name__ == "__main__":
    main()
