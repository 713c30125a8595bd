"""The training as PyTorch users write it."""

import itertools
import os

import torch
from torch import nn

from benchmarks.peers import task as peers
from benchmarks.peers.task import Prepared


def prepare(task, fused=False, compile_it=False):
    torch.set_num_threads(int(os.environ["NNBENCH_PEER_THREADS"]))
    torch.manual_seed(0)
    net = globals()[f"_{task.family}"](task)
    _initialise(net)
    trained = [weights for weights in net.parameters() if weights.requires_grad]
    optimizer = torch.optim.Adam(trained, peers.RATE, eps=peers.ADAM_EPSILON, fused=fused)
    x, y = torch.tensor(task.x), torch.tensor(task.y)
    if x.ndim == 4:
        x = x.permute(0, 3, 1, 2).contiguous()
    if task.classes == 1:
        criterion = nn.BCELoss()
    else:
        criterion, y = nn.CrossEntropyLoss(), y.long()

    def loss_of(x, y):
        return criterion(net(x), y)

    loss_now = torch.compile(loss_of) if compile_it else loss_of

    def batches():
        if task.steps == 1:
            return [(x, y)]
        return ((x[rows], y[rows]) for rows in torch.randperm(len(x)).split(task.batch_size))

    def train(epochs):
        for _ in range(epochs):
            total = 0
            for batch in batches():
                optimizer.zero_grad()
                loss = loss_now(*batch)
                loss.backward()
                optimizer.step()
                total += loss.detach()
        return float(total) / task.steps

    return Prepared(train, sum(weights.numel() for weights in trained))


def _initialise(net):
    """As Keras: Glorot's uniform weights, orthogonal ones from step to step, no bias."""
    for name, weights in net.named_parameters():
        if "bias" in name:
            nn.init.zeros_(weights)
        elif "weight_hh" in name:
            nn.init.orthogonal_(weights)
        elif "in_proj" in name:
            for part in weights.chunk(3):
                nn.init.xavier_uniform_(part)
        elif weights.ndim > 1:
            nn.init.xavier_uniform_(weights)
    for layer in net.modules():
        if isinstance(layer, nn.LSTM):
            # One bias of its two is trained, and the forget gate begins at 1.
            layer.bias_hh_l0.requires_grad_(False)
            nn.init.ones_(layer.bias_ih_l0.data[peers.UNITS : 2 * peers.UNITS])


def _dense(task):
    sides = itertools.pairwise((task.x.shape[1], *task.widths))
    hidden = [part for n, m in sides for part in (nn.Linear(n, m), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(task.widths[-1], 1), nn.Sigmoid())


def _convnet(task):
    _, rows, columns, channels = task.x.shape
    sides = itertools.pairwise((channels, peers.FILTERS, 2 * peers.FILTERS))
    layers = [
        part
        for n, m in sides
        for part in (nn.Conv2d(n, m, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    ]
    cells = rows // 4 * (columns // 4) * 2 * peers.FILTERS
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(cells, task.classes))


def _normed(channels):
    momentum = 1 - peers.NORM_MOMENTUM
    return nn.Sequential(
        nn.Conv2d(channels, peers.FILTERS, 3, padding=1, bias=False),
        nn.BatchNorm2d(peers.FILTERS, eps=peers.NORM_EPSILON, momentum=momentum),
    )


class _Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(_normed(peers.FILTERS), nn.ReLU(), _normed(peers.FILTERS))

    def forward(self, x):
        return torch.relu(x + self.inner(x))


def _resnet(task):
    return nn.Sequential(
        _normed(task.x.shape[-1]),
        nn.ReLU(),
        *(_Residual() for _ in range(peers.RESIDUAL_BLOCKS)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(peers.FILTERS, task.classes),
    )


class _Recurrent(nn.Module):
    def __init__(self, layer, task):
        super().__init__()
        self.layer = layer(task.x.shape[-1], peers.UNITS, batch_first=True)
        self.out = nn.Linear(peers.UNITS, task.classes)

    def forward(self, x):
        steps, _ = self.layer(x)
        return self.out(steps[:, -1])


def _lstm(task):
    return _Recurrent(nn.LSTM, task)


def _gru(task):
    return _Recurrent(nn.GRU, task)


class _Transformer(nn.Module):
    def __init__(self, task):
        super().__init__()
        self.into = nn.Linear(task.x.shape[-1], peers.WIDTH)
        self.register_buffer("places", torch.tensor(peers.sines(task.x.shape[1])))
        block = nn.TransformerEncoderLayer(
            peers.WIDTH,
            peers.HEADS,
            peers.INNER,
            dropout=0.0,
            layer_norm_eps=peers.NORM_EPSILON,
            batch_first=True,
            norm_first=True,
        )
        norm = nn.LayerNorm(peers.WIDTH, eps=peers.NORM_EPSILON)
        self.encoder = nn.TransformerEncoder(
            block, peers.ENCODER_BLOCKS, norm=norm, enable_nested_tensor=False
        )
        self.out = nn.Linear(peers.WIDTH, task.classes)

    def forward(self, x):
        return self.out(self.encoder(self.into(x) + self.places).mean(1))


def _transformer(task):
    return _Transformer(task)
