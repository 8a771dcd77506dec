"""`lw.functional.fwht` and `wavedec` against the packages that have them, after a check that they do the same."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

import learnable_wavelets as lw

from . import _peers
from ._layers import COPY, Record, as_record
from ._measure import Call, Clock, measure
from ._statistics import ratio, spread

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
    """All that `--transforms` measures."""
    hadamard = [Case("fwht", count // n, n) for count in FWHT_ELEMENTS for n in FWHT_SIZES]
    return hadamard + [Case("wavedec", *WAVEDEC_SHAPE, *kind) for kind in WAVEDEC_KINDS]


def run(case: Case, device: torch.device, clock: Clock, seconds: float) -> list[Record]:
    """Measure one case; a record for each candidate, those that could not be measured with the reason as `status`."""
    x = torch.randn(case.batch, case.n, device=device)
    calls, why = _candidates(case, x)
    with torch.no_grad():
        times = measure(calls, clock, seconds)
    rows: list[Record] = []
    for name, samples in times.items():
        row = {**case._asdict(), "name": name, "status": "measured", "seconds": as_record(spread(samples))}
        row["rounds"], row["copies"] = len(samples), as_record(ratio(samples, times[COPY]))
        rows.append(row | {"over_ours": as_record(ratio(samples, times[OURS]))})
    return rows + [{**case._asdict(), "name": name, "status": reason} for name, reason in why.items()]


def _candidates(case: Case, x: Tensor) -> tuple[dict[str, Call], dict[str, str]]:
    """What can be timed, by name; and what cannot, with the reason."""
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
    """In words how the peer's answer differs from ours; `None` if it does not."""
    try:
        found = peer.read(_make(peer, module, case, x)())
    except Exception as error:  # another package's: told, and no reason to stop
        return f"fails: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    if found.shape != expected.shape:
        return f"differs from ours: shape {tuple(found.shape)}, ours {tuple(expected.shape)}"
    distance = float((found - expected).abs().max() / expected.abs().max())
    return f"differs from ours by {distance:.1e} of the largest entry" if not distance < TOLERANCE else None


def conventions() -> list[Record]:
    """Every peer with its version, or `None`, and what differs in its convention."""
    return [
        {"name": peer.label, "package": peer.package, "version": _peers.peer_version(peer), "note": peer.note}
        for peer in (*_peers.FWHT, *_peers.WAVEDEC)
    ]
