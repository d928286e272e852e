"""What an operator may do about master keys from the command line."""

import msgspec

from heliograph.bootstrap.application import Application
from heliograph.services import rotation
from heliograph.services.context import Invalid


class RotateKeys(msgspec.Struct, forbid_unknown_fields=True):
    """Seal everything with the key of this name: the first one that the command was given."""

    key: str


async def rotate(application: Application, wanted: RotateKeys) -> dict[str, object]:
    """Raises Invalid where the process that writes seals with another key."""
    vault = application.context.channels.vault
    if wanted.key != vault.key_id:
        raise Invalid(
            f"The Heliograph that runs here seals with key {vault.key_id}, and this command was given {wanted.key}. Start it with the new "
            "key first, and the present one in HELIOGRAPH_MASTER_KEY_OLD."
        )
    turned = await rotation.rotate(application.context)
    return {"key": vault.key_id, "resealed": turned.resealed, "unopened": turned.broken}
