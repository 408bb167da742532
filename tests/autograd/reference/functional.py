#!/usr/bin/env python3
"""Writes what torch.autograd.functional returns for the functions of functional_reference_test.cpp.

  functional.py FILE          writes the fixture
  functional.py --check FILE  computes everything anew and compares; exit code 77 where there is no torch
"""
import itertools
import sys

try:
    import torch
    import torch.autograd.functional as functional
except ImportError:
    sys.exit(77)

DOUBLE = torch.float64


def numbers(*sizes, start=0.0):
    """Inputs that do not depend on a generator, of size about 1, none of them equal."""
    count = torch.Size(sizes).numel()
    return (torch.sin(0.7 * torch.arange(count, dtype=DOUBLE) + start) + 0.1 * start).reshape(sizes)


def network(x, weight, bias, scale, shift, mean, variance, linear, offset):
    hidden = torch.nn.functional.conv2d(x, weight, bias, stride=2, padding=1)
    hidden = torch.nn.functional.batch_norm(hidden, mean, variance, scale, shift, False)
    return torch.nn.functional.linear(hidden.tanh().flatten(1), linear, offset)


IMAGES = numbers(2, 2, 5, 5)
STATISTICS = [numbers(3, start=0.5), numbers(3, start=0.2) ** 2 + 0.5]
WEIGHTS = [numbers(3, 2, 3, 3, start=1.0), numbers(3, start=2.0), numbers(3, start=3.0), numbers(3, start=4.0)]
HEAD = [0.3 * numbers(3, 27, start=5.0), numbers(3, start=6.0)]


def cross_entropy(first, second):
    outputs = torch.nn.functional.linear(torch.nn.functional.linear(numbers(4, 2), first).tanh(), second)
    return torch.nn.functional.cross_entropy(outputs, torch.tensor([0, 1, 1, 0]))


# name: (function, inputs)
CASES = {
    "exp_reducer": (lambda x: x.exp().sum(1), [numbers(2, 3)]),
    "exp_adder": (lambda x, y: 2 * x.exp() + 3 * y * x, [numbers(2), numbers(2, start=1.0)]),
    "linear": (lambda x, y: 2 * x + 3 * y, [numbers(2), numbers(2, start=1.0)]),
    "two_outputs": (lambda x, y: (x.prod() * y, x.sin()), [numbers(3, start=1.0), numbers(2, 2)]),
    "unused_input": (lambda x, y: 2 * x.pow(2), [numbers(2), numbers(3)]),
    "constant": (lambda x: torch.ones(2, dtype=DOUBLE), [numbers(2)]),
    "identity": (lambda x: x, [numbers(2, 2)]),
    "single_element": (lambda x: x.pow(3), [numbers(1, 1, start=1.0)]),
    "pow_reducer": (lambda x: x.pow(3).sum(), [numbers(2, 2)]),
    "scalar_of_two": (lambda x, y: (2 * x.pow(2) + 3 * y.pow(2) * x + torch.sin(x * y)).sum(),
                      [numbers(2), numbers(2, start=1.0)]),
    "linear_scalar": (lambda x: 2 * x.sum(), [numbers(3)]),
    "scalar_of_one_of_two": (lambda x, y: x.pow(3).sum(), [numbers(2), numbers(2)]),
    "scalar_linear_in_one": (lambda x, y: x.pow(3).sum() + y.sum(), [numbers(2), numbers(2)]),
    "network": (lambda x: network(x, *WEIGHTS, *STATISTICS, *HEAD), [IMAGES]),
    "network_weights": (lambda *w: network(IMAGES, *w[:4], *STATISTICS, *w[4:]), WEIGHTS + HEAD),
    "cross_entropy": (cross_entropy, [numbers(3, 2, start=1.0), numbers(2, 3, start=2.0)]),
}


def listed(value):
    return list(value) if isinstance(value, (tuple, list)) else [value]


def call(name, function, inputs, v, options):
    """The results of one function in a flat dict of tensors."""
    given = tuple(inputs) if len(inputs) > 1 else inputs[0]
    if name in ("jacobian", "hessian"):
        found = getattr(functional, name)(function, given, **options)
        outputs = function(*inputs)
        several_rows = isinstance(outputs, tuple) if name == "jacobian" else len(inputs) > 1
        rows = list(found) if several_rows else [found]
        return {f"{i}.{j}": block for i, row in enumerate(rows) for j, block in enumerate(listed(row))}
    if v is not None:
        v = tuple(v) if len(v) > 1 else v[0]
    outputs, product = getattr(functional, name)(function, given, v, **options)
    return {**{f"output.{i}": tensor for i, tensor in enumerate(listed(outputs))},
            **{str(i): tensor for i, tensor in enumerate(listed(product))}}


