"""Uses a ZooKeeper server by kazoo: sessions, nodes, watches and every common recipe.

Usage: kazoo_client.py HOST:PORT. Ends with 0 if all went as kazoo expects.
"""

import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NoNodeError, NodeExistsError, RolledBackError
from kazoo.recipe.barrier import DoubleBarrier
from kazoo.recipe.cache import TreeCache
from kazoo.recipe.partitioner import SetPartitioner  # noqa: F401  (importable)
from kazoo.security import make_digest_acl

HOSTS = sys.argv[1]
SOON = 10


def client(**options):
    one = KazooClient(hosts=HOSTS, timeout=4.0, **options)
    one.start(timeout=SOON)
    return one


def until(what, check):
    end = time.monotonic() + SOON
    while not check():
        assert time.monotonic() < end, "not in time: " + what
        time.sleep(0.01)


def nodes(zk):
    zk.ensure_path("/kazoo/nodes")
    path = zk.create("/kazoo/nodes/a", b"1")
    assert path == "/kazoo/nodes/a"
    try:
        zk.create("/kazoo/nodes/a", b"")
        raise AssertionError("created twice")
    except NodeExistsError:
        pass
    data, stat = zk.get("/kazoo/nodes/a")
    assert (data, stat.version) == (b"1", 0)
    assert zk.set("/kazoo/nodes/a", b"2", version=0).version == 1
    try:
        zk.set("/kazoo/nodes/a", b"3", version=0)
        raise AssertionError("written over another version")
    except BadVersionError:
        pass
    first = zk.create("/kazoo/nodes/s-", b"", sequence=True)
    second = zk.create("/kazoo/nodes/s-", b"", sequence=True, ephemeral=True)
    assert int(second[-10:]) == int(first[-10:]) + 1
    assert len(zk.get_children("/kazoo/nodes")) == 3
    assert zk.exists("/kazoo/nodes/none") is None
    try:
        zk.delete("/kazoo/nodes/none")
        raise AssertionError("deleted what was not there")
    except NoNodeError:
        pass


def transactions(zk):
    zk.ensure_path("/kazoo/tx")
    transaction = zk.transaction()
    transaction.create("/kazoo/tx/a", b"1")
    transaction.check("/kazoo/tx/a", 0)
    transaction.set_data("/kazoo/tx/a", b"2")
    transaction.delete("/kazoo/tx/a")
    results = transaction.commit()
    assert results[0] == "/kazoo/tx/a" and results[3] is True, results
    transaction = zk.transaction()
    transaction.create("/kazoo/tx/b", b"")
    transaction.delete("/kazoo/tx/none")
    results = transaction.commit()
    assert isinstance(results[0], RolledBackError) and isinstance(results[1], NoNodeError), results
    assert zk.exists("/kazoo/tx/b") is None


def watches(zk, other):
    zk.ensure_path("/kazoo/watched")
    seen, children = [], []

    @zk.DataWatch("/kazoo/watched/data")
    def on_data(data, _stat):
        seen.append(data)

    @zk.ChildrenWatch("/kazoo/watched")
    def on_children(names):
        children.append(sorted(names))

    other.create("/kazoo/watched/data", b"1")
    other.set("/kazoo/watched/data", b"2")
    until("the data watch", lambda: seen[-1] == b"2")
    until("the children watch", lambda: children[-1] == ["data"])
    other.delete("/kazoo/watched/data")
    until("the deletion", lambda: seen[-1] is None and children[-1] == [])


def recipes(zk, other):
    lock, rival = zk.Lock("/kazoo/lock", "one"), other.Lock("/kazoo/lock", "two")
    with lock:
        assert not rival.acquire(blocking=False)
        assert rival.contenders() == ["one"]
    assert rival.acquire(timeout=SOON)
    rival.release()

    semaphore = zk.Semaphore("/kazoo/semaphore", max_leases=1)
    with semaphore:
        assert not other.Semaphore("/kazoo/semaphore", max_leases=1).acquire(blocking=False)

    barrier = zk.Barrier("/kazoo/barrier")
    barrier.create()
    waiter = threading.Thread(target=lambda: other.Barrier("/kazoo/barrier").wait(SOON))
    waiter.start()
    barrier.remove()
    waiter.join(SOON)
    assert not waiter.is_alive()

    inside = []
    both = [DoubleBarrier(one, "/kazoo/double", 2) for one in (zk, other)]

    def through(one):
        one.enter()
        inside.append(one)
        one.leave()

    threads = [threading.Thread(target=through, args=(one,)) for one in both]
    [thread.start() for thread in threads]
    [thread.join(SOON) for thread in threads]
    assert len(inside) == 2

    queue = zk.Queue("/kazoo/queue")
    queue.put(b"second", priority=200)
    queue.put(b"first", priority=100)
    assert [queue.get(), other.Queue("/kazoo/queue").get()] == [b"first", b"second"]
    locking = zk.LockingQueue("/kazoo/locking")
    locking.put(b"entry")
    assert other.LockingQueue("/kazoo/locking").get(timeout=SOON) == b"entry"

    led = []
    threads = [
        threading.Thread(target=one.Election("/kazoo/election", name).run, args=(led.append, name))
        for one, name in ((zk, "one"), (other, "two"))
    ]
    [thread.start() for thread in threads]
    [thread.join(SOON) for thread in threads]
    assert sorted(led) == ["one", "two"], led

    counter = zk.Counter("/kazoo/counter")
    counter += 2
    counter -= 1
    assert other.Counter("/kazoo/counter").value == 1

    party = zk.Party("/kazoo/party", "one")
    party.join()
    assert list(other.Party("/kazoo/party")) == ["one"]
    party.leave()
    assert len(other.Party("/kazoo/party")) == 0

    cache = TreeCache(zk, "/kazoo/tree")
    zk.ensure_path("/kazoo/tree")
    cache.start()
    other.create("/kazoo/tree/a", b"1")
    until("the cache", lambda: getattr(cache.get_data("/kazoo/tree/a"), "data", None) == b"1")
    other.set("/kazoo/tree/a", b"2")
    until("the cache's update", lambda: cache.get_data("/kazoo/tree/a").data == b"2")
    other.delete("/kazoo/tree/a")
    until("the cache's removal", lambda: cache.get_data("/kazoo/tree/a") is None)
    cache.close()


def rights():
    acl = make_digest_acl("user", "secret", all=True)
    owner = client(auth_data=[("digest", "user:secret")])
    stranger = client()
    owner.create("/kazoo/private", b"1", acl=[acl], ephemeral=True)
    assert owner.get("/kazoo/private")[0] == b"1"
    try:
        stranger.get("/kazoo/private")
        raise AssertionError("read without rights")
    except Exception as error:
        assert type(error).__name__ == "NoAuthError", error
    owner.stop()
    until("the ephemeral is gone", lambda: stranger.exists("/kazoo/private") is None)
    stranger.stop()


def main():
    zk, other = client(), client()
    zk.delete("/kazoo", recursive=True) if zk.exists("/kazoo") else None
    zk.ensure_path("/kazoo")
    nodes(zk)
    transactions(zk)
    watches(zk, other)
    recipes(zk, other)
    rights()
    zk.delete("/kazoo", recursive=True)
    for one in (zk, other):
        one.stop()
        one.close()
    import kazoo

    print("kazoo", kazoo.__version__)


main()
