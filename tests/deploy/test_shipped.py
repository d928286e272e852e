"""What deploy/ ships, judged by the programs that would read it: systemd, Kubernetes' own schemas, compose, and a linter of images."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import msgspec
import pytest
from compose_spec import PyCompose

SHIPPED = Path(__file__).parents[2] / "deploy"
KUBERNETES = ("1.30", "1.34")


def documents() -> list[dict[str, Any]]:
    """Every manifest, as kubectl puts them together where there is one, and otherwise as they are."""
    if shutil.which("kubectl"):
        made = subprocess.run(["kubectl", "kustomize", str(SHIPPED / "kubernetes")], capture_output=True, text=True, check=True)
        return _documents(made.stdout)
    files = [path for path in sorted((SHIPPED / "kubernetes").glob("*.yaml")) if path.name != "kustomization.yaml"]
    return [found for path in files for found in _documents(path.read_text())]


def _documents(text: str) -> list[dict[str, Any]]:
    return [msgspec.yaml.decode(part, type=dict[str, Any]) for part in re.split(r"(?m)^---$", text)]


@pytest.mark.parametrize("version", KUBERNETES)
def test_manifests_are_what_kubernetes_takes(version: str) -> None:
    for document in documents():
        kubernetes_validate.validate(document, version, strict=True)


def test_the_judge_of_manifests_refuses_what_is_not() -> None:
    wrong = next(each for each in documents() if each["kind"] == "Deployment")
    wrong["spec"]["strategy"]["rollingUpdate"]["maxUnavailabel"] = 0
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES[-1], strict=True)


def test_no_pod_ends_before_the_gate_has_spoken_and_pods_probe_what_they_should() -> None:
    [deployment] = [each for each in documents() if each["kind"] == "Deployment"]
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    probed = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert probed == {"startupProbe": "/startupz", "readinessProbe": "/readyz", "livenessProbe": "/livez"}
    [job] = [each for each in documents() if each["kind"] == "Job"]
    [gate] = job["spec"]["template"]["spec"]["containers"]
    # Only with the same image and the same settings is it the same release that it waits for.
    assert (gate["image"], gate["envFrom"]) == (container["image"], container["envFrom"])
    assert gate["args"][:2] == ["release", "wait"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_the_unit_is_what_systemd_takes(tmp_path: Path) -> None:
    shipped = (SHIPPED / "systemd" / "heliograph@.service").read_text()
    assert _verified(tmp_path, shipped) == ""
    # It tells of a name that it does not know, so silence above means something.
    assert "Unknown key" in _verified(tmp_path, shipped.replace("WatchdogSec", "WatchdogSecs"))


def _verified(folder: Path, unit: str) -> str:
    """What systemd has to say of the unit of one colour, on a machine on which the program is where this one is."""
    path = folder / "heliograph@blue.service"
    path.write_text(re.sub(r"(?m)^(ExecStart=)\S+", rf"\g<1>{sys.executable}", unit))
    told = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False)
    return "\n".join(line for line in told.stderr.splitlines() if "heliograph@" in line)


def test_the_compose_file_is_what_compose_takes() -> None:
    # Compose fills in variables first; the parser takes JSON, in which what YAML repeats is written out.
    filled = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (SHIPPED / "compose" / "compose.yaml").read_text())
    read = msgspec.yaml.decode(filled, type=dict[str, Any])
    made = PyCompose.from_json(json.dumps(read))
    made.validate()
    assert {"heliograph", "candidate", "gate", "database"} == set(made.service_names())
    read["services"]["heliograph"]["stop_grace_perod"] = "75s"
    with pytest.raises(ValueError, match="stop_grace_perod"):
        PyCompose.from_json(json.dumps(read))


def test_the_image_has_no_fault_that_a_linter_knows() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    told = subprocess.run([str(linter), str(SHIPPED / "Dockerfile")], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize("script", ["systemd/heliograph-deploy", "kubernetes/rollout.sh", "compose/deploy.sh"])
def test_scripts_are_shell(script: str) -> None:
    assert subprocess.run(["sh", "-n", str(SHIPPED / script)], check=False).returncode == 0
