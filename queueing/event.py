"""Events: facts in the past tense, frozen, made of primitives, with a wire name and version that outlive renames."""

from __future__ import annotations

from typing import Any, ClassVar, Self, cast, dataclass_transform

import msgspec

from queueing.errors import MalformedMessage, UnknownEvent

_registry: dict[str, type[Event]] = {}
_decoders: dict[type[Event], msgspec.json.Decoder[Any]] = {}


@dataclass_transform(frozen_default=True, kw_only_default=True)
class _Frozen(msgspec.StructMeta):
    """Makes `class OrderPaid(Event)` frozen and keyword-only without saying so each time, and no work for the garbage
    collector: events come by the thousand, and primitives make no cycles."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        return super().__new__(cls, name, bases, namespace, frozen=True, kw_only=True, gc=False)


class Event(msgspec.Struct, metaclass=_Frozen):
    """Base of every event.

    A subclass says where it travels::

        class OrderPaid(Event):
            wire = "orders.OrderPaid"     # never changes, even when the class is renamed
            topic = "orders.events"       # declared in settings.QUEUEING["TOPICS"]
            key_field = "order_id"        # messages with equal keys share a partition and keep their order

            order_id: str
            user_id: int

    Fields are str, int, bool, None, lists and dicts of these. A new optional field (with a default) keeps the
    version; anything else is version + 1. Money is integer cents, times are integer milliseconds since 1970 UTC.
    """

    wire: ClassVar[str] = ""
    topic: ClassVar[str] = ""
    key_field: ClassVar[str] = "order_id"
    about_field: ClassVar[str] = ""  # what traces and logs call it by, where that is not its key
    version: ClassVar[int] = 1

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.wire:
            return
        known = _registry.get(cls.wire)
        if known is not None and known.__qualname__ != cls.__qualname__:
            raise TypeError(f"wire name {cls.wire!r} belongs to {known.__qualname__} already")
        _registry[cls.wire] = cls

    @property
    def key(self) -> str:
        return str(getattr(self, self.key_field))

    @property
    def about(self) -> str:
        """What it is about: an event that a handler publishes about the same goes on with its trace."""
        return str(getattr(self, self.about_field or self.key_field))

    def encode(self) -> bytes:
        """The body as compact JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        try:
            return cast(Self, (_decoders.get(cls) or _decoder(cls)).decode(body))
        except (ValueError, RecursionError) as error:  # no JSON, not its fields, no UTF-8; nested too deeply
            raise MalformedMessage(f"{cls.wire} v{cls.version}: {error}") from error


def _decoder(cls: type[Event]) -> msgspec.json.Decoder[Any]:
    """Made at the first message of a class, when the class is complete."""
    return _decoders.setdefault(cls, msgspec.json.Decoder(cls))


def event_class(wire: str, version: int) -> type[Event]:
    """The class of a wire name.

    Raises:
        UnknownEvent: nobody declared this name, or the message is newer than this program.
    """
    cls = _registry.get(wire)
    if cls is None:
        raise UnknownEvent(f"no event is called {wire!r}")
    if version > cls.version:
        raise UnknownEvent(f"{wire} v{version} is newer than this program's v{cls.version}: upgrade this consumer")
    return cls
