"""`lw.functional.fwht` and `wavedec` against other packages, after a check that their results are equal."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

import learnable_wavelets as lw
from learnable_wavelets._output import Table
from learnable_wavelets.benchmarks._layers import COPY, Record
from learnable_wavelets.benchmarks._measure import Call, Clock, measure
from learnable_wavelets.benchmarks._plan import Part
from learnable_wavelets.benchmarks._plot import draw, panels_of
from learnable_wavelets.benchmarks._statistics import ratio, spread
from learnable_wavelets.benchmarks._tables import QUARTILES, timing

from . import _peers

FWHT_SIZES = tuple(2**k for k in range(4, 17))
FWHT_ELEMENTS = (2**18, 2**22)
WAVEDEC_SHAPE = (1024, 4096)
WAVEDEC_LEVEL = 6
WAVEDEC_KINDS = (("haar", "zero"), ("db6", "zero"), ("db6", "periodization"))
TOLERANCE = 1e-4  # of the largest entry, in float32
OURS = "ours"


class Case(NamedTuple):
    """One transform of one array; `wavelet` and `mode` are empty for `fwht`."""

    transform: str
    batch: int
    n: int
    wavelet: str = ""
    mode: str = ""


def cases() -> list[Case]:
    """List the cases of `--transforms`."""
    hadamard = [Case("fwht", count // n, n) for count in FWHT_ELEMENTS for n in FWHT_SIZES]
    return hadamard + [Case("wavedec", *WAVEDEC_SHAPE, *kind) for kind in WAVEDEC_KINDS]


def run(case: Case, device: torch.device, clock: Clock, seconds: float) -> list[Record]:
    """Measure one case; record each candidate, or the reason why it could not be measured as `status`."""
    x = torch.randn(case.batch, case.n, device=device)
    calls, why = _candidates(case, x)
    with torch.no_grad():
        times = measure(calls, clock, seconds)
    rows: list[Record] = []
    for name, samples in times.items():
        row = {**case._asdict(), "name": name, "status": "measured", "seconds": spread(samples)}
        row["rounds"], row["copies"] = len(samples), ratio(samples, times[COPY])
        rows.append(row | {"over_ours": ratio(samples, times[OURS])})
    return rows + [{**case._asdict(), "name": name, "status": reason} for name, reason in why.items()]


def _candidates(case: Case, x: Tensor) -> tuple[dict[str, Call], dict[str, str]]:
    """Return the calls to time, by name, and the reasons for those that are left out."""
    calls: dict[str, Call] = {COPY: x.clone, OURS: _ours(case, x)}
    expected, why = _packed(calls[OURS]()), {}
    for peer in _peers.FWHT if case.transform == "fwht" else _peers.WAVEDEC:
        module = _peers.load(peer, x.device)
        if isinstance(module, str):
            why[peer.label] = module
        elif case.mode and case.mode not in peer.modes:
            why[peer.label] = f"has no mode {case.mode}"
        elif error := _difference(peer, module, case, x, expected):
            why[peer.label] = error
        else:
            # The second call of an in-place transform has another input: zeros stay zeros, at the same speed.
            calls[peer.label] = _make(peer, module, case, torch.zeros_like(x) if "in place" in peer.label else x)
    return calls, why


def _ours(case: Case, x: Tensor) -> Call:
    if case.transform == "fwht":
        return lambda: lw.functional.fwht(x, normalized=False)
    return lambda: lw.functional.wavedec(x, case.wavelet, mode=case.mode, level=WAVEDEC_LEVEL)


def _make(peer: _peers.Peer, module: Any, case: Case, x: Tensor) -> Call:
    settings = (case.wavelet, case.mode, WAVEDEC_LEVEL) if case.transform == "wavedec" else ()
    return peer.make(module, x, *settings)


def _packed(answer: Any) -> Tensor:
    return torch.cat(answer, dim=-1) if isinstance(answer, list) else answer


def _difference(peer: _peers.Peer, module: Any, case: Case, x: Tensor, expected: Tensor) -> str | None:
    """Describe the difference between the peer's result and ours; `None` if there is none."""
    try:
        found = peer.read(_make(peer, module, case, x)())
    except Exception as error:  # another package's: reported, and no reason to stop
        return f"fails: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    if found.shape != expected.shape:
        return f"differs from ours: shape {tuple(found.shape)}, ours {tuple(expected.shape)}"
    distance = float((found - expected).abs().max() / expected.abs().max())
    return f"differs from ours by {distance:.1e} of the largest entry" if not distance < TOLERANCE else None


def conventions() -> list[Record]:
    """List every peer with its version, or `None`, and the differences in its convention."""
    return [
        {"name": peer.label, "package": peer.package, "version": _peers.peer_version(peer), "note": peer.note}
        for peer in (*_peers.FWHT, *_peers.WAVEDEC)
    ]


def tables(rows: list[Record]) -> list[Table]:
    found = [_table(rows, name) for name in dict.fromkeys(row["transform"] for row in rows)]
    cells = [(peer["name"], peer["package"], peer["note"]) for peer in conventions()]
    return [*found, Table(("name", "package", "how it differs"), cells, "The other packages", left=2)]


def _table(rows: list[Record], transform: str) -> Table:
    cells = []
    for row in rows:
        if row["transform"] == transform:
            what = f"{row['wavelet']}, {row['mode']}" if row["wavelet"] else f"{row['batch']} x {row['n']}"
            measured = timing(row, "over_ours") if row["status"] == "measured" else (row["status"], "", "")
            cells.append((what, row["name"], *measured))
    note = f"{QUARTILES} Above 1 in `it / ours`: ours is faster. Each result was compared with ours before."
    header, title = ("array", "by", "time", "it / ours", "/ clone"), "lw.functional.fwht, float32"
    if transform != "fwht":
        shape = next(f"{row['batch']} x {row['n']}" for row in rows if row["transform"] == transform)
        title = f"lw.functional.wavedec of {shape}, {WAVEDEC_LEVEL} levels, float32"
        header = ("wavelet, mode", *header[1:])
    return Table(header, cells, title, note, left=1)


def draw_fwht(folder: Path, rows: list[Record]) -> list[Path]:
    found = [row | {"elements": f"{row['batch'] * row['n']:,}"} for row in rows if row["transform"] == "fwht"]
    panels = panels_of(found, "name", ("elements",), "array of {} elements")
    return [draw(folder / "fwht.png", "Walsh-Hadamard transform: time over n", panels, 2)]


PART = Part(
    name="transforms",
    help="Also fwht and wavedec against other packages, where installed.",
    cases=lambda plan: cases(),
    label=lambda case: f"{case.transform} of {case.batch} x {case.n}",
    run=lambda case, plan, clock: run(case, plan.device, clock, plan.seconds),
    tables=tables,
    draw=draw_fwht,
    versions=lambda: {peer["package"]: peer["version"] for peer in conventions()},
)
