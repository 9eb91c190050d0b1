"""The measurements' arithmetic: what a lag is, and when a goal is met."""

import pytest

from tests.bench.figures import Run, lags, pooled, quantile
from tests.bench.table import Row, markdown


def test_a_token_is_seen_when_it_or_a_later_one_is() -> None:
    written = [0.0, 1.0, 2.0, 3.0]
    steps = [(1, 1.5), (3, 3.25)]

    assert lags(steps, written, range(4)) == [1.5, 0.5, 1.25, 0.25]


def test_only_numbered_tokens_have_a_lag() -> None:
    assert lags([(2, 2.5)], [0.0, 1.0, 2.0], [0, 2]) == [2.5, 0.5]


def test_a_token_that_never_came_is_an_error() -> None:
    with pytest.raises(ValueError, match="token 2 was never seen; the last one was 1"):
        lags([(1, 1.5)], [0.0, 1.0, 2.0], range(3))


def test_a_quantile_is_one_of_the_values() -> None:
    values = [float(k) for k in range(100, 0, -1)]

    assert (quantile(values, 0.5), quantile(values, 0.95), quantile(values, 1)) == (51, 96, 100)


def test_rounds_are_pooled() -> None:
    first = Run(2, (0.1, 0.2), 0.2, 0.1, 0.01, task_s=1.0, long_ms=(60,))
    second = Run(2, (0.3, 0.4), 0.4, 0.3, 0.03, task_s=3.0, long_ms=(70, 80))

    both = pooled([first, second])

    assert both.lags_s == (0.1, 0.2, 0.3, 0.4)
    assert both.asked_s == pytest.approx(0.02)
    assert both.task_s == 2.0
    assert both.long_ms == (60, 70, 80)
    assert both.down is None


@pytest.mark.parametrize(
    ("figure", "goal", "verdict"),
    [
        (28, 28, "met"),
        (30, 28, "near"),
        (60, 28, "missed"),
        (0, 0, "met"),
        (1, 0, "missed"),
        (5, None, "–"),
        (None, 5, "–"),
    ],
)
def test_a_goal_is_met_near_or_missed(figure: float | None, goal: float | None, verdict: str) -> None:
    assert Row("lag", "ms", figure, goal=goal).verdict == verdict


def test_the_table_tells_how_far_a_goal_is() -> None:
    table = markdown([Row("lag", "ms", 56, raw=1.06, goal=28, note="of 2"), Row("errors", "", 0, goal=0)])

    assert "| lag, ms | 56.0 | 1.06 | – | ≤ 28.0 | 2.00 × the goal, of 2 |" in table
    assert "| errors | 0 | – | – | 0 | met |" in table
