"""The report of a comparison: its table, its verdict and the pairs that no other one beats."""

import numpy as np

from forgefield.report.bench.bench_report import bench_report
from forgefield.report.bench.bench_tables import bench_table, verdict
from forgefield.report.bench.pareto import front, pareto_figure
from forgefield.report.bench.results import Bench, Pair, Row, bench_text, read_bench

LM, TRF, ADAM = (Pair("forgefield", name, 1, 64) for name in ("lm", "trf", "adam"))
ROWS = (
    Row(ADAM, cost=3.0, n_lost=1, run_s=0.1, compile_s=1.0, ending="not converged: 200 steps; try more"),
    Row(LM, cost=1.0, n_lost=0, shift_max_a=0.0123, run_s=0.2, compile_s=2.0, converged=True),
    Row(TRF, cost=1.001, n_lost=0, shift_max_a=0.0124, run_s=0.9, compile_s=2.0, converged=True),
)


def bench(*rows, waiting=()):
    machine = {"processor": "a processor", "cores": 2, "vector_bits": 256, "xla_flags": ""}
    return Bench("water", "0" * 64, "0.1", machine, None, rows, waiting)


def test_verdict_names_the_best_and_the_fastest_that_is_as_good():
    assert verdict(bench(*ROWS)) == (
        "Lowest cost: 1.00000 by lm; 2 pairs of 3 come within 1 % of it. The fastest of these: lm, 0.200 s."
    )
    assert verdict(bench(Row(LM, failure="no"))) == "No pair gave a force field."


def test_table_has_the_lowest_cost_first_and_names_what_is_lost():
    table = bench_table(bench(*ROWS))

    (group,) = table.groups
    heads = [column.label for column in table.columns]
    assert [row[0] for row in group.rows] == ["lm", "trf", "adam"]
    assert [row[heads.index("Largest shift")] for row in group.rows] == ["0.0123", "0.0124", "lost"]
    assert [row[heads.index("Ended")] for row in group.rows] == ["converged", "converged", "200 steps"]
    assert "Engine" not in heads


def test_what_differs_has_a_column():
    single = Row(Pair("forgefield", "lm", 1, 32), cost=1.0, run_s=0.1)

    heads = [column.label for column in bench_table(bench(ROWS[1], single)).columns]

    assert "Bits" in heads
    assert "Starts" not in heads


def test_front_holds_what_no_other_pair_beats():
    time, cost = np.array([0.1, 0.2, 0.9, 0.3]), np.array([3.0, 1.0, 1.001, 0.5])

    assert front(time, cost).tolist() == [True, True, False, True]


def test_figure_needs_two_times():
    assert pareto_figure(bench(ROWS[0])) is None
    figure = pareto_figure(bench(*ROWS))
    assert figure is not None
    assert figure.svg.count("dot-of-front final") == 2
    assert figure.svg.count("<title>") == 3


def test_page_shows_pairs_failures_and_processor():
    page = bench_report(bench(*ROWS, Row(Pair("openmm", "lm", 1, 64), failure="lm needs <residuals>")))

    for said in ("Largest shift", "a processor, 2 core(s)", "lm needs &lt;residuals&gt;", "Pairs without a result"):
        assert said in page


def test_json_is_read_back_and_holds_no_infinity():
    found = bench(Row(LM, cost=float("inf")), waiting=(TRF,))

    again = read_bench(bench_text(found))

    assert again.rows[0].cost is None
    assert again.waiting == (TRF,)
