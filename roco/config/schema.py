"""The JSON schema of a configuration, by which editors complete and check YAML files."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from roco.config.meanings import description_of, meaning_at, meanings_of
from roco.config.study import StudyConfig

# The newest version that yaml-language-server supports completely.
VERSION = "http://json-schema.org/draft-07/schema#"
# Pydantic's own titles repeat the keys; its discriminators point into the definitions, which are written out here.
LEFT_OUT = ("title", "discriminator", "$defs", "$ref")


class _Explained(GenerateJsonSchema):
    """Adds to each section and its keys their meanings from the model's docstring."""

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        made, meanings = super().model_schema(schema), meanings_of(schema["cls"])
        properties = {name: made_of | {"description": meanings[name]} for name, made_of in made["properties"].items()}
        return made | {"description": description_of(schema["cls"]), "properties": properties}


def schema() -> dict[str, Any]:
    """The schema of a whole configuration.

    Each section is written out wherever it appears, because its meanings and defaults differ: the recipe of the search
    has other defaults than that of retraining.
    """
    made = StudyConfig.model_json_schema(schema_generator=_Explained)
    return {"$schema": VERSION, "title": "A study of roco-nas", **_written_out(made, made["$defs"], path="")}


def _written_out(node: Any, definitions: dict[str, Any], *, path: str, defaults: Any = None) -> Any:
    """A part of a schema, with definitions instead of references to them.

    Args:
        node: the part, as pydantic made it.
        definitions: by name.
        path: of the key that it describes, such as `search.population`.
        defaults: of the keys of its section, if they differ from the defaults of the section's model.
    """
    if isinstance(node, list):
        return [_written_out(each, definitions, path=path, defaults=defaults) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        node = definitions[node["$ref"].rpartition("/")[2]] | {key: node[key] for key in node if key != "$ref"}
    defaults = node.get("default", defaults)
    written: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":
            written[key] = {name: _key(name, value[name], definitions, path, defaults) for name in value}
        elif key == "default":
            written[key] = value
        elif key not in LEFT_OUT:
            written[key] = _written_out(value, definitions, path=path, defaults=defaults)
    return written


def _key(name: str, node: dict[str, Any], definitions: dict[str, Any], path: str, defaults: Any) -> dict[str, Any]:
    """The schema of a section's key, with its meaning in this section."""
    if isinstance(defaults, dict) and name in defaults:
        node = node | {"default": defaults[name]}
    path = f"{path}.{name}".lstrip(".")
    written: dict[str, Any] = _written_out(node, definitions, path=path)
    meaning = meaning_at(path)
    return written | {"description": meaning} if meaning else written
