"""Which files there are in docs/vectors, and how each is made."""

from collections.abc import Mapping
from typing import Final

from crypto.dp.widths import NoiseSet
from tests.vectors import encodings, keys, numbers, records, sums
from tests.vectors.document import FOLDER, Document, read, render
from tests.vectors.played import play


def documents() -> Mapping[str, Document]:
    """Every file's document by name, made anew; envelopes that still open are kept."""
    played = play(read("round"))
    return {
        "keys": keys.document(),
        "hash": encodings.hashes(),
        "json": encodings.objects(),
        "frames": encodings.frames(),
        "grant-list": encodings.grant_lists(),
        "rotation": numbers.rotation(),
        "rounding": numbers.rounding(),
        "epsilon": numbers.epsilons(),
        "packing": numbers.packing(),
        "mask": numbers.mask(),
        "piece-sum": sums.piece_sum(read("piece-sum")),
        "compact-sum-set-a": sums.compact_sum(
            NoiseSet.SKELLAM, _TWO_BLOCKS, read("compact-sum-set-a")
        ),
        "compact-sum-set-b": sums.compact_sum(
            NoiseSet.CENTRED_GAUSSIAN, _TWO_BLOCKS, read("compact-sum-set-b")
        ),
        "records": records.records(played),
        "grant": records.grants(played),
        "round": records.whole_round(played),
    }


_TWO_BLOCKS: Final = 3000


def write() -> list[str]:
    """Write all files; returns their paths."""
    FOLDER.mkdir(exist_ok=True)
    paths = []
    for name, document in documents().items():
        path = FOLDER / f"{name}.json"
        path.write_text(render(document))
        paths.append(str(path))
    return paths
