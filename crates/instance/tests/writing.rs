//! Writing is strict, and every written record is read back unchanged.

use instance::{
    EncodeError, Endpoint, Format, Host, Incarnation, Instance, MAX_DATA, MAX_WEIGHT, Owner, Plain,
};
use proptest::prelude::*;

fn plain() -> Instance {
    Instance::new("127.0.0.1:8897".parse().expect("a valid endpoint"))
}

#[test]
fn the_format_can_be_chosen_at_run_time() {
    let format: Box<dyn Format> = Box::new(Plain);
    assert_eq!(format.name(), "plain");
    assert!(format.decode_name("127.0.0.1:8897").is_ok());
}

#[test]
fn a_tag_with_an_invalid_key_is_refused_with_the_key_in_the_error() {
    for key in ["owner.host", "owner.", "owner.team", "owner.draining"] {
        let refused = EncodeError::ReservedKey { key: key.into() };
        assert_eq!(Plain.encode(&plain().with_tag(key, "x")), Err(refused));
    }
    for key in ["a\nb", "\0", "a\u{85}"] {
        let error = Plain.encode(&plain().with_tag(key, "x")).unwrap_err();
        assert_eq!(error, EncodeError::ControlCharacter { key: key.into() });
        assert!(!error.to_string().contains(char::is_control));
    }
    assert_eq!(Plain.encode(&plain().with_tag("", "x")), Err(EncodeError::EmptyKey));
}

#[test]
fn the_weight_has_a_limit() {
    assert!(Plain.encode(&plain().with_weight(MAX_WEIGHT)).is_ok());
    let refused = EncodeError::Weight { weight: MAX_WEIGHT + 1 };
    assert_eq!(Plain.encode(&plain().with_weight(MAX_WEIGHT + 1)), Err(refused));
}

#[test]
fn an_instance_that_is_not_draining_any_more_is_written_as_before() {
    let back = plain().with_draining(true).with_draining(false);
    assert_eq!(Plain.encode(&back), Plain.encode(&plain()));
}

#[test]
fn the_data_has_a_limit_to_the_byte() {
    let frame = r#"{"Weight":100,"Tags":{"a":"","long":""}}"#.len();
    let filled = |len: usize| plain().with_tag("a", "").with_tag("long", "x".repeat(len - frame));
    assert_eq!(Plain.encode(&filled(MAX_DATA)).unwrap().data.len(), MAX_DATA);
    let refused = EncodeError::TooLong { len: MAX_DATA + 1, longest: "long".into() };
    assert_eq!(Plain.encode(&filled(MAX_DATA + 1)), Err(refused));
}

prop_compose! {
    fn owners()(
        incarnation: u128,
        host in prop::option::of("\\PC{1,20}"),
        boot_id in prop::option::of("[0-9a-f-]{1,36}"),
        netns: Option<u64>,
        pid: Option<u32>,
        started_ms: Option<u64>,
        bound: Option<([u8; 4], u16)>,
    ) -> Owner {
        let mut owner = Owner::new(Incarnation::from_u128(incarnation));
        if let Some(host) = host { owner = owner.with_host(host); }
        if let Some(boot_id) = boot_id { owner = owner.with_boot_id(boot_id); }
        if let Some(netns) = netns { owner = owner.with_netns(netns); }
        if let Some(pid) = pid { owner = owner.with_pid(pid); }
        if let Some(started_ms) = started_ms { owner = owner.with_started_ms(started_ms); }
        if let Some(bound) = bound { owner = owner.with_bound(bound.into()); }
        owner
    }
}

prop_compose! {
    fn instances()(
        ip in any::<[u8; 16]>().prop_filter("no endpoint", |ip| *ip != [0; 16]),
        port in 1..=u16::MAX,
        weight in 0..=MAX_WEIGHT,
        tags in prop::collection::btree_map("[a-zA-Z0-9. ü]{1,10}", ".{0,20}", 0..8),
        draining: bool,
        owner in prop::option::of(owners()),
    ) -> Instance {
        let endpoint = Endpoint::new(Host::V6(ip.into()), port).expect("an address that can be called");
        let mut instance = Instance::new(endpoint).with_weight(weight).with_tags(tags).with_draining(draining);
        if let Some(owner) = owner { instance = instance.with_owner(owner); }
        instance
    }
}

proptest! {
    #[test]
    fn every_written_instance_is_read_back_unchanged(instance in instances()) {
        match Plain.encode(&instance) {
            Ok(encoded) => {
                prop_assert!(encoded.data.len() <= MAX_DATA);
                let decoded = Plain.decode(&encoded.segment, &encoded.data).unwrap();
                prop_assert_eq!(decoded.remarks, vec![]);
                prop_assert_eq!(decoded.instance, instance);
            }
            Err(error) => {
                let reserved = matches!(error, EncodeError::ReservedKey { .. });
                prop_assert!(reserved, "{}", error);
            }
        }
    }

    #[test]
    fn any_data_is_read_as_an_instance(data: Vec<u8>) {
        let decoded = Plain.decode("127.0.0.1:8897", &data).unwrap();
        prop_assert_eq!(decoded.instance.endpoint().port(), 8897);
    }

    #[test]
    fn any_data_like_a_record_is_read_as_an_instance(
        data in "\\{\"(Weight|weight|Tags)\":[-0-9.e\"a-z\\[\\{]{0,8}(,\"Tags\":\\{\"owner.([a-z]{0,4}|draining)\":\"[^\"]{0,8}\"\\})?\\}"
    ) {
        let decoded = Plain.decode("127.0.0.1:8897", data.as_bytes()).unwrap();
        prop_assert!(decoded.remarks.iter().all(|remark| !remark.to_string().contains('\n')));
    }

    #[test]
    fn any_name_is_read_without_a_panic(name in ".*", data: Vec<u8>) {
        if let Ok(decoded) = Plain.decode(&name, &data) {
            let written = decoded.instance.endpoint().to_string();
            prop_assert_eq!(Plain.decode_name(&written).unwrap(), Some(decoded.instance.endpoint().clone()));
        }
    }
}
