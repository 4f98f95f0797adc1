"""A real SLURM of one node with two fake GPUs, on the loopback interface, for as long as the tests need it.

SLURM reads /etc/slurm where its commands cannot be told another path, so this needs root and a machine without a SLURM
of its own. Everything else is in one folder; what was started is stopped by its process id.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ETC = Path("/etc/slurm")
MARK = "# Written by the tests of roco-nas, for a SLURM that lives as long as they run.\n"
DAEMONS = ("munged", "slurmctld", "slurmd")

SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SrunPortRange=61001-61099
SlurmUser=root
SlurmdUser=root
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
AuthInfo=cred_expire=15
CredType=cred/munge
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/slurmd
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0,sched_min_interval=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
ReturnToService=2
MinJobAge=7200
KillWait=3
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=200000 Gres=gpu:2 State=UNKNOWN
PartitionName=gpu Nodes={host} Default=YES MaxTime=60 DefMemPerCPU=512 PriorityTier=1 PreemptMode=REQUEUE State=UP
PartitionName=urgent Nodes={host} MaxTime=60 DefMemPerCPU=512 PriorityTier=10 PreemptMode=OFF State=UP
"""


def missing() -> str:
    """Why no SLURM can be started here; empty, if one can."""
    absent = [name for name in (*DAEMONS, "sbatch", "squeue", "mknod", "su") if shutil.which(name) is None]
    if absent:
        return f"a real SLURM is needed: {', '.join(absent)} not found (Debian: apt-get install slurm-wlm munge)"
    if os.geteuid() != 0:
        return "a real SLURM is started by root only"
    conf = ETC / "slurm.conf"
    if conf.exists() and not conf.read_text().startswith(MARK):
        return f"{conf} is there: this machine has a SLURM of its own"
    with tempfile.TemporaryDirectory() as folder:
        made = make_device(Path(folder) / "device")
    return "" if made.returncode == 0 else f"fake GPUs cannot be made here: {made.stderr.strip()}"


def make_device(path: Path) -> subprocess.CompletedProcess[str]:
    """A device that is surely there on every machine, under another name: /dev/null."""
    return subprocess.run(["mknod", path, "c", "1", "3"], capture_output=True, text=True)


class CommandFailed(subprocess.SubprocessError):
    """What a command of SLURM said when it failed."""


class Cluster:
    """The daemons, their folder, and the commands to make things happen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = os.uname().nodename.split(".")[0]
        self.own_munge = False

    def start(self) -> None:
        """Starts everything, and returns when the node takes jobs."""
        self._end_leftovers()
        for name in ("ctld", "slurmd"):
            (self.folder / name).mkdir(parents=True)
        gpus = [self.folder / f"fakegpu{number}" for number in range(2)]
        for gpu in gpus:
            make_device(gpu).check_returncode()
        ETC.mkdir(parents=True, exist_ok=True)
        (ETC / "slurm.conf").write_text(MARK + SLURM_CONF.format(host=self.host, folder=self.folder))
        (ETC / "gres.conf").write_text(MARK + "".join(f"NodeName={self.host} Name=gpu File={gpu}\n" for gpu in gpus))
        self._start_munge()
        self._start_daemon("slurmctld", "-c")
        self._start_daemon("slurmd")
        self.wait_for(lambda: "idle" in self.ask("sinfo", "--noheader", "--format=%T"), seconds=60)

    def stop(self) -> None:
        """Ends all jobs and what was started, and leaves the machine as it was."""
        with contextlib.suppress(subprocess.SubprocessError):
            self.ask("scancel", "--me")
            self.wait_for(lambda: not self.jobs("%i"), seconds=30)
        for name in ("slurmd", "slurmctld"):
            self.end(name, signal.SIGTERM)
        if self.own_munge:
            subprocess.run(["su", "-s", "/bin/sh", "munge", "-c", "munged --stop"], capture_output=True)
        for name in ("slurm.conf", "gres.conf"):
            (ETC / name).unlink(missing_ok=True)

    def ask(self, *command: str) -> str:
        """What a command of SLURM prints."""
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if ended.returncode:
            raise CommandFailed(f"{' '.join(command)}: {ended.stderr.strip()}")
        return ended.stdout

    def jobs(self, layout: str, *arguments: str) -> list[list[str]]:
        """A row a job in the queue, with the columns of squeue's `layout`, which are separated by |."""
        lines = self.ask("squeue", "--noheader", f"--format={layout}", *arguments).splitlines()
        return [line.strip().split("|") for line in lines]

    def wait_for(self, condition, *, seconds: float = 900.0):
        """Returns what `condition` gives as soon as that is true."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds:.0f} s:\n{self.ask('scontrol', 'show', 'jobs')[-2000:]}")
            time.sleep(0.2)
        return value

    def end(self, daemon: str, how: signal.Signals) -> None:
        """Ends a daemon by the id in its pid file, and waits for that."""
        file = self.folder / f"{daemon}.pid"
        if not file.exists():
            return
        number = int(file.read_text())
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, how)
            for _ in range(100):
                os.kill(number, 0)
                time.sleep(0.1)
        file.unlink(missing_ok=True)

    def start_again(self, daemon: str) -> None:
        """Starts a daemon that was ended, with what it left on the disk."""
        self._start_daemon(daemon)

    def _end_leftovers(self) -> None:
        """Ends what a killed run of the tests has left: its daemons, which hold the ports."""
        conf = ETC / "slurm.conf"
        for file in re.findall(r"^Slurm\w+PidFile=(.+)$", conf.read_text() if conf.exists() else "", re.MULTILINE):
            with contextlib.suppress(OSError, ValueError):
                number = int(Path(file).read_text())
                if Path(f"/proc/{number}/comm").read_text().strip() == Path(file).stem:
                    os.kill(number, signal.SIGKILL)

    def _start_munge(self) -> None:
        if subprocess.run(["munge", "-n"], capture_output=True).returncode == 0:
            return
        folder = Path("/run/munge")
        folder.mkdir(mode=0o755, exist_ok=True)
        shutil.chown(folder, "munge", "munge")
        subprocess.run(["su", "-s", "/bin/sh", "munge", "-c", "munged --force"], check=True, capture_output=True)
        self.own_munge = True
        self.wait_for(lambda: subprocess.run(["munge", "-n"], capture_output=True).returncode == 0, seconds=20)

    def _start_daemon(self, *command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
