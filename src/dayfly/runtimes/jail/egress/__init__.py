"""The way out of the jails: a proxy that connects functions to what they were granted and to nothing else."""
