# RoCo-NAS: robust and compact neural architecture search. The stages are in rules/, what they call is in roco/.
from pathlib import Path

from snakemake.utils import min_version

min_version("9.19")

# The default configuration is that of the working directory, where it has one, else this repository's.
DEFAULT_CONFIG = "config.yaml"
if not Path(DEFAULT_CONFIG).exists():
    DEFAULT_CONFIG = str(Path(workflow.basedir, DEFAULT_CONFIG))

# A configuration given with --configfile stands alone: the default one is not mixed into it.
if not workflow.overwrite_configfiles:

    configfile: DEFAULT_CONFIG


# The workflow runs in the environment that `make` builds. With `--software-deployment-method apptainer`, jobs start from
# this image instead, in which requirements.lock and the package are then to be installed.
container: "docker://python:3.11-bookworm"


# A number of GPUs is what this machine has; it does not limit the jobs that are sent elsewhere.
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


# Only the process that was called locks the folder, not those that it starts for its jobs.
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
