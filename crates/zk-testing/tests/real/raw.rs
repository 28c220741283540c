use std::time::Duration;

use tokio::time::timeout;
use zk_testing::Server;
use zk_testing::eventually;
use zk_testing::raw::{
    Acl, Client, CreateMode, Error, Event, EventKind, MultiOp, MultiResult, WatchMode, permission,
};

use crate::connect;

#[tokio::test]
async fn every_operation_of_the_raw_client_has_its_effect() {
    let Some(_) = zk_testing::require() else { return };
    let server = Server::start().await.unwrap();
    let client = connect(server.addr()).await;

    assert_eq!(client.create("/a", b"one", CreateMode::Persistent).await.unwrap(), "/a");
    assert!(matches!(client.create("/a", b"", CreateMode::Persistent).await, Err(Error::NodeExists)));
    assert!(matches!(client.create("/x/y", b"", CreateMode::Persistent).await, Err(Error::NoNode)));
    assert!(matches!(client.create("bad", b"", CreateMode::Persistent).await, Err(Error::BadArguments)));
    let (data, stat) = client.get("/a").await.unwrap();
    assert_eq!(
        (data.as_slice(), stat.version, stat.data_length, stat.ephemeral_owner),
        (&b"one"[..], 0, 3, 0)
    );
    assert!(matches!(client.set("/a", b"", Some(5)).await, Err(Error::BadVersion)));
    let set = client.set("/a", b"two", Some(0)).await.unwrap();
    assert_eq!((set.version, set.czxid), (1, stat.czxid));
    assert!(set.mzxid > set.czxid);

    let sequential = client.create("/a/s-", b"", CreateMode::EphemeralSequential).await.unwrap();
    assert_eq!(sequential, "/a/s-0000000000");
    let owner = client.exists(&sequential).await.unwrap().unwrap().ephemeral_owner;
    assert_eq!(owner, client.session_id());
    let below = client.create(&format!("{sequential}/b"), b"", CreateMode::Persistent).await;
    assert!(matches!(below, Err(Error::NoChildrenForEphemerals)));
    client.create("/a/c", b"", CreateMode::Container).await.unwrap();
    let (mut names, stat) = client.children("/a").await.unwrap();
    names.sort();
    assert_eq!((names, stat.num_children), (vec!["c".to_owned(), "s-0000000000".to_owned()], 2));

    assert!(matches!(client.delete("/a", None).await, Err(Error::NotEmpty)));
    assert!(matches!(client.delete("/a/c", Some(9)).await, Err(Error::BadVersion)));
    client.delete("/a/c", Some(0)).await.unwrap();
    assert!(matches!(client.delete("/a/c", None).await, Err(Error::NoNode)));
    client.create_all("/a/b/c/d").await.unwrap();
    client.create_all("/a/b/c/d").await.unwrap();
    assert!(client.exists("/a/b/c/d").await.unwrap().is_some());
    client.delete_recursive("/a").await.unwrap();
    assert!(client.exists("/a").await.unwrap().is_none());
    client.sync("/").await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test]
