"""PromQL over our own history: text to a tree (`lexer`, `parser`), a tree and series to an answer (`evaluate`).

Nothing here knows where series come from: `evaluate` is given them, and its answers are those of Prometheus for the
same samples.
"""
