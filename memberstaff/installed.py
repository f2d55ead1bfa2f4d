"""Whether what is installed beside memberstaff is what it was made for; looked at before any of it is imported."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement
from packaging.version import Version

DISTRIBUTION = "memberstaff"


def too_old(distribution: str = DISTRIBUTION, *, extra: str = "") -> list[str]:
    """What is missing, or older than a distribution needs, or an extra of it: a sentence for each."""
    problems = []
    for requirement, found in _requirements(distribution, extra):
        if found is None:
            problems.append(f"{requirement.name} is missing.")
        elif not requirement.specifier.contains(found, prereleases=True) and not _is_newer(requirement, found):
            problems.append(f"{requirement.name} {found} is installed; it must be {requirement.specifier}.")
    return problems


def untried(distribution: str = DISTRIBUTION) -> list[str]:
    """What is newer than any version that a distribution was tried with: a sentence for each."""
    return [
        f"{requirement.name} {found} is installed; memberstaff was tried with {requirement.specifier}."
        for requirement, found in _requirements(distribution)
        if found is not None and _is_newer(requirement, found)
    ]


def describe(distribution: str = DISTRIBUTION) -> str:
    """Its name and version, such as "memberstaff 0.1.0"."""
    return f"{distribution} {version_of(distribution) or '(not installed)'}"


def explain(problems: list[str]) -> str:
    """What to tell whoever wanted to run it."""
    how = "Install memberstaff anew, into an environment of its own."
    return "\n".join((f"{describe()} cannot work with what is installed beside it:", *problems, how))


def _requirements(distribution: str, extra: str = "") -> Iterator[tuple[Requirement, str | None]]:
    """What it requires on this platform, alone or for an extra, and the version of each that is installed."""
    for line in requires(distribution) or () if version_of(distribution) else ():
        requirement = Requirement(line)
        marker = requirement.marker
        wanted = marker is None or marker.evaluate({"extra": ""})
        if extra:
            wanted = not wanted and marker is not None and marker.evaluate({"extra": extra})
        if wanted:
            yield requirement, version_of(requirement.name)
            for each in sorted(requirement.extras):
                yield from _requirements(requirement.name, each)


def version_of(distribution: str = DISTRIBUTION) -> str | None:
    """Its version; None if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _is_newer(requirement: Requirement, found: str) -> bool:
    """Whether a version is at or above the upper bound."""
    bounds = [Version(each.version) for each in requirement.specifier if each.operator == "<"]
    return any(Version(found) >= bound for bound in bounds)
