"""Commands: one module a command, with its options, its progress and what it prints; `main` joins them."""
