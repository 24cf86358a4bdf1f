"""report.html: one page without scripts; videos and pictures lie beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from urllib.parse import quote

from mov_ai.evaluation.metrics.result import Absent, MetricResult, Settings
from mov_ai.evaluation.report.definitions import definition
from mov_ai.evaluation.report.plots import bias_plot, categories_plot
from mov_ai.evaluation.report.results import Results, VideoRow
from mov_ai.evaluation.report.wording import absent, interval, markup, measured, number, percent, shortened
from mov_ai.evaluation.video_metrics import Figure

#: Sheets that stand open on the page; all others are in their rows.
_SHOWN_SHEETS = 8

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2024;--soft:#5d6670;--line:#dfe3e8;--paper:#fff;--band:#f5f7f9;--mark:#2f6fb5;
--room:#d7e4f2;--bar:#2f6fb5;--good:#1f7a3f;--bad:#b3362b}
@media(prefers-color-scheme:dark){:root{--ink:#e4e7ea;--soft:#9aa4ae;--line:#333a42;--paper:#15181c;--band:#1c2127;
--mark:#6ea8e6;--room:#26384c;--bar:#3d74b0;--good:#6cc58b;--bad:#ee8277}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:2rem 1.25rem 4rem;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem}h2{font-size:1.2rem;margin:2.5rem 0 .75rem}
h3{font-size:1rem;margin:1.5rem 0 .5rem}
p{margin:.4rem 0}.soft,figcaption,.plot .tick{color:var(--soft);font-size:.87rem}
a{color:var(--mark)}code{font:.87em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th:first-child,td:first-child{width:36%;min-width:14rem}
th,td{padding:.4rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600;font-size:.82rem;white-space:nowrap}td.n,th.n{text-align:right;white-space:nowrap}
td.source{font-size:.82rem;color:var(--soft);min-width:12rem;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.25rem;margin:.75rem 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
details>summary{cursor:pointer}
.rows{border-top:1px solid var(--line)}.rows details{border-bottom:1px solid var(--line);padding:.45rem 0}
.rows summary{display:grid;grid-template-columns:4.5rem 11rem 1fr max-content;gap:.75rem;align-items:baseline}
.rows summary::before{content:"\\25B8";position:absolute;margin-left:-1rem;color:var(--soft)}
.rows details[open]>summary::before{content:"\\25BE"}.rows summary::-webkit-details-marker{display:none}
.rows .n{text-align:right;font-variant-numeric:tabular-nums}
.inside{display:flex;flex-wrap:wrap;gap:1rem;padding:.75rem 0}.inside video{width:256px;max-width:100%;background:#000}
.inside .sheet{flex:1 1 24rem;min-width:0}.yes{color:var(--good)}.no{color:var(--bad)}
img{max-width:100%;height:auto;display:block}figure{margin:0 0 1.25rem}
.sheets{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,30rem),1fr));gap:.5rem 1.5rem}
.plot{width:100%;max-width:46rem;height:auto;font:13px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
.plot text{fill:var(--ink)}.plot .tick{fill:var(--soft);font-size:12px}
.plot .grid{stroke:var(--line)}.plot .room{fill:var(--room)}.plot .bar{fill:var(--bar)}
.plot .whisker,.plot .ceiling{stroke:var(--ink);stroke-width:1.5;fill:none}
.plot .ceiling{stroke:var(--soft);stroke-width:2}
.plot .curve{fill:none;stroke:var(--mark);stroke-width:1.5}.plot .point{fill:var(--mark)}
.plot .fit{stroke:var(--mark);stroke-width:1.5;stroke-dasharray:5 4}
.plot .limit{fill:var(--paper);stroke:var(--mark);stroke-width:2}
@media(max-width:40rem){.rows summary{grid-template-columns:1fr max-content}.rows summary .category{display:none}}
"""


