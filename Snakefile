# RoCo-NAS: robust and compact neural architecture search. The stages are in rules/, the library is in roco/.
from pathlib import Path

from snakemake.utils import min_version

min_version("9.19")

# The default configuration is config.yaml in the working directory, or else in this repository.
DEFAULT_CONFIG = "config.yaml"
if not Path(DEFAULT_CONFIG).exists():
    DEFAULT_CONFIG = str(Path(workflow.basedir, DEFAULT_CONFIG))

# A configuration given with --configfile stands alone: nothing of the default is mixed into it.
if not workflow.overwrite_configfiles:

    configfile: DEFAULT_CONFIG


# The workflow runs in the environment that `make` builds. With `--software-deployment-method apptainer`, jobs start from
# this image instead; requirements.lock and the package must be installed in it.
container: "docker://python:3.11-bookworm"


# `gpu` is the number of GPUs of this machine; it does not limit jobs on a cluster.
resource_scopes:
    gpu="local",


include: "rules/common.smk"
include: "rules/dataset.smk"
include: "rules/adversarial.smk"
include: "rules/search.smk"
include: "rules/retrain.smk"
include: "rules/robustness.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        page=LAYOUT.path(File.PAGE),
    localrule: True


# Only the main process locks the folder, not the processes of its jobs.
onstart:
    if workflow.is_main_process:
        begin_run()
        # `--logger roco` takes the study from this record, to show how far it is.
        logger.info(
            f"logs are in {FOLDER}/logs, `roco status` says more",
            extra={"study": CONFIG},
        )


onsuccess:
    if Path(LAYOUT.path(File.PAGE)).exists():
        logger.info(f"The report is at {LAYOUT.path(File.PAGE)}")
