"""Records: typed, immutable contents of JSON artifacts, and how they are read, checked and written."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, ValidationError, model_serializer

from roco.storage.artifacts import check_provenance, read_json, schema, write_json

Content = TypeVar("Content")


class Frozen(BaseModel):
    """Immutable, checked data. A field named in `optional` is not written if it is empty."""

    model_config = ConfigDict(frozen=True)

    optional: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_empty(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = serialise(self)
        return {name: value for name, value in content.items() if value or name not in self.optional}


class Record(Frozen):
    """The content of a JSON artifact of the kind `kind`."""

    kind: ClassVar[str]

    @classmethod
    def load(cls, path: str | Path, made_for: Mapping[str, object] | None = None) -> Self:
        """Reads a record.

        Args:
            path: of the file.
            made_for: values that some of its fields must have.

        Raises:
            ArtifactError: the file is missing or damaged, is no such record, or was made for something else.
            FileAccessError: it cannot be read now.
        """
        return read_content(path, cls.kind, cls.model_validate, made_for)

    def save(self, path: str | Path) -> None:
        """Writes the record; equal records give equal bytes."""
        write_json(path, self.kind, self.model_dump())


def read_content(
    path: str | Path, kind: str, validate: Callable[[Any], Content], made_for: Mapping[str, object] | None = None
) -> Content:
    """The checked content of a JSON artifact; like `Record.load`, for unions and lists.

    Args:
        path: of the file.
        kind: of the artifact.
        validate: from plain data to the content; raises pydantic's ValidationError.
        made_for: values that some attributes of the content must have.
    """
    content = check_content(path, kind, validate, read_json(path, kind))
    if made_for:
        check_provenance(path, vars(content), made_for)
    return content


def check_content(path: str | Path, kind: str, validate: Callable[[Any], Content], plain: object) -> Content:
    """The typed form of plain data from a file; raises ArtifactError if it does not fit."""
    with schema(path, kind):
        try:
            return validate(plain)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise ValueError(": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))) from None
