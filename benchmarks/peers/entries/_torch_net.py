"""The training as PyTorch users write it."""

import itertools
import os

import torch
from torch import nn


def prepare(x, y, widths, fused=False, compile_it=False):
    torch.set_num_threads(int(os.environ["NNBENCH_PEER_THREADS"]))
    sides = itertools.pairwise((4, *widths))
    hidden = [part for n, m in sides for part in (nn.Linear(n, m), nn.ReLU())]
    net = nn.Sequential(*hidden, nn.Linear(widths[-1], 1), nn.Sigmoid())
    optimizer = torch.optim.Adam(net.parameters(), eps=1e-7, fused=fused)
    rows, labels = torch.tensor(x), torch.tensor(y)

    def loss_of(rows, labels):
        return nn.functional.binary_cross_entropy(net(rows), labels)

    loss_now = torch.compile(loss_of) if compile_it else loss_of

    def train(epochs):
        for _ in range(epochs):
            optimizer.zero_grad()
            loss_now(rows, labels).backward()
            optimizer.step()

    return train
