"""A function served from within its own image, by the hosts that serve replicas, without a platform around them.

    python3 -P -m dayfly.runtimes.image        Python functions, programs, static files
    node /opt/dayfly/.../host/image.cjs        Node functions (runtimes/node/host)

They follow the custom of OpenFaaS's watchdogs: HTTP on port 8080, `/_/health` and `/_/ready`, a drain at SIGTERM, what
is printed on standard output and error. What is needed here goes into images as files, so it imports little;
`client/image/server.py` finds out what.
"""
