"""Everything in the registry, each with its case: how the contract finds every provider."""

import importlib
from pathlib import Path

from heliograph.ports.provider import Inbound, Provider
from heliograph.providers.registry import PROVIDERS
from tests.providers.contract import Case


def case(name: str) -> Case:
    """The case of a registered provider. A provider without one fails here, so that none escapes."""
    found = importlib.import_module(f"tests.providers.cases_{name}").CASE
    assert isinstance(found, Case)
    return found


CASES: dict[str, Case] = {name: case(name) for name in PROVIDERS}
HOOKS: list[tuple[str, Path]] = [
    (name, path) for name in PROVIDERS for path in sorted((Path(__file__).parent / name / "hooks").glob("*.json"))
]


def offline(name: str) -> Provider:
    """The provider with no network at all: what it does offline is pure."""
    return PROVIDERS[name]({**CASES[name].config}, None)


def parse(name: str, body: bytes) -> list[Inbound]:
    """The facts of a webhook call with this body."""
    return offline(name).parse(CASES[name].signed(body, CASES[name].webhook_secrets[0]))