def page(results: Results) -> str:
    """The whole file."""
    body = "\n".join(_body(results))
    title = markup(results.title)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _body(results: Results) -> Iterator[str]:
    yield f"<h1>{markup(results.title)}</h1>"
    when, where = (markup(results.environment.get(key, "")) for key in ("time", "machine"))
    yield f'<p class="soft">{when} · {where}</p>'
    told = {name: value for name, value in results.settings.items() if value is not None}
    yield _pairs({**told, "seed": results.seed})
    if results.notices:
        yield _details(f"Noticed ({len(results.notices)})", _list(map(markup, results.notices)))
    if results.compositional:
        yield "<h2>Compositional benchmark</h2>"
        yield f"<figure>{categories_plot(results.compositional)}</figure>"
        yield _categories(results)
    yield "<h2>Metrics</h2>"
    yield f'<p class="soft">Real clips: {markup(results.real)}. Intervals are 95 % bootstrap intervals.</p>'
    for group, figures in measured(results):
        yield f"<h3>{markup(group)}</h3>"
        yield _table(
            ("metric", "value", "95 % interval", "real clips", "n", "better", "network and weights"),
            [list(_metric_cells(name, figure)) for name, figure in figures],
            numbers=(1, 2, 3, 4),
        )
    yield from _plots(results)
    if gone := absent(results):
        reasons: dict[str, list[str]] = {}
        for name, reason in gone:
            reasons.setdefault(reason.to_json()["absent"], []).append(name)
        yield "<h3>Absent</h3>"
        yield _list(f"<code>{markup(', '.join(names))}</code>: {markup(reason)}" for reason, names in reasons.items())
    yield from _videos(results)
    yield from _fine_print(results)


# -- tables ------------------------------------------------------------------------------------------------------------


def _categories(results: Results) -> str:
    rows = []
    for name, score in results.compositional.items():
        if isinstance(score, Absent):
            rows.append([markup(name), "absent", "", "", "0"])
        else:
            low, high = (f"{100 * value:.1f}" for value in score.ci95)
            rows.append([markup(name), percent(score.score), f"{low}–{high}", percent(score.ceiling), str(score.n)])
    note = "Ceiling: the checker's score on the real clips of the same prompts. n: videos."
    columns = ("category", "score", "95 % interval", "ceiling", "n")
    return _table(columns, rows, numbers=(1, 2, 3, 4)) + f'<p class="soft">{note}</p>'


def _metric_cells(name: str, figure: Figure) -> Iterator[str]:
    result = figure.result
    assert isinstance(result, MetricResult)
    words = definition(name)
    about = [f"{markup(words.text)} Range {markup(words.range)}."]
    about += [markup(note) for note in result.notes]
    if figure.permuted is not None:
        about.append(f"With the prompts permuted: {number(figure.permuted.value)} {interval(figure.permuted.ci95)}")
    about.append(f"Measured on {_described(result.settings)}.")
    if reference := result.provenance.reference:
        about.append(f"Reference: {markup(reference.name)}, {reference.n} videos, {_described(reference.settings)}.")
    parameters = ", ".join(f"{key} {value}" for key, value in result.parameters.items())
    if parameters:
        about.append(f"Parameters: {markup(parameters)}.")
    if figure.seconds_per_64 is not None:
        about.append(f"{figure.seconds_per_64:.1f} s per 64 videos.")
    mark = " *" if result.notes else ""
    yield f"<details><summary>{markup(words.title)}{mark}</summary>{_list(about)}</details>"
    yield number(result.value)
    yield interval(result.ci95).strip("[]").replace(", ", " to ")
    yield "" if figure.real is None else number(figure.real.value)
    yield str(result.n)
    yield words.better
    weights = f"<br><code>{markup(shortened(result.weights))}</code>" if result.weights else ""
    yield f"{markup(result.network or 'none')}{weights}"


def _described(settings: Settings) -> str:
    rate = f"{markup(settings.frames)} frames at {markup(settings.fps)} a second"
    return f"{rate}, {markup(settings.resolution)}, codec {markup(settings.codec)}"


def _plots(results: Results) -> Iterator[str]:
    for name, figure in results.metrics.items():
        if len(figure.curve) < 2:
            continue
        limit = results.metrics.get(f"{name}_infinity")
        known = limit.result if limit is not None and isinstance(limit.result, MetricResult) else None
        plot = bias_plot(
            figure.curve, None if known is None else known.value, None if known is None else known.ci95, name
        )
        said = "the dashed line leads to the figure at infinitely many" if known else "too few videos to extrapolate"
        caption = (
            f"{definition(name).title} of subsets (means of draws): its bias falls with the number of videos; {said}."
        )
        yield f"<figure>{plot}<figcaption>{markup(caption)}</figcaption></figure>"


# -- videos ------------------------------------------------------------------------------------------------------------


