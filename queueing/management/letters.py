"""`manage.py queue dead | replay | purge`: dead letters, looked at, given back to their group, or forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.core.management.base import CommandError

from queueing.conf import make_broker
from queueing.console import selectors, words
from queueing.console.choosing import Choice, chosen, settled
from queueing.console.found import Found
from queueing.console.letters import DeadLetter
from queueing.console.plain import visible
from queueing.console.services import Outcome, Progress, purge_dead_letters, replay_dead_letters
from queueing.management.asking import AskingCommand, operator
from queueing.management.letter_choice import add_choice, choice_of, positive
from queueing.management.letter_words import HEAD, facts_of, in_full, rows

SAY_EVERY_S = 1.0

_Act = Callable[..., Outcome]


class LetterCommand(AskingCommand):
    """A part of the command `queue`."""

    def add_letter_arguments(self, actions: Any) -> None:
        dead = actions.add_parser("dead", help="dead letters; with --id, one of them in full")
        replay = actions.add_parser("replay", help="move dead letters back to the group that failed")
        purge = actions.add_parser("purge", help="forget dead letters for good")
        for action in (dead, replay, purge):
            add_choice(action)
            action.add_argument("--json", action="store_true", help="print JSON; times are milliseconds since 1970")
        dead.add_argument("--limit", type=positive, default=selectors.PAGE, help="so many of them (%(default)s)")
        quarantined = "those, too, that were replayed as often as they may be"
        replay.add_argument("--quarantined", action="store_true", help=quarantined)
        for action in (replay, purge):
            action.add_argument("--limit", type=positive, help="so many of them; all, without it")
            action.add_argument(
                "--user", required=True, help="who you are: a staff account that may operate, for the log"
            )
            action.add_argument(
                "--dry-run", action="store_true", help="count what would be moved, show the first, stop"
            )
            action.add_argument("--yes", action="store_true", help="do not ask")

    def _dead(self, **options: Any) -> None:
        choice = choice_of(options)
        if options["id"]:
            return self._in_full(choice, as_json=options["json"])
        letters = selectors.dead_letters(choice)
        return self._json(list(map(facts_of, letters))) if options["json"] else self._letters(letters, choice)

    def _replay(self, **options: Any) -> None:
        act = partial(replay_dead_letters, quarantined=options["quarantined"])
        self._move("Replay", act, **options)

    def _purge(self, **options: Any) -> None:
        if not (options["group"] or options["id"]):
            raise CommandError("purge of which group? Name it, or single messages with --id")
        self._move("Purge", purge_dead_letters, **options)

    def _move(self, verb: str, act: _Act, **options: Any) -> None:
        user = operator(options["user"])
        broker = make_broker()
        try:
            meant = choice_of(options)
            choice = settled(meant, broker.redis)
            found = Found.of(chosen(choice, broker.redis))
            _check_found(choice, found)
            skipped = found.quarantined if verb == "Replay" and not options["quarantined"] else 0
            if not options["json"]:
                self._say_found(found, meant, skipped=skipped)
            if options["dry_run"] or found.matched == skipped:
                return self._json(_told(found)) if options["json"] else None
            self._agree(verb, found.matched - skipped, yes=options["yes"])
            if not (choice.ids or options["json"]):
                self._say_how_to_go_on(choice)
            outcome = act(
                user=user,
                letters=chosen(choice, broker.redis),
                asked=found.matched,
                about=f"dead letters: {choice}",
                progress=self._progress(found.matched),
            )
        finally:
            broker.redis.close()
        if options["json"]:
            self._json(_told(found, outcome))
        if outcome.broken_off:
            raise CommandError(f"{outcome} ({outcome.broken_off})")
        return None if options["json"] else self.stdout.write(f"{outcome}.")

    def _agree(self, verb: str, number: int, *, yes: bool) -> None:
        letters = f"{words.count(number)} dead letter{'' if number == 1 else 's'}"
        if verb == "Purge":
            self.confirm_by_typing(f"Forget {letters} for good?", str(number), yes=yes)
        else:
            self.confirm(f"{verb} {letters}?", yes=yes)

    def _progress(self, total: int) -> Progress:
        said = time.monotonic()

        def say(outcome: Outcome) -> None:
            nonlocal said
            if time.monotonic() - said >= SAY_EVERY_S:
                said = time.monotonic()
                self.stderr.write(f"{words.count(outcome.moved)} of {words.count(total)}")

        return say

    def _say_found(self, found: Found, meant: Choice, *, skipped: int) -> None:
        self._letters(found.first, meant)
        if not found.matched:
            return
        self.stdout.write("")
        self._table(["LETTERS", "REASON"], [[words.count(number), kind] for kind, number in found.reasons])
        line = f"{words.count(found.matched)} match, {words.count(found.quarantined)} of them quarantined"
        self.stdout.write(f"{line}; those are skipped without --quarantined." if skipped else f"{line}.")

    def _say_how_to_go_on(self, choice: Choice) -> None:
        assert choice.before_ms is not None
        until = datetime.fromtimestamp(choice.before_ms / 1000, UTC).isoformat(timespec="milliseconds")
        self.stderr.write(f"If this is interrupted, run it again with --before {until}: it does the rest.")

    def _in_full(self, choice: Choice, *, as_json: bool) -> None:
        broker = make_broker()
        try:
            buried = list(chosen(choice, broker.redis))
        finally:
            broker.redis.close()
        if missing := set(choice.ids) - {one.letter.id for one in buried}:
            raise CommandError(f"not among the dead letters: {', '.join(sorted(missing))}")
        if as_json:
            return self._json([facts_of(DeadLetter(one.group, one.letter, one.buried_at_ms)) for one in buried])
        for one in map(DeadLetter.of, buried):
            self.stdout.write(in_full(one))
        return None

    def _letters(self, letters: Sequence[DeadLetter], meant: Choice) -> None:
        if letters:
            return self._table(HEAD, rows(letters))
        said = f"No dead letter matches: {visible(str(meant))}." if meant.narrows else "No dead letters."
        return self.stdout.write(said)


def _check_found(choice: Choice, found: Found) -> None:
    if choice.ids and not found.matched:
        raise CommandError(f"not among the dead letters: {', '.join(choice.ids[:20])}")


def _told(found: Found, outcome: Outcome | None = None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "matched": found.matched,
        "quarantined": found.quarantined,
        "reasons": dict(found.reasons),
        "first": [facts_of(letter) for letter in found.first],
    }
    if outcome is None:
        return {**facts, "moved": 0}
    return {**facts, "moved": outcome.moved, "gone": outcome.gone, "broken_off": outcome.broken_off}
