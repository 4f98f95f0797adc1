"""A study so small that all its stages run in a test, and the means to run it through Snakemake."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[2]
RECIPE = {"epochs": 1, "batch_size": 32, "crop_padding": 1, "flip": False}
TINY = {
    "experiment": "tiny",
    "device": "cpu",
    "dataset": {"name": "digits", "image_size": 16, "train_images": 160, "test_images": 60},
    "targets": {
        "lenet": {"width": 0.5},
        "vgg16": None,
        "resnet": None,
        "densenet": None,
        "test": {"allconv": {"width": 0.1}},
        "training": {**RECIPE, "epochs": 3},
    },
    "adversarial": {
        "images": 10,
        "thresholds": [5, 40],
        "l0_attack": {"method": "random_search", "queries": 20},
        "linf_attack": {"method": "mifgsm", "steps": 4},
    },
    "space": {"phases": 2, "nodes": 3},
    "search": {"population": 2, "offspring": 2, "generations": 1},
    "evaluation": {"channels": 2, "training": RECIPE, "genomes_per_job": 2, "processes": 1},
    "retraining": {"channels": 2, "training": {**RECIPE, "epochs": 2}, "networks": 1},
    "robustness": {
        "images": 10,
        "attacks": {
            "fgsm": {"method": "fgsm", "eps": 8.0},
            "pgd": {"method": "pgd", "eps": 8.0, "alpha": 2.0, "steps": 3},
            "cw": {"method": "cw", "steps": 3},
        },
        "curve": {"radii": [1.0, 4.0, 8.0], "steps": 3, "targets": 1},
        "smallest_perturbations": {"fab": {"method": "fab", "norm": "linf", "steps": 3, "targets": 1}},
        "checks": {"steps": 4, "restarts": 2, "queries": 5},
    },
    "report": {"top": [1]},
}


class Study:
    """A configuration in a folder of its own, and Snakemake on it."""

    def __init__(self, folder: Path, config: dict) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        self.results = folder / str(config.get("results", "results")) / str(config.get("experiment"))

    def command(self, *arguments: str) -> list[str]:
        """The user's own command, in this folder."""
        return [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")),
            # --cores takes one value: a target may follow it.
            *("--configfile", "config.yaml", "--resources", "gpu=1", "--cores", "all"),
            *arguments,
        ]

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """Runs it to its end."""
        return subprocess.run(self.command(*arguments), cwd=self.folder, capture_output=True, text=True)

    def start(self, *arguments: str) -> subprocess.Popen:
        """Starts it in a process group of its own, to be killed with all its jobs."""
        with (self.folder / "snakemake.log").open("w") as log:
            return subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                start_new_session=True,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def dry_run_with(self, change: dict) -> str:
        """What a dry run says when settings have changed: a mapping of sections to their new values."""
        config = yaml.safe_load((self.folder / "config.yaml").read_text())
        # A file of its own: other processes of the tests may ask the same study at the same time.
        with tempfile.NamedTemporaryFile("w", dir=self.folder, suffix=".yaml") as changed:
            yaml.safe_dump(_merged(config, change), changed)
            changed.flush()
            result = self.run("--dry-run", "--configfile", changed.name)
        return result.stdout + result.stderr

    def artifacts(self) -> dict[str, bytes]:
        """All results by their names, as they have to be whenever the study is run: without the seconds they took."""
        return {
            str(path.relative_to(self.results)): without_seconds(path)
            for path in sorted(self.results.rglob("*"))
            if path.is_file()
            and path.relative_to(self.results).parts[0] not in ("logs", "benchmarks")
            and path.name != ".running"
        }


def without_seconds(path: Path) -> bytes:
    """The bytes of a file; without the measured times of evaluation records, trainings and the page."""
    if path.name == "report.html":
        page = re.sub(rb'<table id="took">.*?</table>', b"", path.read_bytes(), flags=re.DOTALL)
        return re.sub(rb"[0-9.]+ (s|min|h)\b", b"", page)
    if path.suffix == ".json" and b'"seconds"' in path.read_bytes():
        document = json.loads(path.read_text())
        # The checksum covers the seconds.
        return json.dumps([document["kind"], _strip(document["content"])], sort_keys=True).encode()
    return path.read_bytes()


def _merged(config: dict, change: dict) -> dict:
    merged = dict(config)
    for key, value in change.items():
        merged[key] = _merged(config[key], value) if isinstance(value, dict) and key in config else value
    return merged


def _strip(value: object) -> object:
    if isinstance(value, dict):
        return {name: _strip(part) for name, part in value.items() if name != "seconds"}
    return [_strip(part) for part in value] if isinstance(value, list) else value
