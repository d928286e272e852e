"""The rules of the house as functions from a file's text to what is wrong with it."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("src", "tests")
MAX_LINES = 450
_CONCURRENT = {"asyncio", "concurrent", "multiprocessing", "signal", "subprocess", "threading"}
_SYSTEM = {"ctypes", "logging", "os", "platform", "sys"}
_CLOCK_AND_CHANCE = {"datetime", "random", "secrets", "time"}
_FILES = {"fcntl", "glob", "io", "pathlib", "shelve", "shutil", "sqlite3", "tempfile"}
_NETWORK = {"http", "select", "selectors", "smtplib", "socket", "socketserver", "ssl", "urllib"}
#: What domain may not import, though it is in the standard library: whatever reaches outside.
IMPURE = frozenset(_CONCURRENT | _SYSTEM | _CLOCK_AND_CHANCE | _FILES | _NETWORK)
DIALECTS = ("sqlite", "postgres")

# Put together from pieces, so that this file keeps the rule that it checks.
_HOSTS = ("py" + "pi.org", "python" + "hosted.org", "registry.npm" + "js.org", "deb.de" + "bian.org", "test.py" + "pi")
_OPTIONS = ("--index" + "-url", "--extra-index" + "-url", "--find" + "-links", "file:" + "///")
_FOLDERS = ("work", "root", "tmp", "home/[a-z]+", "Users/[A-Za-z]+", "opt/(?:wheels|pypi)")
_FOREIGN = re.compile(
    "|".join([*map(re.escape, _HOSTS + _OPTIONS), rf"(?<![\w./}}>:*-])/(?:{'|'.join(_FOLDERS)})/"]),
)
_INSERT_EVENT = re.compile(r"\binsert\s+(?:or\s+\w+\s+)?into\s+(?:\w+\.)?\"?event\"?(?=[\s(])", re.IGNORECASE)
_INDENTED_IMPORT = re.compile(r"(?m)(?:^[ \t]+|[:;][ \t]*)(?:import|from)\b")
_SQL_COMMENT = re.compile(r"--[^\n]*")


def tracked(root: Path = ROOT) -> list[Path]:
    """Every file of the project: what git tracks or would; in an unpacked archive, every file outside hidden folders."""
    listing = (
        subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=False
        )
        if (root / ".git").exists()
        else None
    )
    if listing is not None and listing.returncode == 0:
        names = [name for name in listing.stdout.decode().split("\0") if name]
    else:
        names = [str(path.relative_to(root)) for path in root.rglob("*")]
        names = [name for name in names if not any(part.startswith(".venv") or part in {"build", "dist"} for part in Path(name).parts)]
    return sorted({root / name for name in names if (root / name).is_file()})


def python_files(root: Path = ROOT) -> list[Path]:
    """The Python files under src and tests."""
    return [path for path in tracked(root) if path.suffix == ".py" and path.relative_to(root).parts[0] in SOURCES]


def too_long(text: str) -> list[str]:
    """A file that nobody reads to its end."""
    lines = len(text.splitlines())
    return [f"{lines} lines, the limit is {MAX_LINES}"] if lines > MAX_LINES else []


def no_reason_to_exist(text: str) -> list[str]:
    """The first line must be a docstring that says what the module is for."""
    docstring = ast.get_docstring(ast.parse(text))
    return [] if docstring and text.startswith('"""') else ["does not begin with a docstring"]


def hidden_imports(text: str) -> list[str]:
    """Imports inside functions or under TYPE_CHECKING hide a cycle."""
    found: list[str] = []
    if not _INDENTED_IMPORT.search(text):
        return found
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            found += [f"line {line}: import inside a function" for line in _import_lines(node)]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            found += [f"line {line}: import under TYPE_CHECKING" for line in _import_lines(node)]
    return sorted(set(found))


def blocking_sleeps(text: str) -> list[str]:
    """`time.sleep` stops the loop, and in a test it is a guess about speed."""
    if "sleep" not in text:
        return []
    nodes = list(ast.walk(ast.parse(text)))
    aliases = [alias for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    calls = {f"{alias.asname or alias.name}.sleep" for alias in aliases if alias.name == "time"}
    lines = [node.lineno for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node) in calls]
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "time" and any(alias.name == "sleep" for alias in node.names):
            lines.append(node.lineno)
    return [f"line {line}: time.sleep" for line in sorted(lines)]


def impure_imports(text: str) -> list[str]:
    """Domain imports only itself and the part of the standard library that touches nothing outside."""
    return [
        f"line {line}: imports {module}"
        for line, module in _imported(text)
        if not (module == "heliograph.domain" or module.startswith("heliograph.domain."))
        and (module.split(".")[0] not in sys.stdlib_module_names or module.split(".")[0] in IMPURE)
    ]


def foreign_names(text: str) -> list[str]:
    """Names of package indexes and folders of one machine have no place in the project."""
    return [f"line {number}: {match.group()}" for number, line in enumerate(text.splitlines(), 1) for match in _FOREIGN.finditer(line)]


def bad_name(path: PurePosixPath) -> list[str]:
    """A module is named for what it is for."""
    return ["is a drawer, not a module"] if path.stem in {"utils", "util", "helpers", "misc", "common"} else []


def unlocked(text: str) -> list[str]:
    """In a lock, every requirement is pinned and carries a hash."""
    entries = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"(?m)^\s*#.*\n?", "", text).strip())
    return [f"{entry.split()[0]}: no pin or no hash" for entry in entries if not re.match(r"\S+==\S+[^\n]*\n.*--hash=sha256:", entry)]


def declared(*names: str) -> set[str]:
    """The distributions that requirements/<name>.in asks for, in normal form."""
    lines = [line for name in names for line in (ROOT / "requirements" / f"{name}.in").read_text(encoding="utf-8").splitlines()]
    return {_normal(re.split(r"[<>=!~\[; ]", line)[0]) for line in lines if line[:1].isalnum()}


def undeclared(text: str, allowed: set[str], installed: Mapping[str, list[str]]) -> list[str]:
    """Imports of distributions that are here by luck: something else needs them. `installed` maps modules to distributions."""
    found = []
    for line, module in _imported(text):
        top = module.split(".")[0]
        own = not top or top in sys.stdlib_module_names or top in {"heliograph", "tests", "bench", "tools"}
        if not own and not {_normal(name) for name in installed.get(top, [top])} & allowed:
            found.append(f"line {line}: {top} is not declared")
    return found


def event_writers(files: Iterable[tuple[str, str]]) -> Counter[str]:
    """How often each SQL dialect inserts into `event`, given (path, text); "elsewhere" for any other place."""
    count: Counter[str] = Counter()
    for name, text in files:
        hits = len(_INSERT_EVENT.findall(_SQL_COMMENT.sub("", text)))
        inside = "heliograph/storage/" in name and name.endswith((".sql", ".py"))
        dialect = next((dialect for dialect in DIALECTS if dialect in name), "elsewhere") if inside else "elsewhere"
        if hits:
            count[dialect] += hits
    return count


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _import_lines(node: ast.AST) -> Iterator[int]:
    return (inner.lineno for inner in ast.walk(node) if isinstance(inner, ast.Import | ast.ImportFrom))


@cache
def _imported(text: str) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.lineno, "." * node.level + (node.module or "")))
    return found
