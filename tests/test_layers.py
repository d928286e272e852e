"""Each import contract catches the import that it is there to forbid."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from heliograph.providers.registry import PROVIDERS
from tests.architecture import ROOT

LAYERS = (
    "cli", "drill", "web", "worker", "services", "providers", "desks", "storage", "sandbox", "announce", "projections", "ports", "domain",
)  # fmt: skip


def lint(folder: Path, planted: dict[str, str]) -> str:
    """Run the project's contracts over an empty Heliograph with `planted` modules (path below the package -> text)."""
    package = folder / "heliograph"
    files = {"__init__.py": "", "bootstrap.py": "", **{f"{layer}/__init__.py": "" for layer in LAYERS}}
    files |= {f"providers/{provider}.py": "" for provider in PROVIDERS} | planted
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text, encoding="utf-8")
    (folder / ".importlinter").write_text((ROOT / ".importlinter").read_text(encoding="utf-8"), encoding="utf-8")
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return f"{done.returncode}\n{done.stdout}{done.stderr}"


def test_the_bare_frame_keeps_all_contracts(tmp_path: Path) -> None:
    report = lint(tmp_path, {"bootstrap.py": "import heliograph.storage\nimport heliograph.providers.telegram\n"})
    assert report.startswith("0\n"), report
    assert "0 broken" in report


def test_every_provider_is_held_apart_from_the_others() -> None:
    contract = (ROOT / ".importlinter").read_text(encoding="utf-8").partition("A provider knows no other provider")[2]
    held = set(contract.partition("[importlinter:")[0].split())
    assert {f"heliograph.providers.{name}" for name in PROVIDERS} <= held


def test_the_command_line_puts_web_and_worker_into_one_process(tmp_path: Path) -> None:
    report = lint(tmp_path, {"cli/up.py": "import heliograph.web\nimport heliograph.worker\n"})
    assert report.startswith("0\n"), report


@pytest.mark.parametrize(
    ("contract", "module", "text"),
    [
        ("One direction", "domain/clock.py", "import heliograph.ports\n"),
        ("One direction", "services/reply.py", "import heliograph.bootstrap\n"),
        ("One direction", "services/reply.py", "import heliograph.sandbox\n"),
        ("One direction", "web/page.py", "import heliograph.cli\n"),
        ("One direction", "web/page.py", "import heliograph.worker\n"),
        ("No package has an import cycle", "services/a.py", "import heliograph.services.b.c\n"),
        ("A provider knows no other", "providers/telegram.py", "import heliograph.providers.sunshine\n"),
        ("do no I/O", "domain/a.py", "import sqlite3\n"),
        ("do no I/O", "ports/a.py", "import asyncio\n"),
        ("do no I/O", "projections/a.py", "import logging\n"),
        ("Only bootstrap names", "web/page.py", "import heliograph.storage\n"),
        ("Only bootstrap names", "cli/main.py", "import heliograph.providers.telegram\n"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(tmp_path: Path, contract: str, module: str, text: str) -> None:
    planted = {module: text}
    if "cycle" in contract:
        planted |= {"services/b/__init__.py": "", "services/b/c.py": "import heliograph.services.a\n"}
    report = lint(tmp_path, planted)
    assert report.startswith("1\n"), report
    assert any(contract in line and "BROKEN" in line for line in report.splitlines()), report


def test_a_new_package_must_be_given_its_layer(tmp_path: Path) -> None:
    report = lint(tmp_path, {"extras/__init__.py": ""})
    assert report.startswith("1\n"), report
    assert "extras" in report
