/* Uses a ZooKeeper server by the C client (libzookeeper-mt).
 *
 * Usage: c_client HOST:PORT. Ends with 0 if all went as the client expects. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

static volatile int connected, fired_type;

static void on_session(zhandle_t *zh, int type, int state, const char *path, void *context) {
    (void)zh, (void)path, (void)context;
    if (type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE) connected = 1;
}

static void on_event(zhandle_t *zh, int type, int state, const char *path, void *context) {
    (void)zh, (void)state, (void)path, (void)context;
    if (type != ZOO_SESSION_EVENT) fired_type = type;
}

static void expect(const char *what, int found, int wanted) {
    if (found == wanted) return;
    fprintf(stderr, "%s: %d (%s), expected %d\n", what, found, zerror(found), wanted);
    exit(1);
}

static void until(const char *what, volatile int *value, int wanted) {
    for (int i = 0; i < 1000 && *value != wanted; i++) usleep(10000);
    expect(what, *value, wanted);
}

static zhandle_t *join(const char *hosts) {
    connected = 0;
    zhandle_t *zh = zookeeper_init(hosts, on_session, 4000, 0, 0, 0);
    if (!zh) expect("zookeeper_init", -1, 0);
    until("connected", &connected, 1);
    return zh;
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zhandle_t *zh = join(argv[1]);
    struct Stat stat;
    struct String_vector names;
    char buffer[256];
    int length;

    zoo_delete(zh, "/c/e", -1);
    zoo_delete(zh, "/c/a", -1);
    zoo_delete(zh, "/c", -1);
    expect("create", zoo_create(zh, "/c", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, buffer, sizeof buffer), ZOK);
    expect("create again", zoo_create(zh, "/c", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, 0, 0), ZNODEEXISTS);
    expect("create2", zoo_create2(zh, "/c/a", "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, buffer, sizeof buffer, &stat), ZOK);
    expect("length", stat.dataLength, 1);
    length = sizeof buffer;
    expect("get", zoo_wget(zh, "/c/a", on_event, 0, buffer, &length, &stat), ZOK);
    expect("data", length == 1 && buffer[0] == '1', 1);
    expect("set", zoo_set2(zh, "/c/a", "22", 2, 0, &stat), ZOK);
    expect("version", stat.version, 1);
    until("data watch", &fired_type, ZOO_CHANGED_EVENT);
    expect("set an old version", zoo_set(zh, "/c/a", "3", 1, 0), ZBADVERSION);
    expect("children", zoo_wget_children2(zh, "/c", on_event, 0, &names, &stat), ZOK);
    expect("count", names.count, 1);
    deallocate_String_vector(&names);
    expect("ephemeral", zoo_create(zh, "/c/e", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, 0, 0), ZOK);
    until("child watch", &fired_type, ZOO_CHILD_EVENT);
    expect("below an ephemeral", zoo_create(zh, "/c/e/x", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, 0, 0),
           ZNOCHILDRENFOREPHEMERALS);
    expect("not empty", zoo_delete(zh, "/c", -1), ZNOTEMPTY);

    zoo_op_t operations[2];
    zoo_op_result_t results[2];
    zoo_create_op_init(&operations[0], "/c/m", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, buffer, sizeof buffer);
    zoo_delete_op_init(&operations[1], "/c/m", 0);
    expect("multi", zoo_multi(zh, 2, operations, results), ZOK);
    zoo_delete_op_init(&operations[1], "/c/none", 0);
    expect("failed multi", zoo_multi(zh, 2, operations, results), ZNONODE);
    expect("rolled back", zoo_exists(zh, "/c/m", 0, &stat), ZNONODE);

    zookeeper_close(zh);
    zh = join(argv[1]);
    expect("ephemeral gone", zoo_exists(zh, "/c/e", 0, &stat), ZNONODE);
    expect("delete", zoo_delete(zh, "/c/a", 1), ZOK);
    expect("delete", zoo_delete(zh, "/c", -1), ZOK);
    zookeeper_close(zh);
    printf("C client %s\n", ZOO_VERSION);
    return 0;
}
