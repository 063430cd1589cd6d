"""Who gets what on every route and by every action: the table that test_roles.py asks through.

A word is a status, or `log-in`: sent to the page where one logs in, or `done`: sent on, and the admin's log has a row
more. A new route needs a row in PAGES; one that changes something for the staff also needs one in ACTIONS.
"""

from __future__ import annotations

from typing import Any, NamedTuple

ROLES = ("anonymous", "buyer", "reader", "operator")

# Route, then what anonymous, buyer, read-only staff and operator get: by GET | by POST with an empty form.
PAGES = """
healthz                                             503     503     503     503  |  405     405     405     405
readyz                                              200     200     200     200  |  405     405     405     405
metrics                                             200     200     200     200  |  405     405     405     405

                                                    200     200     200     200  |  405     405     405     405
sales/<int:sale_id>                                 200     200     200     200  |  405     405     405     405
sales/<int:sale_id>/stock                           200     200     200     200  |  405     405     405     405
sales/<int:sale_id>/buy                             405     405     405     405  |  log-in  422     422     422
sales/<int:sale_id>/join                            405     405     405     405  |  log-in  404     404     404
sales/<int:sale_id>/leave                           405     405     405     405  |  log-in  404     404     404
login                                               200     302     302     302  |  200     302     302     302
register                                            200     302     302     302  |  200     302     302     302
logout                                              405     405     405     405  |  302     302     302     302
orders/                                             log-in  200     200     200  |  405     405     405     405
orders/<uuid:order_id>                              log-in  200     404     404  |  405     405     405     405
orders/<uuid:order_id>/live                         404     200     404     404  |  405     405     405     405
pay/<uuid:order_id>                                 log-in  404     404     404  |  log-in  404     404     404
pay/<uuid:order_id>/cancel                          log-in  405     405     405  |  log-in  404     404     404
payments/webhook                                    405     405     405     405  |  401     401     401     401
demo-bank/<uuid:charge_id>                          404     404     404     404  |  404     404     404     404
phone/                                              log-in  200     200     200  |  405     405     405     405
phone/messages                                      401     200     200     200  |  405     405     405     405

api/                                                404     404     404     404  |  404     404     404     404
api/sales/<int:sale_id>                             404     404     404     404  |  405     405     405     405
api/sales/<int:sale_id>/challenge                   401     404     404     404  |  405     405     405     405
api/sales/<int:sale_id>/pass                        405     405     405     405  |  401     400     400     400
api/sales/<int:sale_id>/orders                      405     405     405     405  |  401     401     401     401
api/sales/<int:sale_id>/line                        405     405     405     405  |  401     401     401     401
api/orders/<uuidstr:order_id>                       401     200     404     404  |  405     405     405     405

admin/                                              log-in  log-in  200     200  |  log-in  log-in  200     200
admin/<app_label>/                                  log-in  log-in  200     200  |  log-in  log-in  200     200
admin/login/                                        200     200     302     302  |  200     200     200     200
admin/logout/                                       302     302     405     405  |  302     302     302     302
admin/password_change/                              log-in  log-in  200     200  |  log-in  log-in  200     200
admin/password_change/done/                         log-in  log-in  200     200  |  log-in  log-in  405     405
admin/search/                                       log-in  log-in  200     200  |  log-in  log-in  200     200
admin/autocomplete/                                 log-in  log-in  403     403  |  log-in  log-in  405     405
admin/jsi18n/                                       log-in  log-in  200     200  |  log-in  log-in  405     405
admin/r/<path:content_type_id>/<path:object_id>/    log-in  log-in  404     404  |  log-in  log-in  404     404
admin/(?P<url>.*)$                                  log-in  log-in  404     404  |  log-in  log-in  404     404

admin/room/funnel/                                  log-in  log-in  200     200  |  log-in  log-in  405     405
admin/room/funnel/live/                             log-in  log-in  200     200  |  log-in  log-in  405     405
admin/room/funnel/stream/                           log-in  log-in  204     204  |  log-in  log-in  405     405
admin/room/faults/                                  log-in  log-in  200     200  |  log-in  log-in  405     405
admin/room/faults/live/                             log-in  log-in  200     200  |  log-in  log-in  405     405
admin/room/faults/stream/                           log-in  log-in  204     204  |  log-in  log-in  405     405
admin/room/faults/begin/                            log-in  log-in  405     405  |  log-in  log-in  403     400
admin/room/faults/end/                              log-in  log-in  405     405  |  log-in  log-in  403     400
admin/room/sales/                                   log-in  log-in  200     200  |  log-in  log-in  405     405
admin/room/sales/<int:sale_id>/                     log-in  log-in  200     200  |  log-in  log-in  405     405
admin/room/sales/<int:sale_id>/sample/              log-in  log-in  200     200  |  log-in  log-in  405     405
admin/room/sales/<int:sale_id>/stream/              log-in  log-in  204     204  |  log-in  log-in  405     405
admin/room/sales/<int:sale_id>/act/                 log-in  log-in  405     405  |  log-in  log-in  403     400
admin/room/sales/<int:sale_id>/preview/             log-in  log-in  200     200  |  log-in  log-in  405     405
admin/room/sales/<int:sale_id>/preview/<slug:name>/  log-in  log-in  404     404  |  log-in  log-in  405     405

admin/queueing/queue/                               log-in  log-in  200     200  |  log-in  log-in  405     405
admin/queueing/queue/sample/                        log-in  log-in  200     200  |  log-in  log-in  405     405
admin/queueing/queue/stream/                        log-in  log-in  204     204  |  log-in  log-in  405     405
admin/queueing/queue/history/                       log-in  log-in  200     200  |  log-in  log-in  405     405
admin/queueing/queue/dead/                          log-in  log-in  200     200  |  log-in  log-in  405     405
admin/queueing/queue/dead/letter/                   log-in  log-in  400     400  |  log-in  log-in  405     405
admin/queueing/queue/dead/act/                      log-in  log-in  405     405  |  log-in  log-in  403     400
admin/queueing/queue/dead/matching/                 log-in  log-in  405     405  |  log-in  log-in  403     400
admin/queueing/queue/dead/export/                   log-in  log-in  200     200  |  log-in  log-in  405     405
admin/queueing/queue/dead/run/<uuid:run_id>/        log-in  log-in  200     200  |  log-in  log-in  405     405
admin/queueing/queue/dead/run/<uuid:run_id>/state/  log-in  log-in  200     200  |  log-in  log-in  405     405
admin/queueing/queue/dead/run/<uuid:run_id>/begin/  log-in  log-in  405     405  |  log-in  log-in  403     200
admin/queueing/queue/dead/run/<uuid:run_id>/stop/   log-in  log-in  405     405  |  log-in  log-in  403     done
admin/queueing/queue/group/                         log-in  log-in  404     404  |  log-in  log-in  405     405
admin/queueing/queue/group/pause/                   log-in  log-in  405     405  |  log-in  log-in  403     404
admin/queueing/queue/group/scale/                   log-in  log-in  405     405  |  log-in  log-in  403     404
admin/queueing/queue/group/reset/                   log-in  log-in  405     405  |  log-in  log-in  403     404

admin/shop/sale/                                    log-in  log-in  200     200  |  log-in  log-in  200     200
admin/shop/sale/add/                                log-in  log-in  403     200  |  log-in  log-in  403     200
admin/shop/sale/<path:object_id>/                   log-in  log-in  302     302  |  log-in  log-in  302     302
admin/shop/sale/<path:object_id>/change/            log-in  log-in  200     200  |  log-in  log-in  403     200
admin/shop/sale/<path:object_id>/delete/            log-in  log-in  403     403  |  log-in  log-in  403     403
admin/shop/sale/<path:object_id>/history/           log-in  log-in  200     200  |  log-in  log-in  200     200
admin/shop/sale/<path:object_id>/add-stock/         log-in  log-in  403     200  |  log-in  log-in  403     200
admin/shop/product/                                 log-in  log-in  200     200  |  log-in  log-in  200     200
admin/shop/product/add/                             log-in  log-in  403     200  |  log-in  log-in  403     200
admin/shop/product/<path:object_id>/                log-in  log-in  302     302  |  log-in  log-in  302     302
admin/shop/product/<path:object_id>/change/         log-in  log-in  200     200  |  log-in  log-in  403     200
admin/shop/product/<path:object_id>/delete/         log-in  log-in  403     403  |  log-in  log-in  403     403
admin/shop/product/<path:object_id>/history/        log-in  log-in  200     200  |  log-in  log-in  200     200
"""

