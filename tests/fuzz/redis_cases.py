"""Cases on Redis: what somebody can do there who is not us."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from memberstaff.keyring import Keyring
from memberstaff.notify.seal import Seal
from tests.fuzz.cases import Commands, World
from tests.fuzz.mutation import BYTES, TEXTS, any_value, mutate_bytes, one_of


def redis(random: Random, world: World) -> Commands:
    """Junk, forgeries and repetitions on our channels; wrong types and values at our keys; connections that end."""
    return Commands(tuple(_command(random, world) for _ in range(random.randrange(1, 6))))


def _command(random: Random, world: World) -> tuple[str | bytes | int, ...]:
    channel = one_of(random, (world.channel, world.channel, f"{world.channel}:presence", "attendance"))
    presence, relay = f"{world.channel}:presence", f"{world.channel}:relay"
    key = one_of(random, (relay, relay, presence))
    junk, text = one_of(random, BYTES), one_of(random, TEXTS).encode("utf-8", "surrogatepass")
    mutated, repeated = mutate_bytes(random, world.captured), mutate_bytes(random, world.captured * 2)
    # Sealed as ours are, but no notification: a later version's, perhaps.
    strange = _sealed(world, f"notifications on {world.channel}", any_value(random))
    members = _sealed(world, f"presence on {world.channel}", _nearly(random, ("process", "until", "members")))
    lease = _sealed(world, f"relay on {world.channel}", _nearly(random, ("holder", "until")))
    large = b"x" * int(10 ** (6 * random.random()))
    commands: tuple[tuple[str | bytes | int, ...], ...] = (
        *[("PUBLISH", channel, world.captured)] * 2,
        *[("PUBLISH", channel, mutated)] * 3,
        ("PUBLISH", channel, repeated),
        ("PUBLISH", channel, junk),
        ("PUBLISH", channel, text),
        ("PUBLISH", channel, large),
        *[("PUBLISH", world.channel, strange)] * 3,
        ("PUBLISH", channel, strange),
        *[("PUBLISH", presence, members)] * 2,
        ("SET", relay, junk, "EX", 5),
        ("SET", relay, lease, "EX", 5),
        ("SET", relay, world.captured, "EX", 5),
        ("SET", key, text, "EX", 2),
        ("SET", key, large, "EX", 1),
        ("HSET", key, "a", junk),
        ("LPUSH", key, text),
        ("PEXPIRE", key, 300),
        *[("DEL", relay, presence)] * 3,
        ("RENAME", key, relay),
        ("CLIENT", "KILL", "TYPE", "pubsub"),
        ("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
        ("CLIENT", "PAUSE", 100),
        ("FLUSHALL",),
        ("SCRIPT", "FLUSH"),
    )
    return commands[random.randrange(len(commands))]


def _nearly(random: Random, names: tuple[str, ...]) -> Any:
    """An object with these names, and any values; or any value."""
    return {name: any_value(random) for name in names} if random.random() < 0.7 else any_value(random)


def _sealed(world: World, purpose: str, value: Any) -> str:
    return Seal(Keyring(world.secret), purpose).seal(json.dumps(value).encode("utf-8", "surrogatepass"))
