import os
import pytest

@pytest.mark.django_db
def test_x():
    from django.db import connection
    with connection.cursor() as c:
        c.execute("select version()"); print(c.fetchone(), os.environ["REDIS_URL"])
