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
    (taken,) = clock.take().spans
    assert (taken.role, taken.stage) == ("learner", "update")
    assert taken.end >= taken.start
    assert clock.take().spans == ()


def test_work_that_goes_on_is_cut_where_it_was_asked_for() -> None:
    clock = BusyClock("generator")
    with clock.busy("generate"), clock.busy("publish"):
        first = clock.take().spans
        second = clock.take().spans
    last = clock.take().spans
    assert [span.stage for span in first] == ["generate", "publish"]
    assert [span.end for span in first] == [span.start for span in second]
    assert [span.end for span in second] == [span.start for span in sorted(last, key=by_stage)]


def by_stage(span: BusySpan) -> str:
    return span.stage
