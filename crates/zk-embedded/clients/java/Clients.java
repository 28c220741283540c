import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.RetryOneTime;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;

/** Uses a ZooKeeper server by Java's own client and by Curator. Usage: Clients HOST:PORT. */
public final class Clients {
    static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }

    static ZooKeeper connect(String hosts) throws Exception {
        CountDownLatch up = new CountDownLatch(1);
        ZooKeeper zk = new ZooKeeper(hosts, 4000, event -> {
            if (event.getState() == Watcher.Event.KeeperState.SyncConnected) up.countDown();
        });
        check(up.await(10, TimeUnit.SECONDS), "connected");
        return zk;
    }

    static void own(String hosts) throws Exception {
        var open = ZooDefs.Ids.OPEN_ACL_UNSAFE;
        ZooKeeper one = connect(hosts), two = connect(hosts);
        one.create("/java", new byte[0], open, CreateMode.CONTAINER);
        CountDownLatch events = new CountDownLatch(3);
        two.addWatch("/java", event -> events.countDown(), AddWatchMode.PERSISTENT_RECURSIVE);
        one.create("/java/a", "1".getBytes(), open, CreateMode.EPHEMERAL);
        var stat = one.setData("/java/a", "2".getBytes(), 0);
        check(stat.getVersion() == 1, "version");
        try {
            one.multi(List.of(Op.create("/java/m", new byte[0], open, CreateMode.PERSISTENT), Op.check("/java/a", 9)));
            throw new AssertionError("a multi that cannot be was done");
        } catch (KeeperException.BadVersionException expected) {
            check(two.exists("/java/m", false) == null, "rolled back");
        }
        check(one.getEphemerals("/java").equals(List.of("/java/a")), "ephemerals");
        check(one.getAllChildrenNumber("/java") == 1, "number of children");
        one.addAuthInfo("digest", "user:secret".getBytes());
        check(one.whoAmI().stream().anyMatch(who -> who.getUser().equals("user")), "who am I");
        one.close();
        check(events.await(10, TimeUnit.SECONDS), "created, changed, deleted");
        two.removeAllWatches("/java", Watcher.WatcherType.Any, false);
        two.delete("/java", -1);
        two.close();
    }

    static CuratorFramework curator(String hosts) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.newClient(hosts, 4000, 10000, new RetryOneTime(100));
        client.start();
        check(client.blockUntilConnected(10, TimeUnit.SECONDS), "curator connected");
        return client;
    }

    static void curator(CuratorFramework one, CuratorFramework two) throws Exception {
        InterProcessMutex mine = new InterProcessMutex(one, "/curator/lock");
        InterProcessMutex theirs = new InterProcessMutex(two, "/curator/lock");
        mine.acquire();
        check(!theirs.acquire(100, TimeUnit.MILLISECONDS), "the lock is held");
        mine.release();
        check(theirs.acquire(10, TimeUnit.SECONDS), "the lock is free");
        theirs.release();

        CountDownLatch synced = new CountDownLatch(1);
        AtomicInteger created = new AtomicInteger();
        CuratorCache cache = CuratorCache.build(one, "/curator/cached");
        cache.listenable().addListener(CuratorCacheListener.builder()
            .forInitialized(synced::countDown).forCreates(node -> created.incrementAndGet()).build());
        cache.start();
        check(synced.await(10, TimeUnit.SECONDS), "the cache is filled");
        two.create().creatingParentsIfNeeded().forPath("/curator/cached/a", "1".getBytes());
        for (int i = 0; i < 1000 && cache.get("/curator/cached/a").isEmpty(); i++) Thread.sleep(10);
        check(cache.get("/curator/cached/a").isPresent(), "the cache follows");
        cache.close();

        ServiceInstance<Void> here = ServiceInstance.<Void>builder().name("s").address("127.0.0.1").port(1).build();
        try (ServiceDiscovery<Void> writer = ServiceDiscoveryBuilder.builder(Void.class).client(one)
                .basePath("/curator/services").thisInstance(here).build();
             ServiceDiscovery<Void> reader = ServiceDiscoveryBuilder.builder(Void.class).client(two)
                .basePath("/curator/services").build()) {
            writer.start();
            reader.start();
            var found = reader.queryForInstances("s");
            check(found.size() == 1 && found.iterator().next().getId().equals(here.getId()), "discovered");
        }
        two.delete().guaranteed().deletingChildrenIfNeeded().forPath("/curator");
    }

    public static void main(String[] arguments) throws Exception {
        own(arguments[0]);
        System.out.println("Java client " + org.apache.zookeeper.Version.getVersion());
        try (CuratorFramework one = curator(arguments[0]); CuratorFramework two = curator(arguments[0])) {
            curator(one, two);
        }
        System.out.println("Curator");
        System.exit(0);
    }
}
