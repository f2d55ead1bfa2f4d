"""Content negotiation: the media types that a client sends and accepts, and the content codings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
SSE = "text/event-stream"
MULTIPART = "multipart/mixed"

LONGEST = 1_000
"""Characters of a header that is read; those of browsers have up to 200. A longer one, which would hold the event loop,
is as good as none: RFC 9110, section 12.5, lets a server disregard it."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The preferred media type that a client accepts for each kind of response; None if it accepts none."""

    single: str | None
    """JSON or GRAPHQL, for a query or mutation."""
    stream: str | None
    """SSE or MULTIPART, for a subscription."""


def is_json(content_type: str | None) -> bool:
    """Whether a Content-Type is application/json, in UTF-8 if it has a charset.

    Other sites' forms can send text/plain without a CORS preflight, but not this.
    """
    if content_type is not None and len(content_type) > LONGEST:
        return False
    media, parameters = _media(content_type or "")
    charset = parameters.pop("charset", "utf-8").lower()
    return media == JSON and not parameters and charset in {"utf-8", "utf8"}


def negotiate(accept: Sequence[str], streams: Collection[str] = (SSE, MULTIPART)) -> Accepted:
    """What the Accept headers prefer, of a stream one of `streams`; JSON for */* or no header."""
    ranges = _ranges(accept)
    if not ranges:
        return Accepted(JSON, None)
    single: tuple[float, str] | None = None
    stream: tuple[float, str] | None = None
    for part in ranges:
        media, parameters = _media(part)
        if (weight := _weight(parameters)) <= 0:
            continue
        if media in {"*/*", "application/*"}:
            media = JSON
            # An exact type takes precedence over a wildcard (RFC 9110, section 12.5.1).
            weight -= 0.0001
        if media in {JSON, GRAPHQL} and (single is None or weight > single[0]):
            single = weight, media
        wants_events = media == SSE or (media == MULTIPART and parameters.get("subscriptionspec", "").startswith("1.0"))
        if wants_events and media in streams and (stream is None or weight > stream[0]):
            stream = weight, media
    return Accepted(single[1] if single else None, stream[1] if stream else None)


def negotiate_coding(accept_encoding: Sequence[str], codings: Iterable[str]) -> str | None:
    """The content coding that the Accept-Encoding headers prefer, the first of `codings` among equals.

    None for no coding, also for a client that refuses that (identity;q=0) and accepts none of ours: RFC 9110, section
    12.1, lets a server disregard what it cannot honour.
    """
    weights: dict[str, float] = {}
    for part in _ranges(accept_encoding):
        name, parameters = _media(part)
        weights["gzip" if name == "x-gzip" else name] = _weight(parameters)
    others = weights.get("*", 0.0)
    best = max(codings, key=lambda coding: weights.get(coding, others))
    weight = weights.get(best, others)
    return best if weight > 0 and weight >= weights.get("identity", others) else None


def _ranges(lines: Sequence[str]) -> list[str]:
    """What a header lists, in one line or several."""
    if sum(map(len, lines)) > LONGEST:
        return []
    return [part for line in lines for part in _split(line, ",") if part.strip()]


def _media(header: str) -> tuple[str, dict[str, str]]:
    media, *rest = _split(header, ";")
    parameters = {}
    for part in rest:
        name, _, value = part.partition("=")
        if name.strip():
            parameters[name.strip().lower()] = value.strip().strip("\"'")
    return media.strip().lower(), parameters


def _weight(parameters: dict[str, str]) -> float:
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0


def _split(text: str, separator: str) -> list[str]:
    """Split a header at the separator, except in quoted strings."""
    parts = [""]
    quoted = False
    for char in text:
        quoted ^= char == '"'
        if char == separator and not quoted:
            parts.append("")
        else:
            parts[-1] += char
    return parts
