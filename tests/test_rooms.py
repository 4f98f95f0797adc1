"""Imports point one way: a room of the library imports itself and the rooms above it, and no two modules each other."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From what everything may use to what nothing else uses. A new room gets its line here.
ROOMS = (
    *("errors", "files", "gpu_locks", "runtime", "gpus", "settings"),
    "space",
    "storage",
    "data",
    "networks",
    "training",
    "attacks",
    "search",
    "retraining",
    "config",
    "external",
    "study",
    "report",
    "commands",
    "cli",
)
# Of the report.
PARTS = ("contents", "numbers", "read", "measures", "figures", "tables", "page")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "roco").rglob("*.py")
}


class Imports(ast.NodeVisitor):
    """The modules of the library that a module imports, also inside functions; not those for the type checker alone."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.names |= {alias.name for alias in node.names if alias.name in MODULES}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            name = f"{node.module}.{alias.name}"
            if name in MODULES or node.module in MODULES:
                self.names.add(name if name in MODULES else str(node.module))


def imports_of(module: str) -> set[str]:
    visitor = Imports()
    visitor.visit(ast.parse(MODULES[module].read_text()))
    # The version in the package itself is everybody's.
    return visitor.names - {module, "roco"}


def room_of(module: str) -> str:
    return module.split(".")[1]


def edges() -> Iterator[tuple[str, str]]:
    yield from ((module, name) for module in MODULES if module != "roco" for name in sorted(imports_of(module)))


def test_every_module_is_in_a_room() -> None:
    assert {room_of(module) for module in MODULES if module != "roco"} == set(ROOMS)


def test_a_room_imports_only_rooms_above_it() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, name in edges()
        if ROOMS.index(room_of(name)) > ROOMS.index(room_of(module))
    ]
    assert wrong == []


def test_a_part_of_the_report_imports_only_parts_above_it() -> None:
    inside = [(module.split("."), name.split(".")) for module, name in edges() if len(module.split(".")) > 2]
    pairs = [(module[2], name[2]) for module, name in inside if module[1] == name[1] == "report" and len(name) > 2]
    assert [pair for pair in pairs if PARTS.index(pair[1]) > PARTS.index(pair[0])] == []


def test_no_modules_import_each_other() -> None:
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for module, name in edges():
        graph[module].add(name)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")
