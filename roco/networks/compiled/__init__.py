"""Operations of our own in C, for training on a CPU, each with torch's as the fallback."""
