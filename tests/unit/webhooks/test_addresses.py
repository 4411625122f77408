"""Which URLs may be called: the rule held against every trick that we know, and many that nobody thought of."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.transport.webhooks.addresses import AddressRefused, Allowed, parsed, prefix_of, shown

PREFIX = "https://ci.example.org/hooks"
RULE = Allowed([PREFIX], plain_http=False)


def is_allowed(url: str, rule: Allowed = RULE) -> bool:
    try:
        rule.check(url)
    except AddressRefused:
        return False
    return True


@pytest.mark.parametrize(
    "url",
    [
        PREFIX,
        PREFIX + "/",
        PREFIX + "/a/b?token=x&y=/../z",
        PREFIX + "?token=x",
        PREFIX + "//double",
        "HTTPS://CI.example.ORG:443/hooks/x",
        "https://ci.example.org/%68ooks/x",
        PREFIX + "/%C3%A9",
        PREFIX + "/user@host:8/;v=1",
        PREFIX + "/...",
    ],
)
def test_what_is_at_or_below_the_prefix_is_allowed(url: str) -> None:
    assert is_allowed(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://ci.example.org/hooksx",
        "https://ci.example.org/",
        "https://ci.example.org",
        "https://ci.example.org/Hooks/x",
        "https://ci.example.org/hooks/../admin",
        "https://ci.example.org/hooks/..",
        "https://ci.example.org/hooks/./x",
        "https://ci.example.org/hooks/..;/admin",
        "https://ci.example.org/hooks/..;a=b/admin",
        "https://ci.example.org/hooks/.;/x",
        "https://ci.example.org/hooks/..%3b/admin",
        "https://ci.example.org/hooks/%2e%2e/admin",
        "https://ci.example.org/hooks/.%2E/admin",
        "https://ci.example.org/hooks%2f..%2fadmin",
        "https://ci.example.org/hooks/%252e%252e/admin",
        "https://ci.example.org/hooks\\..\\admin",
        "https://ci.example.org/hooks/%5c..%5cadmin",
        "https://ci.example.org/hooks/%00",
        "https://ci.example.org/hooks/\r\nHost: evil",
        "https://ci.example.org/hooks/%0d%0aX: y",
        "https://ci.example.org/hooks/a b",
        "https://ci.example.org/hooks/\t",
        "https://ci.example.org/hooks/%zz",
        "https://ci.example.org/hooks/%ff",
        "https://ci.example.org/hooks#fragment",
        "https://ci.example.org@evil.example/hooks",
        "https://user@ci.example.org/hooks",
        "https://user:pass@ci.example.org/hooks",
        "https://ci.example.org:443@evil.example/hooks",
        "https://ci.example.org.evil.example/hooks",
        "https://evil-ci.example.org/hooks",
        "https://ci.example.org./hooks",
        "https://ci.example.org:444/hooks",
        "https://ci.example.org:0443/hooks",
        "https://ci.example.org:/hooks",
        "https://ci.example.org:99999/hooks",
        "https://ci.example.org\\@evil.example/hooks",
        "https://evil.example\\@ci.example.org/hooks",
        "https:///ci.example.org/hooks",
        "https:/ci.example.org/hooks",
        "https:ci.example.org/hooks",
        "//ci.example.org/hooks",
        "http://ci.example.org/hooks",
        "ftp://ci.example.org/hooks",
        " https://ci.example.org/hooks",
        "https://ci.example.org/hooks\n",
        "https://cı.example.org/hooks",  # noqa: RUF001 - the trick: a dotless i
        "https://ci.example.org/hookſ",  # noqa: RUF001 - a long s, which becomes an s in upper case
        "https://%63i.example.org/hooks",
        "https://ci。example。org/hooks",
        "",
    ],
)
def test_what_is_not_is_refused(url: str) -> None:
    assert not is_allowed(url)


@pytest.mark.parametrize(
    ("url", "is_loopback"),
    [
        ("http://127.0.0.1:8080/x", True),
        ("http://127.9.9.9/x", True),
        ("http://[::1]/x", True),
        ("http://[0:0:0:0:0:0:0:1]/x", True),
        ("http://LOCALHOST/x", True),
        ("http://localhost.evil.example/x", False),
        ("http://10.0.0.1/x", False),
        ("http://0.0.0.0/x", False),
        ("http://[::ffff:10.0.0.1]/x", False),
    ],
)
def test_http_is_for_loopback_unless_a_setting_says_otherwise(url: str, is_loopback: bool) -> None:
    assert parsed(url).is_loopback is is_loopback
    if is_loopback:
        assert is_allowed(url, Allowed([url], plain_http=False))
    else:
        with pytest.raises(AddressRefused, match="webhook_allow_plain_http"):
            Allowed([url], plain_http=False)
        assert is_allowed(url, Allowed([url], plain_http=True))


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "1.2.3.256", "[::g]"]
)
def test_addresses_that_only_some_understand_are_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        parsed(f"http://{host}/x")


def test_nothing_is_allowed_where_nothing_was_named() -> None:
    with pytest.raises(AddressRefused, match="webhook_allowed_prefixes names none"):
        Allowed([], plain_http=True).check(PREFIX)


@pytest.mark.parametrize("prefix", ["https://h/x?y", "h/x", "https://u@h/", "https://h/../x", "*", ""])
def test_what_is_no_prefix_is_told_by_name(prefix: str) -> None:
    with pytest.raises(AddressRefused, match="is no prefix"):
        Allowed([prefix], plain_http=True)


def test_a_query_is_never_shown() -> None:
    assert shown(PREFIX + "?token=hush") == PREFIX + "?******"
    for url in (PREFIX + "x?token=hush", "https://u@h/?token=hush", "nonsense?token=hush"):
        with pytest.raises(AddressRefused) as refused:
            RULE.check(url)
        assert "hush" not in str(refused.value)


PIECES = st.sampled_from(
    [
        *("https://", "http://", "HTTPS://", "ci.example.org", "CI.EXAMPLE.ORG", "evil.example", "/hooks", "/hooks/"),
        *("/", "//", "..", ".", "/../", "%2e", "%2E%2e", "%2f", "%5C", "\\", "@", ":", "443", ":443", ":80", "?", "#"),
        *("user", "%00", "%0a", "\n", "\t", " ", "é", "%c3%a9", "[::1]", "127.0.0.1", ";", "&", "=", "x", "%", "%25"),
    ]
)
URLS = st.one_of(
    st.lists(PIECES, max_size=10).map("".join),
    st.lists(PIECES, max_size=6).map(lambda rest: PREFIX + "".join(rest)),
    st.text(max_size=40).map(lambda rest: PREFIX + rest),
    st.text(max_size=60),
)


@given(url=URLS)
def test_what_is_allowed_leads_where_it_was_allowed_to(url: str) -> None:
    """Whatever passes is read again by the library that makes the call, which undoes every escape."""
    if not is_allowed(url):
        return
    read = httpx.URL(url)

    assert (read.scheme, read.host, read.port or 443) == ("https", "ci.example.org", 443)
    assert not read.userinfo
    segments = read.path.split("/")
    assert segments[1] == "hooks"
    assert not {".", ".."} & set(segments)
    assert not set("\\\r\n\t\0") & set(read.path)


@given(url=URLS)
def test_reading_never_fails_otherwise(url: str) -> None:
    is_allowed(url)


NAMES = st.text("abcxyz019-_~", min_size=1, max_size=6)
HOSTS = st.lists(st.text("abcxyz", min_size=1, max_size=5), min_size=1, max_size=3).map(".".join)


@given(host=HOSTS, port=st.integers(1, 65535), base=st.lists(NAMES, max_size=3), rest=st.lists(NAMES, max_size=3))
def test_everything_below_a_prefix_is_allowed_and_nothing_beside(
    host: str, port: int, base: list[str], rest: list[str]
) -> None:
    prefix = "/".join([f"https://{host}:{port}", *base])
    rule = Allowed([prefix], plain_http=False)

    assert is_allowed("/".join([prefix, *rest]), rule)
    assert not is_allowed(f"https://{host}:{port % 65535 + 1}/" + "/".join([*base, *rest]), rule)
    assert not is_allowed("/".join([f"https://x{host}:{port}", *base, *rest]), rule)
    if base:
        assert not is_allowed(prefix + "x", rule)
        assert not is_allowed("/".join([f"https://{host}:{port}", *base[:-1]]), rule)
    assert prefix_of(prefix) == prefix_of(prefix + "/")
