"""``fedcart consent serve --demo``: a seeded panel for looking around, on this machine alone.

Everything lies in a temporary folder that is deleted at the end: keys, database, the device's
purchases. Once it serves, two threads keep it alive: the demo shopper's device asks for its
instructions every second, and a coordinator ends a round every minute and a half. So a withdrawal
can be watched to its end.
"""

import logging
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.client import ConsentClient
from consent.panel.app import create_site
from consent.panel.demo.clock import DemoClock
from consent.panel.demo.coordinator import Coordinator
from consent.panel.demo.story import ACCOUNTS, LASTS_S, Story, Teller
from consent.panel.demo.town import Town
from consent.receipt import Controller
from consent.service.inprocess import InProcessTransport
from consent.service.server import run
from consent.service.settings import Settings, create_home
from crypto.errors import ConsentError, InvalidInputError

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
SYNC_S: Final = 1.0
ROUND_S: Final = 90.0
_STOP_S: Final = 10.0
_LOG: Final = logging.getLogger(__name__)
_CONTROLLER: Final = Controller(
    name="Demo Alliance",
    address="1 Example Street, Example Town",
    contact="privacy@alliance.example",
    jurisdiction="EU",
    storage="this machine, until the demo ends",
)


def serve_demo(
    *,
    host: str,
    port: int,
    say: Callable[[str], None],
    on_ready: Callable[[str], None],
) -> None:
    """Make the demo and serve it until a signal ends it; then nothing of it is left.

    Args:
        host: a loopback address.
        port: 0 takes a free one.
        say: shows a line to a person.
        on_ready: called with the URL once it listens.

    Raises:
        InvalidInputError: the host is not this machine itself.
    """
    if host not in LOOPBACK:
        raise InvalidInputError(
            "The demo shows its passwords, so it serves this machine alone: leave --host out."
        )
    with _ends_on_sigterm(), tempfile.TemporaryDirectory(prefix="fedcart-demo-") as folder:
        _serve(Path(folder), host, port, say, on_ready)


def _serve(
    folder: Path,
    host: str,
    port: int,
    say: Callable[[str], None],
    on_ready: Callable[[str], None],
) -> None:
    say("Making five months of history ...")
    clock = DemoClock(time.time() - LASTS_S)
    coordinator_key = Ed25519PrivateKey.generate()
    home = folder / "consent"
    create_home(
        home,
        issuer="demo-consent",
        controller=_CONTROLLER,
        coordinator_key=coordinator_key.public_key(),
    )
    settings = replace(Settings.load(home), clock=clock, durable=False, background_jobs=True)
    site = create_site(settings)
    context = site.state.context
    # The jobs begin with the server: they are not for the time that is only told of.
    transport = InProcessTransport(site, lifespan=False)
    coordinator = Coordinator(context, coordinator_key)
    with httpx.Client(transport=transport, base_url="http://demo.test") as http:
        town = Town(context=context, clock=clock)
        teller = Teller(context=context, clock=clock, http=http, town=town, coordinator=coordinator)
        story = teller.tell(folder / "device")
    live = _Live(story)

    def ready(url: str) -> None:
        coordinator.open()
        for line in _welcome(story, url):
            say(line)
        live.start(url)
        on_ready(url)

    try:
        run(site, host=host, port=port, on_ready=ready)
    finally:
        live.stop()


class _Live:
    """The device and the coordinator, each in a thread that ends with the demo."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, url: str) -> None:
        """Begin, once the service listens."""
        tasks = ((self._sync, SYNC_S, 0.0), (self._next_round, ROUND_S, ROUND_S))
        self._http = httpx.Client(base_url=url)
        self._consent = ConsentClient(
            self._http, service_key=self._story.coordinator.context.key.public_key()
        )
        for task, every_s, first_s in tasks:
            thread = threading.Thread(target=self._repeat, args=(task, every_s, first_s))
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End both, and wait for them."""
        self._ending.set()
        for thread in self._threads:
            thread.join(_STOP_S)
        if self._threads:
            self._http.close()

    def _repeat(self, task: Callable[[], None], every_s: float, first_s: float) -> None:
        self._ending.wait(first_s)
        while not self._ending.is_set():
            try:
                task()
            except ConsentError:
                pass  # the service is ending, or busy: the next turn does it
            except Exception:
                _LOG.exception("the demo's %s failed and is tried again", task.__name__)
            self._ending.wait(every_s)

    def _sync(self) -> None:
        self._story.device.sync(self._consent, now_ms=int(time.time() * 1000))

    def _next_round(self) -> None:
        self._story.coordinator.close()
        self._story.coordinator.open()


def _welcome(story: Story, url: str) -> Iterator[str]:
    shown = url.replace("127.0.0.1", "localhost")  # passkeys belong to a name, not to an address
    yield ""
    yield f"The panel is at {shown}"
    yield ""
    for name, role in ACCOUNTS.items():
        yield f"  {role:<9} name {name:<9} password {story.password}"
    yield ""
    yield "Withdraw something as the shopper and watch it reach her device within seconds; a round"
    yield f"ends every {ROUND_S:.0f} seconds. With Global Privacy Control on in your browser"
    yield "(Sec-GPC: 1) the pages say what they do about it."
    yield "Everything here is made up, and deleted when you press Ctrl-C."


@contextmanager
def _ends_on_sigterm() -> Iterator[None]:
    """Leave by an exception on SIGTERM, so that what is to be cleaned up is."""

    def leave(_number: int, _frame: object) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
