"""House rules of the service, checked on its source."""

import ast
from pathlib import Path

import consent.service.app

ROOT = Path(consent.service.app.__file__).parent
MAY_QUERY = {
    "repository.py",
    "tables.py",
    "database.py",
    "backends.py",
    "schema.py",
    "upsert.py",
    "principals.py",
}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_query_lives_in_a_repository() -> None:
    allowed = {"sqlalchemy.orm.Session"}
    for path in ROOT.rglob("*.py"):
        if path.name not in MAY_QUERY and "migrations" not in path.parts:
            database = {
                name for name in imports(path) if name.startswith(("sqlalchemy", "sqlmodel"))
            }
            assert database <= allowed, path


def test_repositories_know_no_web_framework() -> None:
    for path in ROOT.rglob("repository.py"):
        assert not {name for name in imports(path) if name.startswith(("fastapi", "starlette"))}


def test_cells_are_written_in_one_place() -> None:
    """``save_cells`` repeats them for live checks; another writer would leave those behind."""
    writers = {"insert", "update", "delete", "Upsert", "add", "add_all", "merge"}
    for path in ROOT.rglob("*.py"):
        if path == ROOT / "shoppers" / "repository.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in writers:
                written = {ast.unparse(each).partition("(")[0] for each in node.args}
                assert not written & {"Consent", "METADATA.tables['consent']"}, path


def test_every_slice_has_the_same_parts() -> None:
    slices = [path for path in ROOT.iterdir() if (path / "endpoints.py").exists()]
    assert slices
    for part in ("schemas.py", "service.py"):
        assert all((path / part).exists() for path in slices)
    without = {path.name for path in slices if not (path / "repository.py").exists()}
    assert without == {"metrics"}, "it shows what other slices' repositories count"


def test_the_pure_rules_know_no_framework() -> None:
    frameworks = ("fastapi", "starlette", "sqlmodel", "sqlalchemy", "httpx", "pydantic")
    for name in (
        "purpose",
        "ages",
        "signals",
        "aliases",
        "standing",
        "participation",
        "credentials",
        "pairing",
        "admit",
        "notice",
        "receipt",
        "dpv",
        "incentive",
        "redemption",
    ):
        path = ROOT.parent / f"{name}.py"
        assert not {found for found in imports(path) if found.startswith(frameworks)}
