"""What the public status page of a running Heliograph speaks through."""

from heliograph.bootstrap.application import Application
from heliograph.services.outlets import Outlets


def outlets(application: Application) -> Outlets:
    """As the operator has set them."""
    outside = application.outside
    return Outlets(
        vault=application.context.channels.vault, titles={name: spec.title for name, spec in application.specs.items()},
        name=outside.ways.status_name, url=outside.ways.url, mail=outside.mail, announce=outside.rooms,
        targets=outside.ways.announcements,
    )  # fmt: skip
