"""The content of a store: its entries, whether they are whole, and its evaluations as one table."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roco.errors import ArtifactError, ConfigError, FileAccessError
from roco.files import atomic
from roco.storage.artifacts import check_provenance, read_arrays, read_json, read_tensors, schema
from roco.storage.store import Store

if TYPE_CHECKING:
    import pandas as pd

EVALUATION = "evaluation"
# The first columns of the table, from a record; further ones follow them.
COLUMNS = (
    "entry", "genome", "key", "status", "reason", "error", "adversarial_error", "flops", "parameters", "epochs",
    "seed", "device", "seconds", "dataset_fingerprint", "settings_hash",
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """The number and size of the entries of one kind."""

    name: str
    entries: int
    bytes: int


def entries_of(root: str | Path) -> Iterator[tuple[str, Path]]:
    """The kind and file of each entry, without unfinished files."""
    for path in sorted(Path(root).glob("*/*")):
        if path.is_file() and not path.name.startswith("."):
            yield path.parent.name, path


def inventory(root: str | Path) -> list[Kind]:
    """The number and size of the entries of each kind in a store."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for kind, path in entries_of(root):
        counts[kind] += 1
        sizes[kind] += path.stat().st_size
    return [Kind(kind, counts[kind], sizes[kind]) for kind in sorted(counts)]


def problems(root: str | Path) -> Iterator[ArtifactError | FileAccessError]:
    """The problem of each entry that is damaged, of another kind, under another name, or cannot be read."""
    for kind, path in entries_of(root):
        try:
            _check(kind, path)
        except (ArtifactError, FileAccessError) as error:
            yield error


def _check(kind: str, path: Path) -> None:
    if path.suffix == ".h5":
        content: Mapping[str, Any] = read_arrays(path, kind)[1]
    elif path.suffix == ".safetensors":
        content = read_tensors(path, kind)[1]
    else:
        content = read_json(path, kind)
    # A checkpoint has its name as an attribute, other entries their key.
    name = "name" if kind == "checkpoint" else "key"
    with schema(path, kind):
        check_provenance(path, content, {name: path.stem})


def evaluation_table(root: str | Path) -> "pd.DataFrame":
    """All evaluations of a store, one row each, by the key of their entry; damaged entries are left out.

    After COLUMNS come `adversarial_error_{target}_{norm}_{threshold}` for each part of the adversarial set, the
    objectives that were measured, and the last training loss. Rows with the same `settings_hash` have the same recipe,
    data set and adversarial set, and can be compared.

    Raises:
        ConfigError: the store has no evaluation.
    """
    import pandas as pd

    store = Store(root)
    keys = [path.stem for kind, path in entries_of(root) if kind == EVALUATION]
    records = {key: store.read(EVALUATION, key) for key in keys}
    rows = [{"entry": key, **_flat(record)} for key, record in records.items() if record is not None]
    if not rows:
        raise ConfigError(f"{root}: no evaluations are kept here; --results says where results are")
    table = pd.DataFrame(rows)
    return table[[*COLUMNS, *sorted(set(table.columns) - set(COLUMNS))]]


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: record.get(name) for name in COLUMNS[1:]}
    for cell in record["adversarial_breakdown"]:
        share = cell["errors"] / cell["images"] if cell["images"] else None
        row[f"adversarial_error_{cell['target']}_{cell['norm']}_{cell['threshold']}"] = share
    losses = record["train_loss"]
    return {**row, **record.get("measured", {}), "train_loss": losses[-1] if losses else None}


def write_table(table: "pd.DataFrame", path: str | Path) -> None:
    """Writes a table as CSV or Parquet, by the ending of the file's name.

    Raises:
        ConfigError: the ending is neither, or pyarrow, which Parquet needs, is not installed.
    """
    suffix = Path(path).suffix
    if suffix not in (".csv", ".parquet"):
        raise ConfigError(f"{path}: expected a file that ends in .csv or .parquet")
    with atomic(path) as temporary:
        if suffix == ".csv":
            temporary.write_text(table.to_csv(index=False, lineterminator="\n"), encoding="utf-8", newline="\n")
            return
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise ConfigError(
                f"{path}: needs pyarrow, which is not installed; pip install '.[export]' in the clone"
            ) from None
        table.to_parquet(temporary, index=False, engine="pyarrow")
