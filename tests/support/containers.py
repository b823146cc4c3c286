"""What a container engine gives a compose file's services, made of Linux namespaces: no engine needed.

A `World` runs in a network and mount namespace of its own (tests/integration/test_compose.py starts itself
again under `unshare --net --mount`). In it there is a bridge; each container is a process with a network, pid,
mount and host name of its own, pid 1, and an address on the bridge. A service's name stands for the addresses of
all its replicas, a container's host name for its own, as Docker's DNS has it; here by the hosts file.

What this does not do: images, users, limits, restarts, DNS over the network. Commands run on this machine's root
file system, with one folder in place of the volume.
"""

import ctypes
import json
import os
import re
import signal
import subprocess
import uuid
from pathlib import Path

import yaml
from support.servers import wait_until

NETWORK = "172.31.77"
BRIDGE = "hotpath0"
CONTAINER_SECONDS_MAX = 45      # to be healthy, or to end: compose lets it take 40
_HOSTS_BYTES = 4096
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_libc = ctypes.CDLL(None, use_errno=True)


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdin=subprocess.DEVNULL)


def _mount(source, target, flags):
    if _libc.mount(os.fsencode(source), os.fsencode(target), None, flags, None) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(target))


def read_compose(path, environment=None):
    """The file's services, with ${NAME:-default} and $$ replaced as compose does."""
    environment = environment or {}

    def replace(match):
        if match[0] == "$$":
            return "$"
        return environment.get(match["name"]) or match["otherwise"] or ""

    def fill(value):
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item) for item in value]
        if isinstance(value, str):
            return re.sub(r"\$\$|\$\{(?P<name>\w+)(?::-(?P<otherwise>[^}]*))?\}", replace, value)
        return value
    return fill(yaml.safe_load(Path(path).read_text()))


