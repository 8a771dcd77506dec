"""Hugging Face's transformers: `save_pretrained` and `from_pretrained` of converted models are the contract."""

import copy
import importlib
import json

import pytest
import torch
from torch import nn

import learnable_wavelets as lw

pytest.importorskip("transformers", minversion="5")

import transformers
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForSequenceClassification, BertModel, PretrainedConfig, PreTrainedModel

import learnable_wavelets.integrations.transformers as integration

from . import flow
from .models import FASTFOOD, MODELS, SHARED, STACK, WAVELET, make

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning")
IDS = torch.arange(16).reshape(2, 8)


@pytest.fixture(autouse=True)
def quiet():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def bert(kind=BertModel, **options):
    return kind(BertConfig(**{**MODELS["bert"].options, **options})).eval()


def scrambled(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def converted(config=WAVELET, kind=BertModel, filter_fn=None):
    model = bert(kind)
    lw.compress_(model, config, filter_fn)
    return scrambled(model)


def y(model):
    with torch.no_grad():
        return model(input_ids=IDS)[0]


def same(model, other):
    return torch.equal(y(model), y(other))


def configuration(folder):
    return json.loads((folder / "config.json").read_text()).get("quantization_config")


@pytest.mark.slow
def test_three_models_in_a_new_process(tmp_path):
    names = ["bert", "gpt2", "t5"]
    models = {name: flow.convert(MODELS[name]) for name in names}
    for name, model in models.items():
        flow.save_with_example(name, model, tmp_path)
    found = flow.load_in_a_new_process(names, tmp_path)
    assert all(found[name] <= 1e-6 for name in names), found
    for name, model in models.items():
        assert flow.merge(MODELS[name], model) <= 1e-5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::")
@pytest.mark.parametrize("name", ["bert", "gpt2", "t5"])
def test_merged_models_in_onnx_runtime(name, tmp_path):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    model = make(MODELS[name]).eval()
    lw.compress_(model, MODELS[name].config)
    lw.merge_(model)
    assert flow.export_to_onnx(MODELS[name], model, tmp_path / "model.onnx") <= 1e-5


@pytest.mark.parametrize("config", [WAVELET, STACK, SHARED, FASTFOOD], ids=["wavelet", "stack", "shared", "fastfood"])
def test_the_function_is_that_of_the_saved_model(config, tmp_path):
    model = converted(config)
    model.save_pretrained(tmp_path)
    (conversion,) = configuration(tmp_path)["conversions"]
    assert lw.Compression.from_dict(conversion["config"]) == config
    assert "encoder.layer.0.intermediate.dense" in conversion["layers"]
    other = transformers.AutoModel.from_pretrained(tmp_path)
    assert repr(other) == repr(model)
    assert same(model, other)
    assert [n for n, _ in other.named_parameters()] == [n for n, _ in model.named_parameters()]
    assert all(parameter.requires_grad for parameter in other.parameters())
    assert not any("weight" in vars(module) for module in other.modules())
    other.save_pretrained(tmp_path / "again")
    assert configuration(tmp_path / "again") == configuration(tmp_path)
    assert same(model, BertModel.from_pretrained(tmp_path / "again"))


def test_shards_dtype_and_a_device_map(tmp_path):
    pytest.importorskip("accelerate")
    model = converted(SHARED)
    model.save_pretrained(tmp_path, max_shard_size="20kB")
    assert len([*tmp_path.glob("model-*.safetensors")]) > 1
    assert same(model, BertModel.from_pretrained(tmp_path, device_map="auto"))
    half = BertModel.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in half.parameters()} == {torch.bfloat16}
    assert torch.allclose(y(half).float(), y(model), atol=0.1)
    assert half.float().half().dtype == torch.float16


class ToyConfig(PretrainedConfig):
    model_type = "toy"


