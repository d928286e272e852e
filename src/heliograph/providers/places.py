"""A place on its way out: as coordinates that are some, or as words where a provider knows no places."""

import math

from heliograph.domain.content import Location
from heliograph.ports.provider import Unsupported


def coordinates(place: Location) -> tuple[float, float]:
    """Latitude and longitude. Raises Unsupported where either is no finite number."""
    if not (math.isfinite(place.latitude) and math.isfinite(place.longitude)):
        raise Unsupported("a location needs coordinates")
    return place.latitude, place.longitude


def in_words(place: Location) -> str:
    """What the place is called, and a link to a map, each on a line (Google's "Maps URLs"). Raises Unsupported."""
    latitude, longitude = coordinates(place)
    link = f"https://www.google.com/maps/search/?api=1&query={latitude:.6f},{longitude:.6f}"
    return "\n".join(line for line in (place.name, place.address, link) if line.strip())
