"""A step of `./dev check`: fails when the schema breaks clients and nobody has decided so."""

from __future__ import annotations

import sys

from tests.contract.breaking import RECORD, RELEASED, ROOT, complaints

found = complaints(RELEASED.read_text(), (ROOT / "schema.graphql").read_text(), RECORD.read_text())
print("\n".join(found))
if found:
    sys.exit(
        f"{RECORD.relative_to(ROOT)} is where a breaking change is recorded, with its reason and what a client does."
    )
