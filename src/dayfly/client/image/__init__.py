"""Functions as OCI images, built on the author's machine without a container engine.

    store       where images are kept until they are pushed, and bases too
    bases       the image to build on: a layout, an archive, or a reference
    probe       which Python a base has, and which C library
    server      what serves the function inside, as files
    packages    what the function asks for, installed for the base and not for this machine
    build       all of it put together
    delivery    out of the store: a folder, an archive, an engine

None of it talks to a platform.
"""
