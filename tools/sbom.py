"""The bill of materials of a wheel (CycloneDX 1.6, JSON): what it needs from PyPI, and what of npm's is in it.

`python -m tools.sbom FOLDER CYCLONEDX_PY`; the second is the command of the package cyclonedx-bom. Versions are those
that were tested and built in: requirements/run.txt and dashboard/package-lock.json.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def python_packages(cyclonedx: str) -> dict[str, Any]:
    """The bill of what a server installs."""
    command = [cyclonedx, "requirements", "requirements/run.txt", "--pyproject", "pyproject.toml"]
    bill = _json([*command, "--output-reproducible", "--spec-version", "1.6", "--output-format", "JSON"])
    text = (ROOT / "requirements" / "lowest.txt").read_text(encoding="utf-8")  # without what builds the wheel
    needed = set(re.findall(r"(?m)^([\w.-]+)==", text))
    bill["components"] = [each for each in bill["components"] if each["name"] in needed]
    kept = {bill["metadata"]["component"]["bom-ref"], *(each["bom-ref"] for each in bill["components"])}
    bill["dependencies"] = [each for each in bill["dependencies"] if each["ref"] in kept]
    for each in bill["dependencies"]:
        if "dependsOn" in each:
            each["dependsOn"] = [ref for ref in each["dependsOn"] if ref in kept]
    return bill


def npm_packages() -> dict[str, Any]:
    """The bill of what the dashboard is built from."""
    npm = shutil.which("npm") or "npm"
    command = [npm, "sbom", "--prefix", "dashboard", "--sbom-format", "cyclonedx", "--package-lock-only"]
    return _json([*command, "--omit", "dev", "--sbom-type", "application"])


def merged(python: dict[str, Any], npm: dict[str, Any]) -> dict[str, Any]:
    """One bill, whose root depends on both; without what would differ between two builds of the same commit."""
    root = python["metadata"]["component"]["bom-ref"]
    dashboard = npm["metadata"]["component"]
    dependencies = {entry["ref"]: entry for entry in [*python["dependencies"], *npm["dependencies"]]}
    of_root = dependencies.setdefault(root, {"ref": root})
    of_root["dependsOn"] = sorted({*of_root.get("dependsOn", ()), dashboard["bom-ref"]})
    return {
        **{key: value for key, value in python.items() if key not in {"serialNumber", "$schema"}},
        "metadata": {key: value for key, value in python["metadata"].items() if key != "timestamp"},
        "components": [*python["components"], dashboard, *npm["components"]],
        "dependencies": sorted(dependencies.values(), key=lambda entry: str(entry["ref"])),
    }


def _json(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    bill: dict[str, Any] = json.loads(done.stdout)
    return bill


if __name__ == "__main__":
    folder, cyclonedx = sys.argv[1:]
    bill = merged(python_packages(cyclonedx), npm_packages())
    of = bill["metadata"]["component"]
    output = Path(folder) / f"{of['name']}-{of['version']}.cdx.json"
    output.write_text(json.dumps(bill, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{output.name}: {len(bill['components'])} components")