async fn a_multi_is_all_or_nothing_and_names_the_failed_operation() {
    let Some(_) = zk_testing::require() else { return };
    let server = Server::start().await.unwrap();
    let client = connect(server.addr()).await;
    let create = |path: &str| MultiOp::create(path, "data", CreateMode::Ephemeral);
    let set = MultiOp::set("/a", "new", Some(0));
    let check = MultiOp::check("/a", 1);
    let done = client.multi(&[create("/a"), set, check]).await.unwrap();
    assert_eq!(done[0], MultiResult::Create("/a".into()));
    assert!(matches!(done[1], MultiResult::SetData(stat) if stat.version == 1));
    assert_eq!(done[2], MultiResult::Check);

    let failed =
        client.multi(&[create("/b"), MultiOp::delete("/a", Some(7)), create("/c")]).await.unwrap_err();
    let Error::Multi { index: 1, source } = failed else { panic!("{failed:?}") };
    assert!(matches!(*source, Error::BadVersion));
    assert!(client.exists("/b").await.unwrap().is_none());

    let taken_over = client.multi(&[MultiOp::delete("/a", Some(1)), create("/a")]).await.unwrap();
    assert_eq!(taken_over, [MultiResult::Delete, MultiResult::Create("/a".into())]);
    assert_eq!(client.multi(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn access_control_refuses_a_session_that_is_not_authenticated() {
    let Some(_) = zk_testing::require() else { return };
    let server = Server::start().await.unwrap();
    let (creator, stranger) = (connect(server.addr()).await, connect(server.addr()).await);
    let refused = creator.create_with_acl("/a", b"", CreateMode::Persistent, &[Acl::creator()]).await;
    assert!(matches!(refused, Err(Error::InvalidAcl)), "there is no identity yet");
    creator.add_auth("digest", b"user:secret").await.unwrap();
    creator.create_with_acl("/a", b"", CreateMode::Persistent, &[Acl::creator()]).await.unwrap();
    let outdated = creator.set_acl_if("/a", &[Acl::creator()], 7).await;
    assert!(matches!(outdated, Err(Error::BadVersion)), "{outdated:?}");
    let (acl, _) = creator.get_acl("/a").await.unwrap();
    assert_eq!((acl.len(), acl[0].permissions, acl[0].scheme.as_str()), (1, permission::ALL, "digest"));
    assert!(matches!(stranger.get("/a").await, Err(Error::NoAuth)));
    assert!(matches!(stranger.set_acl("/a", &[Acl::open()]).await, Err(Error::NoAuth)));
    let users = creator.who_am_i().await.unwrap();
    assert!(users.contains(&("digest".into(), "user".into())), "{users:?}");
    assert_eq!(creator.set_acl("/a", &[Acl::read_only()]).await.unwrap().aversion, 1);
    stranger.get("/a").await.unwrap();
    assert!(matches!(stranger.set("/a", b"", None).await, Err(Error::NoAuth)));

    assert!(matches!(stranger.add_auth("nonsense", b"").await, Err(Error::AuthFailed)));
    stranger.closed().await;
}

#[tokio::test]
async fn each_kind_of_watch_fires_for_its_event() {
    let Some(_) = zk_testing::require() else { return };
    let server = Server::start().await.unwrap();
    let (watcher, writer) = (connect(server.addr()).await, connect(server.addr()).await);
    let event = |kind, path: &str| Some(Event { kind, path: path.into() });
    assert!(watcher.exists_and_watch("/once").await.unwrap().is_none());
    watcher.children_and_watch("/").await.unwrap();
    writer.create("/once", b"", CreateMode::Persistent).await.unwrap();
    let mut fired = [watcher.next_event().await.unwrap(), watcher.next_event().await.unwrap()];
    fired.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(Some(fired[0].clone()), event(EventKind::ChildrenChanged, "/"));
    assert_eq!(Some(fired[1].clone()), event(EventKind::Created, "/once"));

    watcher.watch("/deep", WatchMode::Recursive).await.unwrap();
    writer.create_all("/deep/er").await.unwrap();
    writer.set("/deep/er", b"x", None).await.unwrap();
    writer.delete_recursive("/deep").await.unwrap();
    assert_eq!(watcher.next_event().await, event(EventKind::Created, "/deep"));
    assert_eq!(watcher.next_event().await, event(EventKind::Created, "/deep/er"));
    assert_eq!(watcher.next_event().await, event(EventKind::DataChanged, "/deep/er"));
    assert_eq!(watcher.next_event().await, event(EventKind::Deleted, "/deep/er"));
    assert_eq!(watcher.next_event().await, event(EventKind::Deleted, "/deep"));

    watcher.watch("/flat", WatchMode::Persistent).await.unwrap();
    writer.create_all("/flat/child").await.unwrap();
    assert_eq!(watcher.next_event().await, event(EventKind::Created, "/flat"));
    assert_eq!(watcher.next_event().await, event(EventKind::ChildrenChanged, "/flat"));
    drop(server);
    assert_eq!(watcher.next_event().await, None);
}

#[tokio::test]
async fn pings_keep_a_session_that_a_dropped_client_leaves_to_expire() {
    let Some(_) = zk_testing::require() else { return };
    let server = Server::start().await.unwrap();
    let observer = connect(server.addr()).await;
    // The shortest that is granted: two ticks.
    let owner = Client::connect(server.addr(), Duration::from_millis(1)).await.unwrap();
    let session = owner.negotiated_timeout();
    assert_eq!(session, Duration::from_millis(400));
    owner.create("/mine", b"", CreateMode::Ephemeral).await.unwrap();
    assert!(timeout(session * 4, owner.closed()).await.is_err(), "idle for four timeouts, it is still open");
    assert!(observer.exists("/mine").await.unwrap().is_some());
    drop(owner);
    assert!(observer.exists("/mine").await.unwrap().is_some(), "dropping is not closing");
    let gone = async || observer.exists("/mine").await.unwrap().is_none();
    eventually("the session expires", gone).await;
}

#[tokio::test]
async fn a_silent_server_is_disconnected_after_a_session_timeout() {
    let Some(_) = zk_testing::require() else { return };
    let server = Server::start().await.unwrap();
    let client = Client::connect(server.addr(), Duration::from_millis(400)).await.unwrap();
    server.pause().await.unwrap();
    let answer = timeout(Duration::from_secs(2), client.exists("/")).await.unwrap();
    assert!(matches!(answer, Err(Error::Io(_))));
    assert!(client.is_closed());
    assert!(matches!(client.exists("/").await, Err(Error::Io(_))));
}
