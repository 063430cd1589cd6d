"""Who may see and do what, dead letters from sight to replay, and the way there."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Iterator

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from prometheus_client import CollectorRegistry, generate_latest

from queueing.broker import Failure
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console import selectors
from queueing.console.letters import Address
from queueing.console.prometheus import QueueCollector
from queueing.console.reading import Reader
from queueing.tests.console import GROUP, NASTY, PLACED, TOPICS, bury, person, placed, read, token

QUEUE = "/admin/queueing/queue/"
SAMPLE = f"{QUEUE}sample/"
DEAD = f"{QUEUE}dead/"
LETTER = f"{DEAD}letter/"
ACT = f"{DEAD}act/"
GROUP_PAGE = f"{QUEUE}group/"
RESET = f"{GROUP_PAGE}reset/"


@pytest.fixture(autouse=True)
def _always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "_reader", Reader(fresh_s=0))


@pytest.fixture
def broker(client: redis.Redis) -> Iterator[RedisStreamsBroker]:
    broker = make_broker()
    yield broker
    broker.redis.close()


@pytest.fixture
def people(db: None, django_user_model: type) -> dict[str, Client]:
    return {
        "anonymous": Client(),
        "shopper": person(django_user_model, "shopper"),
        "reader": person(django_user_model, "reader", is_staff=True),
        "operator": person(django_user_model, "operator", is_staff=True),
    }


@pytest.fixture
def operator(people: dict[str, Client]) -> Client:
    return people["operator"]


def dead_ids(broker: RedisStreamsBroker) -> set[str]:
    return {
        buried.letter.id
        for topic in TOPICS
        for partition in broker.partitions(topic)
        for buried in broker.dead_letters(GROUP, topic, partition, limit=1000)
    }


def state(broker: RedisStreamsBroker) -> tuple[int, int, int, int, bool]:
    """What any action of an operator would change: dead, delayed, purged, lag; and whether the group is paused."""
    rows = broker.stats({GROUP: TOPICS})
    counts = [sum(getattr(row, name) for row in rows) for name in ("dead", "delayed", "purged", "lag")]
    return (*counts, broker.is_paused(GROUP))  # type: ignore[return-value]


BACK = {"topic": PLACED, "to": "beginning"}
MATRIX: dict[str, tuple[str, dict[str, str], tuple[int, int, int, int, bool] | None]] = {
    # what: (route, form, the state it leaves behind). Without a state it only looks, and a reader may, too. Whoever is
    # no staff is sent to the login page. That every route is judged: config/tests/test_roles.py.
    "look at the queue": ("changelist", {}, None),
    "look at its numbers": ("sample", {}, None),
    "look at its last minutes": ("history", {}, None),
    "look at dead letters": ("dead", {}, None),
    "look at one": ("letter", {}, None),
    "look at a group": ("group", {}, None),
    "replay": ("act", {"action": "replay", "confirmed": "yes"}, (0, 1, 0, 0, False)),
    "purge": ("act", {"action": "purge", "confirmed": "1"}, (0, 0, 1, 0, False)),
    "ask what a replay of all comes to": ("matching", {"action": "replay"}, (1, 0, 0, 0, False)),
    "pause": ("pause", {"action": "pause"}, (1, 0, 0, 0, True)),
    "resume": ("pause", {"action": "resume"}, (1, 0, 0, 0, False)),
    "reset": ("reset", {**BACK, "confirmed": GROUP}, (1, 0, 0, 1, False)),
}


@pytest.mark.parametrize("what", MATRIX)
@pytest.mark.parametrize("who", ["anonymous", "shopper", "reader", "operator"])
def test_who_may_do_what(people: dict[str, Client], broker: RedisStreamsBroker, what: str, who: str) -> None:
    [letter] = bury(broker, [placed()])
    route, form, after = MATRIX[what]
    data = {"letter": token(letter), "group": GROUP, **form}
    if what == "resume":
        broker.pause(GROUP)
    before = state(broker)

    ask = people[who].get if after is None else people[who].post
    answer = ask(reverse(f"admin:queueing_queue_{route}"), data)

    if who in ("anonymous", "shopper"):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/?next=")
    else:
        allowed = 200 if after is None else 302
        assert answer.status_code == (allowed if who == "operator" or after is None else 403)
        assert not answer.headers.get("Location", "").startswith("/admin/login/")
    acted = after is not None and who == "operator"
    assert state(broker) == (after if acted else before)
    assert [entry.user.username for entry in LogEntry.objects.all()] == (["operator"] if acted else [])


@pytest.mark.parametrize("who", ["anonymous", "shopper", "reader", "operator"])
def test_nobody_replays_by_following_a_link(people: dict[str, Client], broker: RedisStreamsBroker, who: str) -> None:
    [letter] = bury(broker, [placed()])

    answer = people[who].get(ACT, {"letter": token(letter), "confirmed": "yes", "action": "replay"})

    assert answer.status_code in (302, 405)
    assert dead_ids(broker) == {letter.message.id}


def test_a_replay_from_another_site_is_refused(
    broker: RedisStreamsBroker, django_user_model: type, people: dict[str, Client]
) -> None:
    [letter] = bury(broker, [placed()])
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(django_user_model.objects.get(username="operator"))

    answer = strict.post(ACT, {"letter": token(letter), "confirmed": "yes", "action": "replay"})

    assert answer.status_code == 403
    assert dead_ids(broker) == {letter.message.id}


def test_the_page_shows_the_numbers_and_the_script_gets_the_same(operator: Client, broker: RedisStreamsBroker) -> None:
    broker.produce([placed() for _ in range(1234)])
    broker.ack(GROUP, "ada", read(broker, 34))
    broker.beat(GROUP, "ada")

    page = operator.get(QUEUE).content.decode()
    live = operator.get(SAMPLE).json()

    assert "1,200" in page
    assert live["cells"]["orders.lag"] == {
        "key": "orders.lag",
        "text": "1,200",
        "level": "amber",
        "word": "high",
        "note": "",
    }
    assert live["cells"]["orders.acked"]["text"] == "34"
    assert live["cells"]["lag"]["text"] == "2,434", "notifications has done nothing of its 1,234"
    assert live["cells"]["age"]["note"].endswith("UTC, by Redis's clock")
    assert live["banner"] == ""
    assert not live["stale"]
    assert [row["name"] for crew in live["crews"] for row in crew["rows"]] == ["ada"]
    keys = set(re.findall(r'data-tile="([^"]+)"', page))
    assert keys == set(live["cells"]), "the script renews every number of the page, and knows no other"


def test_the_page_needs_no_inline_script(operator: Client, broker: RedisStreamsBroker) -> None:
    for path in (QUEUE, DEAD):
        page = operator.get(path).content.decode()
        ours = page[page.index('<div class="console"') :]

        assert "<script>" not in page
        assert not re.search(r"\son\w+=", ours)


def test_dead_letters_are_listed_newest_first_with_their_story(operator: Client, broker: RedisStreamsBroker) -> None:
    first, second = bury(broker, [placed("7"), placed("7")], reason="CardExpired: 03/24")

    page = operator.get(DEAD).content.decode()

    assert page.index(second.message.id) < page.index(first.message.id)
    assert page.count("CardExpired: 03/24") == 2
    assert "No dead letters" in operator.get(DEAD, {"group": "payments"}).content.decode()


def test_a_reader_is_told_why_there_is_no_button(people: dict[str, Client], broker: RedisStreamsBroker) -> None:
    bury(broker, [placed()])

    page = people["reader"].get(DEAD).content.decode()

    assert "Can operate the queue" in page
    assert "Replay selected" not in page
    assert 'type="checkbox"' not in page.replace("data-select-all", "")


def test_what_a_message_says_is_text_and_nothing_else(operator: Client, broker: RedisStreamsBroker) -> None:
    body = json.dumps({"note": NASTY}).encode()
    [letter] = bury(
        broker, [placed("7", body=body, name=f"orders.{NASTY}")], reason=f"Boom: {NASTY}", traceback=NASTY * 3
    )
    where = {"letter": token(letter)}

    for page in (
        operator.get(DEAD).content.decode(),
        operator.get(LETTER, where).content.decode(),
        operator.post(ACT, {**where, "action": "purge"}).content.decode(),
    ):
        assert "<script>window" not in page
        assert "<img src=x" not in page
        assert not re.search("[\u2028\u202e\x1b]", page)
    details = html.unescape(operator.get(LETTER, where).content.decode())
    assert "{{ 7|add:'7' }}{% load x %}\\u2028\\u202e\\u001b[31m" in details, (
        "shown as it is, the invisible spelled out"
    )


def test_an_entry_of_another_program_can_be_looked_at(operator: Client, broker: RedisStreamsBroker) -> None:
    broker.ensure_partition(PLACED, "7")
    read(broker, 1)
    broker.redis.xadd("q:{orders.placed:7}:log", {"id": '"/../<b>', "b": b"\xff\x00{", "at": "9" * 18})
    [strange] = read(broker, 1)
    assert broker.bury(GROUP, "ada", strange, Failure("unreadable"))

    listed = operator.get(DEAD)
    details = operator.get(LETTER, {"letter": token(strange)})

    assert listed.status_code == details.status_code == 200
    assert "unreadable" in details.content.decode()
    assert "<b>" not in details.content.decode()


def test_what_is_neither_replay_nor_purge_is_refused(operator: Client, broker: RedisStreamsBroker) -> None:
    [letter] = bury(broker, [placed()])

    assert operator.post(ACT, {"letter": token(letter), "action": "<script>"}).status_code == 400


def test_replaying_asks_first_with_the_number(operator: Client, broker: RedisStreamsBroker) -> None:
    letters = bury(broker, [placed() for _ in range(3)])

    answer = operator.post(ACT, {"letter": [token(letter) for letter in letters], "action": "replay"})

    assert "Replay 3 dead letters?" in answer.content.decode()
    assert len(dead_ids(broker)) == 3
    assert not LogEntry.objects.exists()


def test_a_replay_moves_the_letters_and_writes_down_who_when_what_and_how_many(
    operator: Client, broker: RedisStreamsBroker
) -> None:
    letters = bury(broker, [placed() for _ in range(3)])
    chosen = [token(letter) for letter in letters[:2]]

    answer = operator.post(ACT, {"letter": chosen, "confirmed": "yes", "action": "replay"}, follow=True)

    assert "Replayed 2 of 2 dead letters." in answer.content.decode()
    assert dead_ids(broker) == {letters[2].message.id}
    again = broker.read_due(GROUP, "lin", TOPICS, 10)
    assert {(d.message.id, d.attempt, d.replays) for d in again} == {(d.message.id, 1, 1) for d in letters[:2]}
    [entry] = LogEntry.objects.all()
    assert entry.user.username == "operator"
    assert entry.object_repr == "2 dead letters of orders"
    assert entry.change_message.startswith("Replayed 2 of 2 dead letters: ")
    assert all(letter.message.id in entry.change_message for letter in letters[:2])
    assert operator.get("/admin/").status_code == 200, "the home lists it among the recent actions"


def test_a_second_replay_changes_nothing_and_says_so(operator: Client, broker: RedisStreamsBroker) -> None:
    [letter] = bury(broker, [placed()])
    form = {"letter": token(letter), "confirmed": "yes", "action": "replay"}
    operator.post(ACT, form)

    answer = operator.post(ACT, form, follow=True)

    assert "Replayed 0 of 1 dead letter; 1 had been moved before." in answer.content.decode()
    assert len(broker.read_due(GROUP, "lin", TOPICS, 10)) == 1
    assert operator.get(LETTER, {"letter": token(letter)}).status_code == 404


@pytest.mark.parametrize("nonsense", ["", "x", "[]", '["orders"]', '["orders","a","b",1]', '{"a":1}', "\udcff", "null"])
def test_names_that_no_form_of_ours_made_are_refused(
    operator: Client, broker: RedisStreamsBroker, nonsense: str
) -> None:
    nonsense = nonsense.encode(errors="replace").decode()

    assert operator.get(LETTER, {"letter": nonsense}).status_code == 400
    assert operator.post(ACT, {"letter": nonsense, "confirmed": "yes", "action": "replay"}).status_code == 400


def test_names_of_places_that_do_not_exist_find_nothing(operator: Client, broker: RedisStreamsBroker) -> None:
    nowhere = [("nobody", PLACED, "7", "1"), (GROUP, "no.topic", "7", "1"), (GROUP, PLACED, "7", "1\0")]
    for address in itertools.starmap(Address, nowhere):
        assert operator.get(LETTER, {"letter": address.token}).status_code == 404
        answer = operator.post(ACT, {"letter": address.token, "confirmed": "yes", "action": "replay"}, follow=True)
        assert "Replayed 0 of 1" in answer.content.decode()


def test_a_reader_sees_a_group_and_no_way_to_act_on_it(people: dict[str, Client], broker: RedisStreamsBroker) -> None:
    pages = {who: people[who].get(GROUP_PAGE, {"group": GROUP}).content.decode() for who in ("reader", "operator")}

    assert all("competing mode" in page for page in pages.values())
    assert ['value="pause"' in page for page in pages.values()] == [False, True]
    assert [RESET in page for page in pages.values()] == [False, True]


def test_a_purge_wants_the_number_typed(operator: Client, broker: RedisStreamsBroker) -> None:
    letters = bury(broker, [placed() for _ in range(3)])
    form = {"letter": [token(letter) for letter in letters[:2]], "action": "purge"}

    for confirmed in ({}, {"confirmed": "yes"}, {"confirmed": "3"}):
        asked = operator.post(ACT, {**form, **confirmed}).content.decode()
        assert "Type 2 to agree" in asked
        assert "forgotten for good" in asked
    assert len(dead_ids(broker)) == 3
    assert not LogEntry.objects.exists()
    answer = operator.post(ACT, {**form, "confirmed": "2"}, follow=True)

    assert "Purged 2 of 2 dead letters." in answer.content.decode()
    assert dead_ids(broker) == {letters[2].message.id}
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_repr) == ("operator", "2 dead letters of orders")
    assert entry.is_deletion()
    assert all(letter.message.id in entry.change_message for letter in letters[:2])


def test_a_quarantined_letter_is_shown_as_such_and_replayed_only_on_an_explicit_wish(
    operator: Client, broker: RedisStreamsBroker
) -> None:
    [letter] = bury(broker, [placed()], quarantine=True)
    form = {"letter": token(letter), "action": "replay", "confirmed": "yes"}

    assert "quarantined" in operator.get(DEAD).content.decode()
    assert "quarantined" in operator.get(LETTER, form).content.decode()
    assert "1 quarantined" in operator.get(QUEUE).content.decode()
    registry = CollectorRegistry()
    registry.register(QueueCollector())  # type: ignore[arg-type]
    assert (
        'sluice_queue_quarantined_messages{group="orders",topic="orders.placed"} 1.0'
        in generate_latest(registry).decode()
    )
    refused = operator.post(ACT, form, follow=True)
    assert "Replayed 0 of 1 dead letter; 1 quarantined" in refused.content.decode()
    assert state(broker) == (1, 0, 0, 0, False)
    agreed = operator.post(ACT, {**form, "quarantined": "yes"}, follow=True)

    assert "Replayed 1 of 1 dead letter." in agreed.content.decode()
    assert state(broker) == (0, 1, 0, 0, False)


def test_a_reset_says_first_what_it_would_come_to(operator: Client, broker: RedisStreamsBroker) -> None:
    broker.produce([placed() for _ in range(5)])
    broker.ack(GROUP, "ada", read(broker, 10))

    said = operator.post(RESET, {"group": GROUP, **BACK}).content.decode()
    mistaken = operator.post(RESET, {"group": GROUP, **BACK, "confirmed": "payments"}).content.decode()

    for page in (said, mistaken):
        assert re.search(r"It is 0 messages behind in 1\s+partition, and would be 5", page)
    assert state(broker)[3] == 0
    moved = operator.post(RESET, {"group": GROUP, **BACK, "confirmed": GROUP}, follow=True).content.decode()

    assert "Put orders in orders.placed: lag 0 before, 5 now." in moved
    assert state(broker)[3] == 5
    entry = LogEntry.objects.get()
    assert entry.change_message.startswith("Put orders in orders.placed: lag 0 before, 5 now")


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"topic": "no.topic", "to": "beginning"}, "Select a valid choice"),
        ({"topic": PLACED, "to": "time"}, "Which time?"),
        ({"topic": PLACED, "to": "<script>"}, "Select a valid choice"),
        ({"topic": PLACED, "to": "time", "moment": "yesterday"}, "Enter a valid date/time"),
    ],
)
def test_a_reset_that_makes_no_sense_is_explained(
    operator: Client, broker: RedisStreamsBroker, form: dict[str, str], said: str
) -> None:
    answer = operator.post(RESET, {"group": GROUP, **form, "confirmed": GROUP})

    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not LogEntry.objects.exists()


def test_a_group_nobody_declared_has_no_page(operator: Client, broker: RedisStreamsBroker) -> None:
    for name in ("", "nobody", NASTY):
        assert operator.get(GROUP_PAGE, {"group": name}).status_code == 404
        assert operator.post(RESET, {"group": name, **BACK}).status_code == 404


def test_nothing_selected_replays_nothing(operator: Client, broker: RedisStreamsBroker) -> None:
    bury(broker, [placed()])

    answer = operator.post(ACT, {"confirmed": "yes", "action": "replay"}, follow=True)

    assert "Nothing was selected" in answer.content.decode()
    assert len(dead_ids(broker)) == 1


def test_a_long_list_says_how_much_of_it_is_shown(operator: Client, broker: RedisStreamsBroker) -> None:
    bury(broker, [placed() for _ in range(120)])

    page = operator.get(DEAD).content.decode()

    assert page.count('name="letter"') == 100
    assert re.search(r"The newest 100\s+of 120", page)


def test_the_sidebar_leads_everywhere_an_operator_goes(admin_client: Client, people: dict[str, Client]) -> None:
    def sidebar(browser: Client) -> dict[str, str]:
        page = browser.get(QUEUE)
        return {item["title"]: item["link"] for group in page.context["sidebar_navigation"] for item in group["items"]}

    links = sidebar(admin_client)

    wanted = {"Queue", "Dead letters", "Sales", "Orders", "Stock ledger", "Payments", "Shipments", "Notifications"}
    assert wanted | {"Users"} <= set(links)
    for title, link in links.items():
        assert admin_client.get(link).status_code == 200, title
    seen_without_a_role = set(sidebar(people["reader"]))
    assert {"Queue", "Dead letters", "Log"} <= seen_without_a_role
    assert not seen_without_a_role & {"Sales", "Orders", "Stock ledger", "Payments", "Shipments", "Users", "Groups"}
