"""Chaos: the real platform under load while parts of it are killed, and a checker that believes only its own notes.

    python -m chaos [--short] [--seed N] [--seconds S] [--json FILE] [SCENARIO …]

A *scenario* starts a platform (`box`), puts calls on it from processes of their own (`load`), makes changes through the
API (`operator`) and breaks things (`nemesis`). Load and operator write what they sent and what they were told into
*ledgers* that are flushed to the disk (`ledger`). Afterwards the *checker* holds the ledgers against the API, a fresh
read of the state file, and what the kernel says is left.
"""
