"""Makes webhook bodies that are nearly right out of recorded ones."""

import copy
import json
import random
from typing import Any

from tests.providers.under_contract import CASES, HOOKS

#: What stands where something else belongs.
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 10**30, 1e308, 0.1, -(10**18)),
    *("", " ", "x" * 300, "\x00", "a\x00b", "\ud800", "٣", "\u202e", "null", "2026-13-45T99:99:99Z", "1e999"),
    *([], [[]], {}, [None], {"id": {}}),
)

RECORDED: dict[str, list[Any]] = {}
for _name, _path in HOOKS:
    RECORDED.setdefault(_name, []).append(json.loads(_path.read_text(encoding="utf-8"))["body"])


def body(name: str, chance: random.Random) -> bytes:
    """One body of a provider's: as recorded but new, with values replaced or gone, cut, doubled, or with broken bytes."""
    value = _renewed(copy.deepcopy(chance.choice(RECORDED[name])), chance)
    kind = chance.random()
    if kind < 0.2:
        return CASES[name].encode(value)
    if kind < 0.8:
        for _ in range(chance.randint(1, 4)):
            value = _planted(value, chance)
        return CASES[name].encode(value)
    raw = bytearray(CASES[name].encode(value))
    if kind < 0.95:
        for _ in range(chance.randint(1, 6)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        return bytes(raw)
    return bytes(raw[: chance.randrange(len(raw) + 1)]) if kind < 0.98 else bytes(raw) * 2


def _renewed(value: Any, chance: random.Random) -> Any:
    """Long strings and numbers, which may be ids, are others: as if somebody else had sent it."""
    if isinstance(value, dict):
        return {key: _renewed(each, chance) for key, each in value.items()}
    if isinstance(value, list):
        return [_renewed(each, chance) for each in value]
    if isinstance(value, str) and len(value) > 12 and chance.random() < 0.7 and not value.startswith("http"):
        return value[:-6] + f"{chance.randrange(10**6):06d}"
    if type(value) is int and value > 10**5 and chance.random() < 0.7:
        return value + chance.randrange(10**4)
    return value


def _planted(value: Any, chance: random.Random) -> Any:
    """The same with something odd at one place, or without what was there."""
    if isinstance(value, dict) and value and chance.random() < 0.97:
        key = chance.choice(list(value))
        if chance.random() < 0.15:
            del value[key]
        else:
            value[key] = _planted(value[key], chance)
        return value
    if isinstance(value, list) and value and chance.random() < 0.97:
        index = chance.randrange(len(value))
        value[index] = _planted(value[index], chance)
        return value
    return copy.deepcopy(chance.choice(ODD))
