"""`python -m config.stack.prepare`: schema, static files and demo data, in one process. Does nothing twice."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from config.stack.folder import ADMIN_PASSWORD


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django
    from django.core.management import CommandError, call_command
    from django.db import DatabaseError

    django.setup()
    from config.env import env

    data_dir = Path(env.data_dir)
    try:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        call_command("demo", admin_password_file=str(data_dir / ADMIN_PASSWORD))
    except (CommandError, DatabaseError, OSError) as problem:
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
