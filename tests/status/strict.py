"""The shape that status clients read, written down from their documentation and types: unknown values make it fail, extra keys do not."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Id = Annotated[str, Meta(min_length=1)]
Name = Annotated[str, Meta(min_length=1)]
Url = Annotated[str, Meta(pattern="^https?://")]
Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
State = Literal["operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"]
Indicator = Literal["none", "minor", "major", "critical", "maintenance"]
Impact = Literal["none", "minor", "major", "critical"]
Phase = Literal["investigating", "identified", "monitoring", "resolved", "postmortem"]
Maintained = Literal["scheduled", "in_progress", "verifying", "completed"]


class Page(msgspec.Struct):
    id: Id
    name: Name
    url: Url
    time_zone: Name
    updated_at: Time


class Status(msgspec.Struct):
    indicator: Indicator
    description: Name


class Component(msgspec.Struct):
    id: Id
    name: Name
    status: State
    created_at: Time
    updated_at: Time
    position: Annotated[int, Meta(ge=1)]
    description: str | None
    showcase: bool
    start_date: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d$")] | None
    group_id: str | None
    page_id: Id
    group: bool
    only_show_if_degraded: bool


class Affected(msgspec.Struct):
    code: Id
    name: Name
    old_status: State
    new_status: State


class Update(msgspec.Struct):
    id: Id
    status: Phase
    body: Name
    incident_id: Id
    created_at: Time
    updated_at: Time
    display_at: Time
    affected_components: list[Affected] | None
    deliver_notifications: bool
    custom_tweet: str | None
    tweet_id: str | None


class Incident(msgspec.Struct):
    id: Id
    name: Name
    status: Phase
    created_at: Time
    updated_at: Time
    monitoring_at: Time | None
    resolved_at: Time | None
    impact: Impact
    shortlink: Url
    started_at: Time
    page_id: Id
    incident_updates: Annotated[list[Update], Meta(min_length=1)]
    components: list[Component]


class Maintenance(msgspec.Struct):
    id: Id
    name: Name
    status: Maintained
    scheduled_for: Time
    scheduled_until: Time


class StatusFile(msgspec.Struct):
    page: Page
    status: Status


class ComponentsFile(msgspec.Struct):
    page: Page
    components: list[Component]


class IncidentsFile(msgspec.Struct):
    page: Page
    incidents: list[Incident]


class MaintenancesFile(msgspec.Struct):
    page: Page
    scheduled_maintenances: list[Maintenance]


class Summary(msgspec.Struct):
    page: Page
    status: Status
    components: list[Component]
    incidents: list[Incident]
    scheduled_maintenances: list[Maintenance]


FILES: dict[str, type[msgspec.Struct]] = {
    "summary.json": Summary,
    "status.json": StatusFile,
    "components.json": ComponentsFile,
    "incidents.json": IncidentsFile,
    "incidents/unresolved.json": IncidentsFile,
    "scheduled-maintenances.json": MaintenancesFile,
    "scheduled-maintenances/active.json": MaintenancesFile,
    "scheduled-maintenances/upcoming.json": MaintenancesFile,
}


def moment(text: str) -> datetime:
    """A time of the shape."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
