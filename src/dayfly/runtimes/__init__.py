"""What runs inside a replica: how code becomes an HTTP server on a socket."""
