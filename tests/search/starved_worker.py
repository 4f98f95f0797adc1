"""A worker that has too little memory for the genome whose key is its argument."""

import sys

from roco.search import worker
from roco.search.evaluation import Evaluator
from roco.training import loop

fresh, train_together, large = Evaluator._fresh_network, loop.train_together, []


def noted(self, genome):
    network = fresh(self, genome)
    large.extend([network] * (genome.key == sys.argv[1]))
    return network


def starved(trainings, *arguments, **named):
    if any(one.network is network for one in trainings for network in large):
        for one in trainings:
            one.failure, one.out_of_memory = "out of memory", True
    else:
        train_together(trainings, *arguments, **named)


Evaluator._fresh_network, loop.train_together = noted, starved
worker.main()