# Of people and their roles, only superusers see anything.
FORBIDDEN = ["auth/group", "shop/user"]
FORBIDDEN_PAGES = """
admin/{model}/                                      log-in  log-in  403     403  |  log-in  log-in  403     403
admin/{model}/add/                                  log-in  log-in  403     403  |  log-in  log-in  403     403
admin/{model}/<path:object_id>/                     log-in  log-in  302     302  |  log-in  log-in  302     302
admin/{model}/<path:object_id>/change/              log-in  log-in  403     403  |  log-in  log-in  403     403
admin/{model}/<path:object_id>/delete/              log-in  log-in  403     403  |  log-in  log-in  403     403
admin/{model}/<path:object_id>/history/             log-in  log-in  403     403  |  log-in  log-in  403     403
"""
PASSWORD = """
admin/shop/user/<id>/password/                      log-in  log-in  403     403  |  log-in  log-in  403     403
"""

# What handlers wrote: read by all of the staff, changed by nobody. None of the id asked for is there: 302 says so.
RECORDS = [
    *("orders/order", "orders/transition", "orders/offer"),
    *("inventory/salestock", "inventory/ledgerentry"),
    *("payments/payment", "payments/charge", "payments/refund", "payments/webhookevent"),
    *("payments/democharge", "payments/demowebhook"),
    *("logistics/shipment", "notifications/notification", "notifications/incident", "notifications/phonemessage"),
    "admin/logentry",
]
RECORD_PAGES = """
admin/{model}/                                      log-in  log-in  200     200  |  log-in  log-in  200     200
admin/{model}/add/                                  log-in  log-in  403     403  |  log-in  log-in  403     403
admin/{model}/<path:object_id>/                     log-in  log-in  302     302  |  log-in  log-in  302     302
admin/{model}/<path:object_id>/change/              log-in  log-in  302     302  |  log-in  log-in  403     403
admin/{model}/<path:object_id>/delete/              log-in  log-in  403     403  |  log-in  log-in  403     403
admin/{model}/<path:object_id>/history/             log-in  log-in  302     302  |  log-in  log-in  302     302
"""


