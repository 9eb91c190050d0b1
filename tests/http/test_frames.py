"""What a page may say on the event socket."""

import pytest

from mygpt.http.frames import is_well_formed


@pytest.mark.parametrize(
    "frame",
    [
        "2", "2probe", "3", "1", "6", "40/_event", "40/_event,", "41/_event,",
        '40/_event,{"event":{"name":"a.b","payload":{"vars":{}},"router_data":{"pathname":"/"}},"state_schema":"x"}',
        '40/_event,{}',
        '42/_event,["event",{"name":"a.b","payload":{"text":"two\\nlines 😀"},"router_data":{}}]',
        '42/_event,["event",{"name":"a.b"}]',
        '42/_event,7["event",{"name":"a.b"}]',
        '42/_event,["ping"]',
        '42/_event,["client_error",{"error_type":"x"}]',
    ],
)  # fmt: skip
def test_what_reflexs_own_client_says_is_well_formed(frame: str) -> None:
    assert is_well_formed(frame)


@pytest.mark.parametrize(
    "frame",
    [
        "", "9x", "0{}", "4", "42", "42[]", "5", "2" * 40, "42/_event,", "42/_event,{",
        "42/_event,null", "42/_event,[]",
        '42["event",{"name":"a"}]', '42/other,["event",{"name":"a"}]', '42/_event,["event"]',
        '42/_event,["event","{}"]',
        '42/_event,["event",{"name":5}]', '42/_event,["event",{"name":"a","payload":"x"}]', '42/_event,["other",{}]',
        '42/_event,["event",{"name":"a","router_data":[]}]', '42/_event,["event",{"name":"a"},1]',
        '42/_event,[["event"],{"name":"a"}]', "40/_event,[]", '40/_event,{"event":"x"}', "40/_event,x",
        '43/_event,["event"]', '451-/_event,["event",{"_placeholder":true,"num":0}]', "42/_event," + "[" * 50_000,
    ],
)  # fmt: skip
def test_anything_else_is_not(frame: str) -> None:
    assert not is_well_formed(frame)
