"""Theory: figures and limits of the theory of information bottlenecks, computed exactly."""
