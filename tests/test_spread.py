"""What several seeds say: mean, deviation, and what tells two recipes from chance."""

import pytest

from lenet1998.measures.spread import Paired, Spread, listed


def test_spread_of_seeds() -> None:
    spread = Spread.of([1.0, 2.0, 3.0])
    assert (spread.mean, spread.deviation) == (2.0, 1.0)
    assert (spread.least, spread.greatest) == (1.0, 3.0)
    assert spread.in_words() == "2.00 ± 1.00 % (3 seeds)"
    assert spread.mean_in_words(1) == "2.0 ± 1.0"
    assert spread.range_in_words() == "1.00–3.00"
    assert spread.range_in_words(0) == "1–3"


def test_one_seed_has_no_deviation() -> None:
    spread = Spread.of([1.5])
    assert spread.deviation is None
    assert spread.in_words() == "1.50 % (1 seed)"


def test_values_are_kept_to_four_digits() -> None:
    assert Spread.of([1 / 3, 2]).values == (0.3333, 2.0)


def test_pairs_of_seeds() -> None:
    pairs = Paired.of([0.8, 0.9, 1.0], [1.0, 1.1, 1.2])
    assert pairs.gains == pytest.approx([0.2, 0.2, 0.2])
    assert pairs.mean == pytest.approx(0.2)
    # t(0.975, 2) = 4.3027; deviation 0.1, so half the interval is 4.3027 * 0.1 / sqrt(3).
    pairs = Paired.of([0.0, 0.0, 0.0], [0.1, 0.2, 0.3])
    assert pairs.interval == pytest.approx((0.2 - 0.2484, 0.2 + 0.2484), abs=1e-4)
    assert pairs.p == pytest.approx(0.074, abs=1e-3)
    assert pairs.interval_in_words() == "-0.05 to +0.45"


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ([1.5, 1.61, 1.4], "worse"),
        ([0.5, 0.61, 0.4], "better"),
        ([1.0, 0.9, 1.1], "same"),
        ([1.5, 1.6, 1.4], ""),  # all seeds agree: no spread to judge by
    ],
)
def test_verdict_of_a_change(changed: list[float], verdict: str) -> None:
    pairs = Paired.of([1.0, 1.1, 0.9], changed)
    assert pairs.verdict == verdict
    assert pairs.is_beyond_chance is (verdict in ("worse", "better"))


def test_one_pair_says_nothing_of_chance() -> None:
    pair = Paired.of([0.8], [1.0])
    assert (pair.mean, pair.interval, pair.p) == (pytest.approx(0.2), None, None)
    assert (pair.verdict, pair.is_beyond_chance, pair.interval_in_words()) == ("", False, "–")


def test_pairs_need_as_many_seeds() -> None:
    with pytest.raises(ValueError, match="zip"):
        Paired.of([0.8], [1.0, 1.1])


def test_listed() -> None:
    assert [listed("abc"[:count]) for count in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
