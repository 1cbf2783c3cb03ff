"""The runtime `static`: the files of a bundle."""
