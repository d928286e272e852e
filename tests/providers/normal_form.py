"""Facts as plain JSON, to stand beside the payload that they were read from."""

import dataclasses
from collections.abc import Sequence
from enum import Enum
from typing import Any


def plain(value: Any) -> Any:
    """Dataclasses become objects that name their type and leave out what is at its default."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.default is dataclasses.MISSING or getattr(value, field.name) != field.default
        }
        return {"fact": type(value).__name__, **fields}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [plain(each) for each in value]
    return value
