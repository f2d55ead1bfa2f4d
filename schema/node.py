"""What every entity is: something with an opaque id, so that clients' caches keep it current."""

from __future__ import annotations

import strawberry


@strawberry.interface(description="Something with an id of its own.")
class Node:
    """Relay's Node."""

    id: strawberry.ID = strawberry.field(description="Opaque, and unique among all types.")
