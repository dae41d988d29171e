"""PyTorch's side of the engine benchmark.

Started once per thread count: `python torch_engine.py THREADS`. Says its version in a first line, then answers each
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
STEPS_BEFORE = 20


def adam(module):
    parameters = module.parameters()
    try:
        # The fastest that it has on a CPU; older versions know no such option.
        return torch.optim.Adam(parameters, LEARNING_RATE, eps=EPSILON, fused=True)
    except (TypeError, RuntimeError):
        return torch.optim.Adam(module.parameters(), LEARNING_RATE, eps=EPSILON)


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
    optimiser = adam(module)
    images, targets = torch.rand(batch, 1, 28, 28), one_hot(batch)

    def step():
        optimiser.zero_grad()
        loss = F.cross_entropy(module(images), targets)
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


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


CASES = {
    "lenet5": lambda: lenet(6, 16, 64),
    "lenet5-half": lambda: lenet(3, 8, 64),
    "cvae": lambda: cvae(256),
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