class Toy(PreTrainedModel):
    """Two layers of this library share a filter, by hand."""

    config_class = ToyConfig
    _tied_weights_keys = {  # noqa: RUF012
        f"b.filter.{k}": f"a.filter.{k}" for k in ("dec_lo", "dec_hi", "rec_lo", "rec_hi")
    }

    def __init__(self, config):
        super().__init__(config)
        bank = lw.LearnableWaveletFilter("db2")
        self.a, self.b = (lw.WaveletLinear(16, 16, wavelet=bank) for _ in range(2))
        self.post_init()

    def forward(self, x):
        return self.b(self.a(x))


class Twice(PreTrainedModel):
    """One module in two places."""

    config_class = ToyConfig

    def __init__(self, config):
        super().__init__(config)
        self.a = nn.Linear(16, 16)
        self.b = nn.Sequential(self.a, nn.ReLU())
        self.post_init()

    def forward(self, x):
        return self.b(self.a(x))


def test_the_case_of_a_shared_filter_by_hand(tmp_path):
    model, x = Toy(ToyConfig()), torch.randn(3, 16)
    model.save_pretrained(tmp_path)
    assert torch.equal(Toy.from_pretrained(tmp_path)(x), model(x))


def test_a_module_in_two_places(tmp_path):
    model, x = Twice(ToyConfig()), torch.randn(3, 16)
    lw.compress_(model, FASTFOOD)
    scrambled(model).save_pretrained(tmp_path)
    other = Twice.from_pretrained(tmp_path)
    assert other.a is other.b[0]
    assert torch.equal(other(x), model(x))


def test_tied_embeddings_beside_a_shared_filter(tmp_path):
    model = make(MODELS["gpt2"]).eval()
    lw.compress_(model, SHARED)
    scrambled(model).tie_weights()
    model.resize_token_embeddings(100)
    model.save_pretrained(tmp_path)
    other = type(model).from_pretrained(tmp_path)
    assert same(other, model)
    assert other.lm_head.weight is other.transformer.wte.weight
    assert len({id(part) for part in other.modules() if isinstance(part, lw.WaveletFilter)}) == 1


def test_a_shared_filter_is_written_once_and_stays_one(tmp_path):
    model = converted(SHARED)
    model.save_pretrained(tmp_path)
    assert sum(name.endswith("dec_lo") for name in load_file(tmp_path / "model.safetensors")) == 1
    for other in (BertModel.from_pretrained(tmp_path), copy.deepcopy(model)):
        assert len({id(part) for part in other.modules() if isinstance(part, lw.WaveletFilter)}) == 1
        other.save_pretrained(tmp_path / "again")
        assert same(BertModel.from_pretrained(tmp_path / "again"), model)


def test_two_conversions_are_two_records(tmp_path):
    model = bert()
    lw.compress_(model, SHARED, lambda module, name: "attention" in name)
    lw.compress_(model, SHARED, lambda module, name: "intermediate" in name)
    lw.compress_(model, FASTFOOD, lambda module, name: "output" in name)
    scrambled(model).save_pretrained(tmp_path)
    assert [len(c["layers"]) for c in configuration(tmp_path)["conversions"]] == [8, 2, 2]
    other = BertModel.from_pretrained(tmp_path)
    assert len({id(part) for part in other.modules() if isinstance(part, lw.WaveletFilter)}) == 2
    assert same(model, other)


def test_another_head(tmp_path):
    model = converted(SHARED)
    model.save_pretrained(tmp_path)
    classifier = BertForSequenceClassification.from_pretrained(tmp_path)
    assert same(classifier.bert, model)
    assert torch.isfinite(classifier.classifier.weight).all()
    classifier.save_pretrained(tmp_path / "classifier")
    assert same(BertModel.from_pretrained(tmp_path / "classifier"), model)
    whole = BertForSequenceClassification.from_pretrained(tmp_path / "classifier")
    assert same(whole, classifier)


