//! An old reader among new servers: it gets what it got from old ones, and sees a told leave as one.

use system_tests::name;
use test_zookeeper::Server;
use zk_testing::SOON;
use zk_testing::raw::{Event, EventKind};

use crate::recording::{NAMES, NAMES_ONE_SHOT, RECORDS, RECORDS_ONE_SHOT, Recording};
use crate::replay::Replay;
use crate::servers::{ROOT, link, register, registrar};

/// The instance that comes and leaves.
const PORT: u16 = 8899;

fn event(kind: EventKind, path: impl Into<String>) -> Event {
    Event { kind, path: path.into() }
}

fn node() -> String {
    format!("{ROOT}/{}", name(PORT))
}

/// Replays a reader while new servers register, write and leave. These are the events of the leave.
async fn new_servers_are_followed_by(recording: &str, leave: &[Event]) {
    let recording = Recording::read(recording);
    let server = Server::start().await.unwrap();
    let registrar = registrar(&link(&server.connect_string()));
    let _others = [register(&registrar, 8897).await, register(&registrar, 8898).await];
    let mut reader = Replay::start(&server).await;
    reader.run(recording.phase("a client follows the root")).await;

    let registration = register(&registrar, PORT).await;
    reader.run(recording.phase("an instance comes")).await;
    let instance = instance::Instance::new(name(PORT).parse().unwrap()).with_weight(50);
    registration.update(instance).unwrap();
    reader.run(recording.phase("its record is written")).await;
    registration.deregister(SOON).await.unwrap();
    reader.run_with(leave, recording.phase("it leaves")).await;
}

#[tokio::test]
async fn an_old_reader_of_names_sees_a_new_server_leave() {
    let Some(_) = requires_recursive_watches() else { return };
    let leave = [event(EventKind::DataChanged, node()), event(EventKind::Deleted, node())];
    new_servers_are_followed_by(NAMES, &leave).await;
}

#[tokio::test]
async fn an_old_reader_of_records_sees_a_new_server_leave() {
    let Some(_) = requires_recursive_watches() else { return };
    let leave = [event(EventKind::DataChanged, node()), event(EventKind::Deleted, node())];
    new_servers_are_followed_by(RECORDS, &leave).await;
}

#[tokio::test]
async fn an_old_one_shot_reader_of_names_sees_a_new_server_leave() {
    let Some(_) = test_zookeeper::require() else { return };
    new_servers_are_followed_by(NAMES_ONE_SHOT, &[event(EventKind::ChildrenChanged, ROOT)]).await;
}

/// Its watch of the znode is used up by the write, so the deletion shows in the list alone.
#[tokio::test]
async fn an_old_one_shot_reader_of_records_sees_a_new_server_leave() {
    let Some(_) = test_zookeeper::require() else { return };
    let told = if test_zookeeper::is_old() { EventKind::Deleted } else { EventKind::DataChanged };
    let leave = [event(told, node()), event(EventKind::ChildrenChanged, ROOT)];
    new_servers_are_followed_by(RECORDS_ONE_SHOT, &leave).await;
}

fn requires_recursive_watches() -> Option<()> {
    test_zookeeper::require().filter(|()| test_zookeeper::has_recursive_watches())
}
