"""What every page has in common: its templates' environment, and a file that appears whole."""

from contextlib import suppress
from pathlib import Path

import jinja2

from crypto.errors import FedcartError
from simulations.report import words

SHARED = "simulations.report"


def environment(package: str = SHARED) -> jinja2.Environment:
    """The templates of a package beside the report's own, so that pages share look and charts.

    Undefined names are errors, values are escaped, and ``words`` is at hand.
    """
    folders = [jinja2.PackageLoader(each, "templates") for each in dict.fromkeys((package, SHARED))]
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals |= {"words": words}
    return made


def write_whole(out: Path, text: str, *, what: str) -> Path:
    """Write a file whole or not at all, and return it; folders that it goes into are made.

    Raises:
        FedcartError: it can't be written; the message calls it ``what``.
    """
    draft = out.with_name(f".{out.name}.draft")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        draft.replace(out)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise FedcartError(f"Can't write the {what} {out}: {error.strerror}.") from error
    return out
