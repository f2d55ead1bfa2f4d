"""A schema whose lists are paginated, or not, and its limits."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import strawberry

from memberstaff.engine.limits import ONCE, SIZED_BY, Limits

LIMITS = Limits(depth=6, aliases=3, directives=2, tokens=500, characters=3_000, root_fields=4, cost=1_000)


@strawberry.type
class Person:
    name: str = "Amina"
    tags: list[str] = strawberry.field(default_factory=list)

    @strawberry.field
    def friends(self) -> list[Person]:
        return []

    @strawberry.field(metadata={"list_size": 2})
    def parents(self) -> list[Person]:
        return []

    @strawberry.field
    def page(self, first: int | None = 20) -> People:
        return People(edges=[])


@strawberry.type
class Edge:
    node: Person


@strawberry.type
class People:
    edges: list[Edge]


@strawberry.type
class Query:
    @strawberry.field
    def person(self) -> Person:
        return Person()

    @strawberry.field
    def people(self, first: int | None = 20) -> People:
        return People(edges=[])

    @strawberry.field(metadata={"page_limit": 300})
    def board(self, first: int | None = None) -> People:
        return People(edges=[])


@strawberry.input
class Batch:
    rows: list[str] | None = None


@strawberry.input
class Hire:
    batch: Batch | None = None


@strawberry.type
class Hired:
    people: list[Person]
    boss: Person


@strawberry.type
class Mutation:
    @strawberry.mutation(metadata={SIZED_BY: ("input", "batch", "rows"), "page_limit": 30})
    def hire(self, input: Hire | None = None) -> Hired:
        return Hired(people=[], boss=Person())

    @strawberry.mutation(metadata={ONCE: True})
    def login(self, name: str) -> str:
        return name


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def person(self, times: int) -> AsyncGenerator[Person, None]:
        for _ in range(times):
            yield Person()
