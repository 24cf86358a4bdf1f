"""Results side by side: only what depends on the same things shares a row."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.result import Absent, MetricResult
from mov_ai.evaluation.report.compare import Row, compare, comparison_table
from mov_ai.evaluation.report.results import CategoryScore, Results, metric_from_json
from mov_ai.evaluation.video_metrics import Figure
from mov_ai.graph.files import write_json
from tests.evaluation.report.test_page import SETTINGS, result, results


def save(path: Path, made: Results) -> Path:
    write_json(path, made.to_json())
    return path


def row(rows: list[Row], name: str) -> Row:
    return next(r for r in rows if r.name == name)


def test_results_survive_the_file(tmp_path: Path) -> None:
    made = results()
    document = json.loads(save(tmp_path / "a.json", made).read_text(encoding="utf-8"))
    for name, figure in made.metrics.items():
        assert metric_from_json(name, document["metrics"][name], "a.json") == figure.result
    assert document["metrics"]["fvd"] == {"absent": "i3d is not here; mov-ai weights pull i3d"}


def test_equal_dependencies_share_a_row(tmp_path: Path) -> None:
    files = [save(tmp_path / "a.json", results()), save(tmp_path / "b.json", results())]
    rows = compare(files)
    assert row(rows, "embedded_fvd").cells == ("12.5 [11.5, 13.5]",) * 2
    assert row(rows, "motion").cells == ("50.0 % [25.0, 75.0]",) * 2
    assert not any(r.reasons for r in rows)
    assert "fvd" not in {r.name for r in rows}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n": 32}, "n: 64 and 32"),
        ({"settings": replace(SETTINGS, codec="none")}, "codec: h264 yuv420p crf 18 and none"),
        ({"settings": replace(SETTINGS, frames=8)}, "frames: 16 and 8"),
        ({"settings": replace(SETTINGS, fps=4.0)}, "fps: 8.0 and 4.0"),
        ({"weights": "another file"}, "weights: "),
        ({"network": "another"}, "network: some network and another"),
    ],
)
def test_what_differs_is_not_shown_in_one_row(tmp_path: Path, change: dict[str, object], words: str) -> None:
    first = result("embedded_is")
    second = first
    if "n" in change:
        second = replace(second, n=32)
    else:
        second = replace(second, provenance=replace(second.provenance, **change))  # type: ignore[arg-type]
    files = [
        save(tmp_path / f"{place}.json", results(metrics={"embedded_is": Figure(one)}))
        for place, one in (("a", first), ("b", second))
    ]
    found = row(compare(files), "embedded_is")
    assert found.cells == ("12.5 [11.5, 13.5]", None)
    assert words in found.reasons[0]
    assert "b.json: not comparable with " in found.reasons[0]


def test_absent_results_lead_nobody(tmp_path: Path) -> None:
    files = [
        save(tmp_path / "a.json", results(metrics={"is": Figure(Absent("no weights", "get them"))})),
        save(tmp_path / "b.json", results(metrics={"is": Figure(result("is"))})),
        save(tmp_path / "c.json", results(metrics={})),
    ]
    assert row(compare(files), "is").cells == ("absent", "12.5 [11.5, 13.5]", "")


def test_categories_of_other_prompts_do_not_compare(tmp_path: Path) -> None:
    files = [
        save(tmp_path / "a.json", results(checked={"prompts": "p1"})),
        save(tmp_path / "b.json", results(checked={"prompts": "p2"})),
        save(
            tmp_path / "c.json",
            results(checked={"prompts": "p1"}, compositional={"motion": CategoryScore(0.5, (0, 1), 9, 1, (1, 1))}),
        ),
    ]
    found = row(compare(files), "motion")
    assert found.cells == ("50.0 % [25.0, 75.0]", None, None)
    assert "prompts: p1 and p2" in found.reasons[0]
    assert "n: 8 and 9" in found.reasons[1]


def test_table_points_to_the_reasons(tmp_path: Path) -> None:
    other = results(metrics={"embedded_fvd": Figure(result("embedded_fvd", n=8))})
    files = [save(tmp_path / "a.json", results()), save(tmp_path / "b.json", other)]
    table, footnotes = comparison_table(compare(files), files)
    with Console(width=200, record=True, file=open("/dev/null", "w")) as console:
        console.print(table)
    assert "(1)" in console.export_text()
    assert footnotes[0].startswith(f"(1) {files[1]}: not comparable with {files[0]}")


@pytest.mark.parametrize(
    "content", ["{}", "[]", '{"schema": 1}', '{"schema": 1, "metrics": {"is": {"value": 1}}}', "nonsense"]
)
def test_files_of_no_evaluation_are_refused_by_name(tmp_path: Path, content: str) -> None:
    good = save(tmp_path / "good.json", results())
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(UsageError, match=r"bad\.json"):
        compare([good, tmp_path / "bad.json"])
    with pytest.raises(UsageError, match="at least two"):
        compare([good])


def test_values_that_cannot_be_are_refused(tmp_path: Path) -> None:
    entry = {**results().to_json()["metrics"]["embedded_fvd"], "n": 0}
    with pytest.raises(UsageError, match="measure again"):
        metric_from_json("embedded_fvd", entry, "x.json")
    assert isinstance(metric_from_json("embedded_fvd", {**entry, "n": 2}, "x.json"), MetricResult)


def with_true(document: dict, *path: str) -> dict:
    """The document with the value at a path replaced by true."""
    copy = json.loads(json.dumps(document))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = True
    return copy


@pytest.mark.parametrize(
    "place",
    [
        ("schema",),
        ("metrics",),
        ("metrics", "embedded_fvd"),
        ("metrics", "embedded_fvd", "value"),
        ("metrics", "embedded_fvd", "n"),
        ("metrics", "embedded_fvd", "ci95"),
        ("metrics", "embedded_fvd", "settings"),
        ("metrics", "fvd", "absent"),
        ("compositional",),
        ("compositional", "motion"),
        ("compositional", "motion", "ci95"),
        ("compositional_depends_on",),
    ],
)
def test_a_document_of_other_types_is_refused_in_one_line(tmp_path: Path, place: tuple[str, ...]) -> None:
    whole = save(tmp_path / "a.json", results())
    write_json(tmp_path / "b.json", with_true(json.loads(whole.read_text(encoding="utf-8")), *place))
    with pytest.raises(UsageError, match=r"b\.json: ") as caught:
        compare([whole, tmp_path / "b.json"])
    assert "\n" not in str(caught.value)


def test_nothing_of_a_file_steers_the_terminal(tmp_path: Path) -> None:
    made = results().to_json()
    made["metrics"]["\x1b]0;owned\x07\x1b[31m"] = made["metrics"]["embedded_fvd"]
    write_json(tmp_path / "a.json", made)
    made["metrics"]["embedded_fvd"] = {**made["metrics"]["embedded_fvd"], "network": "\x1b[2J\x9b31m"}
    write_json(tmp_path / "b.json", made)
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    table, footnotes = comparison_table(compare(files), files)
    console = Console(file=io.StringIO(), force_terminal=False, width=120)
    console.print(table)
    shown = console.file.getvalue() + "\n".join(footnotes)  # type: ignore[attr-defined]
    assert footnotes
    assert not {"\x1b", "\x07", "\x9b"} & set(shown)
