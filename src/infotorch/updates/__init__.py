"""Updates: how one step moves weights."""
