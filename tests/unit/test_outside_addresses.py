"""Which addresses may be reached, however they are spelt and whatever a name resolves to."""

import socket
from ipaddress import ip_address

import pytest
from aiohttp import ClientConnectorError, ClientSession
from aiohttp.abc import AbstractResolver, ResolveResult

from evalbus.errors import Invalid, NotAllowed, TransientError
from evalbus.outside.addresses import check_url, is_public, parse_url, resolve_allowed
from evalbus.outside.connector import guarded_connector
from tests.servers.openai_endpoint import OpenAIEndpoint

NOT_PUBLIC = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:7f00:1::]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fec0::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[100::1]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "127.0.0.1.",
]

ODD_SPELLINGS = [
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.1",
    "127.0.1",
    "127.0.0.1.1",
    "1.2.3.0x4",
    "127。0。0。1",
    "１２７.0.0.1",
    "①②⑦.0.0.1",
]

PUBLIC = [
    "8.8.8.8",
    "api.openai.com",
    "API.OpenAI.com.",
    "[2606:4700::1111]",
    "[::ffff:8.8.8.8]",
    "[64:ff9b::8.8.8.8]",
    "[2002:808:808::1]",
    "1password.com",
    "xn--bcher-kva.example",
    "bücher.example",
    "my_host",
]


class Answers(AbstractResolver):
    """A resolver that knows these addresses and counts the questions."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", NOT_PUBLIC + ODD_SPELLINGS)
def test_an_address_that_is_not_public_is_refused_however_it_is_spelt(
    scheme: str, host: str
) -> None:
    with pytest.raises(NotAllowed, match=r"EVALBUS_ALLOW_PRIVATE_ENDPOINTS=1|credentials of their"):
        check_url(f"{scheme}://{host}:8000/v1", allow_private=False)


@pytest.mark.parametrize("host", PUBLIC)
def test_a_public_host_may_be_reached(host: str) -> None:
    check_url(f"https://{host}/v1", allow_private=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "192.168.1.1", "house"])
def test_the_own_network_may_be_reached_where_the_setting_says_so(host: str) -> None:
    check_url(f"http://{host}:8000/v1", allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/v1",
        "api.openai.com/v1",
        "ftp://api.openai.com",
        "file:///etc/passwd",
        "gopher://127.0.0.1:25/_x",
        "unix:///run/docker.sock",
        "http://",
        "http:///v1",
        "http://a b/v1",
        "http://a\\@127.0.0.1/",
        "http://a\n.example/",
        "http://127%2e0.0.1/",
        "http://a..example/",
        f"http://{'a' * 64}.example/",
        "http://a:99999/",
        "http://a:0/",
        "http://[::1/",
        "http://[fe80::1::2]/",
    ],
)
def test_what_is_no_url_of_the_web_is_refused_even_where_private_ones_are_not(url: str) -> None:
    with pytest.raises(Invalid):
        check_url(url, allow_private=True)


@pytest.mark.parametrize("url", ["https://me:canary@api.example/v1", "https://canary@api.example"])
def test_credentials_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(Invalid, match="credentials") as raised:
        check_url(url, allow_private=True)

    assert "canary" not in f"{raised.value} {raised.value.data}"


def test_the_host_that_is_checked_is_the_one_that_is_connected_to() -> None:
    parsed = parse_url("https://api.example/@127.0.0.1/?http://10.0.0.1#@localhost")

    assert parsed.raw_host == "api.example"


def test_a_name_that_resolves_to_this_machine_is_refused() -> None:
    with pytest.raises(NotAllowed):
        resolve_allowed("localhost", 80, allow_private=False)


def test_what_is_resolved_is_what_may_be_connected_to() -> None:
    assert resolve_allowed("8.8.8.8", 443, allow_private=False) == ("8.8.8.8",)
    assert set(resolve_allowed("localhost", 80, allow_private=True)) <= {"127.0.0.1", "::1"}


def test_a_name_that_does_not_resolve_may_do_so_later() -> None:
    with pytest.raises(TransientError, match=r"nowhere\.invalid cannot be resolved"):
        resolve_allowed("nowhere.invalid", 80, allow_private=False)


@pytest.mark.parametrize(
    "addresses",
    [("127.0.0.1",), ("8.8.8.8", "169.254.169.254"), ("::ffff:10.0.0.1",), ("2606:4700::1", "::1")],
)
async def test_a_connection_to_a_name_with_any_private_address_is_refused(
    addresses: tuple[str, ...],
) -> None:
    # given
    connector = guarded_connector(allow_private=False, resolver=Answers(*addresses))

    # when, then
    async with ClientSession(connector=connector) as session:
        with pytest.raises(NotAllowed, match=r"host rebound\.example lies at"):
            await session.get("http://rebound.example/")


@pytest.mark.parametrize("place", ["127.0.0.1:{port}", "[::ffff:127.0.0.1]:{port}"])
async def test_a_connection_to_a_private_address_in_the_url_is_refused(place: str) -> None:
    with OpenAIEndpoint() as endpoint:
        async with ClientSession(connector=guarded_connector(allow_private=False)) as session:
            with pytest.raises(ClientConnectorError, match="is no public address"):
                await session.get(f"http://{place.format(port=endpoint.port)}/")

        assert endpoint.asked == []


async def test_where_private_addresses_are_allowed_names_resolve_to_them() -> None:
    # given
    resolver = Answers("127.0.0.1")
    connector = guarded_connector(allow_private=True, resolver=resolver)

    # when
    with OpenAIEndpoint() as endpoint:
        async with ClientSession(connector=connector) as session:
            await (await session.get(f"http://house.example:{endpoint.port}/v1")).read()

        # then
        assert [asked.path for asked in endpoint.asked] == ["/v1"]
        assert resolver.asked == 1


def test_an_address_of_carrier_networks_is_not_public_though_it_is_not_private_either() -> None:
    assert not is_public(ip_address("100.64.1.1"))


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "100.100.100.200",
    ],
)
def test_where_clouds_keep_credentials_is_never_reached(host: str) -> None:
    with pytest.raises(NotAllowed, match="credentials of their machines"):
        check_url(f"http://{host}/latest/meta-data", allow_private=True)


async def test_a_name_that_leads_to_the_metadata_is_refused_even_where_private_ones_are_not() -> (
    None
):
    connector = guarded_connector(allow_private=True, resolver=Answers("169.254.169.254"))

    async with ClientSession(connector=connector) as session:
        with pytest.raises(NotAllowed, match="credentials of their machines"):
            await session.get("http://rebound.example/")
