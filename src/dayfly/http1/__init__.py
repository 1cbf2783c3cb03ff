"""The HTTP/1.1 engine on llhttp: server side, upstream pool, streaming, limits, time-outs. Knows no function."""
