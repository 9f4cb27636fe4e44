"""Where purchases come from: one file or several of one layout, and how they hang together."""

from dataclasses import dataclass, field
from pathlib import Path

from client.importers.basket_table import BasketTable
from client.importers.text_form import TextForm
from crypto.errors import InvalidInputError


@dataclass(frozen=True, kw_only=True)
class Source:
    """Files of purchase lines.

    Attributes:
        files: one or more of the same layout, in the order in which they are read.
        form: how they are written if they are text.
        sequel: visits of a later file come after those of the earlier ones, whatever numbers they
            bear; for files whose visits are numbered anew.
        baskets: a table with what is known of each basket, for lines that lack it.
    """

    files: tuple[Path, ...]
    form: TextForm = field(default_factory=TextForm)
    sequel: bool = False
    baskets: BasketTable | None = None

    def __post_init__(self) -> None:
        if not self.files:
            raise InvalidInputError("Name at least one file of purchases.")
        if len(set(self.files)) != len(self.files):
            raise InvalidInputError("A file is named twice; its lines would count double.")
        if self.sequel and len(self.files) == 1:
            raise InvalidInputError("--sequel is for several files; there is one.")

    @property
    def name(self) -> str:
        """The first file's name without its suffix."""
        return self.files[0].stem

    @property
    def title(self) -> str:
        """All files' names, for a note."""
        return " and ".join(path.name for path in self.files)

    @classmethod
    def of(cls, files: "Path | Source") -> "Source":
        """One file with nothing else to say of it, or what was said already."""
        return files if isinstance(files, Source) else cls(files=(files,))
