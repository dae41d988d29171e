"""The paper's Fashion-MNIST recipe as a straightforward PyTorch script: the peer of `bbdistill reproduce`.

python torch_recipe.py DATA TEACHER.onnx [--images N] [--synthetic M] [--epochs E] [--cvae-epochs E] [--threads T] [--seed S]
Says {"accuracy", "queries", "seconds": {...}, "peakRssBytes"} in its last line.
"""

import argparse
import gzip
import json
import math
import resource
import time

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from torch import nn

CLASSES = 10
BATCH = 64
CVAE_BATCH = 256
LATENT = 2


def idx(path):
    data = gzip.open(path).read()
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def adam(module):
    try:
        return torch.optim.Adam(module.parameters(), 1e-3, eps=1e-7, fused=True)
    except (TypeError, RuntimeError):
        return torch.optim.Adam(module.parameters(), 1e-3, eps=1e-7)


class Teacher:
    """A file behind onnxruntime; images are bytes [N,28,28] when they are asked."""

    def __init__(self, path, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.queries = 0

    def ask(self, images):
        answers = []
        for begin in range(0, len(images), 256):
            some = images[begin : begin + 256].numpy().astype(np.float32)[..., None] / 255
            answers.append(torch.from_numpy(self.session.run(None, {self.input: some})[0]))
        self.queries += len(images)
        return torch.cat(answers)


class Cvae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = chain([784 + CLASSES, 256, 128, 64, 2 * LATENT])
        self.decoder = chain([LATENT + CLASSES, 64, 128, 256, 784])

    def loss(self, images, conditions):
        mean, log_variance = self.encoder(torch.cat([images, conditions], 1)).split(LATENT, 1)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        logits = self.decoder(torch.cat([z, conditions], 1))
        reconstruction = F.binary_cross_entropy_with_logits(logits, images, reduction="sum")
        divergence = -0.5 * torch.sum(1 + log_variance - mean**2 - torch.exp(log_variance))
        return (reconstruction + divergence) / len(images)

    @torch.no_grad()
    def draw(self, count):
        classes = torch.arange(count) % CLASSES
        normal = (torch.arange(count) // CLASSES) % 2 == 0
        z = torch.where(normal[:, None], torch.randn(count, LATENT), torch.rand(count, LATENT) * 6 - 3)
        pixels = torch.sigmoid(self.decoder(torch.cat([z, F.one_hot(classes, CLASSES).float()], 1)))
        return (pixels * 255).round().byte().view(-1, 28, 28)


def chain(widths):
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def lenet_half():
    return nn.Sequential(
        nn.Conv2d(1, 3, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 8, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(288, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, CLASSES),
    )


def mix(real, count):
    """MixUp of real images with λ of two decimals; λ near 0 or 1 is dropped."""
    first = torch.randint(len(real), (count,))
    second = (first + torch.randint(1, len(real), (count,))) % len(real)
    weight = (torch.rand(count) * 100).round() / 100
    kept = (weight > 0.05) & (weight < 0.95)
    first, second, weight = first[kept], second[kept], weight[kept][:, None, None]
    mixed = weight * real[first].float() + (1 - weight) * real[second].float()
    return mixed.round().byte(), count - len(mixed)


def fit_cvae(images, answers, epochs):
    cvae = Cvae()
    optimiser = adam(cvae)
    pixels = images.float().view(-1, 784) / 255
    conditions = F.one_hot(answers.argmax(1), CLASSES).float()
    for _ in range(epochs):
        for rows in torch.randperm(len(pixels)).split(CVAE_BATCH):
            optimiser.zero_grad()
            cvae.loss(pixels[rows], conditions[rows]).backward()
            optimiser.step()
    return cvae


def move(images):
    """Rotation up to 10 degrees and shifts up to a tenth, bilinear, nearest fill."""
    count = len(images)
    angle = (torch.rand(count) * 2 - 1) * (10 * math.pi / 180)
    shift = (torch.rand(count, 2) * 2 - 1) * 0.2
    cos, sin = torch.cos(angle), torch.sin(angle)
    matrix = torch.stack(
        [torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1
    )
    grid = F.affine_grid(matrix, images.shape, align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def train_student(images, answers, epochs):
    student = lenet_half()
    optimiser = adam(student)
    beta = torch.distributions.Beta(1.0, 1.0)
    steps = len(images) // BATCH
    for _ in range(epochs):
        order, partners = torch.randperm(len(images)), torch.randperm(len(images))
        for step in range(steps):
            rows = order[step * BATCH : (step + 1) * BATCH]
            others = partners[step * BATCH : (step + 1) * BATCH]
            weight = beta.sample((BATCH,))
            wide = weight[:, None, None]
            batch = (wide * images[rows].float() + (1 - wide) * images[others].float()) / 255
            targets = weight[:, None] * answers[rows] + (1 - weight[:, None]) * answers[others]
            loss = F.cross_entropy(student(move(batch[:, None])), targets)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return student


@torch.no_grad()
def accuracy(student, images, labels):
    named = [student(some[:, None].float() / 255).argmax(1) for some in images.split(1000)]
    return (torch.cat(named) == labels).float().mean().item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("teacher")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--synthetic", type=int, default=48000)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--cvae-epochs", type=int, default=200)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    seconds, begun = {}, time.perf_counter()

    def lap(name):
        nonlocal begun
        seconds[name] = round(time.perf_counter() - begun, 2)
        begun = time.perf_counter()

    images = torch.from_numpy(idx(f"{options.data}/train-images-idx3-ubyte.gz").copy())
    labels = torch.from_numpy(idx(f"{options.data}/train-labels-idx1-ubyte.gz").astype(np.int64))
    test = torch.from_numpy(idx(f"{options.data}/t10k-images-idx3-ubyte.gz").copy())
    test_labels = torch.from_numpy(idx(f"{options.data}/t10k-labels-idx1-ubyte.gz").astype(np.int64))
    shuffled = torch.randperm(len(images))
    chosen = torch.cat(
        [shuffled[labels[shuffled] == k][: options.images // CLASSES] for k in range(CLASSES)]
    )
    real = images[chosen]
    del images
    lap("read")
    teacher = Teacher(options.teacher, options.threads)
    real_answers = teacher.ask(real)
    mixed, dropped = mix(real, options.synthetic)
    mixed_answers = teacher.ask(mixed)
    lap("mix and label")
    cvae = fit_cvae(real, real_answers, options.cvae_epochs)
    lap("fit")
    drawn = cvae.draw(dropped)
    drawn_answers = teacher.ask(drawn)
    lap("draw and label")
    student = train_student(
        torch.cat([real, mixed, drawn]),
        torch.cat([real_answers, mixed_answers, drawn_answers]),
        options.epochs,
    )
    lap("train")
    result = accuracy(student, test, test_labels)
    lap("evaluate")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        json.dumps(
            {
                "engine": f"pytorch {torch.__version__}",
                "threads": options.threads,
                "accuracy": result,
                "queries": teacher.queries,
                "seconds": seconds,
                "peakRssBytes": peak,
            }
        )
    )


main()
