"""`wavedec2`, `swt` and `WaveletLoss` against other packages, memory among it, after a check of their results."""

import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, NamedTuple

import pywt
import torch
from torch import Tensor

import learnable_wavelets as lw
from learnable_wavelets._output import Table
from learnable_wavelets.benchmarks._layers import COPY, Record
from learnable_wavelets.benchmarks._measure import Call, Clock, measure
from learnable_wavelets.benchmarks._plan import Part, Plan
from learnable_wavelets.benchmarks._statistics import ratio, spread
from learnable_wavelets.benchmarks._tables import QUARTILES, digits, timing

from .memory import peak_bytes

IMAGES, SIGNALS, LEVELS = (4, 1024, 1024), (64, 65_536), {"wavedec2": 3, "swt": 4, "WaveletLoss": 4}
OURS, TOLERANCE = "ours", 1e-4  # of the largest entry, in float32
WRITE = "writing the bands"
KINDS = (
    ("wavedec2", "haar", "periodization"), ("wavedec2", "haar", "symmetric"), ("wavedec2", "bior4.4", "periodization"),
    ("wavedec2", "bior4.4", "symmetric"), ("swt", "db4", ""), ("WaveletLoss", "db4", "swt"),
)  # fmt: skip
NOTES = {
    "pywt": "one thread",
    "pytorch_wavelets": "bands fine to coarse",
    "ours, gradients": "forward and the gradients of data and filters",
    "ours, reused": "in batches of four rows, whose memory the allocator gives out again",
    "pywt, reused": "the same batches",
    "ptwt, periodic": "another mode, not compared",
    WRITE: "as many new bands, filled with a number",
}


class Case(NamedTuple):
    """One transform of one array; `mode` is empty for `swt`."""

    transform: str
    wavelet: str
    mode: str


def _flat(coeffs: Any) -> Iterator[Tensor]:
    """Yield the bands of a structure of lists and tuples, in order."""
    if isinstance(coeffs, (list, tuple)):
        for entry in coeffs:
            yield from _flat(entry)
    else:
        yield torch.as_tensor(coeffs)


