"""A BMC to talk to, without packets."""

import pytest

from tests.support.talks import Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()
