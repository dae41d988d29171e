"""PyTorch's side of the engine benchmark.

Started once per thread count: `python torch_engine.py THREADS [DEVICE]`, DEVICE as PyTorch names it, e.g. cuda. Says its version in a first line, then answers each
line {"case", "seconds"} on stdin with {"steps", "cpuSeconds", "wallSeconds"} on stdout.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

LEARNING_RATE = 1e-3
EPSILON = 1e-7
CLASSES = 10
STEPS_BEFORE = 3


def adam(module, weight_decay=0):
    options = {"lr": LEARNING_RATE, "eps": EPSILON, "weight_decay": weight_decay}
    try:
        # The fastest that it has on a CPU; older versions know no such option.
        return torch.optim.Adam(module.parameters(), **options, fused=True)
    except (TypeError, RuntimeError):
        return torch.optim.Adam(module.parameters(), **options)


def one_hot(count):
    return torch.eye(CLASSES)[torch.arange(count) % CLASSES]


def lenet(filters1, filters2, batch):
    module = nn.Sequential(
        nn.Conv2d(1, filters1, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(filters1, filters2, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(36 * filters2, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, CLASSES),
    )
    return classifier_step(module, torch.rand(batch, 1, 28, 28), one_hot(batch), adam(module))


class Cvae(nn.Module):
    def __init__(self, pixels, latent, hidden):
        super().__init__()
        self.latent = latent
        self.encoder = chain([pixels + CLASSES, *hidden, 2 * latent])
        self.decoder = chain([latent + CLASSES, *reversed(hidden), pixels])

    def forward(self, images, conditions, noise):
        mean, log_variance = self.encoder(torch.cat([images, conditions], 1)).split(self.latent, 1)
        z = mean + torch.exp(0.5 * log_variance) * noise
        logits = self.decoder(torch.cat([z, conditions], 1))
        reconstruction = F.binary_cross_entropy_with_logits(logits, images, reduction="sum")
        divergence = -0.5 * torch.sum(1 + log_variance - mean**2 - torch.exp(log_variance))
        return (reconstruction + divergence) / len(images)


def chain(widths):
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def cvae(batch):
    module = Cvae(784, 2, [256, 128, 64])
    optimiser = adam(module)
    images, conditions, noise = torch.rand(batch, 784), one_hot(batch), torch.randn(batch, 2)

    def step():
        optimiser.zero_grad()
        loss = module(images, conditions, noise)
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


def classifier_step(module, images, targets, optimiser):
    def step():
        optimiser.zero_grad()
        loss = F.cross_entropy(module(images), targets)
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


def alexnet_half(batch):
    def convolution(inputs, outputs, kernel):
        return [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU()]

    def pool():
        return nn.MaxPool2d(3, 2)

    module = nn.Sequential(
        *convolution(3, 24, 5),
        pool(),
        nn.BatchNorm2d(24),
        *convolution(24, 64, 5),
        pool(),
        nn.BatchNorm2d(64),
        *convolution(64, 96, 3),
        nn.BatchNorm2d(96),
        *convolution(96, 96, 3),
        nn.BatchNorm2d(96),
        *convolution(96, 64, 3),
        pool(),
        nn.BatchNorm2d(64),
        nn.Flatten(),
        nn.Linear(3 * 3 * 64, 256),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.BatchNorm1d(256),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.BatchNorm1d(128),
        nn.Linear(128, CLASSES),
    )
    return classifier_step(module, torch.rand(batch, 3, 32, 32), one_hot(batch), adam(module))


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x))


def resnet20(batch):
    blocks, inputs = [], 16
    for outputs in [16, 32, 64]:
        for number in range(3):
            blocks.append(ResidualBlock(inputs, outputs, 2 if outputs > 16 and number == 0 else 1))
            inputs = outputs
    module = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, CLASSES),
    )
    # L2 1e-4 on the weights, as Keras adds it to the loss: Adam's own weight_decay, not AdamW's.
    optimiser = adam(module, weight_decay=2e-4)
    return classifier_step(module, torch.rand(batch, 3, 32, 32), one_hot(batch), optimiser)


CASES = {
    "lenet5": lambda: lenet(6, 16, 64),
    "lenet5-half": lambda: lenet(3, 8, 64),
    "cvae": lambda: cvae(256),
    "alexnet-half": lambda: alexnet_half(128),
    "resnet20": lambda: resnet20(64),
}


def measure(step, seconds):
    steps = 0
    wall, cpu = time.perf_counter(), time.process_time()
    while time.process_time() - cpu < seconds:
        step()
        steps += 1
    return {
        "steps": steps,
        "cpuSeconds": time.process_time() - cpu,
        "wallSeconds": time.perf_counter() - wall,
    }


def main():
    torch.set_num_threads(int(sys.argv[1]))
    if len(sys.argv) > 2:
        torch.set_default_device(sys.argv[2])
        # A device that isn't there is told before the version, which says that all is well.
        torch.zeros(1)
    torch.manual_seed(1)
    print(json.dumps({"version": torch.__version__}), flush=True)
    steps = {}
    for line in sys.stdin:
        request = json.loads(line)
        name = request["case"]
        if name not in steps:
            steps[name] = CASES[name]()
            for _ in range(STEPS_BEFORE):
                steps[name]()
        print(json.dumps(measure(steps[name], request["seconds"])), flush=True)


main()
