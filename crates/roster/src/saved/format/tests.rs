use proptest::prelude::*;

use super::*;

const AT: SystemTime = UNIX_EPOCH;
const HOUR: Duration = Duration::from_secs(3600);
const GOLDEN: &[u8] = include_bytes!("../../../tests/golden/saved-1");

fn place() -> SavedPlace {
    let hosts = vec!["zk1:2181".into(), "[2001:db8::2]:2181".into()];
    SavedPlace { path: "/nowhere".into(), service: "/services/web".into(), hosts, max_age: 24 * HOUR }
}

fn now() -> SystemTime {
    AT + Duration::from_millis(1_764_262_800_123)
}

fn some() -> Vec<Instance> {
    let instance = |endpoint: &str| Instance::new(endpoint.parse().unwrap());
    vec![
        instance("10.0.0.7:80").with_weight(50).with_tag("zone", "a\n\"ü\"").with_tag("version", "2"),
        instance("[2001:db8::1]:8080").with_owner(Owner::new(Incarnation::from_u128(0xab << 100 | 7))),
        instance("web-3.example:443").with_weight(0),
    ]
}

fn read(bytes: &[u8]) -> Result<Vec<Instance>, Unusable> {
    decode(bytes, &place(), now())
        .map(|list| list.instances().iter().map(|one| Instance::clone(one)).collect())
}

/// A file with this body and the right checksum.
fn with_body(body: &str) -> Vec<u8> {
    [head(body.as_bytes()).as_bytes(), body.as_bytes()].concat()
}

fn sorted(mut instances: Vec<Instance>) -> Vec<Instance> {
    instances.sort_by(|a, b| a.endpoint().cmp(b.endpoint()));
    instances
}

#[test]
fn the_format_is_that_of_the_golden_file() {
    let written = encode(&place(), &some(), now());
    assert_eq!(String::from_utf8(written).unwrap(), str::from_utf8(GOLDEN).unwrap());
    let list = decode(GOLDEN, &place(), now() + HOUR).unwrap();
    assert_eq!(list.saved_at(), now());
    assert_eq!(read(GOLDEN).unwrap(), sorted(some()));
}

#[test]
fn fields_that_a_later_version_adds_are_ignored() {
    let later = with_body(
        r#"{"zxid":7,"service":"/services/web","saved_at_ms":1764262800123,"instances":[
            {"endpoint":"10.0.0.7:80","slots":[1,2]},{"endpoint":"10.0.0.8:80","weight":1,"incarnation":null}]}"#,
    );
    let weights: Vec<_> = read(&later).unwrap().iter().map(Instance::weight).collect();
    assert_eq!(weights, [DEFAULT_WEIGHT, 1]);
    let deep = format!(
        r#"{{"zxid":{}{},"service":"/services/web","saved_at_ms":1764262800123,"instances":[{{"endpoint":"a:1"}}]}}"#,
        "[".repeat(1 << 20),
        "]".repeat(1 << 20)
    );
    assert_eq!(read(&with_body(&deep)).unwrap().len(), 1);
}