def vector(name, function, inputs):
    like = listed(function(*inputs)) if name == "vjp" else inputs
    return [numbers(*tensor.shape, start=7.0 + i) for i, tensor in enumerate(like)]


def option_sets(name):
    flags = ["create_graph", "strict"] + (["vectorize"] if name in ("jacobian", "hessian") else [])
    for values in itertools.product([False, True], repeat=len(flags)):
        options = dict(zip(flags, values))
        if name in ("jacobian", "hessian"):
            key = "strategy" if name == "jacobian" else "outer_jacobian_strategy"
            for mode in ("reverse-mode", "forward-mode"):
                yield {**options, key: mode}, True
        else:
            for with_v in (True, False):
                yield options, with_v


def label(name, options, with_v):
    words = [key for key in ("create_graph", "strict", "vectorize") if options.get(key)]
    words += ["forward"] if "forward-mode" in options.values() else []
    return ".".join([name] + words + ([] if with_v else ["no_v"]))


def gradient_of(results, tensors):
    """d/d tensors of the sum of squares of all results: what create_graph is for."""
    tracked = [result for result in results if result.requires_grad]
    found = [None] * len(tensors)
    if tracked:
        found = torch.autograd.grad(sum(result.pow(2).sum() for result in tracked), tensors, allow_unused=True)
    return [torch.zeros_like(tensor) if one is None else one for one, tensor in zip(found, tensors)]


def run(name, function, inputs, case):
    """Adds the results of one function to `case`: values, gradients, and which options Python refuses."""
    for options, with_v in option_sets(name):
        leaves = [tensor.clone().requires_grad_() for tensor in inputs]
        v = [tensor.requires_grad_() for tensor in vector(name, function, inputs)]
        place = label(name, options, with_v)
        try:
            results = call(name, function, leaves, v if with_v else None, options)
        except (RuntimeError, NotImplementedError) as error:
            # What Python's vmap cannot do is no rule of the function.
            if "Batching rule" not in str(error):
                case["refused"][place] = 1
            continue
        detached = {key: tensor.detach().clone() for key, tensor in results.items()}
        if not with_v:  # a vector of one 1
            case["results"][place] = detached
            continue
        known = case["results"].setdefault(name, detached)
        for key, tensor in detached.items():
            torch.testing.assert_close(tensor, known[key])
        if options["create_graph"] and not options["strict"] and not options.get("vectorize"):
            of = [tensor for key, tensor in results.items() if not key.startswith("output")]
            gradients = gradient_of(of, leaves + (v if name not in ("jacobian", "hessian") else []))
            case["gradients"][name] = {str(i): tensor for i, tensor in enumerate(gradients)}


def fixture():
    cases = {}
    for case_name, (function, inputs) in CASES.items():
        case = {"inputs": {str(i): tensor.clone() for i, tensor in enumerate(inputs)},
                "results": {}, "gradients": {}, "refused": {}}
        for name in ("jacobian", "vjp", "jvp", "hvp", "vhp", "hessian"):
            run(name, function, inputs, case)
        cases[case_name] = case
    # One dict, as LibTorch's reader does not know how Python writes a dict of one entry; and one storage, as
    # each costs more in the file than most of these tensors.
    entries = dict(flattened(cases))
    names = [name for name, value in entries.items() if isinstance(value, torch.Tensor)]
    pieces = torch.cat([entries[name].reshape(-1) for name in names]).split([entries[name].numel() for name in names])
    return {**entries, **{name: piece.view(entries[name].shape) for name, piece in zip(names, pieces)}}


def flattened(tree, place=""):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{place}{key}/")
        else:
            yield place + key, value


def differences(found, expected):
    wrong = sorted(found.keys() ^ expected.keys())
    for key in found.keys() & expected.keys():
        one, other = found[key], expected[key]
        if isinstance(other, torch.Tensor):
            if one.shape != other.shape or not torch.allclose(one, other, rtol=1e-10, atol=1e-12):
                wrong.append(key)
        elif one != other:
            wrong.append(key)
    return wrong


def main():
    if sys.argv[1] == "--check":
        wrong = differences(torch.load(sys.argv[2]), fixture())
        print("\n".join(wrong) or "the fixture is what torch.autograd.functional returns")
        sys.exit(1 if wrong else 0)
    torch.save(fixture(), sys.argv[1])


main()
