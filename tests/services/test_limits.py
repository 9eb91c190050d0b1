"""How often something may happen."""

import time

import pytest

from mygpt.errors import RateLimited
from mygpt.services.limits import SignInThrottle, Window, Windows, network_of


def test_a_window_has_room_again_when_the_oldest_is_past() -> None:
    window = Window(2, 0.2)
    assert [window.take() for _ in range(3)] == [True, True, False]
    time.sleep(0.25)
    assert [window.take() for _ in range(3)] == [True, True, False]


def test_a_refused_take_does_not_count() -> None:
    window = Window(1, 0.2)
    window.take()
    time.sleep(0.15)
    assert not window.take()
    time.sleep(0.1)
    assert window.take()


def test_one_key_does_not_use_up_anothers_room() -> None:
    windows = Windows(1, 60)
    assert [windows.take("a"), windows.take("a"), windows.take("b")] == [True, False, True]


def test_quiet_keys_make_room_for_new_ones_and_busy_ones_are_kept() -> None:
    windows = Windows(1, 0.1, keys=2)
    windows.take("old")
    time.sleep(0.15)
    windows.take("busy")
    windows.take("new")
    assert not windows.take("busy")
    assert windows.take("old")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("not an address", "not an address"),
        ("", ""),
    ],
)
def test_an_ipv6_caller_is_their_whole_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_many_failures_of_one_address_stop_it_whatever_the_account() -> None:
    throttle = SignInThrottle(account="1000/hour", address="5/hour")
    for number in range(5):
        throttle.attempt(f"account{number}", "192.0.2.7")
        throttle.failed("192.0.2.7")
    with pytest.raises(RateLimited) as refused:
        throttle.attempt("one more", "192.0.2.7")
    assert 3000 < refused.value.retry_after_s <= 3600
    throttle.attempt("one more", "192.0.2.8")