def _module(name: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not in our users' hands
            return import_module(name)
    except Exception:  # absent, or it fails to import, which must not stop the others
        return None


def _wavedec2(case: Case, x: Tensor) -> tuple[dict[str, Call], list[str]]:
    """Return the calls by name, and the names of those whose results are equal to ours."""
    level, wavelet = LEVELS["wavedec2"], pywt.Wavelet(case.wavelet)
    leaf = x.clone().requires_grad_()
    bank = lw.FilterBank(*[f.requires_grad_() for f in lw.FilterBank.from_wavelet(case.wavelet)])
    wanted = [leaf, bank.dec_lo, bank.dec_hi]
    grads = [torch.randn_like(c) for c in _flat(lw.functional.wavedec2(x, case.wavelet, case.mode, level))]

    def gradients() -> Any:
        return torch.autograd.grad([*_flat(lw.functional.wavedec2(leaf, bank, case.mode, level))], wanted, grads)

    calls: dict[str, Call] = {
        OURS: lambda: lw.functional.wavedec2(x, case.wavelet, case.mode, level),
        "ours, gradients": gradients,
        "pywt": lambda: pywt.wavedec2(x.numpy(), wavelet, case.mode, level),
    }
    same = ["pywt"]
    if ptwt := _module("ptwt"):
        named = case.mode != "periodization"  # which it has not: its mode periodic is another, and not compared
        mode = case.mode if named else "periodic"
        calls["ptwt" if named else "ptwt, periodic"] = lambda: ptwt.wavedec2(x, wavelet, mode=mode, level=level)
        same += ["ptwt"] if named else []
    if peer := _module("pytorch_wavelets"):
        transform = peer.DWTForward(J=level, wave=case.wavelet, mode=case.mode)
        calls["pytorch_wavelets"] = lambda: transform(x.unsqueeze(1))
    return calls, same


def _swt(case: Case, x: Tensor) -> tuple[dict[str, Call], list[str]]:
    level, wavelet, batches = LEVELS["swt"], pywt.Wavelet(case.wavelet), x.split(4)
    calls: dict[str, Call] = {
        OURS: lambda: lw.functional.swt(x, case.wavelet, level),
        "pywt": lambda: pywt.swt(x.numpy(), wavelet, level),
        WRITE: lambda: x.new_empty(2 * level, *x.shape).fill_(1),
        "ours, reused": lambda: [lw.functional.swt(b, case.wavelet, level) for b in batches][:0],
        "pywt, reused": lambda: [pywt.swt(b.numpy(), wavelet, level) for b in batches][:0],
    }
    if ptwt := _module("ptwt"):
        calls["ptwt"] = lambda: ptwt.swt(x, wavelet, level)
    return calls, ["pywt"]


def _loss(case: Case, x: Tensor) -> tuple[dict[str, Call], list[str]]:
    level, leaf, target = LEVELS["WaveletLoss"], x.clone().requires_grad_(), torch.randn_like(x)
    loss = lw.nn.WaveletLoss(case.wavelet, level, transform=case.mode, dims=1)
    calls: dict[str, Call] = {OURS: lambda: torch.autograd.grad(loss(leaf, target), leaf)}
    if ptwt := _module("ptwt"):
        wavelet = pywt.Wavelet(case.wavelet)

        def theirs() -> Any:
            value: Any = sum(band.abs().mean() for band in ptwt.swt(leaf - target, wavelet, level))
            return torch.autograd.grad(value, leaf)

        calls["ptwt"] = theirs
    return calls, []  # theirs is not normalised


MAKERS: dict[str, Callable[[Case, Tensor], tuple[dict[str, Call], list[str]]]] = {
    "wavedec2": _wavedec2, "swt": _swt, "WaveletLoss": _loss,
}  # fmt: skip


def run(case: Case, plan: Plan, clock: Clock) -> list[Record]:
    """Measure one case, its candidates in turns; peaks of the losses, in copies of one input."""
    x = torch.randn(IMAGES if case.transform == "wavedec2" else SIGNALS)
    calls, same = MAKERS[case.transform](case, x)
    ours = [*_flat(calls[OURS]())]
    status = {name: _difference(ours, [*_flat(calls[name]())]) for name in same}
    calls[COPY] = x.clone
    times = measure(calls, clock, plan.seconds)
    rows: list[Record] = []
    for name, samples in times.items():
        row = {**case._asdict(), "name": name, "status": status.get(name, "measured"), "seconds": spread(samples)}
        row |= {"rounds": len(samples), "copies": ratio(samples, times[COPY]), "over_ours": ratio(samples, times[OURS])}
        if case.transform == "WaveletLoss" and name != COPY:
            row["peak"] = peak_bytes(calls[name], x.device) / (x.numel() * x.element_size())
        rows.append(row)
    return rows


def _difference(ours: list[Tensor], theirs: list[Tensor]) -> str:
    """Return `measured`, or how far a result is from ours."""
    for a, b in zip(ours, theirs, strict=True):
        distance = float((a - b).abs().max() / a.abs().max())
        if not distance < TOLERANCE:
            return f"differs from ours by {distance:.1e} of the largest entry"
    return "measured"


def tables(rows: list[Record]) -> list[Table]:
    header = ("transform", "wavelet, mode", "by", "time", "it / ours", "/ clone", "peak in copies", "note")
    cells = [
        (row["transform"], f"{row['wavelet']} {row['mode']}".strip(), row["name"], *timing(row, "over_ours"),
         digits(row["peak"]) if "peak" in row else "", row["status"].replace("measured", NOTES.get(row["name"], "")))
        for row in rows
    ]  # fmt: skip
    shapes = f"wavedec2 of {' x '.join(map(str, IMAGES))}, the others of {' x '.join(map(str, SIGNALS))}"
    levels = ", ".join(f"{name} {level} levels" for name, level in LEVELS.items())
    return [Table(header, cells, f"Images and stationary transforms: {shapes}, float32; {levels}", QUARTILES, left=3)]


PART = Part(
    name="images",
    help="Also wavedec2, swt and WaveletLoss against other packages, where installed; on the CPU.",
    cases=lambda plan: [Case(*kind) for kind in KINDS],
    label=lambda case: " ".join(case),
    run=run,
    tables=tables,
)
