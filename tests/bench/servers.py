"""What is measured: the floor, byway, and the other forwarders of Debian, each as one process that forwards to
bench-origin and has its own directory."""

import glob
import json
import pathlib
import socket
import subprocess
import time

HOST = "127.0.0.1"
DOMESTIC, EXTERNAL = ("127.0.0.1", 5399), ("127.0.0.2", 5399)
SECURE, SECURE_NAME = "127.0.0.3", "secure.bench.example"  # the upstream of `tls`
PLAIN_PORT, TLS_PORT, HTTPS_PORT = 5399, 5398, 5397
UPSTREAM = f"{DOMESTIC[0]}:{DOMESTIC[1]}"
CORE = "0"  # of the servers; the load and the upstreams have the other one


class Server:
    """A program on CORE. `argv(directory, port)` may write what the program reads."""

    def __init__(self, name, port, argv, directory, core=CORE):
        self.name, self.port = name, port
        self.directory = pathlib.Path(directory) / name
        self.directory.mkdir(parents=True)
        self.log = open(self.directory / "log", "wb")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(["taskset", "-c", core, *argv(self.directory, port)], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, cwd=self.directory)

    @property
    def pid(self):
        return self.process.pid

    def cpu(self):
        """Seconds on a core so far, of all its threads, dead ones not counted."""
        total = 0
        for path in glob.glob(f"/proc/{self.pid}/task/*/schedstat"):
            total += int(pathlib.Path(path).read_text(encoding="ascii").split()[0])
        return total / 1e9

    def resident(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def wait(self, host=HOST, seconds=15):
        """Until it answers."""
        end = time.monotonic() + seconds
        while not exchange(host, self.port, question("ready.fine0.test"), 0.2):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.name} does not answer; the end of its log: {self.tail()}")
        return self

    def tail(self):
        return (self.directory / "log").read_text(encoding="utf-8", errors="replace")[-500:]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def question(name, qtype=1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\x00" + bytes([0, qtype, 0, 1])


def exchange(host, port, query, timeout):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        sock.connect((host, port))
        try:
            sock.send(query)
            return sock.recv(4096)
        except OSError:
            return None


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


def echo(build):
    return lambda directory, port: [f"{build}/tests/bench/bench-echo", str(port)]


def origin(build, where, role):
    return lambda directory, port: [f"{build}/tests/bench/bench-origin", where[0], str(where[1]), role]


def certify(directory):
    """The certificate that SECURE shows, SECURE.pem and .key, by an authority of its own, ca.pem."""
    key = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    for name, options in (("ca", ["-subj", "/CN=the bench's authority"]),
                          ("secure", ["-CA", "ca.pem", "-CAkey", "ca.key", "-subj", f"/CN={SECURE_NAME}",
                                      "-addext", f"subjectAltName=DNS:{SECURE_NAME}",
                                      "-addext", "basicConstraints=critical,CA:FALSE"])):
        subprocess.run([*key, *options, "-keyout", f"{name}.key", "-out", f"{name}.pem"], cwd=directory, check=True,
                       capture_output=True)
    return pathlib.Path(directory)


def secure(certificates):
    """An Unbound that answers all of test. itself, in the clear, by TLS and by HTTPS."""
    return lambda directory, port: ["unbound", "-d", "-p", "-c", write(directory / "unbound.conf", f"""
        server:
            interface: {SECURE}@{PLAIN_PORT}
            interface: {SECURE}@{TLS_PORT}
            interface: {SECURE}@{HTTPS_PORT}
            tls-port: {TLS_PORT}
            https-port: {HTTPS_PORT}
            tls-service-key: "{certificates}/secure.key"
            tls-service-pem: "{certificates}/secure.pem"
            http-endpoint: "/dns-query"
            num-threads: 1
            username: ""
            chroot: ""
            directory: "{directory}"
            use-syslog: no
            module-config: "iterator"
            incoming-num-tcp: 200
            so-rcvbuf: 4m
            local-zone: "." static
            local-data: ". 300 IN NS ns.test."
            local-zone: "test." redirect
            local-data: "test. 300 IN A 192.0.2.1"
        remote-control:
            control-enable: no
    """)]


def byway_by(program, certificates, form):
    """Its domestic upstream is SECURE: in the clear, or by `form`, tls or https."""
    ports = {"tls": TLS_PORT, "https": HTTPS_PORT}
    upstream = {"address": f"{form}://{SECURE}:{ports[form]}#{SECURE_NAME}", "ca": f"{certificates}/ca.pem"} if form else \
        f"{SECURE}:{PLAIN_PORT}"
    return byway(program, upstreams={"domestic": [upstream], "external": ["%s:%d" % EXTERNAL]})


def byway(program, **settings):
    """One worker, since one core is measured."""
    def argv(directory, port):
        config = {"listen": [f"{HOST}:{port}"], "workers": 1, "state": str(directory / "state"),
                  "control": {"socket": str(directory / "control.sock")}, "log": {"level": "warning"},
                  "upstreams": {"domestic": [UPSTREAM], "external": ["%s:%d" % EXTERNAL]}, **settings}
        (directory / "state").mkdir(exist_ok=True)
        return [program, "-c", write(directory / "byway.json", json.dumps(config))]
    return argv


def dnsdist(directory, port, server=f'address="{UPSTREAM}"'):
    config = write(directory / "dnsdist.conf", f"""
        setLocal("{HOST}:{port}")
        newServer({{{server}}})
        setSecurityPollSuffix("")
        getPool(""):setCache(newPacketCache(1000000))
    """)
    return ["dnsdist", "--supervised", "--disable-syslog", "-C", config]


def dnsdist_by_tls(certificates):
    return lambda directory, port: dnsdist(directory, port, f"""
            address="{SECURE}:{TLS_PORT}", tls="openssl", subjectName="{SECURE_NAME}", caStore="{certificates}/ca.pem",
            validateCertificates=true, checkInterval=60""")


def kresd(directory, port):
    config = write(directory / "kresd.conf", f"""
        net.listen("{HOST}", {port}, {{ kind = "dns" }})
        net.ipv6 = false
        trust_anchors.remove(".")
        cache.size = 200 * MB
        policy.add(policy.all(policy.STUB({{ "{DOMESTIC[0]}@{DOMESTIC[1]}" }})))
    """)
    return ["kresd", "-n", "-c", config, str(directory)]


def unbound(directory, port, forward=f"forward-addr: {DOMESTIC[0]}@{DOMESTIC[1]}", cert_bundle=""):
    return ["unbound", "-d", "-p", "-c", write(directory / "unbound.conf", f"""
        server:
            interface: {HOST}
            port: {port}
            num-threads: 1
            username: ""
            chroot: ""
            directory: "{directory}"
            use-syslog: no
            module-config: "iterator"
            do-not-query-localhost: no
            msg-cache-size: 100m
            rrset-cache-size: 200m
            outgoing-range: 8192
            num-queries-per-thread: 4096
            incoming-num-tcp: 100
            outgoing-num-tcp: 100
            tls-cert-bundle: "{cert_bundle}"
            local-zone: "test." nodefault
        remote-control:
            control-enable: no
        forward-zone:
            name: "."
            {forward}
    """)]


def unbound_by_tls(certificates):
    return lambda directory, port: unbound(directory, port, f"""forward-tls-upstream: yes
            forward-addr: {SECURE}@{TLS_PORT}#{SECURE_NAME}""", f"{certificates}/ca.pem")


def named(directory, port):
    return ["named", "-g", "-n", "1", "-c", write(directory / "named.conf", f"""
        options {{
            directory "{directory}";
            pid-file none;
            session-keyfile none;
            listen-on port {port} {{ {HOST}; }};
            listen-on-v6 {{ none; }};
            recursion yes;
            recursive-clients 10000;
            dnssec-validation no;
            forward only;
            forwarders {{ {DOMESTIC[0]} port {DOMESTIC[1]}; }};
            empty-zones-enable no;
        }};
        controls {{ }};
    """)]


def pdns_recursor(directory, port):
    return ["pdns_recursor", f"--config-dir={directory}", f"--socket-dir={directory}", "--daemon=no", "--threads=1",
            f"--local-address={HOST}", f"--local-port={port}", "--dnssec=off", "--dont-query=", "--setuid=", "--setgid=",
            f"--forward-zones-recurse=.={UPSTREAM}", "--security-poll-suffix=", "--quiet=yes", "--write-pid=no",
            "--any-to-tcp=no"]


def smartdns(directory, port):
    return ["smartdns", "-f", "-p", "-", "-c", write(directory / "smartdns.conf", f"""
bind {HOST}:{port}
bind-tcp {HOST}:{port}
server {UPSTREAM}
speed-check-mode none
cache-size 500000
cache-file {directory}/cache
log-level error
log-file {directory}/smartdns.log
""")]


def dnsmasq(directory, port):
    return ["dnsmasq", "--keep-in-foreground", f"--port={port}", f"--listen-address={HOST}", "--bind-interfaces",
            "--no-resolv", f"--server={DOMESTIC[0]}#{DOMESTIC[1]}", "--cache-size=10000", "--no-hosts",
            "--dns-forward-max=10000", f"--pid-file={directory}/pid", "--user=root"]


PEERS = {"dnsdist": dnsdist, "kresd": kresd, "unbound": unbound, "named": named, "pdns_recursor": pdns_recursor,
         "smartdns": smartdns, "dnsmasq": dnsmasq}
