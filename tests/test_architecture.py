"""The rules of the house hold for every file, and each rule can be broken."""

from collections.abc import Callable
from functools import partial
from importlib.metadata import packages_distributions
from pathlib import Path, PurePosixPath

import pytest

from heliograph.domain.reasons import REASONS, Effect, Reason
from tests import architecture as rules

Rule = Callable[[str], list[str]]

PYTHON = rules.python_files()
DOMAIN = [path for path in PYTHON if "heliograph/domain/" in path.as_posix()]
LOCKS = sorted((rules.ROOT / "requirements").glob("*.txt"))
TEXT_RULES: list[Rule] = [rules.too_long, rules.no_reason_to_exist, rules.hidden_imports, rules.blocking_sleeps]


def broken(rule: Rule, paths: list[Path]) -> list[str]:
    return [f"{path.relative_to(rules.ROOT)}: {fault}" for path in paths for fault in rule(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("rule", TEXT_RULES, ids=lambda rule: rule.__name__)
def test_every_python_file_keeps_the_rule(rule: Rule) -> None:
    assert len(PYTHON) > 10
    assert broken(rule, PYTHON) == []


def test_domain_is_pure() -> None:
    assert DOMAIN
    assert broken(rules.impure_imports, DOMAIN) == []


def test_modules_are_named_for_what_they_are_for() -> None:
    assert [str(path) for path in PYTHON if rules.bad_name(PurePosixPath(path))] == []


def test_no_file_names_an_index_or_a_machine() -> None:
    faults = []
    for path in rules.tracked():
        data = path.read_bytes()
        if b"\0" not in data:
            faults += [f"{path.relative_to(rules.ROOT)}: {fault}" for fault in rules.foreign_names(data.decode("utf-8", "replace"))]
    assert faults == []


def test_every_lock_is_pinned_with_hashes() -> None:
    assert {path.stem for path in LOCKS} >= {"build", "run", "dev"}
    assert broken(rules.unlocked, LOCKS) == []


def test_development_runs_on_what_is_released() -> None:
    pins = {path.stem: {line.split()[0] for line in path.read_text().splitlines() if line[:1].isalnum()} for path in LOCKS}
    assert pins["run"] <= pins["dev"]


def test_everything_imported_is_declared() -> None:
    installed = packages_distributions()
    run, dev = rules.declared("run"), rules.declared("run", "dev")
    sources = [path for path in PYTHON if path.is_relative_to(rules.ROOT / "src")]
    assert broken(partial(rules.undeclared, allowed=run, installed=installed), sources) == []
    assert broken(partial(rules.undeclared, allowed=dev, installed=installed), PYTHON) == []


def test_one_place_in_each_dialect_writes_events() -> None:
    source = rules.ROOT / "src"
    files = [path for path in rules.tracked() if path.is_relative_to(source) and path.suffix in {".py", ".sql"}]
    assert rules.event_writers((path.as_posix(), path.read_text(encoding="utf-8")) for path in files) == {"sqlite": 1, "postgres": 1}


def test_every_reason_has_a_row_that_a_person_can_read() -> None:
    assert list(REASONS) == list(Reason)
    for reason, row in REASONS.items():
        assert row.sentence.endswith("."), reason
        assert row.remedy.endswith("."), reason
    assert {row.effect for row in REASONS.values()} == set(Effect)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (rules.too_long, "\n" * (rules.MAX_LINES + 1)),
        (rules.no_reason_to_exist, "import os\n"),
        (rules.no_reason_to_exist, "# comment\n'''Doc.'''\n"),
        (rules.hidden_imports, "def f():\n    import os\n"),
        (rules.hidden_imports, "class A:\n    async def f(self):\n        if self:\n            from a import b\n"),
        (rules.hidden_imports, "if TYPE_CHECKING:\n    import os\n"),
        (rules.blocking_sleeps, "import time\ntime.sleep(1)\n"),
        (rules.blocking_sleeps, "import time as t\nt.sleep(1)\n"),
        (rules.blocking_sleeps, "from time import sleep\n"),
        (rules.impure_imports, "import msgspec\n"),
        (rules.impure_imports, "import time\n"),
        (rules.impure_imports, "from heliograph.ports.http import Http\n"),
        (rules.impure_imports, "from . import ids\n"),
        (rules.foreign_names, "see https://py" + "pi.org/simple\n"),
        (rules.foreign_names, "cd /ro" + "ot/x\n"),
        (rules.foreign_names, 'open("/t' + 'mp/x")\n'),
        (rules.foreign_names, "--find" + "-links wheels\n"),
        (rules.unlocked, "a==1 \\\n    --hash=sha256:00\nb==2\n"),
        (rules.unlocked, "a>=1 \\\n    --hash=sha256:00\n"),
    ],
)
def test_each_rule_sees_its_fault(rule: Rule, text: str) -> None:
    assert rule(text)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (rules.too_long, "\n" * rules.MAX_LINES),
        (rules.no_reason_to_exist, '"""Says why."""\n'),
        (rules.hidden_imports, "import os\ntry:\n    import uvloop\nexcept ImportError:\n    uvloop = None\n"),
        (rules.blocking_sleeps, "await clock.sleep(1)\n"),
        (rules.impure_imports, "from enum import StrEnum\nfrom heliograph.domain.ids import Id\n"),
        (rules.foreign_names, "GET /api/work/1 and https://example.org/ro" + "ot/ are addresses\n"),
        (rules.unlocked, "a==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\n    # via b\n"),
    ],
)
def test_no_rule_sees_a_fault_where_there_is_none(rule: Rule, text: str) -> None:
    assert rule(text) == []


def test_an_undeclared_import_is_seen() -> None:
    installed = {"telegram": ["python-telegram-bot"], "yaml": ["PyYAML"]}
    text = "import os\nimport yaml.nodes\nfrom telegram import Bot\nfrom heliograph.domain import ids\n"
    assert rules.undeclared(text, {"python-telegram-bot"}, installed) == ["line 2: yaml is not declared"]
    assert rules.undeclared(text, {"python-telegram-bot", "pyyaml"}, installed) == []


def test_drawers_are_seen() -> None:
    assert rules.bad_name(PurePosixPath("src/heliograph/web/utils.py"))
    assert not rules.bad_name(PurePosixPath("src/heliograph/web/pages.py"))


def test_a_second_writer_of_events_is_seen() -> None:
    insert = "INSERT INTO event (seq) VALUES (1)"
    assert rules.event_writers([("src/heliograph/storage/sqlite/ledger.sql", f"{insert};\n{insert}")]) == {"sqlite": 2}
    assert rules.event_writers([("src/heliograph/web/api.py", f'"{insert}"')]) == {"elsewhere": 1}
    assert rules.event_writers([("src/heliograph/storage/postgres/x.sql", "insert  into event_tag (id)\n-- insert into event (")]) == {}


def test_files_are_found_without_git(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text('"""A."""\n')
    (tmp_path / ".venv" / "lib").mkdir(parents=True)
    (tmp_path / ".venv" / "lib" / "b.py").write_text("")
    assert rules.python_files(tmp_path) == [tmp_path / "src" / "a.py"]
