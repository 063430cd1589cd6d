"""nginx in front of the web process, as a child of the stack: no root daemon, everything it writes is in DATA_DIR."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from config.stack import account, sockets
from config.stack.child import Child
from config.stack.errors import CannotStart
from config.stack.foreground import ServerFailed
from config.stack.leftovers import MARK
from config.stack.output import Output

if TYPE_CHECKING:
    from config.env import Env

FILES = Path(__file__).resolve().parents[2] / "deploy" / "nginx"
TEMPLATE = FILES / "nginx.conf.template"
PIECES = ("answers.conf", "busy.html")
RATES = (
    *("gateway_rate", "gateway_burst", "gateway_in_flight"),
    *("orders_rate", "orders_burst", "orders_in_flight"),
)
FORBIDDEN = '"\\$'  # what would end or change a quoted word of nginx's configuration
_BLANK = re.compile(r"\$\{([A-Z_]+)\}")


def choose(env: Env, data_dir: Path, output: Output) -> Nginx | None:
    """The gateway to start, or None: then the web process keeps the limits itself (config/limits.py).

    Raises:
        CannotStart: GATEWAY=nginx, and it cannot be.
    """
    if env.gateway == "web":
        return None
    nginx = Nginx(env, data_dir)
    problem = nginx.problem()
    if problem is None:
        return nginx
    if env.gateway == "nginx":
        raise CannotStart(f"GATEWAY=nginx, but {problem}. Without GATEWAY the web process keeps the limits itself")
    output.say(f"{problem}: the web process keeps the limits itself, at a lower rate (make deps installs nginx)")
    return None


class Nginx(Child):
    """Listens on PORT of the loopback interface and speaks to the web process through `web_socket`."""

    def __init__(self, env: Env, data_dir: Path) -> None:
        home = data_dir / "nginx"
        self.folder = sockets.folder_for(home, "limited.sock", kind="nginx", forbidden=FORBIDDEN)
        self.web_socket = str(self.folder / "web.sock")
        self.status = f"unix:{self.folder / 'status.sock'}"  # as GATEWAY_STATUS
        self.user = account.needed()
        self._env_settings, self._data_dir = env, data_dir
        command = [program() or "nginx", "-p", f"{self.folder}/", "-c", f"{self.folder}/nginx.conf", "-e", "stderr"]
        # The mark is in its command, because nginx overwrites its environment with its title (leftovers.py).
        command += ["-g", f'daemon off; env "{MARK}={data_dir}";']
        super().__init__("nginx", command, ends=0, env=os.environ, cwd=data_dir)

    def problem(self) -> str | None:
        """Why it cannot run here, in its own words; None if it can."""
        if program() is None:
            return "nginx is not installed"
        if set(str(self._data_dir)) & set(FORBIDDEN):
            return f"nginx cannot work in {self._data_dir}"
        self._furnish()
        tried = subprocess.run([*self.command, "-t", "-q"], capture_output=True, text=True, check=False, cwd=self._cwd)
        if tried.returncode == 0:
            return None
        return f"nginx refused its configuration ({(tried.stderr.strip().splitlines() or ['it said nothing'])[0]})"

    def spawn(self) -> None:
        self._furnish()
        super().spawn()

    def ask_to_end(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)  # answers what it has taken; worker_shutdown_timeout bounds it

    def _furnish(self) -> None:
        """The folder with everything nginx reads, new each time: a clone in a private home is not for its account."""
        sockets.make(self.folder, user=self.user)
        # Sockets of one that was killed, to which the next could not bind, and what it counted.
        for left in ("limited.sock", "status.sock", "answered.tally", "fetched.tally"):
            (self.folder / left).unlink(missing_ok=True)
        env = self._env_settings
        blanks = {
            "NGINX_USER": f"user {self.user};" if self.user else "",
            # The other half of the cores is for the web and its servers; one worker sheds 80,000 a second.
            "NGINX_WORKERS": str(max(1, (os.cpu_count() or 1) // 2)),
            "NGINX_RUN": str(self.folder),
            "NGINX_CONF": str(self.folder),
            "NGINX_LISTEN": f"127.0.0.1:{env.port}",
            "NGINX_STATUS": f'"{self.status}"',
            "NGINX_TALLIES": str(self.folder),
            "NGINX_WEB": f'"unix:{self.web_socket}"',
            "NGINX_STATIC": str(self._data_dir / "static"),
            "NGINX_REAL_IP": "".join(f"    set_real_ip_from {network};\n" for network in trusted(env.trusted_proxies)),
            **{name.upper(): str(getattr(env, name)) for name in RATES},
        }
        (self.folder / "nginx.conf").write_text(fill_in(TEMPLATE.read_text(), blanks))
        for piece in PIECES:
            (self.folder / piece).write_text(fill_in((FILES / piece).read_text(), blanks))
        if self.user:
            account.let_through(self._data_dir.parents)
            account.let_through([self._data_dir])
            for path in (self.folder, *(self.folder / piece for piece in PIECES)):
                account.own(path)


def program() -> str | None:
    """Debian keeps it where only root's PATH leads."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def fill_in(template: str, blanks: Mapping[str, str]) -> str:
    """Every ${NAME} replaced.

    Raises:
        ServerFailed: naming a blank that nobody fills.
    """
    if missing := set(_BLANK.findall(template)) - set(blanks):
        raise ServerFailed(f"the gateway's configuration asks for {', '.join(sorted(missing))}")
    return _BLANK.sub(lambda blank: blanks[blank[1]], template)


def trusted(networks: str) -> list[str]:
    """ "127.0.0.2, 10.0.0.0/8" → each as nginx writes it."""
    return [str(ip_network(network.strip())) for network in networks.split(",") if network.strip()]
