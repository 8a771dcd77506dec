"""Threads and tasks: whose back end it is, and memory that another thread rewrites."""

import asyncio
import threading

import pytest
import torch

from learnable_wavelets import Fastfood, WaveletLinear, functional
from learnable_wavelets.kernels import available_backends, use_backend
from learnable_wavelets.kernels._backend import forced_backend

from .cases import LAYOUTS, flat, sandwich_case

OPS = torch.ops.learnable_wavelets
BAD = "`permutation` must hold each of 0..m-1 once in every block"
needs_extension = pytest.mark.skipif("cpu" not in available_backends(), reason="the extension was not built")
OTHERS = [name for name in available_backends() if name != "triton"]


def in_thread(function):
    """Result of `function` in another thread."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function()), daemon=True)
    thread.start()
    thread.join()
    return found[0]


def test_a_thread_has_its_own():
    with use_backend("reference"):
        assert in_thread(forced_backend) is None
        assert forced_backend() == "reference"
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with use_backend("reference"):
            entered.set()
            leave.wait()

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    entered.wait()
    assert forced_backend() is None
    with use_backend(OTHERS[-1]):
        leave.set()
        thread.join()
        assert forced_backend() == OTHERS[-1]
    assert forced_backend() is None


def test_a_task_has_its_own():
    async def hold(name, seen):
        with use_backend(name):
            for _ in range(3):
                await asyncio.sleep(0)
                seen.append(forced_backend())
                functional.fwht(torch.ones(4))

    async def main():
        seen = {name: [] for name in OTHERS}
        outside = []
        tasks = [asyncio.create_task(hold(name, seen[name])) for name in OTHERS]
        for _ in range(3):
            await asyncio.sleep(0)
            outside.append(forced_backend())
        await asyncio.gather(*tasks)
        return seen, outside

    seen, outside = asyncio.run(main())
    assert seen == {name: [name] * 3 for name in OTHERS}
    assert outside == [None] * 3


def test_nested_and_left_by_an_exception():
    with use_backend("reference"):
        with pytest.raises(ZeroDivisionError), use_backend(OTHERS[-1]):
            1 / 0
        assert forced_backend() == "reference"
        with pytest.raises(ValueError, match="`name` must be one of"), use_backend("none"):
            pass
        assert forced_backend() == "reference"
    assert forced_backend() is None


@needs_extension
@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_backward_uses_the_back_end_of_its_forward(monkeypatch, kind, name):
    from learnable_wavelets.kernels import cpu

    calls, kernel = [], cpu.sandwich_backward
    monkeypatch.setattr(cpu, "sandwich_backward", lambda *args: calls.append(1) or kernel(*args))
    layer, x = kind(16, 16), torch.randn(2, 16)
    with use_backend(name):
        y = layer(x)
    with use_backend("cpu" if name == "reference" else "reference"):
        y.sum().backward()
    assert len(calls) == (name == "cpu")
    with use_backend(name):
        y = layer(x)
    in_thread(lambda: y.sum().backward())
    assert len(calls) == 2 * (name == "cpu")


def operands(mode, n=256):
    return list(flat(*sandwich_case(4, LAYOUTS["square"](n), mode, 2, 4, True, torch.float32)))


@needs_extension
@pytest.mark.parametrize("mode", ["hadamard", "periodization", "zero"])
@pytest.mark.parametrize("entry", [0, 10**12, -1, -(2**62)])
def test_a_permutation_rewritten_before_backward(mode, entry):
    made = operands(mode)
    made[0].requires_grad_()
    y = OPS.sandwich(*made)
    made[2].data.fill_(entry)  # no change that autograd would notice
    with pytest.raises(ValueError, match=BAD):
        y.sum().backward()


@needs_extension
@pytest.mark.slow
@pytest.mark.parametrize("mode", ["hadamard", "periodization"])
def test_a_permutation_rewritten_during_backward(mode):
    """Refused or served, but no read out of bounds: the kernel works on a checked copy."""
    made = operands(mode, 4096)
    made[0].requires_grad_()
    whole, stop = made[2].clone(), threading.Event()

    def rewrite():
        generator = torch.Generator().manual_seed(1)
        while not stop.is_set():
            made[2].data.random_(-(2**62), 2**62, generator=generator)
            made[2].data.copy_(whole)

    def step():
        try:
            OPS.sandwich(*made).sum().backward()
        except ValueError as error:
            return str(error)
        return "served"

    thread = threading.Thread(target=rewrite, daemon=True)
    thread.start()
    try:
        outcomes = {step() for _ in range(300)}
    finally:
        stop.set()
        thread.join()
    assert BAD in outcomes
    assert outcomes <= {BAD, "served"}
