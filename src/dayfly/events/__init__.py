"""What calls functions without a caller: each source of events, and the functions that are called for them."""
