#!/usr/bin/env python3
"""Writes the tangent kernel that Python's torch finds for the network of kernel_reference_test.cpp.

  kernel.py FILE          writes the fixture
  kernel.py --check FILE  computes everything anew and compares; exit code 77 where there is no torch

One torch.autograd.grad for each output of each example, then J J'.
"""
import sys

try:
    import torch
    from torch.nn import functional
except ImportError:
    sys.exit(77)

DOUBLE = torch.float64


def numbers(*sizes, start=0.0):
    """Inputs that do not depend on a generator, of size about 1, none of them equal."""
    count = torch.Size(sizes).numel()
    return (torch.sin(0.7 * torch.arange(count, dtype=DOUBLE) + start) + 0.1 * start).reshape(sizes)


def weights():
    return [numbers(4, 2, 3, 3, start=1.0), numbers(4, start=2.0), numbers(4, start=3.0), numbers(4, start=4.0),
            0.5 * numbers(4, 2, 3, 3, start=5.0), numbers(36, start=6.0), numbers(36, start=7.0),
            0.3 * numbers(5, 36, start=8.0), numbers(5, start=9.0), 0.4 * numbers(3, 5, start=10.0)]


def network(x, w):
    """Strided and grouped convolutions with a residual branch, batch and layer normalization, two linear layers."""
    hidden = functional.conv2d(x, w[0], w[1], stride=2, padding=1)
    hidden = functional.batch_norm(hidden, numbers(4, start=0.5), numbers(4, start=0.2) ** 2 + 0.5, w[2], w[3], False)
    hidden = hidden + functional.conv2d(hidden.tanh(), w[4], None, padding=1, groups=2)
    hidden = functional.layer_norm(functional.gelu(hidden).flatten(1), (36,), w[5], w[6])
    return functional.linear(functional.softplus(functional.linear(hidden, w[7], w[8])), w[9])


def jacobian(x):
    w = [weight.requires_grad_() for weight in weights()]
    rows = []
    for example in x:
        for output in network(example.unsqueeze(0), w)[0]:
            rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(output, w, retain_graph=True)]))
    return torch.stack(rows)


def fixture():
    left, right = jacobian(numbers(4, 2, 5, 5, start=0.3)), jacobian(numbers(3, 2, 5, 5, start=1.3))
    return {"train": left @ left.T, "cross": left @ right.T}


def main():
    if sys.argv[1] == "--check":
        saved = torch.load(sys.argv[2])
        wrong = [key for key, value in fixture().items() if not torch.allclose(saved[key], value, rtol=1e-11, atol=0)]
        print("\n".join(wrong) or "the fixture is what torch finds")
        sys.exit(1 if wrong else 0)
    torch.save(fixture(), sys.argv[1])


main()
