"""The users of a BMC, as Redfish has them: a password changed, and tried (DSP0268, ManagerAccount)."""

from contextlib import closing
from dataclasses import replace

from castiron.actors.drivers.findings import PasswordCheck
from castiron.actors.drivers.operations import CheckUserPassword, SetUserPassword
from castiron.actors.drivers.redfish.operations.system import patch, read_system
from castiron.actors.drivers.redfish.resources import link, links, needed, text
from castiron.actors.drivers.redfish.wire.session import ROOT, Resource, Session
from castiron.transport.errors import BMCCredentials, BMCUnsupported


def set_password(session: Session, operation: SetUserPassword) -> None:
    """Change a user's password.

    Raises:
        BMCUnsupported: there is no such user, or more than one.
    """
    account = _account(session, operation.user)
    path = link(account)
    if path is None:
        raise BMCUnsupported(f"The BMC does not tell where the user {operation.user!r} is kept.")
    patch(session, path, account, {"Password": operation.password})


def check_password(session: Session, operation: CheckUserPassword) -> PasswordCheck:
    """Try a user's password: Redfish has no test but to log in. BMCs count failures, and may lock the user.

    Raises:
        BMCUnsupported: there is no such user, or more than one.
    """
    _account(session, operation.user)
    settings = replace(session.settings, username=operation.user, password=operation.password)
    with closing(session.beside(settings)) as other:
        try:
            read_system(other)
        except BMCCredentials:
            return PasswordCheck.DIFFERS
        return PasswordCheck.MATCHES


def verify(session: Session, _: object) -> None:
    """Log in, look at the machine, log out. The session is one for this alone."""
    with closing(session):
        read_system(session)


def _account(session: Session, user: str) -> Resource:
    read_system(session)  # whoever may not look at the machine is told so, whatever else the BMC has
    service = session.get(needed(session.get(ROOT), "AccountService"))
    accounts = session.get(needed(service, "Accounts"))
    found = [each for path in links(accounts, "Members") if text(each := session.get(path), "UserName") == user]
    if len(found) != 1:
        raise BMCUnsupported(f"The BMC has {len(found) or 'no'} users named {user!r}.")
    return found[0]
