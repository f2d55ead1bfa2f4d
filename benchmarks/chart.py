"""The picture of the fan-out: CPU time for 100,000 deliveries to 1,000 subscribers."""

from __future__ import annotations

from html import escape

from benchmarks.report import Report, number

CASE = "1,000 subscribers"
TITLE = "CPU seconds for 100,000 deliveries to 1,000 subscribers"
FOOT = "echo has no GraphQL. Medians of one run of ./dev bench; × is the ratio to the best GraphQL peer."
END = 'text-anchor="end"'
FONT = 'font-family="system-ui, sans-serif" font-size="14"'
WIDTH, LEFT, RIGHT, TOP, BAR, GAP = 720, 120, 130, 74, 26, 14

COLOURS = {  # of each class, on light pages and on dark ones; with a page of its own it is readable on any
    "page": ("fill: #ffffff; stroke: #d1d9e0", "fill: #0d1117; stroke: #3d444d"),
    "text": ("fill: #1f2328", "fill: #e6edf3"),
    "quiet": ("fill: #59636e", "fill: #9198a1"),
    "ours": ("fill: #0969da", "fill: #4493f8"),
    "peer": ("fill: #8c959f", "fill: #6e7681"),
}


def fanout(report: Report) -> str | None:
    """An SVG, readable on light and dark pages; None when the case was not measured."""
    metric = report.scenario.metrics[0]
    medians = {row.server: row.median(metric) for row in report.rows if row.case == CASE}
    bars = sorted((value, server) for server, value in medians.items() if value is not None)
    if not bars:
        return None
    most = bars[-1][0]
    height = TOP + len(bars) * (BAR + GAP) + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" {FONT}>',
        f"<title>{TITLE}</title>",
        "<style>",
        *(f".{name} {{ {light} }}" for name, (light, _) in COLOURS.items()),
        "@media (prefers-color-scheme: dark) {",
        *(f".{name} {{ {dark} }}" for name, (_, dark) in COLOURS.items()),
        "}",
        "</style>",
        f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        f'<text class="text" x="{LEFT}" y="26" font-size="17" font-weight="600">{TITLE}</text>',
        f'<text class="quiet" x="{LEFT}" y="48">Four changes under way, each for all; less is better.</text>',
    ]
    for index, (value, server) in enumerate(bars):
        y = TOP + index * (BAR + GAP)
        length = max(2.0, (WIDTH - LEFT - RIGHT) * value / most)
        kind, weight = ("ours", 600) if server == "memberstaff" else ("peer", 400)
        row = report.row(CASE, server)
        ratio = report.ratio(row, metric)
        times = f" (×{ratio:.3g})" if ratio is not None and server == "memberstaff" else ""
        said = f"{number(value)} s{times}"
        middle = y + BAR / 2 + 5
        parts += [
            f'<text class="text" x="{LEFT - 10}" y="{middle}" {END} font-weight="{weight}">{escape(server)}</text>',
            f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="3"/>',
            f'<text class="text" x="{LEFT + length + 8:.1f}" y="{middle}" font-weight="{weight}">{said}</text>',
        ]
    parts += [
        f'<text class="quiet" x="{LEFT}" y="{height - 12}" font-size="12">{FOOT}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
