"""The public surface, the direction of imports, and what importing costs."""

import ast
import importlib
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import learnable_wavelets as lw

ROOT = Path(lw.__file__).parent
SURFACE = {
    "learnable_wavelets": [
        "BiorthogonalWaveletFilter", "Compression", "Fastfood", "FilterBank", "LearnableWaveletFilter",
        "OrthogonalWaveletFilter", "WaveletFilter", "WaveletLinear", "adapt_", "compress_", "disable_adapters",
        "distill_", "functional", "kernels", "load", "load_adapter", "merge_", "nn", "parameter_groups", "plan",
        "plotting", "save", "save_adapter", "wavelet_losses", "wavelet_regularizer",
    ],
    "learnable_wavelets.compress": [
        "Adaptation", "Compression", "Report", "adapt_", "compress_", "disable_adapters", "distill_", "load",
        "load_adapter", "merge_", "parameter_groups", "plan", "save", "save_adapter",
    ],
    "learnable_wavelets.functional": [
        "MODES", "PackedLayout", "PerLevel", "adjoint", "alias_cancellation_loss", "dwt", "dwt2", "dwtn", "fwht",
        "idwt", "idwt2", "idwtn", "inverse_wavelet_packet", "inverse_wavelet_packet2", "iswt", "iswt2", "iswtn",
        "orthogonality_loss", "pack", "perfect_reconstruction_loss", "swt", "swt2", "swtn", "unpack",
        "wavedec", "wavedec2", "wavedecn", "wavelet_packet", "wavelet_packet2", "waverec", "waverec2",
        "waverecn",
    ],
    "learnable_wavelets.filters": [
        "BiorthogonalWaveletFilter", "LearnableWaveletFilter", "OrthogonalWaveletFilter", "WaveletFilter",
    ],
    "learnable_wavelets.kernels": ["available_backends", "use_backend"],
    "learnable_wavelets.nn": [
        "DWT", "GRU", "IDWT", "ISWT", "LSTM", "SWT", "Adapter", "Coefficients", "Fastfood", "GRUCell", "LSTMCell",
        "SandwichLayer", "SoftThreshold", "Stack", "WaveletLinear", "WaveletLoss",
    ],
    "learnable_wavelets.plotting": [
        "add_filters", "plot_comparison", "plot_filters", "plot_frequency_response", "plot_scaling_and_wavelet",
        "scaling_and_wavelet",
    ],
}  # fmt: skip
# each may import from those before it
LAYERS = [
    "_checks",
    "_configuration",
    "kernels",
    "functional",
    "filters",
    "nn",
    "regularize",
    "plotting",
    "_output",
    "compress",
    "integrations",
    "_command_line",
    "converter",
    "benchmarks",
    "experiments",
    "cli",
]
CORE = LAYERS[:7]
RUNTIME = {"torch", "numpy", "pywt"}


@pytest.mark.parametrize("module", SURFACE)
def test_public_names(module):
    found = importlib.import_module(module)
    assert found.__all__ == SURFACE[module]
    assert all(hasattr(found, name) for name in found.__all__)


def test_no_public_name_is_left_out():
    for module in SURFACE:
        found = importlib.import_module(module)
        if not hasattr(found, "__path__"):
            continue  # a file has its imports; a package re-exports and nothing else
        submodules = {path.stem for path in Path(found.__file__).parent.iterdir()}
        loose = {name for name in vars(found) if not name.startswith("_")} - set(found.__all__) - submodules
        assert not loose, module


def test_public_names_are_documented():
    for module in SURFACE:
        found = importlib.import_module(module)
        assert found.__doc__
        assert all(getattr(found, name).__doc__ for name in found.__all__)


def imported(path: Path) -> set[str]:
    """First part, below the package, of every relative import of a file; absolute ones as they stand."""
    package = path.relative_to(ROOT.parent).parent.parts
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            target = (*base, *(node.module.split(".") if node.module else ()))
            names |= {".".join((*target, alias.name)) for alias in node.names}
    return names


def within(name: str) -> list[Path]:
    folder = ROOT / name
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [p for p in [ROOT / f"{name}.py"] if p.exists()]


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_one_way(layer):
    later = set(LAYERS[LAYERS.index(layer) + 1 :])
    for path in within(layer):
        own = {name.split(".")[1] for name in imported(path) if name.startswith("learnable_wavelets.")}
        assert not own & later, path


def test_every_part_of_the_package_has_a_layer():
    parts = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert parts - {"__init__", "__main__", "__pycache__"} <= set(LAYERS)


@pytest.mark.parametrize("layer", CORE)
def test_the_core_needs_torch_numpy_and_pywavelets_alone(layer):
    allowed = RUNTIME | {"learnable_wavelets"} | set(sys.stdlib_module_names)
    for path in within(layer):
        if "kernels/triton" not in path.as_posix():
            assert {name.split(".")[0] for name in imported(path)} <= allowed, path


def test_import_is_cheap():
    heavy = "{'matplotlib', 'triton', 'typer', 'rich', 'pooch', 'scipy', 'learnable_wavelets.experiments'}"
    # torch itself may bring some of them along: what counts is what we add
    code = f"import sys, torch, numpy, pywt; had = set(sys.modules); import learnable_wavelets; " \
        f"print(sorted({heavy} & (set(sys.modules) - had)))"  # fmt: skip
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_version_is_told_once():
    assert lw.__version__.count(".") == 2
    try:
        installed = version("learnable-wavelets")
    except PackageNotFoundError:
        pytest.skip("run from the source tree, without being installed")
    assert installed == lw.__version__


def test_the_citation_is_of_this_version():
    citation = ROOT.parent.parent / "CITATION.cff"
    if not citation.exists():
        pytest.skip("run without the source tree")
    assert f"\nversion: {lw.__version__}\n" in citation.read_text()


def test_package_is_typed():
    assert (ROOT / "py.typed").exists()
