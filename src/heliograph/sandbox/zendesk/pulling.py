"""Asks the integration services what is new, every two minutes on the sandbox's clock."""

import json

from heliograph.sandbox.errands import Answer
from heliograph.sandbox.wire import SECOND, Json
from heliograph.sandbox.zendesk import importing, shapes
from heliograph.sandbox.zendesk.center import Center
from heliograph.sandbox.zendesk.standing import deactivate
from heliograph.sandbox.zendesk.state import Instance


def schedule(center: Center, instance: Instance) -> None:
    """The next pull of an account, one interval from now."""
    manifest = instance.integration.manifest
    if not instance.active or manifest is None or "pull_url" not in manifest.urls:
        return
    at = instance.next_pull = center.now() + int(center.settings.pull_every * SECOND)
    center.errands.later(center.settings.pull_every, lambda: pull(center, instance) if instance.next_pull == at else None)


def pull(center: Center, instance: Instance) -> None:
    """Ask now, unless an earlier question is still open."""
    manifest = instance.integration.manifest
    if not instance.active or manifest is None or "pull_url" not in manifest.urls or instance.pulling:
        return
    instance.pulling = True
    request_id = center.ids.hex_token(32)
    done = lambda answer: _answered(center, instance, request_id, answer)  # noqa: E731
    center.post_form(
        "pull", manifest.urls["pull_url"], (("metadata", instance.metadata), ("state", instance.state)), done,
        timeout=center.settings.pull_timeout,
    )  # fmt: skip


def _answered(center: Center, instance: Instance, request_id: str, answer: Answer | None) -> None:
    instance.pulling = False
    error, repeated = _take(center, instance, request_id, answer)
    manifest = instance.integration.manifest
    if (error or repeated) and manifest and "pull_url" in manifest.urls:
        data: Json = {
            "integration_instance_name": instance.name, "url": manifest.urls["pull_url"], "request_id": request_id,
            "duplicate_external_ids": repeated,
        }  # fmt: skip
        center.emit(instance.integration, "pull_request", data, error)
    schedule(center, instance)


def _take(center: Center, instance: Instance, request_id: str, answer: Answer | None) -> tuple[str, list[Json]]:
    """What went wrong, and which resources were there already. Nothing of a bad answer is taken, and the state stays as it was."""
    if answer is None:
        return "network error", []
    if answer.code == 401:
        # Not documented which answers end an account; that one of them may is. [M]
        return _refused(center, instance), []
    if answer.code != 200:
        # 5xx is trouble that passes, and so is any other: the next pull asks again with the same state. [M]
        return f"answered {answer.code}", []
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return "the answer is not JSON", []
    wrong = shapes.pull_answer(value)
    if wrong:
        return "; ".join(wrong[:5]), []
    before = {item["external_id"]: instance.external.get(item["external_id"]) for item in value["external_resources"]}
    results = importing.take(center, instance, value["external_resources"], by="pull", request_id=request_id)
    failed = [r for r in results if r["status"]["code"] not in ("success", "already_imported")]
    if failed:
        # The state is kept, so that the same resources come again.
        return f"{failed[0]['status']['code']}: {failed[0]['external_resource_id']}", _repeats(results, before, request_id)
    instance.state = value.get("state", instance.state)
    if value.get("metadata_needs_update") and "metadata" in value:
        instance.metadata = value["metadata"]
    return "", _repeats(results, before, request_id)


def _refused(center: Center, instance: Instance) -> str:
    error = "The service refused the pull: 401"
    deactivate(center, instance, by="error", error=error)
    return error


def _repeats(results: list[Json], before: Json, request_id: str) -> list[Json]:
    found: list[Json] = []
    for result in results:
        known = before.get(result["external_resource_id"])
        if result["status"]["code"] == "already_imported":
            more = {"ticket_id": known.ticket, "comment_id": known.id} if known else {}
            found.append({"external_id": result["external_resource_id"], "request_id": request_id, **more})
    return found
