"""The hash of the program that this coordinator publishes to clients.

It stands in every manifest, so that whoever looks back knows which program a round was planned
with. It proves nothing about what clients run.
"""

from functools import cache
from pathlib import Path

from crypto.wire import digest

_PUBLISHED = ("client", "consent", "crypto", "server")
_ROOT = Path(__file__).resolve().parents[1]


@cache
def code_hash() -> str:
    """Hex hash over names and bytes of every module of the published packages, by name."""
    files = sorted(path for name in _PUBLISHED for path in (_ROOT / name).rglob("*.py"))
    fields = [part for path in files for part in (_name(path), path.read_bytes())]
    return digest("code", *fields).hex()


def _name(path: Path) -> bytes:
    return path.relative_to(_ROOT).as_posix().encode()
