"""The page on own kinds of nodes: its example is applied to a copy of the library, with the test that it gives."""

from pathlib import Path

from changed_copy import code_of, copy_library, replace_once, run_python

from roco.networks.decoder import PHASES
from roco.space.complexity import PHASE_COSTS


def test_the_pages_nodes_are_two_functions_with_their_entries(tmp_path: Path) -> None:
    cost, module, test = code_of("own-node-kind")
    copy = copy_library(tmp_path)
    entries = {
        "space/complexity.py": ("PHASE_COSTS", cost, "_dense_phase", "partial(phase_of, separable_node)"),
        "networks/decoder.py": ("PHASES", module, "DensePhase", "partial(Phase, make_node=separable_node)"),
    }
    for name, (table, code, last, entry) in entries.items():
        path = copy / "roco" / name
        replace_once(path, f'    "dense": {last},\n', f'    "dense": {last},\n    "separable": {entry},\n')
        replace_once(path, f"\n{table}: Mapping", f"\n{code}\n\n{table}: Mapping")
    (copy / "test_separable.py").write_text(test)
    assert "1 passed" in run_python(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_separable.py")
    told = run_python(copy, "-m", "roco.cli", "describe", "1110-1011", "--node", "separable", "--image-size", "16")
    assert "nodes       separable" in told


def test_each_kind_of_node_has_a_cost_and_a_module() -> None:
    assert list(PHASE_COSTS) == list(PHASES)
