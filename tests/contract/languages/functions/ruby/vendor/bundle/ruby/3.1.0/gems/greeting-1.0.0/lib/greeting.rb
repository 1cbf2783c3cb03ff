GREETING = "found"
