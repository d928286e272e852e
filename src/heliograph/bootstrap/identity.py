"""Who this process is: its code and each variable of its configuration, as keyed fingerprints, and the store that it belongs to."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from heliograph.bootstrap import shared
from heliograph.bootstrap.settings import PREFIX, Settings
from heliograph.ports.runtime import Vault
from heliograph.services.releases import Identity

#: Where a process runs, how it logs and whom it tells its numbers makes it no other release.
OPERATIONAL = frozenset({"data", "host", "port", "log_format", "log_level", "release", "metrics", "metrics_token"})
#: In the data folder: the id of the store that belongs to it.
FILE = "installation"


@cache
def code() -> str:
    """The version and a digest of the installed sources: an edited file is another release."""
    digest = hashlib.sha256()
    for name, content in sorted(_sources(files("heliograph"), "")):
        digest.update(name.encode() + b"\0" + content)
    return f"{version('heliograph')}+{digest.hexdigest()[:8]}"


def _sources(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for item in folder.iterdir():
        if item.is_dir():
            found += _sources(item, f"{prefix}{item.name}/")
        elif item.name.endswith((".py", ".sql")):
            found.append((prefix + item.name, item.read_bytes()))
    return found


def variables(settings: Settings) -> dict[str, str]:
    """Every variable that is not at its default, by its full name. Values are secret."""
    found = {}
    for field in msgspec.structs.fields(Settings):
        value = getattr(settings, field.name)
        if field.name not in OPERATIONAL and field.name != shared.TABLE and value != field.default:
            found[PREFIX + field.name.upper()] = str(value)
    for name, fields in settings.credential.items():
        found |= {f"{shared.PREFIX}{name.upper()}__{field.upper()}": value for field, value in fields.items()}
    return found


def identify(given: Mapping[str, str], credentials: Mapping[str, str], *, code: str, vault: Vault) -> Identity:
    """The release that this code and these variables are. `credentials`: shared credential -> its version's fingerprint."""
    prints = {name: vault.fingerprint({name: value}) for name, value in sorted(given.items())}
    fingerprint = vault.fingerprint(prints)
    digest = hashlib.sha256(f"{code}|{fingerprint}".encode()).hexdigest()
    return Identity(f"rel_{digest[:12]}", code, fingerprint, prints, dict(credentials))


def belongs_to(data: Path) -> str:
    """The id of the store that this folder was last used with, "" where it is new."""
    try:
        return (data / FILE).read_text("ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def belong(data: Path, installation: str) -> None:
    """Note the store that this folder is used with, once."""
    if not belongs_to(data):
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data / FILE).write_text(f"{installation}\n", "ascii")
