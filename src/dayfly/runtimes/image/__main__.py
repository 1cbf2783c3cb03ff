"""The program of an image's container."""

import sys

from dayfly.runtimes.image.serving import main

sys.exit(main())