#[test]
fn a_reason_is_short_whatever_the_file_says() {
    let long = "ü".repeat(1 << 20);
    for body in [
        format!(r#"{{"service":"{long}","saved_at_ms":1764262800123,"instances":[]}}"#),
        format!(r#"{{"service":"/services/web","saved_at_ms":"{long}","instances":[]}}"#),
        format!(
            r#"{{"hosts":["{long}"],"service":"/services/web","saved_at_ms":1764262800123,"instances":[]}}"#
        ),
    ] {
        let reason = read(&with_body(&body)).unwrap_err().short();
        assert!((20..=1000).contains(&reason.len()), "{} bytes", reason.len());
    }
}

#[test]
fn what_is_draining_is_not_saved() {
    let mut all = some();
    all.push(Instance::new("10.0.0.9:80".parse().unwrap()).with_draining(true));
    assert_eq!(read(&encode(&place(), &all, now())).unwrap(), sorted(some()));
}

#[test]
fn a_file_that_does_not_fit_is_refused_with_the_reason() {
    let decoded = |place: SavedPlace, now| decode(GOLDEN, &place, now).unwrap_err();
    let other = SavedPlace { service: "/services/other".into(), ..place() };
    assert!(matches!(decoded(other, now()), Unusable::Service { found } if found == "/services/web"));
    for (hosts, is_used) in
        [(&["zk9:2181", "zk1:2181"][..], true), (&[], true), (&["zk1:2182", "zk9:2181"], false)]
    {
        let place = SavedPlace { hosts: hosts.iter().map(ToString::to_string).collect(), ..place() };
        match decode(GOLDEN, &place, now()) {
            Ok(_) => assert!(is_used, "{hosts:?}"),
            Err(Unusable::Ensemble { found }) => assert!(!is_used && found.len() == 2, "{hosts:?}"),
            Err(other) => panic!("{other}"),
        }
    }
    assert!(decode(GOLDEN, &place(), now() + 24 * HOUR).is_ok(), "just young enough");
    let old = decoded(place(), now() + 24 * HOUR + Duration::from_secs(1));
    assert!(matches!(old, Unusable::TooOld { age, .. } if age == 24 * HOUR + Duration::from_secs(1)));
    assert!(decode(GOLDEN, &place(), now() - MAX_AHEAD).is_ok(), "the clock was corrected");
    let ahead = decoded(place(), now() - 2 * MAX_AHEAD);
    assert!(matches!(ahead, Unusable::FromTheFuture { ahead } if ahead == 2 * MAX_AHEAD));
    // A clock that has lost its time says 1970.
    assert!(matches!(decoded(place(), AT), Unusable::FromTheFuture { .. }));

    let newer = String::from_utf8(GOLDEN.to_vec()).unwrap().replacen(" 1 ", " 2 more ", 1);
    assert!(matches!(read(newer.as_bytes()), Err(Unusable::Version { found: 2 })));
    for no_list in
        ["", "\n", "zk-roster-saved", "zk-roster-saved\n", "[client]\nrounds = 1\n", "zk-roster-saved x\n"]
    {
        assert!(matches!(read(no_list.as_bytes()), Err(Unusable::NoSavedList)), "{no_list:?}");
    }
    for senseless in [
        "",
        "{}",
        r#"{"service":"/services/web","saved_at_ms":-1,"instances":[]}"#,
        r#"{"service":"/services/web","saved_at_ms":1764262800123,"instances":[]}"#,
        r#"{"service":"/services/web","saved_at_ms":1764262800123,"instances":[{"endpoint":"nobody"}]}"#,
        r#"{"service":"/services/web","saved_at_ms":1764262800123,"instances":[{"endpoint":"a:1","incarnation":"x"}]}"#,
    ] {
        assert!(matches!(read(&with_body(senseless)), Err(Unusable::Content(_))), "{senseless}");
    }
    let forever = format!(r#"{{"service":"/services/web","saved_at_ms":{},"instances":[]}}"#, u64::MAX);
    read(&with_body(&forever)).unwrap_err();
}

#[test]
fn every_truncation_and_every_flipped_bit_is_detected() {
    for length in 0..GOLDEN.len() {
        assert!(read(&GOLDEN[..length]).is_err(), "the first {length} bytes");
    }
    for at in 0..GOLDEN.len() * 8 {
        let mut bytes = GOLDEN.to_vec();
        bytes[at / 8] ^= 1 << (at % 8);
        assert!(read(&bytes).is_err(), "bit {at}");
    }
    assert!(read(&[GOLDEN, b" "].concat()).is_err());
}

fn instances() -> impl Strategy<Value = Vec<Instance>> {
    let tags = prop::collection::btree_map(".{0,8}", ".{0,8}", 0..4);
    let instance = (0..=u32::MAX, 1..=u16::MAX, any::<u32>(), tags, any::<Option<u128>>());
    let instance = instance.prop_map(|(ip, port, weight, tags, incarnation)| {
        let ip = std::net::Ipv4Addr::from_bits(ip | 1);
        let instance = Instance::new(Endpoint::new(ip, port).unwrap()).with_weight(weight).with_tags(tags);
        match incarnation {
            Some(number) => instance.with_owner(Owner::new(Incarnation::from_u128(number))),
            None => instance,
        }
    });
    prop::collection::vec(instance, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(instances in instances()) {
        let list = decode(&encode(&place(), &instances, now()), &place(), now()).unwrap();
        prop_assert_eq!(list, SavedList::new(instances, now()));
    }

    #[test]
    fn damage_anywhere_is_detected(
        instances in instances(), at in any::<prop::sample::Index>(), damage in 1..=255u8, cut in any::<bool>(),
    ) {
        let mut bytes = encode(&place(), &instances, now());
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= damage;
        }
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(body in ".{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
        let _ = read(&with_body(&body));
    }
}
