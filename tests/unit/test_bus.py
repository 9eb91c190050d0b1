"""The bus: notes reach those who listen, and one who falls behind is told so."""

from mygpt import bus
from mygpt.bus import LOST, QUEUE_LENGTH, Note


async def test_everybody_who_listens_hears_and_nobody_else():
    with bus.subscribe("account:a") as first, bus.subscribe("account:a") as second, bus.subscribe("account:b") as other:
        bus.publish("account:a", Note("opened", "c1"))

        assert await first.get(1) == await second.get(1) == Note("opened", "c1")
        assert await other.get(0.01) is None


async def test_who_falls_behind_hears_that_notes_were_lost():
    with bus.subscribe("t") as slow:
        for number in range(QUEUE_LENGTH + 1):
            bus.publish("t", Note("settled", str(number)))

        assert await slow.get(1) == LOST


async def test_nothing_is_kept_for_those_who_left():
    with bus.subscribe("t"):
        pass

    bus.publish("t", Note("opened"))
    assert "t" not in bus._listeners
