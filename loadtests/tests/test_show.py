"""The show's figures: when which line was passed, and what is judged."""

from __future__ import annotations

from loadtests.show_figures import of, thresholds
from loadtests.show_report import lines, page
from loadtests.show_room import Moment


def moments(*rows: tuple[float, int, int, str]) -> list[Moment]:
    return [Moment(100 + s, lag, alive, alive, why) for s, lag, alive, why in rows]


SLOW = moments(
    (-1, 50_000, 3, "of another run"),
    (1, 4_000, 1, "lag 4,000 is between 1,000 and 10,000"),
    (2, 11_000, 1, "lag 11,000 is above 10,000"),
    (4, 20_000, 2, "lag 20,000 is above 10,000"),
    (9, 900, 4, "lag 900 is below 1,000 for 0 s"),
    (30, 0, 1, "lag 0 is below 1,000 for 15 s"),
)
CAPPED = moments((1, 11_000, 1, "the group is at its cap of 1,000 a second"), (20, 0, 1, ""))


def result(**acts: object) -> dict:
    audit = {"broken": 0, "rules": [], "counts": {}}
    found = {"slow_consumers": of(SLOW, t0=100), "at_its_cap": of(CAPPED, t0=100), **acts}
    shown = {"acts": found, "faults_left": 0, "audit": audit, "pictures": [("01-before-room.png", "Nothing <waits>")]}
    named = {"orders": 24_000, "rate": 4_800.0, "machine": {}, "scope": "-", "started_at": "2026", **shown}
    named["thresholds"] = thresholds(named)
    return {**named, "ok": all(one["ok"] for one in named["thresholds"])}


def test_it_is_told_when_which_line_was_passed_and_each_new_reason() -> None:
    act = of(SLOW, t0=100)

    assert (act["peak"], act["most_consumers"]) == (20_000, 4)
    assert [act[name] for name in ("over_s", "grown_s", "drained_s", "alone_s")] == [2, 4, 9, 30]
    assert act["said"] == [
        "1 s: lag 4,000 is between 1,000 and 10,000",
        "2 s: lag 11,000 is above 10,000",
        "9 s: lag 900 is below 1,000 for 0 s",
    ]


def test_a_group_that_grew_at_its_cap_or_never_grew_without_it_does_not_hold() -> None:
    assert result()["ok"]
    assert not result(at_its_cap=of(SLOW, t0=100))["ok"]
    never = result(slow_consumers=of(CAPPED, t0=100))
    assert not never["ok"]
    assert [one["value"] for one in never["thresholds"] if "one more" in one["name"]] == ["never"]


def test_the_report_has_each_picture_and_its_words_stay_text() -> None:
    text = page(result())

    assert 'src="show/01-before-room.png"' in text
    assert "Nothing &lt;waits&gt;" in text
    assert "ALL HELD" in "\n".join(lines(result()))
