"""The simulator's figures as SVG: plot.py FIGURES.json DIRECTORY. Called by scripts/sim."""

import json
import pathlib
import sys

WIDTH, FONT = 720, 'font-family="sans-serif" font-size="12"'
COLOURS = {"byway": "#1b6ca8", "race": "#b5541c", "fixed": "#8a8a8a", "names": "#6b8e23"}
STRATEGIES = {"byway": "byway", "race": "race both always", "fixed": "fall back after 500 ms", "names": "remember names"}
PANELS = [
    ("external", "lookups that asked external, %"),
    ("needless", "… that domestic would have answered in time, %"),
    ("third_waited", "lookups of a blocked zone, from the third on, that waited, %"),
    ("added_p99", "ms more than the best way, p99"),
]


def text(x, y, what, anchor="start", colour="#222"):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{colour}" {FONT}>{what}</text>'


def document(height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}">\n<rect width="100%" height="100%" fill="white"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


def bars(figures):
    """A panel for each figure, a bar for each strategy, each panel to its own scale."""
    parts, y = [], 20
    for key, title in PANELS:
        parts.append(text(10, y, title))
        most = max(figures[word][key] for word in figures) or 1
        for word in figures:
            y += 18
            long = 400 * figures[word][key] / most
            parts.append(text(170, y + 10, STRATEGIES[word], "end"))
            parts.append(f'<rect x="180" y="{y}" width="{max(long, 1):.1f}" height="13" fill="{COLOURS[word]}"/>')
            parts.append(text(186 + long, y + 11, f"{figures[word][key]:g}"))
        y += 42
    return document(y - 10, parts)


def course(hours):
    """Zones blocked in truth and zones held blocked, hour by hour."""
    left, top, high, wide = 50, 30, 260, WIDTH - 70
    most = max(max(hour[0], hour[1]) for hour in hours) or 1
    parts = [text(left, 18, "zones blocked that a lookup has met", colour=COLOURS["byway"]),
             text(left + 260, 18, "zones held blocked", colour=COLOURS["race"])]
    for part in range(5):
        y = top + high * part / 4
        parts.append(f'<line x1="{left}" x2="{left + wide}" y1="{y:.0f}" y2="{y:.0f}" stroke="#ddd"/>')
        parts.append(text(left - 6, y + 4, f"{most * (4 - part) / 4:.0f}", "end"))
    for day in range(0, len(hours) // 24 + 1, 5):
        parts.append(text(left + wide * day * 24 / len(hours), top + high + 18, f"day {day}", "middle"))
    for index, colour in ((1, COLOURS["race"]), (0, COLOURS["byway"])):
        points = " ".join(f"{left + wide * i / len(hours):.1f},{top + high * (1 - hour[index] / most):.1f}"
                          for i, hour in enumerate(hours))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.2"/>')
    return document(top + high + 30, parts)


def main():
    figures = json.loads(pathlib.Path(sys.argv[1]).read_text())
    directory = pathlib.Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "strategies.svg").write_text(bars(figures))
    if "hours" in figures.get("byway", {}):
        (directory / "course.svg").write_text(course(figures["byway"]["hours"]))


main()
