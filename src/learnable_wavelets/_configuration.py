"""Arguments that decide the function of a state but are not in its keys: saved as metadata, checked by loading."""

from __future__ import annotations

from typing import Any

from torch import nn


class ConfiguredModule(nn.Module):
    """A module that refuses the state of a module made with other arguments.

    The arguments named in `_CONFIGURATION` go into `state_dict()._metadata`, which keys, averages and soups do not see.
    A state without metadata loads by torch's own rules.
    """

    _CONFIGURATION: tuple[str, ...] = ()

    def _configuration(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._CONFIGURATION}

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        metadata = getattr(destination, "_metadata", None)
        if metadata is not None:
            metadata.setdefault(prefix[:-1], {}).update(self._configuration())

    def _load_from_state_dict(self, state_dict: Any, prefix: str, metadata: Any, *args: Any) -> None:
        different = {name: own for name, own in self._configuration().items() if metadata.get(name, own) != own}
        where, errors = f" of {prefix[:-1]}" if prefix else "", args[-1]
        for name, own in different.items():
            errors.append(f"`{name}`{where} is {own!r}, but the state was saved with {metadata[name]!r}.")
        if not different:
            super()._load_from_state_dict(state_dict, prefix, metadata, *args)
