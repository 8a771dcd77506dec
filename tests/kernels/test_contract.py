"""One record, one table: every back end has the same functions, and every schema comes from the operands' names."""

import inspect

import pytest
import torch

from learnable_wavelets.kernels import _library, triton
from learnable_wavelets.kernels._backend import BACKENDS
from learnable_wavelets.kernels._flat_recurrent import SCHEMAS
from learnable_wavelets.kernels._sandwich import CONSTANTS, TENSORS, Sandwich, Transform
from learnable_wavelets.kernels._supports import Backend, PlaneBackend, RecurrentBackend, Supports


def functions_of(protocol):
    return [name for name, value in vars(protocol).items() if inspect.isfunction(value) and not name.startswith("_")]


FUNCTIONS, OPTIONAL = functions_of(Backend), functions_of(PlaneBackend)


def parameters(function):
    return [(p.name, p.annotation) for p in inspect.signature(function).parameters.values() if p.name != "self"]


def test_functions_of_a_back_end():
    assert sorted(FUNCTIONS + OPTIONAL) == sorted([*(_library.SCHEMAS.keys() - SCHEMAS.keys()), "missing"])


@pytest.mark.parametrize("name", BACKENDS)
def test_back_ends_agree(name):
    backend = BACKENDS[name]
    assert isinstance(backend.SUPPORTS, Supports)
    if (name == "cpu" and backend.missing()) or (name == "triton" and not triton.INSTALLED):
        pytest.skip("its functions are not there")
    for function in FUNCTIONS:
        assert parameters(getattr(backend, function)) == parameters(getattr(Backend, function)), function
    for function in OPTIONAL if backend.PLANES.dtypes else []:
        assert parameters(getattr(backend, function)) == parameters(getattr(PlaneBackend, function)), function
    for function in ("recurrent", "recurrent_backward") if name == "reference" or backend.RECURRENT.dtypes else ():
        assert parameters(getattr(backend, function)) == parameters(getattr(RecurrentBackend, function)), function


def test_an_unknown_function_of_triton():
    with pytest.raises(AttributeError, match=r"module 'learnable_wavelets.kernels.triton' has no attribute 'dct'"):
        triton.dct


@pytest.mark.parametrize(("name", "before", "after"), [("sandwich", 1, 0), ("sandwich_backward", 2, 1)])
def test_schemas_come_from_one_table(name, before, after):
    schema = _library.OPERATORS[name]._schema
    names = [a.name for a in schema.arguments]
    kinds = [str(a.type) for a in schema.arguments]
    stop = len(names) - after
    assert names[:stop] == [*["grad", "x"][2 - before :], *TENSORS, *CONSTANTS]
    written = {"Tensor": "Tensor", "Tensor?": "Optional[Tensor]", "int[]": "List[int]"}
    expected = [written.get(kind, kind) for kind in (*TENSORS.values(), *CONSTANTS.values())]
    assert kinds[before:stop] == expected


@pytest.mark.parametrize("name", SCHEMAS)
def test_recurrent_schemas_hold_the_operands_of_the_table(name):
    arguments = {a.name: str(a.type) for a in _library.OPERATORS[name]._schema.arguments}
    first = list(arguments).index("diag_in")
    assert list(arguments)[first : first + len(TENSORS) + len(CONSTANTS)] == [*TENSORS, *CONSTANTS]


def test_the_record_lists_what_the_tables_name():
    assert list(Sandwich._fields[:5]) == list(TENSORS)[:5]
    bank = tuple(torch.zeros(2) for _ in range(4))
    tensors = [torch.full((1,), float(i)) for i in range(5)]
    record = Sandwich(*tensors, Transform("wavelet", bank, "zero", 3), _library_layout(), 0.5)
    assert len(record.tensors()) == len(TENSORS)
    assert dict(zip(CONSTANTS, record.constants(), strict=True)) == {
        "transform": "wavelet", "mode": "zero", "level": 3, "layout": _library_layout(), "scale": 0.5,
    }  # fmt: skip
    assert Sandwich.from_flat((*record.tensors(), *record.constants())) == record


def _library_layout():
    from learnable_wavelets.kernels._layout import Layout

    return Layout(1, 1, 1, 1, False, True)
