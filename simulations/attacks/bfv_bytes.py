"""Reading and altering a serialised BFV ciphertext of share sum's exact parameters.

TenSEAL offers no arithmetic on the polynomials of a ciphertext, and a hostile client needs none of
it: the bytes are TenSEAL's protobuf (sizes, then one ciphertext) around Microsoft SEAL's binary
format (a 16-byte header that names the compression, then parameters and 64-bit coefficients).
"""

import struct
import zlib
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crypto.sums.share_sum.parameters import PLAIN_MODULUS, POLY_MODULUS_DEGREE

# SEAL takes the largest 54-bit prime that is 1 mod 2N for the one modulus of a fresh ciphertext.
DATA_MODULUS: Final = 18_014_398_509_309_953
# ⌊q/p⌋: what one unit of the message is multiplied with.
UNIT: Final = DATA_MODULUS // PLAIN_MODULUS
_MAGIC: Final = 0xA15E
_NONE, _ZLIB, _ZSTD = range(3)
_HEADER: Final = struct.Struct("<HBBBBHQ")
_POLYNOMIALS: Final = 2
_COEFFICIENT_BYTES: Final = 8 * _POLYNOMIALS * POLY_MODULUS_DEGREE
# Protobuf field 1, two bytes: the 4096 slots; then the tag of field 2.
_SIZES: Final = b"\x0a\x02\x80\x20"
_CIPHERTEXT_TAG: Final = b"\x12"

UintArray = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Ciphertext:
    """One BFV ciphertext (c0, c1) in coefficient form.

    Attributes:
        parameters: SEAL's bytes before the coefficients, kept as they are.
        polynomials: uint64, shape (2, N), below ``DATA_MODULUS``.
    """

    version: tuple[int, int]
    parameters: bytes
    polynomials: UintArray

    @classmethod
    def parse(cls, data: bytes) -> "Ciphertext":
        """Read what ``tenseal.BFVVector.serialize`` wrote.

        Raises:
            ValueError: another format, version or length than share sum's.
        """
        if not data.startswith(_SIZES + _CIPHERTEXT_TAG):
            raise ValueError("These bytes are no TenSEAL vector of one full ciphertext.")
        size, start = _varint(data, len(_SIZES) + 1)
        packed = data[start : start + size]
        magic, header, major, minor, mode, _, length = _HEADER.unpack_from(packed)
        if (magic, header, length) != (_MAGIC, _HEADER.size, len(packed)):
            raise ValueError("These bytes hold no SEAL object of the length that they state.")
        content = _inflate(packed[_HEADER.size :], mode)
        # A flag 0 at byte 32 says coefficient form; the counts that follow fix the length.
        counts = struct.unpack_from("<B3Q", content, 32)
        if counts != (0, _POLYNOMIALS, POLY_MODULUS_DEGREE, 1):
            raise ValueError("This ciphertext has other parameters than share sum's.")
        values = np.frombuffer(content[-_COEFFICIENT_BYTES:], dtype="<u8").astype(np.uint64)
        return cls(
            version=(major, minor),
            parameters=content[:-_COEFFICIENT_BYTES],
            polynomials=values.reshape(_POLYNOMIALS, POLY_MODULUS_DEGREE),
        )

    def to_bytes(self) -> bytes:
        """Bytes that TenSEAL loads; Huffman coding alone keeps them within share sum's frame."""
        content = self.parameters + self.polynomials.astype("<u8").tobytes()
        squeeze = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_HUFFMAN_ONLY)
        body = squeeze.compress(content) + squeeze.flush()
        total = _HEADER.size + len(body)
        packed = _HEADER.pack(_MAGIC, _HEADER.size, *self.version, _ZLIB, 0, total) + body
        return _SIZES + _CIPHERTEXT_TAG + _to_varint(len(packed)) + packed

    def plus_key(self, multiple: int) -> "Ciphertext":
        """Add ``multiple``·⌊q/p⌋ to c1, so that decryption adds that multiple of the secret key."""
        changed = self.polynomials.copy()
        added = (int(changed[1, 0]) + multiple * UNIT) % DATA_MODULUS
        changed[1, 0] = np.uint64(added)
        return replace(self, polynomials=changed)

    def times(self, factor: int) -> "Ciphertext":
        """The ciphertext of ``factor`` times the message, by adding it up."""
        total = np.zeros_like(self.polynomials)
        for _ in range(factor):
            total = (total + self.polynomials) % np.uint64(DATA_MODULUS)
        return replace(self, polynomials=total)


def _inflate(body: bytes, mode: int) -> bytes:
    if mode == _NONE:
        return body
    if mode == _ZLIB:
        return zlib.decompress(body)
    if mode == _ZSTD:
        data: bytes = pa.CompressedInputStream(pa.BufferReader(body), "zstd").read()
        return data
    raise ValueError(f"Unknown compression {mode} of a SEAL object.")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A protobuf integer and the position after it."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if not byte & 0x80:
            return value, position


def _to_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
