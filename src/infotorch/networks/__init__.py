"""Networks of the papers, for reference; any `nn.Module` works in their place."""
