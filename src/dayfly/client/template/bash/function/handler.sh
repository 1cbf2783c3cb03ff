#!/bin/bash
# A function: this is run for each request.
#
# Standard input is the body, standard output the answer; what goes to standard error goes to the log: `dayfly logs`.
# Http_Method, Http_Path, Http_Query and a variable for each header, Http_X_Call_Id, say the rest. A script that ends
# with an error makes the answer a 500.
set -euo pipefail

read -r name || true # a body need not end with a line's end
echo "Hello, ${name:-stranger}!"
