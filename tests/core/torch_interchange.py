"""Files to and from Python's torch: what plumb writes loads by torch.load's own defaults, and state_dicts of every form
start a run of plumb with exactly their weights.

usage: torch_interchange.py PROGRAM; ends with status 77 where Python has no torch.
"""
import collections
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
except ImportError:
    sys.exit(77)

DESCRIPTION = """\
name: start
data: {{type: sphere, train_examples: 20, test_examples: 5, dimension: 6, classes: 3}}
preprocessing: {{normalize: none}}
model: {{type: mlp_widths, widths: [5]}}
compute: {{device: cpu, threads: 1, precision: {precision}}}
training: {{optimizer: {{type: gd, learning_rate: 1e-30}}, stop: {{steps: 1}}}}
initial_weights: {{type: saved, file: weights.pt}}
"""

EXPECTED = {"hidden1.weight": (5, 6), "hidden1.bias": (5,), "output.weight": (3, 5), "output.bias": (3,)}


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden1 = torch.nn.Linear(6, 5)
        self.output = torch.nn.Linear(5, 3)


def run(program, folder, weights, precision="float32", **options):
    """The weights that a run of plumb ends with after a step that moves nothing, or what it says instead."""
    torch.save(weights, folder / "weights.pt", **options)
    (folder / "start.yaml").write_text(DESCRIPTION.format(precision=precision))
    done = subprocess.run([program, "run", "start.yaml", "--out", tempfile.mkdtemp(dir=folder)], cwd=folder,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    files = sorted(folder.glob("tmp*/**/model.pt"), key=lambda file: file.stat().st_mtime_ns)
    if done.returncode != 0 or not files:
        return done.stdout
    # What plumb wrote, by torch's defaults: weights_only from 2.6 on.
    return torch.load(files[-1])


def check(found, expected, what):
    assert isinstance(found, dict), f"{what}: {found}"
    assert set(found) == set(expected), f"{what}: {set(found)}"
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), f"{what}: {name} is {found[name]}, not {tensor}"


def refused(found, words, what):
    assert isinstance(found, str) and words in found, f"{what}: {found}"


def main(program, folder):
    torch.manual_seed(1)
    net = Net()
    plain = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    assert hasattr(net.state_dict(), "_metadata")
    check(run(program, folder, net.state_dict()), plain, "a state_dict")
    check(run(program, folder, plain), plain, "a dict")
    check(run(program, folder, dict(net.named_parameters())), plain, "parameters")
    flat = torch.cat([tensor.flatten() for tensor in plain.values()])
    views, at = collections.OrderedDict(), 0
    for name, tensor in plain.items():
        views[name] = flat[at:at + tensor.numel()].view(tensor.shape)
        at += tensor.numel()
    check(run(program, folder, views), plain, "views of one storage")
    transposed = {name: tensor.t().contiguous().t() for name, tensor in plain.items()}
    check(run(program, folder, transposed), plain, "transposed tensors")
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        narrow = {name: tensor.to(dtype) for name, tensor in plain.items()}
        check(run(program, folder, narrow), {name: tensor.float() for name, tensor in narrow.items()}, str(dtype))
    double = {name: tensor.double() / 3 for name, tensor in plain.items()}
    check(run(program, folder, double, "float64"), double, "float64")

    refused(run(program, folder, plain, _use_new_zipfile_serialization=False), "convert it in Python", "the old format")
    refused(run(program, folder, plain, pickle_protocol=4), "not of protocol 2", "protocol 4")
    refused(run(program, folder, net), "it names __main__.Net", "a whole module")
    refused(run(program, folder, plain["output.bias"]), "not a dict of named values", "one tensor")
    refused(run(program, folder, {"model": plain}), "save its dict 'model' alone", "a dict in a dict")
    refused(run(program, folder, {"module." + name: tensor for name, tensor in plain.items()}), "net.module.state_dict()",
            "DataParallel")
    refused(run(program, folder, {**plain, "extra": plain["output.bias"]}), "the network has no tensor 'extra'", "one more")
    refused(run(program, folder, {name: plain[name] for name in list(plain)[1:]}), "1 of the network's 4 tensors", "one less")
    refused(run(program, folder, {**plain, "output.bias": torch.ones(3, dtype=torch.int64)}), "'output.bias' is Long", "integers")
    refused(run(program, folder, {**plain, "output.bias": torch.tensor([1., float("nan"), 1.])}), "not finite", "NaN")
    refused(run(program, folder, {**plain, "output.bias": torch.ones(3, dtype=torch.float64) * 1e300}), "not finite", "1e300")
    refused(run(program, folder, {**plain, "output.bias": torch.ones(3).to_sparse()}), "_rebuild_sparse_tensor", "sparse")
    refused(run(program, folder, {**plain, "output.bias": None}), "is None and not a tensor", "None")

    labels = torch.load(next(folder.glob("tmp*/**/labels.pt")))
    assert labels["labels"].shape == (20,) and labels["redrawn"].dtype == torch.bool


with tempfile.TemporaryDirectory() as folder:
    main(sys.argv[1], pathlib.Path(folder))
