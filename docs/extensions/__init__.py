"""What the documentation needs of Sphinx beyond its own extensions."""
