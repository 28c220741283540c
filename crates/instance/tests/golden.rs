//! The bytes of a record: a change here is a change for every reader in production.

use instance::{Endpoint, Format, Incarnation, Instance, Owner, Plain};

fn endpoint(text: &str) -> Endpoint {
    text.parse().expect("a valid endpoint")
}

fn assert_golden(instance: Instance, segment: &str, golden: &[u8]) {
    let encoded = Plain.encode(&instance).expect("the record is valid");
    assert_eq!(encoded.segment, segment);
    assert_eq!(String::from_utf8_lossy(&encoded.data), String::from_utf8_lossy(golden));
    let decoded = Plain.decode(segment, golden).expect("the record is valid");
    assert_eq!(decoded.instance, instance);
    assert_eq!(decoded.remarks, []);
}

#[test]
fn an_instance_without_tags_keeps_its_bytes() {
    let instance = Instance::new(endpoint("127.0.0.1:8897"));
    assert_golden(instance, "127.0.0.1:8897", include_bytes!("golden/minimal.json"));
}

#[test]
fn weight_and_sorted_tags_keep_their_bytes() {
    let instance = Instance::new(endpoint("[::1]:8897"))
        .with_weight(250)
        .with_tag("zone", "eu-1a")
        .with_tag("version", "1.4.2");
    assert_golden(instance, "[::1]:8897", include_bytes!("golden/tags.json"));
}

#[test]
fn escapes_keep_their_bytes() {
    let instance = Instance::new(endpoint("host.example:80"))
        .with_weight(0)
        .with_tag("note", "quote \" backslash \\ tab \t é 日本")
        .with_tag("note.empty", "");
    assert_golden(instance, "host.example:80", include_bytes!("golden/escapes.json"));
}

#[test]
fn the_facts_about_the_owner_keep_their_bytes() {
    let owner = Owner::new(Incarnation::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]))
        .with_host("db-7")
        .with_boot_id("6f1e0c5a-8f0e-4c57-9d0b-0c6b7a3f2e11")
        .with_netns(4_026_531_840)
        .with_pid(4711)
        .with_started_ms(1_700_000_000_000)
        .with_bound(([0, 0, 0, 0], 8897).into());
    let instance = Instance::new(endpoint("10.0.0.7:8897")).with_tag("zone", "eu-1a").with_owner(owner);
    assert_golden(instance, "10.0.0.7:8897", include_bytes!("golden/owner.json"));
}

#[test]
fn a_draining_instance_keeps_its_bytes() {
    let owner = Owner::new(Incarnation::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]));
    let instance = Instance::new(endpoint("10.0.0.7:8897")).with_tag("zone", "eu-1a").with_owner(owner);
    assert_golden(instance.with_draining(true), "10.0.0.7:8897", include_bytes!("golden/draining.json"));
}
