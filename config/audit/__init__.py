"""The proof: `manage.py audit` recomputes what must always be true from raw facts and says what is broken.

Raw facts are PostgreSQL's rows, the streams' entries and sets in Redis, and what a load generator wrote down of what
buyers were told. A counter is only ever compared with them, never believed.

One rule, one file in `rules/`: SQL that finds offenders. `evidence.py` puts everything that is not in PostgreSQL into
temporary tables beside it, so that a rule over 100,000 orders is one join.
"""
