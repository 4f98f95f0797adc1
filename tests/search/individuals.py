"""Individuals with chosen objectives, for the tests of the search."""

from itertools import product

from roco.search.records import Individual
from roco.space.genome import Genome, bits_per_phase


def distinct_genomes(n: int, *, phases: int = 2, nodes: int = 4) -> list[Genome]:
    """Genomes with different phenotypes."""
    found: dict[str, Genome] = {}
    for bits in product((0, 1), repeat=phases * bits_per_phase(nodes)):
        genome = Genome.from_bits(bits, phases=phases, nodes=nodes)
        found.setdefault(genome.key, genome)
        if len(found) == n:
            return list(found.values())
    raise AssertionError(f"there are only {len(found)} phenotypes")


def individuals_of(rows: list[tuple[float, float, int]], *, failed: tuple[int, ...] = ()) -> list[Individual]:
    """One for each row of error, adversarial error and FLOPs."""
    return [
        Individual(
            genome=str(genome),
            key=genome.key,
            born=0,
            status="failed" if index in failed else "ok",
            error=error,
            adversarial_error=adversarial_error,
            flops=flops,
            parameters=10 * flops,
        )
        for index, (genome, (error, adversarial_error, flops)) in enumerate(
            zip(distinct_genomes(len(rows)), rows, strict=True)
        )
    ]
