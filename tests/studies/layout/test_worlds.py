import pytest

from mov_ai.worlds.tabletop.solids import is_of_solids
from studies.layout.worlds import main, table_graphs


def test_figures_of_both_worlds_are_printed(capsys):
    assert main(["--number", "4"]) == 0
    said = capsys.readouterr().out
    assert said.count("4 graphs: one candidate, the best") == 2
    rows = [line.split() for line in said.splitlines() if line.startswith("  ")]
    assert {"facts", "faultless", "milliseconds"} <= {row[0] for row in rows}
    shares = [float(value.rstrip("%")) for row in rows for value in row[1:] if value.endswith("%")]
    assert shares
    assert all(0 <= share <= 100 for share in shares)


def test_the_tables_graphs_are_of_solids_and_always_the_same():
    graphs = table_graphs("validation", 6)
    assert all(is_of_solids(graph) for graph in graphs)
    assert graphs == table_graphs("validation", 6)


def test_no_graphs_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--number", "0"])
    assert "expected --number from 1" in capsys.readouterr().err
