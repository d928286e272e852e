"""The page that people read: a Markdown table and a plot, put between markers so that prose around them is kept."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from bench.figures import Run, of
from bench.plot import bars

BEGIN, END = "<!-- bench: generated, do not edit -->", "<!-- bench: end -->"
_NEW_PAGE = f"# Performance\n\n{BEGIN}\n{END}\n"


def page(existing: str, runs: Sequence[Run], flat: Mapping[str, float | int | str]) -> str:
    """`existing` with the part between the markers replaced. Raises ValueError when a page has no markers."""
    text = existing or _NEW_PAGE
    if BEGIN not in text or END not in text:
        raise ValueError("docs/performance.md has lost its generated markers")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    picture = "![replies a second](performance.svg)"
    generated = [_conditions(runs, flat), picture, _table(runs, flat), _others(runs, flat), _how(runs)]
    return before + BEGIN + "\n\n" + "\n\n".join(part for part in generated if part) + "\n\n" + END + after


def plot(runs: Sequence[Run]) -> str:
    """The SVG beside the page, or "" when nothing was measured."""
    rows = []
    for name in _names(runs):
        mine = of(runs, name)
        if mine and mine[0].contestant.kind != "provider":
            rates = [run.rate for run in mine]
            rows.append((mine[0].contestant.label, mine[0].contestant.kind, median(rates), min(rates), max(rates)))
    return bars(rows, title="Replies a second, from accepted to recorded") if rows else ""


def write(folder: Path, runs: Sequence[Run], flat: Mapping[str, float | int | str]) -> None:
    """Write `performance.md` and `performance.svg` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "performance.md"
    target.write_text(page(target.read_text() if target.exists() else "", runs, flat))
    if image := plot(runs):
        (folder / "performance.svg").write_text(image)


def _names(runs: Sequence[Run]) -> list[str]:
    """Contestants of the table, as the registry orders them: round 1 starts at its beginning."""
    return list(dict.fromkeys(run.contestant.name for run in runs if run.contestant.kind != "figures"))


def _conditions(runs: Sequence[Run], flat: Mapping[str, float | int | str]) -> str:
    rounds = max(run.round for run in runs) + 1
    services = ", ".join(str(flat[key]) for key in ("environment.postgresql", "environment.redis") if key in flat)
    return (
        f"Measured in one run on {flat['environment.cpus']} cores ({flat['environment.processor']}), {flat['environment.system']}"
        f"{', ' + services if services else ''}; {rounds} round{'s' if rounds > 1 else ''} in rotation, medians. The provider, the "
        "contestant and its database share the cores. Compare the columns, not the absolute figures: they are the machine's."
    )


def _table(runs: Sequence[Run], flat: Mapping[str, float | int | str]) -> str:
    lines = [
        "| | replies/s | of the bare client | × the best peer | lost | doubled | overtaken | memory of its process, MB | replies |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in _names(runs):
        run = next(run for run in runs if run.contestant.name == name)
        if not (mine := of(runs, name)):
            lines.append(f"| {run.contestant.label} | not measured: {run.why_not} | | | | | | | |")
            continue
        cells = [f"{flat[f'{name}.replies_per_s']:,.0f}", _cell(flat, f"{name}.of_bare_client"), _cell(flat, f"{name}.of_best_peer")]
        cells += [f"{flat[f'{name}.{what}']:,}" for what in ("lost", "doubled", "overtaken")]
        cells += [f"{flat[f'{name}.memory_mb']:.0f}", f"{len(mine)} × {run.replies:,}"]
        lines.append(f"| {run.contestant.label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(flat: Mapping[str, float | int | str], key: str) -> str:
    return f"{flat[key]:.2f}" if key in flat else ""


def _others(runs: Sequence[Run], flat: Mapping[str, float | int | str]) -> str:
    """Figures that contestants gave beside their rate: latency, growth, memory, time to ready."""
    keys = sorted({key for run in runs if run.result is not None for key in run.result.figures})
    if not keys:
        return ""
    return "\n".join(["| figure | |", "|---|---:|", *(f"| `{key}` | {flat[key]:,g} |" for key in keys if key in flat)])


def _how(runs: Sequence[Run]) -> str:
    lines = ["How each was set up (the best of the settings tried that its documentation offers):", ""]
    for name in _names(runs):
        if mine := of(runs, name):
            assert mine[0].result is not None
            versions = [f"{package} {found}" for package, found in mine[0].result.versions.items()]
            lines.append(f"* **{name}**: {mine[0].result.configuration} ({', '.join(versions)})")
    return "\n".join(lines)