def _videos(results: Results) -> Iterator[str]:
    pictured = [row for row in results.videos if row.sheet]
    if pictured:
        yield "<h2>Contact sheets</h2>"
        if results.compositional:
            yield '<p class="soft">Upper row: generated. Lower row: the rendered truth of the prompt.</p>'
        shown = _spread(pictured)
        yield '<div class="sheets">'
        for row in shown:
            caption = row.prompt or row.name
            score = f" · {percent(row.score)}" if row.score is not None else ""
            yield (
                f'<figure><a href="{_link(row.clip)}"><img loading="lazy" src="{_link(row.sheet)}" alt="frames of '
                f'{markup(row.name)}"></a><figcaption>{markup(caption)}{score}</figcaption></figure>'
            )
        yield "</div>"
    if results.videos:
        yield "<h2>Videos</h2>"
        yield f'<p class="soft">{len(results.videos)} videos; open a row to see its video.</p>'
        yield '<div class="rows">'
        yield from map(_row, results.videos)
        yield "</div>"


def _spread(rows: list[VideoRow]) -> list[VideoRow]:
    """One of each category first."""
    first = list({row.category: row for row in reversed(rows)}.values())[::-1]
    return (
        (first + [row for row in rows if row not in first])[:_SHOWN_SHEETS] if len(first) > 1 else rows[:_SHOWN_SHEETS]
    )


def _row(row: VideoRow) -> str:
    score = "" if row.score is None else percent(row.score)
    inside = []
    if row.clip:
        inside.append(
            f'<div><video controls loop muted preload="none" src="{_link(row.clip)}"></video>'
            f'<p><a href="{_link(row.clip)}">{markup(row.clip)}</a></p></div>'
        )
    about = []
    if row.sheet:
        about.append(f'<img loading="lazy" src="{_link(row.sheet)}" alt="frames of {markup(row.name)}">')
    if row.checks:
        marks = (
            f'<span class="{"yes" if ok else "no"}">{"✓" if ok else "✗"}</span> {markup(check)}'
            for check, ok in row.checks.items()
        )
        about.append(_list(marks))
    values = {definition(name).title: number(value) for name, value in row.values.items()}
    if row.seed is not None:
        values["seed"] = str(row.seed)
    about.append(_pairs(values))
    inside.append(f'<div class="sheet">{"".join(about)}</div>')
    summary = (
        f'<summary><span class="n">{score}</span><span class="category soft">{markup(row.category or "")}</span>'
        f"<span>{markup(row.prompt or '')}</span><code>{markup(row.name)}</code></summary>"
    )
    return f'<details>{summary}<div class="inside">{"".join(inside)}</div></details>'


def _fine_print(results: Results) -> Iterator[str]:
    yield "<h2>How it was measured</h2>"
    times = [
        [markup(definition(name).title), f"{figure.seconds_per_64:.1f}"]
        for name, figure in results.metrics.items()
        if figure.seconds_per_64 is not None
    ]
    if times:
        yield _details("Seconds per 64 videos", _table(("metric", "seconds"), times, numbers=(1,)))
    yield _details("Seconds of this run", _pairs({k: f"{v:.1f}" for k, v in results.seconds.items()}))
    facts = {key: value for key, value in results.environment.items() if not isinstance(value, dict)}
    versions = results.environment.get("versions", {})
    yield _details("Machine and versions", _pairs({**facts, **versions}))


# -- pieces ------------------------------------------------------------------------------------------------------------


def _link(file: str | None) -> str:
    """A relative address of a file whose name may hold anything."""
    return escape(quote(file or "", errors="surrogateescape"))


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _pairs(values: dict[str, object] | dict[str, str]) -> str:
    return f"<dl>{''.join(f'<dt>{markup(k)}</dt><dd>{markup(v)}</dd>' for k, v in values.items())}</dl>"


def _details(title: str, inside: str) -> str:
    return f"<details><summary>{markup(title)}</summary>{inside}</details>"


def _table(columns: tuple[str, ...], rows: list[list[str]], numbers: tuple[int, ...]) -> str:
    """A table; cells are markup already. Columns in `numbers` are set flush right."""

    def cell(tag: str, place: int, content: str) -> str:
        kind = (
            ' class="n"' if place in numbers else ' class="source"' if tag == "td" and place > max(numbers) + 1 else ""
        )
        return f"<{tag}{kind}>{content}</{tag}>"

    head = "".join(cell("th", i, markup(name)) for i, name in enumerate(columns))
    body = "".join(f"<tr>{''.join(cell('td', i, c) for i, c in enumerate(row))}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
