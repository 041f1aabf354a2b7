"""A secret cannot leave by accident."""

import copy
import json
import pickle
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.salesforce import ClientCredentials, ConnectionSettings, Secret


@given(st.text(min_size=1))
def test_it_shows_stars(content: str) -> None:
    secret = Secret(content)
    assert {str(secret), repr(secret), f"{secret}", f"{secret!s}"} == {"***"}
    assert f"{secret!r:>5}" == "  ***"
    assert json.dumps([secret], default=str) == '["***"]'
    assert secret.reveal() == content


def test_it_is_not_copied_stored_or_sent() -> None:
    secret = Secret("hunter2")
    settings = ConnectionSettings("acme", ClientCredentials("app", secret))
    assert "hunter2" not in repr(settings)
    for leak in (
        lambda: pickle.dumps(secret),
        lambda: json.dumps(secret),
        lambda: copy.deepcopy(settings),
        lambda: asdict(settings),
        lambda: list(secret),  # type: ignore[call-overload]
        lambda: "" + secret,  # type: ignore[operator]
    ):
        with pytest.raises(TypeError):
            leak()
    assert not hasattr(secret, "__dict__")


def test_equality() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert not Secret("")
