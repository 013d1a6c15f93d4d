"""How the weights of `infotorch.amortised_mi` are made: laws drawn at random, what it reads of them, training, tests."""
