"""Decides which network addresses a request may go to, so that no stored address can reach into our own network."""

import errno
import ipaddress
import socket
from collections.abc import Callable, Iterable

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

#: IPv6 prefix under which NAT64 gateways hide IPv4 addresses (RFC 6052).
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

#: What `is_global` of some Python versions lets pass: IPv4-compatible, NAT64 for local use (RFC 8215), site-local and segment
#: routing addresses, and the block for protocol assignments (RFC 6890).
OFF_LIMITS = tuple(map(ipaddress.ip_network, ("::/96", "64:ff9b:1::/48", "fec0::/10", "5f00::/16", "192.0.0.0/24")))


def _embedded(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 one is a wrapping of, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def is_public(host: str) -> bool:
    """Whether a numeric address lies on the public internet: not private, loopback, link-local, shared, reserved or multicast."""
    try:
        address = _embedded(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return False
    if any(address.version == network.version and address in network for network in OFF_LIMITS):
        return False
    return address.is_global and not address.is_multicast


def guarded_socket_factory(allow: Iterable[str] = ()) -> Callable[[tuple[object, ...]], socket.socket]:
    """A factory of sockets that refuses addresses off the public internet, unless a network of `allow` (CIDR) holds them.

    It sees the address that is about to be dialled, after name resolution, so a name that
    changes its meaning between check and use gains nothing. Refusals are OSError EACCES.
    """
    networks: tuple[IPNetwork, ...] = tuple(ipaddress.ip_network(each) for each in allow)

    def permitted(host: str) -> bool:
        if is_public(host):
            return True
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        return any(address.version == network.version and address in network for network in networks)

    def create(info: tuple[object, ...]) -> socket.socket:
        family, kind, protocol, _, where = info
        if not isinstance(where, tuple) or not permitted(str(where[0])):
            raise OSError(errno.EACCES, "address not permitted")
        assert isinstance(family, int) and isinstance(kind, int) and isinstance(protocol, int)
        return socket.socket(family, kind, protocol)

    return create