def test_the_encoder_alone_and_a_class_that_does_not_fit(tmp_path):
    model = make(MODELS["t5"]).eval()
    lw.compress_(model, SHARED)
    scrambled(model).save_pretrained(tmp_path)
    encoder = transformers.T5EncoderModel.from_pretrained(tmp_path)
    assert same(encoder, model.encoder)
    converted().save_pretrained(tmp_path / "bert")
    with pytest.raises(ValueError, match="`quantization_config` must name layers of GPT2Model, got none of them"):
        transformers.GPT2Model.from_pretrained(
            tmp_path / "bert", config=transformers.GPT2Config(
                **MODELS["gpt2"].options,
                quantization_config=json.loads((tmp_path / "bert" / "config.json").read_text())["quantization_config"],
            )
        )  # fmt: skip


def test_a_part_with_its_own_configuration(tmp_path):
    text, vision = MODELS["clip"].options, {**MODELS["vit"].options, "projection_dim": 32}
    vision.pop("vocab_size")
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=32)
    model = transformers.CLIPModel(config).eval()
    lw.compress_(model, SHARED)
    scrambled(model).save_pretrained(tmp_path)
    whole, part = (kind.from_pretrained(tmp_path) for kind in (transformers.CLIPModel, transformers.CLIPTextModel))
    assert same(part, whole.text_model)
    assert same(part, model.text_model)
    lw.merge_(model)
    model.save_pretrained(tmp_path / "merged")
    assert "quantization_config" not in (tmp_path / "merged" / "config.json").read_text()


def test_a_dense_checkpoint_is_converted_as_it_is_loaded(tmp_path):
    model = scrambled(bert())
    model.save_pretrained(tmp_path)
    wanted = integration.WaveletConfig(STACK)
    other = BertModel.from_pretrained(tmp_path, quantization_config=wanted)
    layer = other.encoder.layer[0].intermediate.dense
    assert type(layer) is lw.nn.Stack
    assert torch.equal(layer.bias, model.encoder.layer[0].intermediate.dense.bias)
    assert all(torch.equal(factor.diag_out.abs(), factor.diag_out.abs()[:1].expand(128)) for factor in layer.factors)
    assert lw.wavelet_regularizer(other) < 1e-9
    assert float(y(other).std()) == pytest.approx(1, abs=0.1)
    other.save_pretrained(tmp_path / "converted")
    assert same(BertModel.from_pretrained(tmp_path / "converted"), other)
    bert(num_hidden_layers=1).save_pretrained(tmp_path / "small")
    small = BertModel.from_pretrained(tmp_path / "small", quantization_config=wanted)
    assert len(small.config.quantization_config.conversions[0]["layers"]) < len(
        other.config.quantization_config.conversions[0]["layers"]
    )


@pytest.mark.parametrize("missing", ["diag_mid", "filter.dec_lo"])
def test_missing_parameters_are_started(missing, tmp_path):
    model = converted()
    model.save_pretrained(tmp_path)
    path, name = tmp_path / "model.safetensors", "encoder.layer.1.output.dense"
    state = load_file(path)
    del state[f"{name}.{missing}"]
    save_file(state, path, {"format": "pt"})
    layer = BertModel.from_pretrained(tmp_path).get_submodule(name)
    started = lw.WaveletLinear(128, 64)
    assert torch.equal(layer.get_parameter(missing), started.get_parameter(missing))
    assert torch.equal(layer.diag_in, model.get_parameter(f"{name}.diag_in"))


def test_merged_models_need_nothing_of_ours(tmp_path):
    model = converted(SHARED)
    before = y(model)
    lw.merge_(model, lambda module, name: "attention" in name)
    assert all("attention" not in name for c in model.config.quantization_config.conversions for name in c["layers"])
    lw.merge_(model)
    assert torch.allclose(y(model), before, atol=1e-5)
    assert not model.all_tied_weights_keys
    model.save_pretrained(tmp_path)
    assert configuration(tmp_path) is None
    assert torch.allclose(y(BertModel.from_pretrained(tmp_path)), before, atol=1e-5)


