"""One table tells all vendors' failures apart."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from mygpt.errors import CredentialRejected, ProviderBusy
from mygpt.providers.failures import CLASSES, Complaint, Kind, classify, complaint, failure, retry_after_s


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, {"message": "no"}, "auth"),
        (400, {"message": "API key not valid. Please pass a valid API key."}, "auth"),
        (403, {"code": "invalid_api_key"}, "auth"),
        (402, {"message": "pay"}, "quota"),
        (429, {"code": "insufficient_quota"}, "quota"),
        (400, {"type": "billing_error"}, "quota"),
        (403, {"message": "your region, for safety reasons"}, "permission"),
        (404, {"message": "what?"}, "not_found"),
        (400, {"code": "model_not_found"}, "not_found"),
        (400, {"code": "context_length_exceeded"}, "context_length"),
        (413, {"message": "prompt is too long: 9 > 8"}, "context_length"),
        (400, {"type": "exceed_context_size_error"}, "context_length"),
        (422, {"message": "The input token count (9) exceeds the maximum"}, "context_length"),
        (400, {"code": "content_filter"}, "content_filter"),
        (403, {"code": "content_policy_violation"}, "content_filter"),
        (429, {"message": "slow down"}, "rate_limit"),
        (529, {}, "overloaded"),
        (503, {}, "overloaded"),
        (None, {"type": "overloaded_error"}, "overloaded"),
        (None, {"type": "rate_limit_error"}, "rate_limit"),
        (None, {"code": 502, "message": "Bad gateway"}, "server"),
        (None, {"code": 429, "message": "slow"}, "rate_limit"),
        (None, {"message": "something"}, "server"),
        (408, {}, "timeout"),
        (504, {}, "timeout"),
        (500, {}, "server"),
        (418, {}, "bad_request"),
        (400, {"message": "unknown parameter"}, "bad_request"),
        (307, {}, "server"),
    ],
)
def test_a_complaint_is_of_one_kind(status: int | None, error: dict[str, object], kind: Kind) -> None:
    assert classify(complaint({"error": error}, status)) == kind


@pytest.mark.parametrize("body", [None, "", "<html>", [], ["x"], 7, {"error": "plain words"}, {"error": None}, {}])
def test_a_body_of_any_shape_can_be_read(body: object) -> None:
    assert classify(complaint(body, 500)) == "server"


def test_the_detail_holds_no_words_of_the_vendor() -> None:
    said = complaint({"error": {"message": "bad key sk-secret in 'my prompt'", "code": "in valid\n"}}, 401)

    raised = failure(classify(said), provider="p", model="m", said=said)

    assert type(raised) is CredentialRejected
    assert raised.detail == "auth status=401 code=in_valid_"
    assert (raised.provider, raised.model) == ("p", "m")


def test_a_busy_provider_tells_when_to_come_back() -> None:
    said = Complaint(429, headers={"Retry-After": "7", "x-request-id": "abc"})

    raised = failure("rate_limit", provider="p", said=said)

    assert type(raised) is ProviderBusy
    assert raised.retry_after_s == 7
    assert raised.upstream_request_id == "abc"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "99999999"}, 3600.0),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_with_care(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


def test_retry_after_may_be_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    assert retry_after_s({"retry-after": date}) == pytest.approx(60, abs=2)


def test_every_kind_has_a_class_that_knows_the_provider() -> None:
    for kind, made in CLASSES.items():
        raised = failure(kind, provider="p", model="m")
        assert type(raised) is made
        assert raised.params["provider"] == "p"
