"""Finds a Chromium for the browser tests, and says so where there is none."""

import os
import shutil
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"

#: What every launch needs: works as root and offline, and asks no outside host for anything.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """Path of a Chromium: CHROMIUM if set, else the first one installed."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named if os.access(named, os.X_OK) else None
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (MAC if os.access(MAC, os.X_OK) else None)


def is_required() -> bool:
    """Whether a missing Chromium is a failure (REQUIRE_BROWSER=1) and not a skip."""
    return os.environ.get("REQUIRE_BROWSER", "") not in ("", "0")


def describe() -> str:
    """One line for the person who runs the tests."""
    path = find_chromium()
    if path:
        return f"browser tests: run in {path}"
    if is_required():
        return "browser tests: NO CHROMIUM FOUND, and REQUIRE_BROWSER is set: they fail"
    return "browser tests: SKIPPED, no Chromium found (install it, or set CHROMIUM to its path)"


def main() -> int:
    """Say what was found; non-zero where a browser is required and missing."""
    print(describe())
    return 1 if is_required() and not find_chromium() else 0


if __name__ == "__main__":
    sys.exit(main())
