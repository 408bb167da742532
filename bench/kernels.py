"""Times the tangent kernel of one network in Python torch, by the methods that its users have. Prints a JSON object.

contraction and ntk_vps follow the two implementations of the functorch tutorial "Neural Tangent Kernels"; jacrev is the
Jacobian of each example and one product; functional_jacobian is torch.autograd.functional.jacobian of the whole batch.
"""
import argparse
import json
import resource
import time

import torch
from functorch import jacrev, jvp, make_functional_with_buffers, vjp, vmap
from torch import nn

import throughput


def build(name, outputs):
    if name == "mlp_3x2048":
        hidden = [layer for _ in range(2) for layer in (nn.Linear(2048, 2048), nn.ReLU())]
        return nn.Sequential(nn.Flatten(), nn.Linear(3072, 2048), nn.ReLU(), *hidden, nn.Linear(2048, outputs)), (3072,)
    if name == "small_alexnet":
        return throughput.small_alexnet(outputs), (3, 28, 28)
    return throughput.SmallInception(outputs), (3, 28, 28)


class Kernels:
    def __init__(self, network):
        self.function, self.parameters, self.buffers = make_functional_with_buffers(network)

    def single(self, parameters, example):
        return self.function(parameters, self.buffers, example.unsqueeze(0)).squeeze(0)

    def contraction(self, left, right):
        jacobians = [[j.flatten(2) for j in vmap(jacrev(self.single), (None, 0))(self.parameters, inputs)]
                     for inputs in (left, right)]
        return sum(torch.einsum("Naf,Mbf->NMab", a, b) for a, b in zip(*jacobians))

    def ntk_vps(self, left, right):
        outputs = self.single(self.parameters, left[0]).numel()

        def pair(x, y):
            _, pull_back = vjp(lambda parameters: self.single(parameters, x), self.parameters)

            def column(cotangent):
                return jvp(lambda parameters: self.single(parameters, y), (self.parameters,),
                           pull_back(cotangent))[1]
            return vmap(column)(torch.eye(outputs))
        return vmap(vmap(pair, (None, 0)), (0, None))(left, right)

    def jacrev(self, left, right):
        assert left is right
        rows = torch.cat([torch.cat([j.flatten(1) for j in jacrev(self.single)(self.parameters, x)], 1) for x in left])
        return rows @ rows.T

    def functional_jacobian(self, left, right):
        assert left is right
        jacobians = torch.autograd.functional.jacobian(
            lambda *parameters: self.function(parameters, self.buffers, left).flatten(), self.parameters)
        rows = torch.cat([j.flatten(1) for j in jacobians], 1)
        return rows @ rows.T


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=["mlp_3x2048", "small_alexnet", "small_inception"])
    parser.add_argument("method", choices=["contraction", "ntk_vps", "jacrev", "functional_jacobian"])
    parser.add_argument("--examples", type=int, default=8)
    parser.add_argument("--outputs", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit-gib", type=float, default=16, help="of address space")
    options = parser.parse_args()
    limit = int(options.limit_gib * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    network, shape = build(options.model, options.outputs)
    network.eval()
    inputs = torch.randn(options.examples, *shape)
    kernels = Kernels(network)
    wall, failure = [], None
    try:
        for _ in range(options.repeat):
            began = time.perf_counter()
            kernel = getattr(kernels, options.method)(inputs, inputs)
            wall.append(time.perf_counter() - began)
            del kernel
    except (RuntimeError, MemoryError) as error:
        failure = str(error).splitlines()[0][:200] if str(error) else "out of memory"
    print(json.dumps({"side": f"functorch {options.method}", "wall": wall, "failure": failure,
                      "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                      "parameters": sum(p.numel() for p in kernels.parameters), "libtorch": torch.__version__}))


if __name__ == "__main__":
    main()
