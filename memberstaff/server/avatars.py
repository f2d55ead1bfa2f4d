"""Serves the demo's avatars, drawn on request."""

from __future__ import annotations

from fastapi import APIRouter, Response

from memberstaff.demo import avatar

router = APIRouter()


@router.get("/avatars/{key}.svg", include_in_schema=False)
async def show(key: str) -> Response:
    """An avatar; it depends only on its URL, so it is immutable."""
    drawn = avatar.draw(key)
    if drawn is None:
        return Response(status_code=404)
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "Content-Security-Policy": "default-src 'none'",
        "Cross-Origin-Resource-Policy": "cross-origin",  # front ends on other origins show them too
    }
    return Response(drawn, media_type="image/svg+xml", headers=headers)
