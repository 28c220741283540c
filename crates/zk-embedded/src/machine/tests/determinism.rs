use super::lab::*;
use zk_wire::*;

/// A day in the life of a server, with something of everything, written down.
fn script() -> String {
    let mut lab = Lab::new();
    let mut log = Vec::new();
    let clients: Vec<_> = (0..4).map(|_| lab.connect()).collect();
    for (index, client) in clients.iter().enumerate() {
        for request in [
            Request::AddWatch { path: "/".into(), mode: 1 },
            Request::GetChildren { path: "/".into(), watch: true },
            auth("digest", "user:secret"),
            create(&format!("/plain-{index}")),
            create_as(CreateKind::Create2, "/q-", 3, -1),
            ephemeral(&format!("/plain-{index}/x")),
            create_with(&format!("/own-{index}"), acl(31, "auth", "")),
            container(&format!("/box-{index}")),
            create(&format!("/box-{index}/content")),
            delete(&format!("/box-{index}/content")),
            Request::Multi { operations: vec![set("/plain-0", "x"), delete("/nope"), create("/no")] },
            Request::Multi { operations: vec![set("/plain-0", "x"), sequential("/plain-0/s")] },
            list("/"),
            Request::WhoAmI,
        ] {
            lab.now += 17;
            log.push(format!("{:?}", lab.outputs(*client, request)));
        }
    }
    lab.machine.disconnected(lab.now, clients[1]);
    log.push(format!("{:?}", lab.outputs(clients[0], Request::CloseSession)));
    for _ in 0..50 {
        lab.now += 1700;
        log.push(format!("{:?}", lab.outputs(clients[2], Request::Ping)));
        log.push(format!("{:?} {:?}", lab.machine.advance(lab.now), lab.machine.next_deadline()));
    }
    log.push(format!("{:?} {:?}", lab.machine.statistics(), lab.machine));
    log.join("\n")
}

#[test]
fn the_same_calls_give_the_same_outputs() {
    let first = script();
    assert!(
        first.contains("SessionEnded") && first.contains("Deleted") && first.contains("RuntimeInconsistency")
    );
    assert_eq!(first, script());
}
