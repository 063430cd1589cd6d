"""What the templates of the demo phone need, for its page and for the widget on the order page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from notifications.models import Channel
from notifications.selectors import messages_on_phone


def screen(*, user_id: int, channel: Channel = Channel.SMS, order_id: UUID | None = None) -> dict[str, Any]:
    """The phone's face: its tabs, the messages of the open one, and the address where news of it is asked."""
    messages = list(messages_on_phone(user_id=user_id, channel=channel, order_id=order_id))
    about = {"order": str(order_id)} if order_id else {}
    newest = messages[0].pk if messages else 0
    return {
        "phone_messages": messages,
        "channel": channel,
        "order_id": order_id,
        "newest": newest,
        "tabs": [(tab, urlencode({**about, "tab": tab.value})) for tab in Channel],
        "poll": urlencode({**about, "tab": channel.value, "seen": newest}),
    }
