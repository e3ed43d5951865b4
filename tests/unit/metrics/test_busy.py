from rkd_online.metrics.busy import BusyClock, BusySpan, covered_seconds


def span(start: float, end: float) -> BusySpan:
    return BusySpan("role", "stage", start, end)


def test_overlapping_spans_count_once_and_are_cut_at_the_window() -> None:
    # [1, 3] and [2, 5] cover 4 s, [7, 9] two more of which one lies in the window of 0 to 8.
    assert covered_seconds([span(7, 9), span(2, 5), span(1, 3)], 0, 8) == 5


def test_a_span_before_the_window_covers_nothing() -> None:
    assert covered_seconds([span(0, 1)], 2, 3) == 0


def test_a_clock_gives_each_span_once() -> None:
    clock = BusyClock("learner")
    with clock.busy("update"):
        pass
    (taken,) = clock.take()
    assert (taken.role, taken.stage) == ("learner", "update")
    assert taken.end >= taken.start
    assert clock.take() == []
