"""HTTPS for clients that insist on it: a certificate authority of our own, and a port that speaks TLS before the HTTP server.

**Invariant:** private keys exist in memory only, but for the instant in which the standard library reads one
from a private temporary file.
"""

import asyncio
import datetime as dt
import ipaddress
import ssl
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = dt.timedelta(days=30)
CLOCK_SKEW = dt.timedelta(days=1)  # of clients
CHUNK = 1 << 16  # bytes moved at once
CLOSE_WAIT = 5.0  # seconds
AUTHORITY = "migrator simulator CA"

_NO_USAGE = dict.fromkeys(
    (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority that lives as long as the process; clients are told to trust `certificate`."""

    _certificate: x509.Certificate
    _key: ec.EllipticCurvePrivateKey

    @property
    def certificate(self) -> bytes:
        """The authority's certificate, PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def context(self) -> ssl.SSLContext:
        """A server's TLS context with a fresh certificate for this machine's loopback names."""
        key = ec.generate_private_key(ec.SECP256R1())
        addresses = [x509.IPAddress(ipaddress.ip_address(each)) for each in ("127.0.0.1", "::1")]
        ours, issuer = key.public_key(), self._certificate
        made = (
            _builder(ours, "localhost", issuer.subject, issuer.not_valid_before_utc)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**_NO_USAGE | {"digital_signature": True}), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName("localhost"), *addresses]), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        return _context(made, key)


def make_authority(now: float) -> Authority:
    """A new authority, valid from a day before `now` (seconds since the epoch) for a month."""
    key = ec.generate_private_key(ec.SECP256R1())
    begins = dt.datetime.fromtimestamp(now, dt.UTC) - CLOCK_SKEW
    usage = x509.KeyUsage(**_NO_USAGE | {"key_cert_sign": True, "crl_sign": True})
    made = (
        _builder(key.public_key(), AUTHORITY, _name(AUTHORITY), begins)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(made, key)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    key: ec.EllipticCurvePublicKey, common: str, issuer: x509.Name, begins: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + CLOCK_SKEW + LIFETIME)
    )


def _context(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.TemporaryDirectory(prefix="migrator-tls-") as folder:
        both = Path(folder) / "server.pem"  # the standard library reads certificates from files only
        both.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(both)
    return context


class Front:
    """A TLS port before a plain one: what comes out of TLS goes to `inner`, and back; either end closes both."""

    def __init__(self, context: ssl.SSLContext, host: str, port: int, inner: int) -> None:
        self._inner = (host, inner)
        self._loop = asyncio.new_event_loop()
        try:
            starting = asyncio.start_server(self._serve, host, port, ssl=context)
            self._server = self._loop.run_until_complete(starting)
        except OSError:
            self._loop.close()
            raise
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulator-tls", daemon=True)
        self._thread.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(*self._inner)
        except OSError:
            writer.close()
            return
        moves = (
            asyncio.create_task(_move(reader, back)),
            asyncio.create_task(_move(there, writer)),
        )
        try:
            await asyncio.wait(moves, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for move in moves:
                move.cancel()
            back.close()
            writer.close()

    def close(self) -> None:
        """Free the port and cut the connections."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(CLOSE_WAIT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_WAIT)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        mine = asyncio.current_task()
        running = [task for task in asyncio.all_tasks() if task is not mine]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _move(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
    except OSError:
        return  # one end is gone; the other is closed with it
