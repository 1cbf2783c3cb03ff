"""Questions in SQL about what the platform knows, answered apart from everything else."""
