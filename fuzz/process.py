"""What a process of the platform holds, read from /proc: memory, descriptors, processor time."""

import os


class Process:
    """What a process holds, read from /proc."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def resident_bytes(self) -> int:
        """Return its resident memory."""
        return self._status("VmRSS")

    def peak_bytes(self) -> int:
        """Return the most that its resident memory has been."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        """Begin to look for the peak anew. Raises PermissionError where only root may."""
        with open(f"/proc/{self.pid}/clear_refs", "w") as file:
            file.write("5")

    def descriptors(self) -> int:
        """Return how many files and sockets it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_s(self) -> float:
        """Return the processor time it has used."""
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _status(self, name: str) -> int:
        with open(f"/proc/{self.pid}/status") as file:
            for line in file:
                if line.startswith(name):
                    return int(line.split()[1]) * 1024
        raise ProcessLookupError(self.pid)
