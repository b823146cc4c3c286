"""make bench-plot: the CPU of an event as an SVG: a bar a case, a colour a process, and the floor as a
line across the bar.

    build/venv/bin/python tests/bench/bench_plot.py build/bench/result.json docs/performance.svg

By hand and without a library: a few rectangles need none, and the file says the same for the same
numbers, so that a diff of it shows what changed.
"""

import json
import statistics
import sys
from pathlib import Path
from xml.sax.saxutils import escape

COLOURS = {"ingestor": "#4e79a7", "scorer": "#f28e2b", "profiler": "#59a14f", "metrics": "#b07aa1",
           "sink": "#e15759", "other": "#bab0ac"}
WIDTH, LEFT, RIGHT, TOP = 900, 220, 70, 64
ROW, BAR = 26, 17
LONG = 3.0      # a bar of more than so many times the median case's is cut, and says so


def parts_of(case):
    """{process: CPU us an event}; other: configd, hotpath itself, and what was not seen of any."""
    found = {name: case["processes"][f"hotpath-{name}"]["cpu_us_per_event"]["median"]
             for name in COLOURS if name != "other"}
    found["other"] = max(0.0, case["cpu_us_per_event"]["median"] - sum(found.values()))
    return found


def step_of(most):
    """A round distance of the axis' marks."""
    return next((step for step in (0.25, 0.5, 1, 2, 5, 10, 20, 50) if most / step <= 10), 100)


class Drawing:
    def __init__(self, most, height):
        self.scale = (WIDTH - LEFT - RIGHT) / most
        self.most = most
        self.height = height
        self.lines = []

    def x(self, value):
        return LEFT + min(value, self.most) * self.scale

    def text(self, x, y, words, anchor="start", size=12, colour="#222"):
        self.lines.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
                          f'fill="{colour}">{escape(words)}</text>')

    def bar(self, begin, end, y, colour, title):
        self.lines.append(f'<rect x="{self.x(begin):.1f}" y="{y}" height="{BAR}" '
                          f'width="{self.x(end) - self.x(begin):.1f}" fill="{colour}">'
                          f'<title>{escape(title)}</title></rect>')

    def line(self, x1, y1, x2, y2, colour, width=1.0):
        self.lines.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{colour}" stroke-width="{width}"/>')


def draw_legend(drawing):
    x = LEFT
    for name, colour in COLOURS.items():
        drawing.lines.append(f'<rect x="{x}" y="32" width="11" height="11" fill="{colour}"/>')
        drawing.text(x + 16, 42, name)
        x += 90
    drawing.line(x, 31, x, 45, "#000", 2)
    drawing.text(x + 7, 42, "floor: read + parse")


def draw_axis(drawing, bottom):
    step, mark = step_of(drawing.most), 0.0
    while mark <= drawing.most:
        drawing.line(drawing.x(mark), TOP - 6, drawing.x(mark), bottom, "#ddd")
        drawing.text(drawing.x(mark), bottom + 15, f"{mark:g}", "middle", 11, "#555")
        mark += step


def draw_case(drawing, case, y):
    drawing.text(LEFT - 8, y + 13, f"{case['scenario']} ({case['source']}, {case['pace']})", "end")
    at = 0.0
    for name, cpu in parts_of(case).items():
        drawing.bar(at, at + cpu, y, COLOURS[name], f"{name}: {cpu:.2f} us")
        at += cpu
    floor = drawing.x(case["floor_cpu_us_per_event"]["parse"]["median"])
    drawing.line(floor, y - 3, floor, y + BAR + 3, "#000", 2)
    cut = " (cut)" if at > drawing.most else ""
    drawing.text(drawing.x(at) + 5, y + 13, f"{at:.2f}{cut}", size=11)


def svg(result):
    cases = result["cases"]
    totals = [case["cpu_us_per_event"]["median"] for case in cases]
    bottom = TOP + ROW * len(cases)
    drawing = Drawing(min(max(totals), LONG * statistics.median(totals)), bottom + 26)
    drawing.text(LEFT, 20, "CPU microseconds an event, all processes of hotpath", size=14)
    draw_legend(drawing)
    draw_axis(drawing, bottom)
    for number, case in enumerate(cases):
        draw_case(drawing, case, TOP + ROW * number)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{drawing.height}" '
        f'viewBox="0 0 {WIDTH} {drawing.height}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{drawing.height}" fill="#fff"/>', *drawing.lines, "</svg>", ""])


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: bench_plot.py RESULT.json OUT.svg")
    Path(sys.argv[2]).write_text(svg(json.loads(Path(sys.argv[1]).read_text())))


if __name__ == "__main__":
    main()
