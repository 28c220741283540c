// Uses a ZooKeeper server by the Go client samuel/go-zookeeper.
//
// Usage: main HOST:PORT. Ends with 0 if all went as the client expects.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/samuel/go-zookeeper/zk"
)

func check(what string, err, wanted error) {
	if err != wanted {
		fmt.Fprintf(os.Stderr, "%s: %v, expected %v\n", what, err, wanted)
		os.Exit(1)
	}
}

func next(what string, events <-chan zk.Event, wanted zk.EventType) {
	select {
	case event := <-events:
		if event.Type != wanted {
			fmt.Fprintf(os.Stderr, "%s: %v, expected %v\n", what, event.Type, wanted)
			os.Exit(1)
		}
	case <-time.After(10 * time.Second):
		fmt.Fprintf(os.Stderr, "%s: nothing came\n", what)
		os.Exit(1)
	}
}

type silent struct{}

func (silent) Printf(string, ...interface{}) {}

func main() {
	open := zk.WorldACL(zk.PermAll)
	one, _, err := zk.Connect(os.Args[1:2], 4*time.Second, zk.WithLogger(silent{}))
	check("connect", err, nil)
	two, _, err := zk.Connect(os.Args[1:2], 4*time.Second, zk.WithLogger(silent{}))
	check("connect", err, nil)

	_, err = one.Create("/go", nil, 0, open)
	check("create", err, nil)
	_, err = one.Create("/go", nil, 0, open)
	check("create again", err, zk.ErrNodeExists)
	_, _, children, err := two.ChildrenW("/go")
	check("children", err, nil)
	_, err = one.Create("/go/a", []byte("1"), zk.FlagEphemeral, open)
	check("create", err, nil)
	next("child watch", children, zk.EventNodeChildrenChanged)
	data, stat, changes, err := two.GetW("/go/a")
	check("get", err, nil)
	if string(data) != "1" || stat.EphemeralOwner != one.SessionID() {
		fmt.Fprintln(os.Stderr, "get:", data, stat)
		os.Exit(1)
	}
	_, err = one.Set("/go/a", []byte("2"), stat.Version)
	check("set", err, nil)
	next("data watch", changes, zk.EventNodeDataChanged)
	_, err = one.Set("/go/a", []byte("3"), stat.Version)
	check("set an old version", err, zk.ErrBadVersion)
	_, err = one.Multi(
		&zk.CreateRequest{Path: "/go/m", Acl: open},
		&zk.DeleteRequest{Path: "/go/none", Version: -1},
	)
	check("failed multi", err, zk.ErrNoNode)
	found, _, deletion, err := two.ExistsW("/go/a")
	check("exists", err, nil)
	if !found {
		fmt.Fprintln(os.Stderr, "exists: not found")
		os.Exit(1)
	}

	lock := zk.NewLock(one, "/go/lock", open)
	check("lock", lock.Lock(), nil)
	rival := zk.NewLock(two, "/go/lock", open)
	got := make(chan error)
	go func() { got <- rival.Lock() }()
	check("unlock", lock.Unlock(), nil)
	check("the rival's lock", <-got, nil)
	check("unlock", rival.Unlock(), nil)

	one.Close()
	next("the ephemeral is gone", deletion, zk.EventNodeDeleted)
	check("delete", two.Delete("/go/lock", -1), nil)
	check("delete", two.Delete("/go", -1), nil)
	two.Close()
	fmt.Println("samuel/go-zookeeper")
}