def test_lw_load_writes_the_configuration(tmp_path):
    model = converted(SHARED)
    lw.save(model, tmp_path / "model.safetensors")
    other = lw.load(bert(), tmp_path / "model.safetensors")
    other.save_pretrained(tmp_path / "hub")
    assert same(BertModel.from_pretrained(tmp_path / "hub"), model)


def test_a_part_of_another_module(tmp_path):
    whole = nn.ModuleDict({"text": bert(), "head": nn.Linear(64, 64)})
    lw.compress_(whole, WAVELET)
    scrambled(whole)["text"].save_pretrained(tmp_path)
    assert same(BertModel.from_pretrained(tmp_path), whole["text"])


@pytest.mark.slow
def test_the_trainer_trains_and_resumes(tmp_path):
    pytest.importorskip("accelerate")
    from transformers import Trainer, TrainingArguments

    converted(SHARED, BertForSequenceClassification).save_pretrained(tmp_path / "model")
    rows = [{"input_ids": IDS[0], "labels": 1}] * 8

    def train(steps, **options):
        model = BertForSequenceClassification.from_pretrained(tmp_path / "model")
        arguments = TrainingArguments(
            str(tmp_path / "run"), max_steps=steps, save_steps=2, report_to=[], use_cpu=True, disable_tqdm=True,
            logging_strategy="no", per_device_train_batch_size=2, seed=0, lr_scheduler_type="constant",
        )  # fmt: skip
        Trainer(model, arguments, train_dataset=rows).train(**options)
        return model

    straight = train(4)
    resumed = train(4, resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-2"))
    assert torch.allclose(y(straight.eval()), y(resumed.eval()), atol=1e-6)
    assert same(BertForSequenceClassification.from_pretrained(tmp_path / "run" / "checkpoint-4"), straight)


def test_importing_again_and_reloading(tmp_path):
    converted().save_pretrained(tmp_path)
    importlib.import_module(integration.__name__)
    importlib.reload(integration)
    assert type(BertModel.from_pretrained(tmp_path).encoder.layer[0].output.dense) is lw.WaveletLinear


BROKEN = {
    r"made by a newer version of learnable-wavelets \(format 2\)": lambda c: c.update(version=2, other=1),
    "must have fields of WaveletConfig, got 'other'": lambda c: c.update(other=1),
    "must have fields of Compression, got 'shape'": lambda c: c["conversions"][0]["config"].update(shape=1),
    "must have a dense layer 'encoder.nothing', which its configuration names": lambda c: c["conversions"][0][
        "layers"
    ].append("encoder.nothing"),
    "`conversions` must hold a `config` and `layers` each": lambda c: c["conversions"][0].pop("layers"),
    "got both or none": lambda c: c.pop("conversions"),
}


@pytest.mark.parametrize("message", BROKEN)
def test_broken_configurations_give_one_line(message, tmp_path):
    converted().save_pretrained(tmp_path)
    values = json.loads((tmp_path / "config.json").read_text())
    BROKEN[message](values["quantization_config"])
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match=message) as caught:
        BertModel.from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_dense_checkpoint_that_says_it_is_compressed(tmp_path):
    config = BertConfig(**MODELS["bert"].options)
    model, sibling = BertModel(config), BertModel(config)
    lw.compress_(model, WAVELET)
    sibling.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="the checkpoint must have the layers that its `quantization_config` names"):
        BertModel.from_pretrained(tmp_path)


def test_models_that_are_refused():
    model = bert()
    model.config.quantization_config = {"quant_method": "bitsandbytes"}
    before = repr(model)
    with pytest.raises(ValueError, match=r"`model` must not be quantised, got one with .* 'bitsandbytes'"):
        lw.compress_(model, WAVELET)
    assert repr(model) == before
    with pytest.raises(TypeError, match="`config` must be a Compression, got dict"):
        integration.WaveletConfig({})
