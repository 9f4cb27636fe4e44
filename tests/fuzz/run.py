"""Fuzz one family of parsers with atheris: python -m tests.fuzz.run FAMILY FOLDER [options].

FOLDER keeps the corpus between runs and gets what fails (``crash-...``); ``make fuzz`` gives each
family one. Options are libFuzzer's. The process ends with status 77 and a traceback if anything but
an allowed error comes out, or if an input takes too long or too much memory.
"""

import importlib
import sys
from pathlib import Path
from random import Random
from typing import Final

import atheris  # type: ignore[import-untyped]

from tests.fuzz.families import CONTROLS, FAMILIES, module

# The share of mutations that keep the structure of messages; the rest is libFuzzer's own.
_STRUCTURED: Final = 0.5
# What is instrumented, and the module of the family with it.
_PARSERS: Final = ("crypto", "consent", "client.importers", "simulations.evaluation")
_WORDS: Final = Path(__file__).with_name("words.dict")
_LIMITS: Final = (
    f"-dict={_WORDS}",
    "-timeout=20",
    "-rss_limit_mb=2048",
    "-max_len=140000",
    "-print_final_stats=1",
)


def main() -> None:
    """Run until libFuzzer's own options say that it is enough."""
    family, folder, *options = sys.argv[1:]
    if family not in (*FAMILIES, *CONTROLS):
        sys.exit(f"Expected a family among {', '.join(FAMILIES)}, got {family!r}.")
    with atheris.instrument_imports(include=[*_PARSERS, module(family)]):
        targets = importlib.import_module(module(family)).TARGETS
    # Imported after the parsers, which have to be instrumented as they are imported.
    from tests.fuzz.mutation import mutated  # noqa: PLC0415
    from tests.fuzz.target import corpus, family_run  # noqa: PLC0415

    seeds = Path(folder) / "corpus"
    seeds.mkdir(parents=True, exist_ok=True)
    for name, data in corpus(targets).items():
        (seeds / name).write_bytes(data)

    def once(data: bytes) -> None:
        family_run(targets, data)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        rng = Random(seed)
        if rng.random() < _STRUCTURED:
            return (data[:1] + mutated(data[1:], rng))[:max_size]
        other: bytes = atheris.Mutate(data, max_size)
        return other

    arguments = [sys.argv[0], str(seeds), f"-artifact_prefix={folder}/", *_LIMITS, *options]
    atheris.Setup(arguments, once, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
