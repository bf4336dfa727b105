"""Runs a command, then prints what it took as a line of JSON: seconds of all its cores together, and MB at its peak.

It is started as a small process of its own, for a child's peak counts from before it turned into the command: a child
of a process that holds models would begin with their memory.
"""

import json
import resource
import subprocess
import sys

if __name__ == "__main__":
    status = subprocess.call(sys.argv[1:])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024}))
    sys.exit(status)