class Container:
    """A service's command line as pid 1, at an address and with a host name of its own."""

    def __init__(self, world, service, definition, environment):
        self.service = service
        self.definition = definition
        self.environment = {**definition.get("environment", {}), **environment}
        self.host = uuid.uuid4().hex[:12]
        self.address = world.new_address()
        self.world = world
        self.log_path = world.folder / f"{service}-{self.host}.log"
        self.process = None

    def start(self):
        """Starts it, or starts it again: host name and address stay, as in a restarted container."""
        own = os.readlink("/proc/self/ns/net")
        environment = {"PATH": self.world.path, "HOME": "/", **self.environment}
        # Waits for its address, as an engine starts a process only when its network is there.
        script = f"""hostname {self.host}
            until ip -4 -o addr show dev eth0 2> /dev/null | grep -q inet; do sleep 0.02; done
            {self.world.enter}
            exec "$@" """
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "--net", "--uts", "--pid", "--mount", "--fork", "--kill-child",
                 "--mount-proc", "sh", "-c", script, "sh", *self.world.inside, *self.definition["command"]],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd="/")
        pid = self.process.pid
        wait_until(lambda: os.readlink(f"/proc/{pid}/ns/net") != own, CONTAINER_SECONDS_MAX,
                   f"the network of {self.service}", 0.01)
        # The end outside has a new name each time: the former one goes when the kernel sweeps up.
        outside = f"v{uuid.uuid4().hex[:8]}"
        run("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", pid)
        run("ip", "link", "set", outside, "master", BRIDGE, "up")
        # The same hardware address again after a restart, or the others would ask the former for a while.
        hardware = "02:42:" + ":".join(f"{int(part):02x}" for part in self.address.split("."))
        for arguments in (["link", "set", "lo", "up"],
                          ["link", "set", "eth0", "address", hardware, "up"],
                          ["addr", "add", f"{self.address}/24", "dev", "eth0"]):
            run("nsenter", "--target", pid, "--net", "ip", *arguments)
        return self

    @property
    def first(self):
        """The process that is pid 1 inside; None when it has ended."""
        try:
            text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        except OSError:
            return None
        return int(text.split()[0]) if text.split() else None

    def exec(self, *command):
        """Runs a command inside, as `docker exec` does; its exit code."""
        first = self.first
        if first is None:
            return -1
        return subprocess.run(
            ["nsenter", "--target", str(first), "--net", "--uts", "--pid", "--mount",
             *self.world.inside, *command],
            env={"PATH": self.world.path, **self.environment}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
            timeout=CONTAINER_SECONDS_MAX).returncode

    def is_healthy(self):
        test = self.definition["healthcheck"]["test"]
        assert test[0] == "CMD", test
        return self.exec(*test[1:]) == 0

    def wait_healthy(self):
        def look():
            assert self.process.poll() is None, f"{self.service} has ended:\n{self.log()}"
            return self.is_healthy()
        try:
            wait_until(look, CONTAINER_SECONDS_MAX, f"{self.service} healthy")
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log()}") from None

    def signal(self, number):
        first = self.first
        if first is not None:
            os.kill(first, number)

    def stop(self):
        """SIGTERM to pid 1; the exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(CONTAINER_SECONDS_MAX)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait(CONTAINER_SECONDS_MAX)

    def log(self):
        return self.log_path.read_text(errors="replace")[-4000:]


class World:
    """Bridge, names and volume; run it in network and mount namespaces of its own only."""

    def __init__(self, folder, volume_target, path, image=None):
        """`image`: the root of an unpacked image, whose user 10001 the services then are."""
        self.folder = Path(folder)
        self.path = path
        self.last = 1
        self.containers = []
        self.extra_names = {}
        self.state = self.folder / "volume"
        self.enter, self.inside = "", []
        self._make_files(volume_target)
        if image:
            self._use_image(Path(image), volume_target)
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "addr", "add", f"{NETWORK}.1/24", "dev", BRIDGE)
        # Fixed: else it is the least of its ports' and changes with each container.
        run("ip", "link", "set", BRIDGE, "address", "02:42:00:00:00:01", "up")

    def _make_files(self, volume_target):
        """Puts the volume, the hosts file and the order of look-ups over the machine's own."""
        _mount("none", "/", _MS_REC | _MS_PRIVATE)
        self.state.mkdir()
        target = Path(volume_target)
        over = self.folder / "over"
        (over / target.name).mkdir(parents=True)
        _mount(over, target.parent, _MS_BIND)
        _mount(self.state, target, _MS_BIND)
        self.hosts = self.folder / "hosts"
        self.write_names()
        _mount(self.hosts, "/etc/hosts", _MS_BIND)
        for name, text in (("nsswitch.conf", "hosts: files\n"), ("host.conf", "multi on\n")):
            if os.path.exists(f"/etc/{name}"):
                (self.folder / name).write_text(text)
                _mount(self.folder / name, f"/etc/{name}", _MS_BIND)

    def _use_image(self, image, volume_target):
        """The services run in the image's root, read-only but for the volume and /tmp, as its user."""
        os.chown(self.state, 10001, 10001)
        _mount(image, image, _MS_BIND)
        _mount(self.state, image / volume_target.lstrip("/"), _MS_BIND)
        for name in ("hosts", "nsswitch.conf", "host.conf"):
            (image / "etc" / name).touch()
            _mount(self.folder / name, image / "etc" / name, _MS_BIND)
        _mount("/dev", image / "dev", _MS_BIND)
        self.enter = f"""mount -o remount,bind,ro {image}
            mount -t tmpfs tmpfs {image}/tmp
            mount -t proc proc {image}/proc"""
        self.inside = ["chroot", "--userspec=10001:10001", str(image)]
        self.path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

    def new_address(self):
        self.last += 1
        return f"{NETWORK}.{self.last}"

    def name(self, name, address):
        self.extra_names[name] = address
        self.write_names()

    def write_names(self):
        """In place: the file is mounted, so its inode must stay."""
        lines = [f"127.0.0.1 localhost {os.uname().nodename}"]
        lines += [f"{address} {name}" for name, address in self.extra_names.items()]
        for container in self.containers:
            lines.append(f"{container.address} {container.host} {container.service}")
        # One write of one size: a reader never sees a file without the names.
        text = ("\n".join(lines) + "\n").encode().ljust(_HOSTS_BYTES, b"\n")
        file = os.open(self.hosts, os.O_WRONLY | os.O_CREAT, 0o644)
        os.pwrite(file, text, 0)
        os.close(file)

    def up(self, service, definition, environment):
        container = Container(self, service, definition, environment)
        self.containers.append(container)
        self.write_names()
        return container.start()

    def remove(self, container):
        """Kills it and takes its names away, as a removed container's go."""
        container.kill()
        self.containers.remove(container)
        self.write_names()

    def of(self, service):
        return [container for container in self.containers if container.service == service]

    def logs(self):
        return "\n".join(f"--- {container.service} {container.host}\n{container.log()}"
                         for container in self.containers)


def start_order(services):
    """Services in an order in which each comes after those that it depends on."""
    order = []
    while len(order) < len(services):
        ready = [name for name, service in services.items() if name not in order
                 and all(other in order for other in service.get("depends_on", {}))]
        assert ready, f"depends_on goes in a circle: {json.dumps(sorted(set(services) - set(order)))}"
        order += ready
    return order
