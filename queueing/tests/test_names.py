from __future__ import annotations

import pytest

from queueing import keys
from queueing.subscription import Subscription
from queueing.topic import Topic


@pytest.mark.parametrize("name", ["", "a:b", "a{b}", "orders#1", "-relay", "bar\n", "späti", "a b"])
def test_a_name_that_would_divide_a_key_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a name is of letters"):
        Subscription(name, {})
    with pytest.raises(ValueError, match="a name is of letters"):
        Topic(name)


@pytest.mark.parametrize("of_a_partition", [keys.log, keys.meta, keys.log_series, keys.later, keys.drafts])
def test_no_group_is_called_as_a_key_that_all_groups_share(of_a_partition) -> None:
    shared = of_a_partition("parcels", "0")
    name = shared.rpartition(":")[2]

    assert keys.counters("parcels", "0", name) == shared
    with pytest.raises(ValueError, match="that is what a partition's own keys are called"):
        Subscription(name, {})


@pytest.mark.parametrize("name", ["orders", "orders.placed", "night_shift", "7", "house-keeping"])
def test_plain_names_are_fine(name: str) -> None:
    assert Subscription(name, {}).group == Topic(name).name
