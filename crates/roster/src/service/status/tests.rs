use registry::Holder;
use zk_core::SessionId;

use super::*;

fn instance(port: u16, registration: RegistrationStatus) -> InstanceStatus {
    InstanceStatus {
        bound: ([0, 0, 0, 0], port).into(),
        endpoint: Some(format!("10.0.0.7:{port}").parse().unwrap()),
        address_trouble: None,
        registration: Some(registration),
        refused: None,
        former: Vec::new(),
    }
}

fn registered() -> RegistrationStatus {
    RegistrationStatus::Registered { czxid: zk_core::Zxid(7), session: SessionId(0x1a2) }
}

/// The status of a service on a link that never connects.
async fn status(instances: Vec<InstanceStatus>) -> ServiceStatus {
    let zk = crate::connect("127.0.0.1:1").unwrap();
    ServiceStatus {
        service: "/services/web".parse().unwrap(),
        stage: ServiceStage::Serving,
        health: ServiceHealth::Healthy,
        draining: false,
        link: zk.state(),
        instances,
        was_registered: false,
    }
}

#[tokio::test]
async fn a_status_is_one_line_that_begins_with_what_is_not_as_it_should_be() {
    let holder = Holder { session: Some(SessionId(0x9)), owner: None };
    let mut one = status((80..90).map(|port| instance(port, registered())).collect()).await;
    one.instances[7].registration = Some(RegistrationStatus::Conflict(holder));
    (one.instances[8].endpoint, one.instances[8].registration) = (None, None);
    one.instances[8].address_trouble = Some("variable POD_IP: not set".into());
    one.instances[9].former = vec!["10.0.0.6:89".parse().unwrap()];
    let shown = one.to_string();
    let parts = [
        "/services/web: 10.0.0.7:87 conflict with session 0x9, 0.0.0.0:88: no address to advertise yet: variable POD_IP: not set, ",
        "10.0.0.7:80 registered",
        "; 8 of 10 registered; waiting for ZooKeeper",
    ];
    assert!(parts.iter().all(|part| shown.contains(part)), "{shown}");
    one.instances.drain(..9);
    one.health = ServiceHealth::Sick("the database is away".into());
    one.draining = true;
    let shown = one.to_string();
    let begin = "/services/web: draining, sick: the database is away; 10.0.0.7:89 registered (formerly 10.0.0.6:89); ";
    assert!(shown.starts_with(begin), "{shown}");
    one.stage = ServiceStage::Left;
    one.instances[0].registration = Some(RegistrationStatus::Deregistered);
    assert!(one.to_string().starts_with("/services/web: left, "), "{one}");
}

#[cfg(feature = "serde")]
#[tokio::test]
async fn a_status_serializes() {
    let json = serde_json::to_value(status(vec![instance(80, registered())]).await).unwrap();
    for (path, expected) in [
        ("/service", "/services/web"),
        ("/stage", "serving"),
        ("/health", "healthy"),
        ("/instances/0/endpoint", "10.0.0.7:80"),
        ("/instances/0/registration/status", "registered"),
    ] {
        assert_eq!(json.pointer(path).and_then(|value| value.as_str()), Some(expected), "{path} of {json}");
    }
}
