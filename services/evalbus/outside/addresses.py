"""Which hosts may be reached: the public internet, and the own network only where a setting says so.

Whoever writes a benchmark chooses the addresses that evalbus connects to. Without this, a URL could ask what only
this machine can reach: its loopback, its network, the metadata service of its cloud.
"""

import re
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from yarl import URL

from evalbus.errors import Invalid, NotAllowed, TransientError

SETTING = "EVALBUS_ALLOW_PRIVATE_ENDPOINTS=1"

IpAddress = IPv4Address | IPv6Address

# Written out, because what Python calls private differs from one patch release to the next.
REFUSED_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network, and the unspecified address
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by carriers; some clouds keep their metadata there
        "127.0.0.0/8",
        "168.63.129.16/32",  # the metadata of a cloud, at an address that looks public
        "169.254.0.0/16",  # link-local, and the metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)

# Whoever may call the own network still has no business with the machine's own credentials.
METADATA: tuple[IPv4Network | IPv6Network, ...] = (
    *map(IPv4Network, ("169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32")),
    *map(IPv6Network, ("fe80::/10", "fd00:ec2::/32")),
)

GLOBAL_IPV6 = IPv6Network("2000::/3")
REFUSED_IPV6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # for protocols, tunnels among them
        "2001:db8::/32",
        "3fff::/20",
    )
)
NAT64 = IPv6Network("64:ff9b::/96")

LOCAL_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")
LOCAL_SUFFIXES = (".localhost",)

LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
HOST_PATTERN = re.compile(rf"{LABEL}(?:\.{LABEL})*\.?")
NUMBER_PATTERN = re.compile(r"[0-9]+|0x[0-9a-f]*")
FORBIDDEN_PATTERN = re.compile(r"[\x00-\x20\x7f\\]")


def check_url(url: str, *, allow_private: bool) -> None:
    """All that can be known about a URL without a network.

    Raises Invalid for what is no URL of http or https or has credentials in it, and NotAllowed for an address that
    may not be reached, however it is spelt. Never says what the credentials were.
    """
    check_host(parse_url(url).raw_host or "", allow_private=allow_private)


def parse_url(url: str) -> URL:
    """The URL as the HTTP client will understand it; raises Invalid as `check_url` does."""
    try:
        # The parser that connects is the one that is asked: two parsers can disagree about what the host is.
        parsed = URL("" if FORBIDDEN_PATTERN.search(url) else url)
        port = parsed.port
    except ValueError:
        raise Invalid("not a URL: wanted http://host or https://host") from None
    if parsed.scheme not in ("http", "https"):
        found = parsed.scheme or "none"
        raise Invalid("not a URL of http or https", {"wanted": "http or https", "found": found})
    host = parsed.raw_host or ""
    if parsed.user is not None or parsed.password is not None:
        raise Invalid(
            f"the URL of {host} has credentials in it: they would be kept with the benchmark;"
            " name a secret instead"
        )
    if not host or port == 0 or not (_literal(host) or HOST_PATTERN.fullmatch(host)):
        raise Invalid("not a URL: its host makes no sense", {"found": host[:255]})
    return parsed


def check_host(host: str, *, allow_private: bool) -> None:
    """All that can be known about a host without resolving it; raises NotAllowed."""
    name = host.lower().removesuffix(".")
    address = _literal(name)
    if address is not None:
        check_address(name, address, allow_private=allow_private)
    elif allow_private:
        return
    elif name in LOCAL_NAMES or name.endswith(LOCAL_SUFFIXES):
        raise _refusal(name, "is this machine")
    elif NUMBER_PATTERN.fullmatch(name.rpartition(".")[2]):
        # `2130706433`, `0x7f.1` and `127.1` are 127.0.0.1 to many a resolver; nobody means well with them.
        raise _refusal(name, "is an address in an odd spelling")


def check_address(host: str, address: str | IpAddress, *, allow_private: bool) -> None:
    """Raises NotAllowed for an address of `host` that may not be reached."""
    found = ip_address(address.partition("%")[0]) if isinstance(address, str) else address
    if _is_metadata(found):
        raise NotAllowed(
            f"host {host} lies at {found}, where clouds keep the credentials of their machines",
            {"wanted": "another address", "found": host},
        )
    if not allow_private and not is_public(found):
        is_itself = host == str(address)
        raise _refusal(host, "is no public address" if is_itself else f"lies at {found}")


def _is_metadata(address: IpAddress) -> bool:
    """Or link-local, where most of them are."""
    meant = _stands_for(address)
    return any(meant in network for network in METADATA if network.version == meant.version)


def _stands_for(address: IpAddress) -> IpAddress:
    """An IPv6 address may stand for an IPv4 one."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def is_public(address: IpAddress) -> bool:
    """Whether everybody may connect to it; an IPv6 address that stands for an IPv4 one is judged by that."""
    meant = _stands_for(address)
    if isinstance(meant, IPv4Address):
        return not any(meant in network for network in REFUSED_IPV4)
    return meant in GLOBAL_IPV6 and not any(meant in network for network in REFUSED_IPV6)


def resolve_allowed(host: str, port: int, *, allow_private: bool) -> tuple[str, ...]:
    """The addresses of a host, in the resolver's order; it blocks as long as that takes.

    Raises NotAllowed when any of them may not be reached, TransientError when there are none. Whoever connects must
    connect to one of these: a name that is resolved a second time may have moved.
    """
    check_host(host, allow_private=allow_private)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise TransientError(f"host {host} cannot be resolved") from None
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        check_address(host, address, allow_private=allow_private)
    return addresses


def _literal(host: str) -> IpAddress | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _refusal(host: str, why: str) -> NotAllowed:
    return NotAllowed(
        f"host {host} {why}, and only public ones may be reached (unless {SETTING} is set)",
        {"wanted": "a public address", "found": host},
    )
