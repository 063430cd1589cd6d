"""Who carries the parcels, behind two verbs, and the demo carrier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from logistics.models import Shipment
from logistics.tracking import new_tracking_number

Status = Shipment.Status
JOURNEY = (Status.PACKED, Status.IN_TRANSIT, Status.OUT_FOR_DELIVERY, Status.DELIVERED)


class Parcel(NamedTuple):
    """A parcel and where it was last seen."""

    tracking_number: str
    status: str


class Carrier(Protocol):
    """A carrier. Both verbs are asked for many parcels at once and may be asked again for the same ones."""

    def labels(self, count: int) -> Sequence[str]:
        """As many tracking numbers never given before. One that is not used costs nothing."""
        ...

    def whereabouts(self, parcels: Sequence[Parcel]) -> Mapping[str, str]:
        """Tracking number → status, one of JOURNEY. A parcel never goes back; one left out has not been seen."""
        ...


class DemoCarrier:
    """Every time it is asked about a parcel, it has brought it one step further."""

    def labels(self, count: int) -> Sequence[str]:
        return [new_tracking_number() for _ in range(count)]

    def whereabouts(self, parcels: Sequence[Parcel]) -> Mapping[str, str]:
        following = dict(pairwise(JOURNEY))
        return {
            parcel.tracking_number: following[Status(parcel.status)]
            for parcel in parcels
            if parcel.status != Status.DELIVERED
        }


def carrier() -> Carrier:
    """The carrier named by settings.CARRIER."""
    return cast(Carrier, import_string(settings.CARRIER)())
