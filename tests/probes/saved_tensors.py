"""Python's torch reads what probes save: singular values and tangent kernels of a run, which must belong together.

usage: saved_tensors.py PROGRAM; ends with status 77 where Python has no torch.
"""
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
except ImportError:
    sys.exit(77)

DESCRIPTION = """\
name: saved
data: {type: teacher, train_examples: 40, test_examples: 5, dimension: 8}
preprocessing: {normalize: none}
model: {type: two_layer, width: 12, activation: tanh}
compute: {precision: float64}
training: {batch_size: 10, optimizer: {type: sgd, learning_rate: 0.1}, stop: {epochs: 3}}
probes:
  - {type: jacobian_rank, examples: 6, save: true}
  - {type: tangent_kernel, examples: 6, save: true}
"""

with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    (folder / "saved.yaml").write_text(DESCRIPTION)
    subprocess.run([sys.argv[1], "run", "saved.yaml"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    ranks = sorted(folder.glob("runs/saved/*/probes/jacobian_rank/step_*.pt"))
    assert len(ranks) >= 4, f"saved singular values: {ranks}"
    for file in ranks:
        sigma = torch.load(file)["singular_values"]
        kernel = torch.load(file.parent.parent / "tangent_kernel" / file.name)["kernel"]
        assert kernel.dim() == 2 and torch.equal(kernel, kernel.T), f"{file.name}: the kernel is not symmetric"
        eigenvalues = torch.linalg.eigvalsh(kernel.double()).flip(0)[:len(sigma)].clamp(min=0)
        difference = (sigma.double() ** 2 - eigenvalues).abs().max() / eigenvalues[0]
        assert difference < 1e-10, f"{file.name}: sigma^2 and the kernel's eigenvalues differ by {difference:.1e}"
