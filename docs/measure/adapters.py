"""Adapters beside those of PEFT: time and memory of a step, and accuracy on a small task.

    pip install peft
    python docs/measure/adapters.py speed
    python docs/measure/adapters.py accuracy [FOLDER with the MNIST files]

Speed: feed-forward blocks 768-3072-768, 512 rows, forward and backward, float32, one thread, interleaved rounds;
medians of the ratio to LoRA of rank 8 in the same round. Accuracy: a perceptron 784-784-784-10 trained on upright
digits, adapted to digits turned by a quarter with 6,000 images and 5 epochs; the rate of each method is chosen on 1,000
other images with seed 0, the test error is over three seeds.
"""

import statistics
import sys
import time
import warnings

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

import learnable_wavelets as lw
from learnable_wavelets.experiments.tasks import Images, load_mnist

warnings.filterwarnings("ignore")
ROWS, ROUNDS = 512, 12


def peft_model(config):
    def adapt(model, names):
        import peft

        return peft.get_peft_model(model, getattr(peft, config["kind"])(target_modules=names, **config["options"]))

    return adapt


def ours(**fields):
    def adapt(model, names):
        lw.adapt_(model, lw.Compression(**fields), lambda module, name: name in names)
        return model

    return adapt


METHODS = {
    "LoRA, rank 8": peft_model({"kind": "LoraConfig", "options": {"r": 8, "lora_alpha": 8}}),
    "LoRA, rank 2": peft_model({"kind": "LoraConfig", "options": {"r": 2, "lora_alpha": 2}}),
    "FourierFT, 2,000": peft_model({"kind": "FourierFTConfig", "options": {"n_frequency": 2000, "scaling": 100.0}}),
    "WaveFT, 2,000": peft_model({"kind": "WaveFTConfig", "options": {"n_frequency": 2000, "scaling": 10.0}}),
    "wavelet, db2": ours(wavelet="db2", taps=None, level=None),
    "wavelet, 64 taps": ours(wavelet="haar", taps=64, level=1),
    "Fastfood": ours(layer="fastfood"),
    "stack of 2, db2": ours(wavelet="db2", taps=None, level=None, depth=2),
}


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(768, 3072), nn.Linear(3072, 768)

    def forward(self, x):
        return x + self.down(nn.functional.gelu(self.up(x)))


def trainable(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def saved_bytes(model, x):
    """Bytes of activations that the backward pass keeps, each storage once; parameters are left out."""
    own, kept = {p.data_ptr() for p in model.parameters()}, {}

    def pack(tensor):
        if tensor.data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        model(x).sum().backward()
    return sum(kept.values())


def speed():
    torch.manual_seed(0)
    x = torch.randn(ROWS, 768, requires_grad=True)
    models = {name: adapt(nn.Sequential(Block()), ["0.up", "0.down"]) for name, adapt in METHODS.items()}
    times = {name: [] for name in models}
    for _ in range(ROUNDS):
        for name, model in models.items():
            start = time.perf_counter()
            model(x).square().mean().backward()
            times[name].append(time.perf_counter() - start)
    print("| adapter | parameters | step, times LoRA's | activations kept, MiB |\n|---|--:|--:|--:|")
    for name, model in models.items():
        ratios = [one / other for one, other in zip(times[name][2:], times["LoRA, rank 8"][2:], strict=True)]
        kept = saved_bytes(model, x) / 2**20
        print(f"| {name} | {trainable(model):,} | {statistics.median(ratios):.2f} | {kept:.1f} |", flush=True)


def perceptron():
    return nn.Sequential(nn.Linear(784, 784), nn.ReLU(), nn.Linear(784, 784), nn.ReLU(), nn.Linear(784, 10))


def train(model, x, y, epochs, rate, seed):
    torch.manual_seed(seed)
    steps = epochs * (len(x) // 128)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for _ in range(epochs):
        for index in torch.randperm(len(x)).split(128)[: len(x) // 128]:
            loss = nn.functional.cross_entropy(model(x[index]), y[index]) + lw.wavelet_regularizer(model)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model


@torch.no_grad()
def error(model, x, y):
    return 100 * float((model.eval()(x).argmax(-1) != y).float().mean())


RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


def accuracy():
    task = Images(load_mnist(), lambda images: images.flatten(1), 128, 0, torch.device("cpu"))
    torch.manual_seed(0)
    dense = train(perceptron(), *task.train, 3, 1e-3, 0).state_dict()

    def turned(images):
        return images.view(-1, 28, 28).rot90(1, (1, 2)).reshape(-1, 784)

    (x, y), (tx, ty) = task.train, task.test
    x, tx = turned(x), turned(tx)
    few, held = slice(0, 6000), slice(6000, 7000)
    start = perceptron()
    start.load_state_dict(dense)
    print(f"upright {error(start, task.test[0], ty):.2f} %, turned before adapting {error(start, tx, ty):.2f} %")
    print("| adapter | parameters | rate | test error, % |\n|---|--:|--:|--:|")
    methods = {**METHODS, "all weights": lambda model, names: model}
    for name, adapt in methods.items():

        def run(rate, seed, adapt=adapt):
            torch.manual_seed(seed)
            model = perceptron()
            model.load_state_dict(dense)
            return train(adapt(model, ["0", "2"]), x[few], y[few], 5, rate, seed)

        rates = RATES if name != "all weights" else (1e-4, 3e-4, 1e-3)
        rate = min(rates, key=lambda rate, run=run: error(run(rate, 0), x[held], y[held]))
        found = [run(rate, seed) for seed in range(3)]
        errors = [error(model, tx, ty) for model in found]
        spread = f"{statistics.fmean(errors):.2f} ± {statistics.stdev(errors):.2f}"
        print(f"| {name} | {trainable(found[0]):,} | {rate:g} | {spread} |", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"speed": speed, "accuracy": accuracy}[sys.argv[1]]()
