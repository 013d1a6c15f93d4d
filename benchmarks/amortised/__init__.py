"""How the weights of `amortised_mi` are made and measured: laws drawn at random, what it reads of them, training.

The weights in the package come from 43 shards, some 75 minutes of one core, and eleven minutes of two threads:

    python -m amortised.examples OUT --seed 1 --shards 27
    python -m amortised.examples OUT --seed 2 --shards 8
    python -m amortised.examples OUT --seed 3 --shards 8 --large 0.7
    python -m amortised.training OUT WEIGHTS --minutes 11 --threads 2

Again they come out alike, not bit for bit: training goes by the clock, and the shards of seeds 1 and 2 were made before
`--large` could be set, with the same share from other draws.
"""
