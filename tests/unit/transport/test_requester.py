"""Names of those who ask can be told apart from what they call themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.transport.requester import MAX_NAME, identity_of, name_of


@pytest.mark.parametrize("identity", ["ipc:uid=0", "tcp:127.0.0.1", "curve:alice", "power check"])
@given(claim=st.text())
def test_no_claim_changes_who_somebody_is(identity: str, claim: str) -> None:
    name = name_of(identity, claim)

    assert identity_of(name) == identity
    assert name.isprintable()
    assert len(name) <= len(identity) + MAX_NAME + 3