class Row(NamedTuple):
    """What each of ROLES gets by GET and by POST."""

    route: str
    get: list[str]
    post: list[str]


class Action(NamedTuple):
    """A form that is sent to a route, and what each of ROLES gets. {letter}, {product}, {sale}: see roles_scene.py."""

    route: str
    form: dict[str, Any]
    expected: str


QUEUE, SHOP = "admin/queueing/queue/", "admin/shop/"
TERMS = {
    "price_cents": 4900,
    "per_user_limit": 1,
    "waiting_room": "off",
    "turns_per_s": 500,
    "turn_s": 60,
    "starts_at_0": "2030-05-01",
    "starts_at_1": "12:00:00",
    "ends_at_0": "2030-05-01",
    "ends_at_1": "12:30:00",
    **{f"additions-{name}": 0 for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")},
}
GOOD = {"title": "Copper kettle", "slug": "copper-kettle", "blurb": "Boils.", "picture": "pictures/kettle.svg"}
LETTER = {"letter": "{letter}", "confirmed": "yes"}
DELETE = {"action": "delete_selected", "post": "yes"}
ACTS = "log-in  log-in  403     done"
NOBODY = "log-in  log-in  403     403"
NOTHING = "log-in  log-in  200     200"  # the list again: there is no such action for them

ACTIONS = [
    Action(f"{QUEUE}dead/act/", {**LETTER, "action": "replay"}, ACTS),
    Action(f"{QUEUE}dead/act/", {**LETTER, "action": "purge", "confirmed": "1"}, ACTS),
    Action(f"{QUEUE}dead/matching/", {"letter": "{letter}", "action": "replay"}, ACTS),
    Action(f"{QUEUE}dead/run/<uuid:run_id>/begin/", {"confirmed": "yes"}, ACTS),
    Action(f"{QUEUE}dead/run/<uuid:run_id>/stop/", {"because": "enough"}, ACTS),
    Action(f"{QUEUE}group/pause/", {"group": "orders", "action": "pause"}, ACTS),
    Action(f"{QUEUE}group/pause/", {"group": "orders", "action": "resume"}, ACTS),
    Action(f"{QUEUE}group/scale/", {"group": "orders", "act": "more"}, ACTS),
    Action(f"{QUEUE}group/scale/", {"group": "orders", "act": "fewer"}, ACTS),
    Action(f"{QUEUE}group/scale/", {"group": "orders", "act": "release"}, ACTS),
    Action(
        f"{QUEUE}group/reset/",
        {"group": "orders", "topic": "orders.placed", "to": "beginning", "confirmed": "orders"},
        ACTS,
    ),
    Action("admin/room/faults/begin/", {"kind": "stop", "group": "inventory", "seconds": 30}, ACTS),
    Action("admin/room/faults/end/", {"kind": "stop", "group": "inventory"}, ACTS),
    *(
        Action("admin/room/sales/<int:sale_id>/act/", {"action": action, **form}, ACTS)
        for action, form in {
            "pause": {},
            "close": {"sure": "yes"},
            "add_stock": {"quantity": 5},
            "room": {"mode": "on", "turns_per_s": 50},
            "notice": {"text": "Back at noon"},
        }.items()
    ),
    Action(f"{SHOP}product/add/", GOOD, ACTS),
    Action(f"{SHOP}product/<path:object_id>/change/", GOOD, ACTS),
    Action(f"{SHOP}product/", {**DELETE, "_selected_action": "{product}"}, NOTHING),
    Action(f"{SHOP}sale/add/", {**TERMS, "product": "{product}", "stock": 50}, ACTS),
    Action(f"{SHOP}sale/<path:object_id>/change/", TERMS, ACTS),
    Action(f"{SHOP}sale/<path:object_id>/add-stock/", {"quantity": 5}, ACTS),
    Action(f"{SHOP}sale/", {**DELETE, "_selected_action": "{sale}"}, NOTHING),
    Action("admin/auth/group/", {**DELETE, "_selected_action": 1}, NOBODY),
    Action("admin/shop/user/", {**DELETE, "_selected_action": 1}, NOBODY),
    *(Action(f"admin/{model}/", {**DELETE, "_selected_action": 1}, NOTHING) for model in RECORDS),
]


def rows() -> list[Row]:
    text = PAGES + PASSWORD
    text += "".join(FORBIDDEN_PAGES.replace("{model}", model) for model in FORBIDDEN)
    text += "".join(RECORD_PAGES.replace("{model}", model) for model in RECORDS)
    return [_row(line) for line in text.splitlines() if "|" in line]


def _row(line: str) -> Row:
    start, _, post = line.partition("|")
    *route, a, b, c, d = start.split()
    return Row("".join(route), [a, b, c, d], post.split())
