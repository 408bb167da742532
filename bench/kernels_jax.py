"""Times the empirical kernel functions of neural-tangents on the networks of kernels.py. Prints a JSON object."""
import argparse
import json
import resource
import time

import jax
import neural_tangents as nt
from jax import lax, numpy as jnp, random


def dense(key, inputs, outputs):
    return (random.normal(key, (inputs, outputs)) * (2 / inputs) ** 0.5, jnp.zeros(outputs))


def convolution(key, inputs, outputs, kernel):
    scale = (2 / (inputs * kernel * kernel)) ** 0.5
    return (random.normal(key, (kernel, kernel, inputs, outputs)) * scale, jnp.zeros(outputs))


def convolve(parameters, x, stride=1):
    weight, bias = parameters
    side = (weight.shape[0] - 1) // 2
    return lax.conv_general_dilated(x, weight, (stride, stride), [(side, side)] * 2,
                                    dimension_numbers=("NHWC", "HWIO", "NHWC")) + bias


def maximum(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), [(0, 0), (1, 1), (1, 1), (0, 0)])


def mlp_3x2048(key, outputs):
    widths = [3072, 2048, 2048, 2048, outputs]
    parameters = [dense(k, a, b) for k, a, b in zip(random.split(key, 4), widths, widths[1:])]

    def apply(parameters, x):
        for weight, bias in parameters[:-1]:
            x = jax.nn.relu(x @ weight + bias)
        return x @ parameters[-1][0] + parameters[-1][1]
    return parameters, apply, (3072,)


def small_alexnet(key, outputs):
    keys = random.split(key, 5)
    parameters = [convolution(keys[0], 3, 64, 5), convolution(keys[1], 64, 64, 5), dense(keys[2], 3136, 384),
                  dense(keys[3], 384, 192), dense(keys[4], 192, outputs)]

    def normalize(x):
        squares = lax.reduce_window(x * x, 0.0, lax.add, (1, 1, 1, 9), (1, 1, 1, 1), [(0, 0)] * 3 + [(4, 4)])
        return x / (1 + 1e-3 / 9 * squares) ** 0.75

    def apply(parameters, x):
        for layer in parameters[:2]:
            x = normalize(maximum(jax.nn.relu(convolve(layer, x))))
        x = x.reshape(x.shape[0], -1)
        for weight, bias in parameters[2:4]:
            x = jax.nn.relu(x @ weight + bias)
        return x @ parameters[4][0] + parameters[4][1]
    return parameters, apply, (28, 28, 3)


def small_inception(key, outputs):
    # Batch normalization with running mean 0 and variance 1, as a network has it that was not trained yet.
    blocks = [(32, 32), (32, 48), (0, 80), (112, 48), (96, 64), (80, 80), (48, 96), (0, 96), (176, 160), (176, 160)]
    keys = iter(random.split(key, 32))
    parameters, channels = [convolution(next(keys), 3, 96, 3)], 96
    for narrow, wide in blocks:
        parameters.append((convolution(next(keys), channels, narrow, 1) if narrow else (),
                           convolution(next(keys), channels, wide, 3)))
        channels = wide + (narrow or channels)
    parameters.append(dense(next(keys), channels, outputs))

    def layer(parameters, x, stride=1):
        return jax.nn.relu(convolve(parameters, x, stride) / jnp.sqrt(1 + 1e-5))

    def apply(parameters, x):
        x = layer(parameters[0], x)
        for (narrow, _), (first, second) in zip(blocks, parameters[1:-1]):
            x = jnp.concatenate([layer(first, x) if narrow else maximum(x), layer(second, x, 1 if narrow else 2)], 3)
        return x.mean((1, 2)) @ parameters[-1][0] + parameters[-1][1]
    return parameters, apply, (28, 28, 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=["mlp_3x2048", "small_alexnet", "small_inception"])
    parser.add_argument("method", choices=["contraction", "ntk_vps", "structured"])
    parser.add_argument("--examples", type=int, default=8)
    parser.add_argument("--outputs", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    key, data_key = random.split(random.PRNGKey(0))
    parameters, apply, shape = globals()[options.model](key, options.outputs)
    inputs = random.normal(data_key, (options.examples, *shape))
    implementation = {"contraction": nt.NtkImplementation.JACOBIAN_CONTRACTION,
                      "ntk_vps": nt.NtkImplementation.NTK_VECTOR_PRODUCTS,
                      "structured": nt.NtkImplementation.STRUCTURED_DERIVATIVES}[options.method]
    kernel = jax.jit(nt.empirical_ntk_fn(apply, trace_axes=(), vmap_axes=0, implementation=implementation))
    wall, failure = [], None
    try:
        for _ in range(options.repeat + 1):  # the first one compiles
            began = time.perf_counter()
            kernel(inputs, None, parameters).block_until_ready()
            wall.append(time.perf_counter() - began)
    except Exception as error:  # jax has several kinds for lack of memory
        failure = str(error).splitlines()[0][:200]
    print(json.dumps({"side": f"neural-tangents {options.method}", "wall": wall[1:], "failure": failure,
                      "compilation": wall[0] if wall else None,
                      "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                      "parameters": sum(p.size for p in jax.tree_util.tree_leaves(parameters)),
                      "jax": jax.__version__, "neural_tangents": nt.__version__}))


main()
