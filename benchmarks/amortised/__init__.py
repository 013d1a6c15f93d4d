"""How the weights of `amortised_mi` are made and measured: laws drawn at random, what it reads of them, training."""
