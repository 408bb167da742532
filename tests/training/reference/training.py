#!/usr/bin/env python3
"""Writes what Python's torch.optim does, for torch_reference_test.cpp.

  training.py FILE          writes the fixture
  training.py --check FILE  computes everything anew and compares; exit code 77 where there is no torch

Optimizers move two parameters, of which the second one has a gradient in every other step only. A trajectory has a
row for each step. Schedules are factors on the learning rate, one for each epoch, or for each update.
"""
import sys

try:
    import torch
    from torch.optim import lr_scheduler
except ImportError:
    sys.exit(77)

DOUBLE = torch.float64
STEPS = 12

OPTIMIZERS = {
    "{type: sgd, learning_rate: 0.05}": lambda p: torch.optim.SGD(p, lr=0.05),
    "{type: sgd, learning_rate: 0.05, momentum: 0.9}": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "{type: sgd, learning_rate: 0.05, momentum: 0.8, nesterov: true, weight_decay: 0.1}":
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.1),
    "{type: sgd, learning_rate: 0.05, momentum: 0.9, weight_decay: 0.1}":
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.1),
    "{type: sgd, learning_rate: 0.05, weight_decay: 0.1}":
        lambda p: torch.optim.SGD(p, lr=0.05, weight_decay=0.1),
    "adam": torch.optim.Adam,
    "{type: adam, learning_rate: 0.05, beta1: 0.8, beta2: 0.95, epsilon: 0.001, weight_decay: 0.1}":
        lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.8, 0.95), eps=0.001, weight_decay=0.1),
}

# The schedule, and how many updates an epoch has when it is stepped after every update (0: after every epoch).
SCHEDULES = {
    "{type: step, step_size: 3}": (lambda o: lr_scheduler.StepLR(o, step_size=3), 0),
    "{type: step, step_size: 2, gamma: 0.5}": (lambda o: lr_scheduler.StepLR(o, step_size=2, gamma=0.5), 0),
    "{type: multi_step, milestones: [2, 5, 5]}": (lambda o: lr_scheduler.MultiStepLR(o, [2, 5, 5]), 0),
    "{type: multi_step, milestones: [1, 7], gamma: 0.3}":
        (lambda o: lr_scheduler.MultiStepLR(o, [1, 7], gamma=0.3), 0),
    "{type: exponential, gamma: 0.9}": (lambda o: lr_scheduler.ExponentialLR(o, 0.9), 0),
    "cosine": (lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=10 * 3), 3),
    "{type: cosine, final: 0.2}": (lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=10 * 3, eta_min=0.2), 3),
}


def start():
    return [torch.tensor([2.0, -1.0, 0.5], dtype=DOUBLE), torch.tensor([[1.0, -2.0], [0.3, 0.7]], dtype=DOUBLE)]


def loss(first, second, step):
    value = (first ** 4 / 4 - first).sum()
    rest = (torch.tensor([[3.0, 1.0], [0.5, 2.0]], dtype=DOUBLE) * second ** 2).sum()
    return value + rest if step % 2 == 1 else value


def trajectory(make):
    parameters = [value.requires_grad_() for value in start()]
    optimizer = make(parameters)
    rows = []
    for step in range(STEPS):
        for parameter in parameters:
            parameter.grad = None
        loss(*parameters, step).backward()
        optimizer.step()
        rows.append(torch.cat([parameter.detach().flatten() for parameter in parameters]))
    return torch.stack(rows)


def factors(make, updates_per_epoch):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = make(optimizer)
    values = []
    for _ in range(10 * max(updates_per_epoch, 1) + 1):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return torch.tensor(values, dtype=DOUBLE)


def defaults():
    sgd = torch.optim.SGD([torch.zeros(1)], lr=1.0).defaults
    adam = torch.optim.Adam([torch.zeros(1)]).defaults
    return {
        "sgd": {key: torch.tensor(float(sgd[key]), dtype=DOUBLE) for key in ("momentum", "nesterov", "weight_decay")},
        "adam": {key: torch.tensor(float(value), dtype=DOUBLE)
                 for key, value in (("learning_rate", adam["lr"]), ("beta1", adam["betas"][0]),
                                    ("beta2", adam["betas"][1]), ("epsilon", adam["eps"]),
                                    ("weight_decay", adam["weight_decay"]))},
    }


def fixture():
    return {
        "optimizers": {yaml: trajectory(make) for yaml, make in OPTIMIZERS.items()},
        "schedules": {yaml: factors(*arguments) for yaml, arguments in SCHEDULES.items()},
        "defaults": defaults(),
    }


def differences(saved, found, path=""):
    if isinstance(found, dict):
        missing = [f"{path}{key}" for key in found.keys() ^ saved.keys()]
        return missing + [line for key in found.keys() & saved.keys()
                          for line in differences(saved[key], found[key], f"{path}{key}: ")]
    return [] if torch.allclose(saved, found, rtol=1e-12, atol=1e-14) else [path]


def main():
    if sys.argv[1] == "--check":
        wrong = differences(torch.load(sys.argv[2]), fixture())
        print("\n".join(wrong) or "the fixture is what torch finds")
        sys.exit(1 if wrong else 0)
    torch.save(fixture(), sys.argv[1])


main()
