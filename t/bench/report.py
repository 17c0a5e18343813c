# SPDX-License-Identifier: ISC
"""report - the results of the benchmark as a table, JSON and a plot."""

import dataclasses
import json
import statistics


@dataclasses.dataclass
class Section:
    """Figures of one kind for the same subjects.

    ratios   pairs of subjects: how much better the first is than the second
    rows     by name: a list of figures for each subject, one per round
    """

    title: str
    unit: str
    subjects: list
    ratios: list = dataclasses.field(default_factory=list)
    is_less_better: bool = False
    rows: dict = dataclasses.field(default_factory=dict)

    def add(self, row, subject, figure):
        self.rows.setdefault(row, {}).setdefault(subject, []).append(figure)

    def median(self, row, subject):
        figures = self.rows.get(row, {}).get(subject)
        return statistics.median(figures) if figures else None

    def ratio(self, row, pair):
        first, second = (self.median(row, subject) for subject in pair)
        if self.is_less_better:
            first, second = second, first
        return first / second if first is not None and second else None

    def as_dict(self):
        return {
            "title": self.title, "unit": self.unit,
            "better": "less" if self.is_less_better else "more",
            "rows": [{
                "name": row, "figures": figures,
                "medians": {subject: self.median(row, subject)
                            for subject in figures},
                "ratios": {" / ".join(pair): ratio for pair in self.ratios
                           if (ratio := self.ratio(row, pair)) is not None},
            } for row, figures in self.rows.items()],
        }


def format_figure(figure):
    if figure is None:
        return "-"
    if figure >= 100:
        return f"{figure:.0f}"
    return f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


# Short names for the heads of ratio columns.
SHORT = {"listening": "list.", "per-connection": "conn."}


def format_section(section):
    subjects = [name for name in section.subjects
                if any(name in row for row in section.rows.values())]
    pairs = [pair for pair in section.ratios if set(pair) <= set(subjects)]
    heads = subjects + [" / ".join(SHORT.get(name, name) for name in pair)
                        for pair in pairs]
    lines = ["", f"{section.title} ({section.unit})",
             " " * 40 + "".join(f"  {head:>9}" for head in heads)]
    for row in section.rows:
        cells = [format_figure(section.median(row, name)) for name in subjects]
        cells += [format_figure(section.ratio(row, pair)) for pair in pairs]
        lines.append(f"  {row:<38}" + "".join(
            f"  {cell:>{max(9, len(head))}}"
            for cell, head in zip(cells, heads)))
    return "\n".join(lines)


def format_table(sections):
    return "\n".join(
        ["Medians. A ratio says how many times better the first is."] +
        [format_section(section) for section in sections if section.rows])


def write_json(path, machine, sections):
    document = {"machine": machine,
                "sections": [section.as_dict() for section in sections
                             if section.rows]}
    path.write_text(json.dumps(document, indent=1) + "\n")


# ---- the plot ----------------------------------------------------------------

COLOURS = {"listening": "#0b6e4f", "per-connection": "#3f88c5",
           "Postfix": "#c1440e", "disk": "#888888"}
PANEL_WIDTH, PANEL_HEIGHT, MARGIN, TOP = 400, 300, 70, 60


def nice_step(top):
    """A round step that divides a scale into four to ten parts."""
    step = 1
    while top / step > 10:
        step *= 2 if str(step)[0] in "15" else 2.5
    return int(step)


class Panel:
    """Figures over the number of clients: a line for each subject."""

    def __init__(self, section, rows, left, top_figure):
        self.section, self.rows, self.left = section, rows, left
        self.top_figure = top_figure

    def x(self, index):
        count = max(len(self.rows) - 1, 1)
        return self.left + PANEL_WIDTH * index / count

    def y(self, figure):
        return TOP + PANEL_HEIGHT * (1 - figure / self.top_figure)

    def draw(self, title):
        out = [text(self.left + PANEL_WIDTH / 2, TOP - 15, title, "middle")]
        step = nice_step(self.top_figure)
        for figure in range(0, int(self.top_figure) + 1, step):
            y = self.y(figure)
            out.append(f'<path d="M{self.left} {y:.1f}h{PANEL_WIDTH}" '
                       'stroke="#ddd"/>')
            out.append(text(self.left - 8, y + 4, str(figure), "end"))
        for index, (clients, _) in enumerate(self.rows):
            out.append(text(self.x(index), TOP + PANEL_HEIGHT + 20,
                            str(clients), "middle"))
        out.append(text(self.left + PANEL_WIDTH / 2, TOP + PANEL_HEIGHT + 42,
                        "clients", "middle"))
        for subject in self.section.subjects:
            out += self.draw_line(subject)
        return out

    def draw_line(self, subject):
        colour = COLOURS[subject]
        points, out = [], []
        for index, (_, row) in enumerate(self.rows):
            figures = self.section.rows[row].get(subject)
            if not figures:
                continue
            x = self.x(index)
            points.append(f"{x:.1f},{self.y(statistics.median(figures)):.1f}")
            out.append(f'<path d="M{x:.1f} {self.y(min(figures)):.1f}'
                       f'V{self.y(max(figures)):.1f}" stroke="{colour}" '
                       'stroke-opacity="0.4" stroke-width="4"/>')
        if points:
            out.append(f'<polyline points="{" ".join(points)}" fill="none" '
                       f'stroke="{colour}" stroke-width="2"/>')
        return out


def text(x, y, words, anchor="start"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f'{words}</text>')


def draw_legend(section, y):
    out, x = [], MARGIN
    for subject in section.subjects:
        if any(subject in row for row in section.rows.values()):
            out.append(f'<rect x="{x}" y="{y - 9}" width="18" height="6" '
                       f'fill="{COLOURS[subject]}"/>')
            out.append(text(x + 24, y, subject))
            x += 150
    return out


def write_svg(path, section, panels):
    """panels: pairs of a title and its rows, which are pairs of the number of
    clients and the row's name in the section."""
    panels = [(title, [(clients, row) for clients, row in rows
                       if row in section.rows]) for title, rows in panels]
    figures = [figure for _, rows in panels for _, row in rows
               for some in section.rows[row].values() for figure in some]
    top_figure = max(figures, default=1) * 1.05
    width = MARGIN + len(panels) * (PANEL_WIDTH + MARGIN)
    height = TOP + PANEL_HEIGHT + 95
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
           f'height="{height}" font-family="sans-serif" font-size="13">',
           f'<rect width="{width}" height="{height}" fill="white"/>',
           text(MARGIN, 20, f"{section.title} ({section.unit}): medians, and "
                "the range of all rounds")]
    for index, (title, rows) in enumerate(panels):
        left = MARGIN + index * (PANEL_WIDTH + MARGIN)
        out += Panel(section, rows, left, top_figure).draw(title)
    out += draw_legend(section, height - 15)
    path.write_text("\n".join(out + ["</svg>"]) + "\n")
