from brinery.benchmark.stats import interval_of_median, median


def test_median_and_its_interval():
    values = [1.0, 2.0, 3.0, 4.0, 100.0]
    low, high = interval_of_median(values, 7)
    assert median(values) == 3.0
    assert 1.0 <= low <= 3.0 <= high <= 100.0
    assert interval_of_median(values, 7) == (low, high)


def test_three_values_have_no_interval():
    assert interval_of_median([1.0, 2.0, 3.0], 0) is None
