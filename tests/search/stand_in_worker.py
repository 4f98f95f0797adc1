"""Speaks as a worker does, without torch; ends in the way and at the genome of its arguments, as often as they say."""

import json
import os
import signal
import sys
import time
from pathlib import Path

from roco.search.evaluation import EvaluationSettings, failed_evaluation
from roco.search.records import store_evaluation
from roco.space.genome import Genome
from roco.storage.store import Store

request = json.loads(sys.stdin.readline())
settings, store = EvaluationSettings.model_validate(request["settings"]), Store(request["store"])
for line in sys.stdin:
    genomes, (fatal, end, times, deaths) = [Genome.parse(text) for text in json.loads(line)], sys.argv[1:]
    if fatal in map(str, genomes) and len(list(Path(deaths).iterdir())) < int(times):
        (Path(deaths) / str(os.getpid())).touch()
        if end == "exit":
            sys.exit(3)
        time.sleep(60) if end == "asleep" else os.kill(os.getpid(), getattr(signal, end))
    for genome in genomes:
        record = failed_evaluation(settings.spec(genome), settings, reason=None)
        changes = {"status": "ok", "stack": len(genomes), "versions": {"process": str(os.getpid())}}
        store_evaluation(store, settings.store_key(genome), record.model_copy(update=changes))
    print("done", flush=True)
