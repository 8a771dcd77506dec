"""Ten models from configurations alone: small ones to run, and those of full size for the meta device."""

from typing import Any, NamedTuple

import torch
from torch import nn

import learnable_wavelets as lw

WAVELET = lw.Compression(wavelet="db2", taps=None, level=None)
STACK = lw.Compression(wavelet="db2", taps=None, level=None, depth=2, rank=1)
SHARED = lw.Compression(wavelet="db2", taps=None, level=None, shared_filter=True)
FASTFOOD = lw.Compression(layer="fastfood")


class Model(NamedTuple):
    library: str
    kind: str
    """The class, or the name that makes it."""
    options: dict[str, Any]
    """Those of the small model; without them it has its full size."""
    inputs: dict[str, tuple[int, ...]]
    """Sizes of random inputs; integers where the name has `ids`."""
    config: lw.Compression


IDS = {"input_ids": (2, 8)}
TEXT: dict[str, Any] = {"vocab_size": 96, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
WIDE = {**TEXT, "intermediate_size": 128}
IMAGE = {"image_size": 32, "patch_size": 8}
TIMM_VIT = {"img_size": 32, "num_classes": 10, "patch_size": 8, "embed_dim": 64, "depth": 2, "num_heads": 2}
MODELS = {
    "bert": Model("transformers", "BertModel", WIDE, IDS, SHARED),
    "gpt2": Model(
        "transformers", "GPT2LMHeadModel", {"vocab_size": 96, "n_embd": 64, "n_layer": 2, "n_head": 2}, IDS, STACK
    ),
    "llama": Model("transformers", "LlamaForCausalLM", WIDE, IDS, WAVELET),
    "vit": Model(
        "transformers", "ViTForImageClassification", {**WIDE, **IMAGE}, {"pixel_values": (2, 3, 32, 32)}, WAVELET
    ),
    "clip": Model("transformers", "CLIPTextModel", {**WIDE, "projection_dim": 32}, IDS, FASTFOOD),
    "whisper": Model(
        "transformers", "models.whisper.modeling_whisper.WhisperEncoder",
        {"d_model": 64, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 128,
         "max_source_positions": 50, "num_mel_bins": 16},
        {"input_features": (2, 16, 100)}, SHARED,
    ),
    "t5": Model(
        "transformers", "T5Model",
        {"vocab_size": 96, "d_model": 64, "d_kv": 32, "d_ff": 128, "num_layers": 2, "num_heads": 2},
        {**IDS, "decoder_input_ids": (2, 8)}, WAVELET,
    ),
    "timm vit": Model(
        "timm", "vit_base_patch16_224", TIMM_VIT, {"x": (2, 3, 32, 32)}, STACK
    ),
    "timm mixer": Model("timm", "mixer_s32_224", {"img_size": 64, "num_classes": 10}, {"x": (2, 3, 64, 64)}, WAVELET),
    "torch": Model(
        "torch", "Transformer",
        {"d_model": 64, "nhead": 2, "num_encoder_layers": 2, "num_decoder_layers": 2, "dim_feedforward": 128,
         "batch_first": True},
        {"src": (2, 8, 64), "tgt": (2, 8, 64)}, WAVELET,
    ),
}  # fmt: skip


def class_of(model: Model) -> Any:
    """The class of a model of transformers."""
    import transformers

    found: Any = transformers
    for part in model.kind.split("."):
        found = getattr(found, part)
    return found


def make(model: Model, full: bool = False) -> nn.Module:
    options = {} if full else model.options
    if model.library == "timm":
        import timm

        return timm.create_model(model.kind, pretrained=False, **options)
    if model.library == "torch":
        return nn.Transformer(**options)
    kind = class_of(model)
    return kind(kind.config_class(**options))


def inputs_of(model: Model) -> dict[str, torch.Tensor]:
    return {
        name: torch.randint(0, 96, size) if "ids" in name else torch.randn(size) for name, size in model.inputs.items()
    }


def loss_of(module: nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Reaches every layer: poolers have an output of their own."""
    result = module(**inputs)
    outputs = [result] if isinstance(result, torch.Tensor) else [r for r in result.values() if torch.is_tensor(r)]
    return torch.stack([output.square().mean() for output in outputs]).sum()


def output_of(module: nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    result = module(**inputs)
    return result if isinstance(result, torch.Tensor) else result[0]
