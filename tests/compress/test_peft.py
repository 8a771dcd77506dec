"""The open features of PEFT, on models with compressed layers."""

import pytest
import torch

import learnable_wavelets as lw

from .models import perceptron

peft = pytest.importorskip("peft")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def converted():
    model = perceptron()
    lw.compress_(model, lw.Compression(wavelet="db2", taps=None), lambda module, name: name == "0")
    return model


def test_lora_on_dense_layers_and_compressed_ones_trained_whole(tmp_path):
    model, x = converted(), torch.randn(8, 64)
    base = converted()
    base.load_state_dict(model.state_dict())
    config = peft.LoraConfig(r=2, target_modules=["2"], modules_to_save=["0"])
    adapted = peft.get_peft_model(model, config)
    optimizer = torch.optim.Adam([p for p in adapted.parameters() if p.requires_grad], 1e-2)
    for _ in range(2):
        optimizer.zero_grad()
        (adapted(x).square().mean() + lw.wavelet_regularizer(adapted)).backward()
        optimizer.step()
    own = adapted.base_model.model[0].modules_to_save["default"]
    assert isinstance(own, lw.WaveletLinear)
    assert not torch.equal(own.diag_in, base[0].diag_in)
    adapted.save_pretrained(str(tmp_path))
    again = peft.PeftModel.from_pretrained(base, str(tmp_path))
    assert torch.allclose(again.eval()(x), adapted.eval()(x), atol=1e-6)
