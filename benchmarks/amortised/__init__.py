"""How the weights of `amortised_mi` are made and measured: laws drawn at random, what it reads of them, training.

The weights in the package come from 72 shards, some three hours of one core, and half an hour of two threads:

    python -m amortised.examples OUT --seed 1 --shards 14 --large 0.4
    python -m amortised.examples OUT --seed 2 --shards 15 --large 0.4
    python -m amortised.training OUT WEIGHTS --minutes 30 --threads 2

The other 43 shards, named 11-0 to 13-7, were made at commit fdceeb5, whose laws have no edges and fewer windings:

    python -m amortised.examples OUT --seed 1 --shards 27
    python -m amortised.examples OUT --seed 2 --shards 8
    python -m amortised.examples OUT --seed 3 --shards 8 --large 0.7

Again they come out alike, not bit for bit: training goes by the clock, and the shards of seeds 1 and 2 of that commit
were made before `--large` could be set, with the same share from other draws.
"""
