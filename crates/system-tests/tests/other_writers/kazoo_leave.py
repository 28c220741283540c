"""Registers instances by kazoo, and leaves at the first line of standard input. Usage: HOST:PORT ROOT NAME..."""

import sys

from kazoo.client import KazooClient

hosts, root, names = sys.argv[1], sys.argv[2], sys.argv[3:]
client = KazooClient(hosts=hosts, timeout=4.0)
client.start()
paths = [f"{root}/{name}" for name in names]
for path in paths:
    client.create(path, b"", ephemeral=True, makepath=True)
print("registered", flush=True)
sys.stdin.readline()


def leave(path):
    version = client.exists(path).version
    transaction = client.transaction()
    transaction.set_data(path, b"", version=version)
    transaction.delete(path, version=version + 1)
    for result in transaction.commit():
        if isinstance(result, Exception):
            raise result


for path in paths:
    leave(path)
print("left", flush=True)
sys.stdin.readline()
