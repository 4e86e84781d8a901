"""Load: dnsperf, on the core that the measured server has not."""

import pathlib
import re
import subprocess

CORE = "1"
shown = set()  # commands, without what changes from run to run


class Run:
    """What one run of dnsperf came to."""

    def __init__(self, output):
        self.sent = self._number(r"Queries sent:\s+(\d+)", output)
        self.codes = {code: int(count) for code, count in re.findall(r"\b([A-Z]+) (\d+) \([\d.]+%\)", output)}
        self.answered = self.codes.get("NOERROR", 0)  # a failure is cheap
        self.lost = self._number(r"Queries lost:\s+(\d+)", output)
        self.rate = self._number(r"Queries per second:\s+([\d.]+)", output)
        self.latencies = sorted(float(second) for second in re.findall(r"^> \w+ \S+ \w+ ([\d.]+)", output, re.M))

    @staticmethod
    def _number(pattern, output):
        found = re.search(pattern, output)
        if not found:
            raise RuntimeError(f"dnsperf said: {output[-500:]}")
        return float(found[1])

    def percentile(self, part):
        return self.latencies[min(int(len(self.latencies) * part), len(self.latencies) - 1)]


def run(port, names, seconds, rate=None, clients=8, tcp=False, outstanding=400, latencies=False, timeout=2):
    argv = ["taskset", "-c", CORE, "dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(names), "-l", str(seconds),
            "-e", "-c", str(clients), "-q", str(outstanding), "-t", str(timeout)]
    argv += ["-Q", str(rate)] if rate else []
    argv += ["-m", "tcp"] if tcp else []
    argv += ["-v"] if latencies else []
    show(argv)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + 60, check=False)
    return Run(done.stdout)


def show(argv):
    """Prints a command once; the server's port is that of whoever had its turn first."""
    same = tuple(word for word in argv if word != argv[argv.index("-p") + 1])
    if same not in shown:
        shown.add(same)
        print(f"    $ {' '.join(argv)}", flush=True)


def write_names(path, names):
    pathlib.Path(path).write_text("".join(f"{name} A\n" for name in names), encoding="ascii")
    return path
