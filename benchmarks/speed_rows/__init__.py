"""Rows of the speed benchmark: the same quantity by us and by other packages."""
