"""The Node runtime: a host in JavaScript that answers calls with a handler, and the process that looks after it."""
