"""Times training steps of the networks of Zhang et al. (2017) in Python torch, written with its stock layers.

Prints one JSON object: seconds per step, one list entry per block of steps, and versions.
"""
import argparse
import json
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional


class InceptionConvolution(nn.Module):
    def __init__(self, channels_in, channels_out, kernel, stride=1):
        super().__init__()
        self.convolution = nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(channels_out, affine=False)

    def forward(self, inputs):
        return functional.relu(self.norm(self.convolution(inputs)))


class InceptionBlock(nn.Module):
    """1x1 and 3x3 convolutions side by side, or, with narrow = 0, a 3x3 convolution and a maximum of stride 2."""

    def __init__(self, channels_in, narrow, wide):
        super().__init__()
        self.wide = InceptionConvolution(channels_in, wide, 3, stride=1 if narrow else 2)
        self.other = InceptionConvolution(channels_in, narrow, 1) if narrow else nn.MaxPool2d(3, 2, padding=1)
        self.outputs = wide + (narrow or channels_in)

    def forward(self, inputs):
        return torch.cat([self.other(inputs), self.wide(inputs)], 1)


class SmallInception(nn.Module):
    def __init__(self, classes):
        super().__init__()
        blocks = [InceptionConvolution(3, 96, 3)]
        channels = 96
        for narrow, wide in [(32, 32), (32, 48), (0, 80), (112, 48), (96, 64), (80, 80), (48, 96), (0, 96),
                             (176, 160), (176, 160)]:
            blocks.append(InceptionBlock(channels, narrow, wide))
            channels = blocks[-1].outputs
        self.blocks = nn.Sequential(*blocks)
        self.output = nn.Linear(channels, classes)

    def forward(self, inputs):
        return self.output(self.blocks(inputs).mean((2, 3)))


def small_alexnet(classes):
    def module(channels_in):
        return [nn.Conv2d(channels_in, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1),
                nn.LocalResponseNorm(9, 1e-3, 0.75, 1)]
    return nn.Sequential(*module(3), *module(64), nn.Flatten(), nn.Linear(64 * 7 * 7, 384), nn.ReLU(),
                         nn.Linear(384, 192), nn.ReLU(), nn.Linear(192, classes))


def mlp(depth, classes):
    layers = [nn.Flatten()]
    size = 3 * 28 * 28
    for _ in range(depth):
        layers += [nn.Linear(size, 512), nn.ReLU()]
        size = 512
    return nn.Sequential(*layers, nn.Linear(size, classes))


MODELS = {"small_inception": SmallInception, "small_alexnet": small_alexnet,
          "mlp_3x512": lambda classes: mlp(3, classes), "mlp_1x512": lambda classes: mlp(1, classes)}


def training_steps(model, images, labels, batch_size):
    """Yields after every step; loss and accuracy are summed up without being read."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    examples = len(images)
    total_loss = torch.zeros((), device=images.device)
    total_hits = torch.zeros((), dtype=torch.long, device=images.device)
    model.train()
    while True:
        order = torch.randperm(examples, device=images.device)
        for begin in range(0, examples, batch_size):
            indices = order[begin:begin + batch_size]
            inputs = images.index_select(0, indices)
            targets = labels.index_select(0, indices)
            optimizer.zero_grad(set_to_none=True)
            outputs = model(inputs)
            loss = criterion(outputs, targets)
            loss.backward()
            optimizer.step()
            total_loss += loss.detach() * len(targets)
            total_hits += (outputs.argmax(1) == targets).sum()
            yield


def cifar10(folder, examples):
    """The middle 28 x 28 pixels of the first training images, between 0 and 1, from the official binary version."""
    files = [Path(folder) / "cifar-10-batches-bin" / f"data_batch_{k}.bin" for k in range(1, 6)]
    records = torch.cat([torch.frombuffer(bytearray(file.read_bytes()), dtype=torch.uint8) for file in files])
    images = records.view(-1, 3073)[:examples, 1:].reshape(-1, 3, 32, 32)
    return images[:, :, 2:30, 2:30].float() / 255


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--memory-format", choices=["contiguous", "channels_last"], default="contiguous")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--data", help="folder of CIFAR-10; without it the images are random")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--examples", type=int, default=12800)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--blocks", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10, help="per block")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--note", default="", help="appended to the name of this side")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    device = torch.device(options.device)
    model = MODELS[options.model](10).to(device)
    images = cifar10(options.data, options.examples) if options.data else torch.rand(options.examples, 3, 28, 28)
    images = (images - images.mean((1, 2, 3), True)) / images.std((1, 2, 3), keepdim=True, unbiased=False)
    images = images.to(device)
    labels = torch.randint(10, (len(images),)).to(device)
    if options.memory_format == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)

    def finish_queue():
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    steps = training_steps(model, images, labels, options.batch)
    for _ in range(options.warmup):
        next(steps)
    wall, cpu = [], []
    for _ in range(options.blocks):
        finish_queue()
        began = time.perf_counter(), time.process_time()
        for _ in range(options.steps):
            next(steps)
        finish_queue()
        wall.append((time.perf_counter() - began[0]) / options.steps)
        cpu.append((time.process_time() - began[1]) / options.steps)
    model.eval()
    with torch.no_grad():
        loss = functional.cross_entropy(model(images[:1000]), labels[:1000]).item()
    print(json.dumps({"side": f"python {options.memory_format}{options.note}", "model": options.model,
                      "device": options.device, "images": "CIFAR-10" if options.data else "random",
                      "examples": len(images), "loss": loss,
                      "parameters": sum(p.numel() for p in model.parameters()), "threads": torch.get_num_threads(),
                      "libtorch": torch.__version__, "wall": wall, "cpu": cpu}))


if __name__ == "__main__":
    main()
