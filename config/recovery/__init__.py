"""When Redis lost data: see it, close the gates, rebuild them from PostgreSQL, tell again what was lost, open.

PostgreSQL is the authority for every order with a row. What Redis held beyond that is gone, and declared so: those
orders are void. `turn` does whatever can be done now and returns; the relay calls it each second, `manage.py rebuild`
until it is done. Each step may be the last of a process that dies: the next one, of whoever lives, goes on from what is
written down.

    see      look.py     compare this Redis with what PostgreSQL knows
    declare  inventory/rebuilds.py: a new epoch per sale, in PostgreSQL, before anything else
    close    inventory/gate_rebuild.py: 503 from here on
    drain    gates.py    until group `orders` has written what the admission log still holds
    void     orders/voiding.py: no older order gets a row from here on
    reopen   gates.py    stock, buyers, answers and applied movements from PostgreSQL, put in place by one script
    approve  turn.py     connections may admit again
    retell   retell.py   the last word of every order that is half-way, as its event may have been in the lost data
"""
