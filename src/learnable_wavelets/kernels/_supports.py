"""Declare which calls a back end serves."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Supports(NamedTuple):
    """Signal extension modes, dtypes and device types of a back end; no device types: all of them."""

    modes: tuple[str, ...]
    dtypes: tuple[torch.dtype, ...]
    devices: tuple[str, ...] = ()
