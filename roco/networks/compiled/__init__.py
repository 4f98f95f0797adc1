"""Operations in C for training on a CPU. If they cannot be compiled, torch's own operations are used."""
