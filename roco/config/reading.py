"""Reads YAML files of configurations as plain data, and refuses keys that are given twice."""

from pathlib import Path
from typing import Any

import yaml

from roco.errors import ConfigError


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice in the same mapping, of which PyYAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        first: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            # Keys that a merge brings (`<<: *other`) may be given again.
            if key.value in first and key.tag != "tag:yaml.org,2002:merge":
                raise ConfigError(f"{key.value}: expected once, got twice (lines {first[key.value]} and {line})")
            first[key.value] = line
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The keys and values of a YAML file.

    Raises:
        ConfigError: the file is missing, is no YAML mapping, or gives a key twice.
    """
    try:
        raw = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_StrictLoader)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected keys and values, got {type(raw).__name__}")
    return raw
