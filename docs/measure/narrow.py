"""A wavelet layer as the only layer, 784 pixels to 10 digits, against `nn.Linear`: full MNIST, Adam, 2 epochs.

Run it with the full set in a folder that the environment variable `LEARNABLE_WAVELETS_DATA` names.
"""

import torch
from torch import nn

import learnable_wavelets as lw
from learnable_wavelets.experiments.tasks import load_mnist

EPOCHS, BATCH = 2, 64


def vectors(images, labels):
    pixels = torch.from_numpy(images.astype("float32")).flatten(1) / 255
    return pixels, torch.from_numpy(labels.astype("int64"))


def wavelet_layer(n_in, n_out):
    return lw.WaveletLinear(n_in, n_out, lr_multiplier=1.0)


def test_error(make, rate, seed, train, test):
    torch.manual_seed(seed)
    layer = make(784, 10)
    optimizer = torch.optim.Adam(layer.parameters(), lr=rate)
    for _ in range(EPOCHS):
        for index in torch.randperm(len(train[1])).split(BATCH):
            loss = nn.functional.cross_entropy(layer(train[0][index]), train[1][index])
            optimizer.zero_grad()
            (loss + lw.wavelet_regularizer(layer)).backward()
            optimizer.step()
    with torch.no_grad():
        return 100 * (layer(test[0]).argmax(-1) != test[1]).float().mean().item()


def main():
    data = load_mnist("full")
    train, test = vectors(data.train_images, data.train_labels), vectors(data.test_images, data.test_labels)
    print("| layer | rate | test error, %, two seeds |\n|---|--:|--:|")
    for make in (nn.Linear, wavelet_layer):
        for rate in (1e-3, 1e-2):
            errors = [f"{test_error(make, rate, seed, train, test):.1f}" for seed in (0, 1)]
            print(f"| {'nn.Linear' if make is nn.Linear else 'WaveletLinear'} | {rate} | {', '.join(errors)} |")


if __name__ == "__main__":
    main()
