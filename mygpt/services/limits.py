"""How often something may happen: sliding windows for sockets and events, and the throttle of sign-ins.

Kept in the memory of this process; a restart forgets them.
"""

import ipaddress
import time
from collections import deque

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from mygpt.errors import RateLimited

PER_ACCOUNT_AND_ADDRESS = "10/15 minutes"
PER_ADDRESS = "100/hour"


class Window:
    """At most `limit` takes within any `seconds`."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._taken: deque[float] = deque(maxlen=limit)

    def take(self) -> bool:
        """Count one more and return True, or False when there is no room for it now."""
        now = time.monotonic()
        if len(self._taken) == self.limit and now - self._taken[0] < self.seconds:
            return False
        self._taken.append(now)
        return True

    @property
    def is_quiet(self) -> bool:
        """Whether nothing was taken within the last `seconds`."""
        return not self._taken or time.monotonic() - self._taken[-1] >= self.seconds


class Windows:
    """One window a key; quiet ones are forgotten before there are too many."""

    def __init__(self, limit: int, seconds: float, keys: int = 10_000) -> None:
        self.limit = limit
        self.seconds = seconds
        self.keys = keys
        self._windows: dict[str, Window] = {}

    def take(self, key: str) -> bool:
        """Count one more for the key; False when there is no room for it now."""
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= self.keys:
                self._forget_quiet()
            window = self._windows[key] = Window(self.limit, self.seconds)
        return window.take()

    def _forget_quiet(self) -> None:
        self._windows = {key: window for key, window in self._windows.items() if not window.is_quiet}


class SignInThrottle:
    """Slows guessing down, without locking the owner of an account out from another address."""

    def __init__(self, account: str = PER_ACCOUNT_AND_ADDRESS, address: str = PER_ADDRESS) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._per_pair = parse(account)
        self._per_address = parse(address)

    def attempt(self, account: str, address: str) -> None:
        """Count an attempt before it is checked, so that parallel ones count too; raises `RateLimited`."""
        network = network_of(address)
        if not self._limiter.test(self._per_address, "failures", network):
            raise self._refusal(self._per_address, "failures", network)
        if not self._limiter.hit(self._per_pair, "attempts", account, network):
            raise self._refusal(self._per_pair, "attempts", account, network)

    def succeeded(self, account: str, address: str) -> None:
        """Forget the attempts: this was the right person."""
        self._limiter.clear(self._per_pair, "attempts", account, network_of(address))

    def failed(self, address: str) -> None:
        """Count a failure of the address, whatever the account."""
        self._limiter.hit(self._per_address, "failures", network_of(address))

    def _refusal(self, item: RateLimitItem, *key: str) -> RateLimited:
        wait_s = self._limiter.get_window_stats(item, *key).reset_time - time.time()
        return RateLimited("too many sign-ins", retry_after_s=max(1.0, wait_s), code="too_many_sign_ins")


def network_of(address: str) -> str:
    """Return what counts as one caller: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
