"""The help of every command fits a terminal of 80 columns; `python -m learnable_wavelets`; nearest names."""

import argparse
import re

import pytest
import torch

import learnable_wavelets as lw
from learnable_wavelets import __main__, cli
from learnable_wavelets.kernels import _backend


def parsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    found = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                found += parsers(child)
    return found


def test_help_fits_80_columns_and_breaks_no_option(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    found = parsers(cli.build_parser())
    assert len(found) > 8
    for parser in found:
        text = parser.format_help()
        assert max(map(len, text.splitlines())) <= 80, parser.prog
        for action in parser._actions:
            for option in action.option_strings:
                assert re.search(rf"(^|[ ,[]){option}($|[ ,\]\n])", text, re.MULTILINE), (parser.prog, option)


def test_the_report_names_version_back_ends_and_threads():
    lines = dict(re.split(r"  +", line, maxsplit=1) for line in __main__.report().splitlines())
    assert lines["learnable-wavelets"] == lw.__version__
    assert lines["torch"] == torch.__version__
    assert lines["back ends"] == ", ".join(lw.kernels.available_backends())
    assert lines["threads"] == str(torch.get_num_threads())
    assert ("no cpu" in lines) != ("cpu" in lw.kernels.available_backends())


def test_missing_kernels_warn_once_and_not_for_small_layers(monkeypatch):
    monkeypatch.setattr(_backend, "_warned", False)
    monkeypatch.setattr(_backend.BACKENDS["cpu"], "missing", lambda: "reason")
    _backend.warn_without_kernels(_backend.NOTICEABLE - 1)
    with pytest.warns(UserWarning, match=r"without its C kernels, several times slower \(reason\): install a wheel"):
        _backend.warn_without_kernels(_backend.NOTICEABLE)
    _backend.warn_without_kernels(_backend.NOTICEABLE)
