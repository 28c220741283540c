//! Invalid znodes: an invalid name costs one child, invalid data costs the facts in it, nothing panics.

use instance::{
    DEFAULT_WEIGHT, DecodeError, Decoded, Format, JsonType, MAX_READ, MAX_REMARKS, Plain, Remark,
};

const NAME: &str = "127.0.0.1:8897";
const INC: &str = r#""owner.incarnation":"000102030405060708090a0b0c0d0e0f""#;

fn read(data: &[u8]) -> Decoded {
    Plain.decode(NAME, data).expect("the name is an endpoint")
}

#[test]
fn names_that_are_no_endpoint_are_refused_whatever_the_data() {
    let long = "a".repeat(1 << 20);
    let names = [
        "",
        " ",
        "lock-0000000001",
        "member_0000000003",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:http",
        "127.0.0.1:+80",
        "127.0.0.1:080",
        "127.0.0.1:80 ",
        "127.0.0.1\n:80",
        "127.0.0.1:80\n",
        "host\nname:80",
        "host\u{202e}name:80",
        "\u{feff}host:80",
        "256.1.1.1:80",
        "1.2.3:80",
        ":80",
        "::1:80",
        "[::1]",
        "[::1:80",
        "[fe80::1%eth0]:80",
        "0.0.0.0:80",
        "[::]:80",
        "[::ffff:0.0.0.0]:80",
        "010.0.0.1:80",
        "http://127.0.0.1:80",
        "dubbo%3A%2F%2F10.0.0.1%3A20880%2Fa.B%3Fversion%3D1",
        "_c_2d0f-127.0.0.1:80",
        "127.0.0.1:80-0000000001",
        "{\"host\":\"a\",\"port\":80}",
        &long,
    ];
    for name in names {
        let shown: String = name.chars().take(40).collect();
        for data in [&b""[..], br#"{"Weight":100,"Tags":{}}"#] {
            let error = Plain.decode(name, data).expect_err(&shown);
            let DecodeError::NotAnEndpoint { segment, .. } = &error else { panic!("{shown}: {error}") };
            assert_eq!(segment, name);
            let message = error.to_string();
            assert!(message.len() < 500 && !message.contains('\n'), "{shown:?} floods or forges a log");
        }
    }
}

#[test]
fn a_name_in_another_spelling_is_read_as_the_same_instance() {
    for (one, other) in [
        ("[::1]:80", "[::0:1]:80"),
        ("[::1]:80", "[0:0:0:0:0:0:0:1]:80"),
        ("127.0.0.1:80", "[::ffff:127.0.0.1]:80"),
        ("host-a.example:80", "Host-A.example:80"),
        ("host-a.example:80", "host-a.example.:80"),
    ] {
        let written = Plain.encode(&read_named(other).instance).unwrap();
        assert_eq!(written.segment, one, "{other}");
        assert_eq!(read_named(one), read_named(other));
    }
}

fn read_named(name: &str) -> Decoded {
    Plain.decode(name, b"{}").expect("the name is an endpoint")
}

#[test]
fn a_name_that_is_no_endpoint_is_refused_with_the_reason_on_the_same_line() {
    let said = |name: &str| Plain.decode_name(name).unwrap_err().to_string();
    assert!(
        said("0.0.0.0:80")
            .contains("\"0.0.0.0:80\" is not an endpoint: 0.0.0.0 and :: are addresses to listen on")
    );
    assert!(said("a").ends_with("no port, expected host:port"));
}

#[test]
fn unreadable_data_leaves_an_instance_with_default_weight() {
    let oversized = vec![b' '; MAX_READ + 1];
    let megabyte = format!(r#"{{"Weight":7,"Tags":{{"a":"{}"}}}}"#, "x".repeat(1 << 20));
    let deep = "[".repeat(10_000);
    // The position is the parser's, and not compared.
    let not_json = || Some(Remark::NotJson { line: 1, column: 1 });
    let not_an_object = |found| Some(Remark::NotAnObject { found });
    let table: &[(&[u8], Option<Remark>)] = &[
        (b"", None),
        (b"{}", None),
        (br#"{"Tags":null}"#, None),
        (b" {} ", None),
        (&oversized, Some(Remark::Oversized { len: MAX_READ + 1 })),
        (megabyte.as_bytes(), Some(Remark::Oversized { len: megabyte.len() })),
        (b"\xff\xfe", Some(Remark::NotUtf8)),
        (b"{\"Weight\":7,\"Tags\":{\"a\":\"\xff\"}}", Some(Remark::NotUtf8)),
        (b"\x80\x04\x95", Some(Remark::NotUtf8)),
        (b"\0", not_json()),
        (b"127.0.0.1:8897", not_json()),
        (b"weight: 7", not_json()),
        (b"{\"Weight\":7", not_json()),
        (b"{\"Weight\":7}}", not_json()),
        (b"{\"Weight\":7,}", not_json()),
        (b"{'Weight':7}", not_json()),
        (b"{\"Weight\":NaN}", not_json()),
        (b"\n\n?", not_json()),
        ("\u{feff}{}".as_bytes(), not_json()),
        (b"<xml/>", not_json()),
        (deep.as_bytes(), not_json()),
        (b"null", not_an_object(JsonType::Null)),
        (b"true", not_an_object(JsonType::Bool)),
        (b"100", not_an_object(JsonType::Number)),
        (b"\"127.0.0.1:8897\"", not_an_object(JsonType::String)),
        (b"[{\"Weight\":7}]", not_an_object(JsonType::Array)),
    ];
    for (data, remark) in table {
        let shown = String::from_utf8_lossy(&data[..data.len().min(40)]).into_owned();
        let Decoded { instance, remarks } = read(data);
        assert_eq!(instance.endpoint().to_string(), NAME, "{shown}");
        assert_eq!(instance.weight(), DEFAULT_WEIGHT, "{shown}");
        assert!(instance.tags().is_empty() && instance.owner().is_none(), "{shown}");
        let remarks: Vec<_> = remarks.into_iter().map(without_position).collect();
        assert_eq!(remarks, Vec::from_iter(remark.clone()), "{shown}");
    }
}

fn without_position(remark: Remark) -> Remark {
    match remark {
        Remark::NotJson { .. } => Remark::NotJson { line: 1, column: 1 },
        other => other,
    }
}

#[test]
fn an_invalid_weight_becomes_the_default_and_affects_no_other_field() {
    for weight in ["-1", "1.5", "1e2", "4294967296", "1e400", "\"7\"", "null", "true", "[]", "{}"] {
        let data = format!(r#"{{"Weight":{weight},"Tags":{{"zone":"a"}}}}"#);
        let Decoded { instance, remarks } = read(data.as_bytes());
        assert_eq!(instance.weight(), DEFAULT_WEIGHT, "{weight}");
        assert_eq!(remarks.len(), 1, "{weight}: {remarks:?}");
        if weight != "1e400" {
            // The parser refuses the whole document for a number beyond all floats.
            assert!(matches!(remarks[0], Remark::Weight { .. }), "{weight}: {remarks:?}");
            assert_eq!(instance.tag("zone"), Some("a"), "{weight}");
        }
    }
}

#[test]
fn every_unsigned_weight_is_read() {
    for (weight, expected) in [("0", 0), ("1", 1), ("1000001", 1_000_001), ("4294967295", u32::MAX)] {
        let Decoded { instance, remarks } = read(format!(r#"{{"Weight":{weight}}}"#).as_bytes());
        assert_eq!((instance.weight(), remarks.len()), (expected, 0));
    }
}

#[test]
fn the_valid_fields_of_an_invalid_record_are_kept() {
    struct Case {
        data: String,
        weight: u32,
        tags: &'static [(&'static str, &'static str)],
        owner: bool,
        remarks: Vec<Remark>,
    }
    let tag_value = |key: &str, found| Remark::TagValue { key: key.into(), found };
    let unknown = |field: &str| Remark::UnknownField { field: field.into() };
    let case =
        |data: &str, weight, tags, owner, remarks| Case { data: data.into(), weight, tags, owner, remarks };
    let cases = [
        case(r#"{"weight":7,"tags":{"a":"b"}}"#, 7, &[("a", "b")], false, vec![]),
        case(r#"{"WEIGHT":8,"Weight":7}"#, 7, &[], false, vec![unknown("WEIGHT")]),
        case(r#"{"Weight":6,"Weight":7}"#, 7, &[], false, vec![]),
        case(r#"{"Version":2,"Weight":7}"#, 7, &[], false, vec![unknown("Version")]),
        case(r#"{"name":"a","port":80}"#, 100, &[], false, vec![unknown("name"), unknown("port")]),
        case(r#"{"Weight":7,"Tags":[]}"#, 7, &[], false, vec![Remark::Tags { found: JsonType::Array }]),
        case(r#"{"Weight":7,"Tags":"a=b"}"#, 7, &[], false, vec![Remark::Tags { found: JsonType::String }]),
        case(
            r#"{"Tags":{"a":1,"b":"c","d":null,"e":{}}}"#,
            100,
            &[("b", "c")],
            false,
            vec![
                tag_value("a", JsonType::Number),
                tag_value("d", JsonType::Null),
                tag_value("e", JsonType::Object),
            ],
        ),
        case(r#"{"Tags":{"":"x","a\nb":"\u0000"}}"#, 100, &[("", "x"), ("a\nb", "\0")], false, vec![]),
        case(
            r#"{"Tags":{"ownership":"x","owner":"y"}}"#,
            100,
            &[("ownership", "x"), ("owner", "y")],
            false,
            vec![],
        ),
        case(
            r#"{"Tags":{"owner.host":"h","zone":"a"}}"#,
            100,
            &[("owner.host", "h"), ("zone", "a")],
            false,
            vec![Remark::OwnerWithoutIncarnation],
        ),
        case(
            r#"{"Tags":{"owner.incarnation":"ABC"}}"#,
            100,
            &[("owner.incarnation", "ABC")],
            false,
            vec![Remark::OwnerFact { key: "owner.incarnation" }, Remark::OwnerWithoutIncarnation],
        ),
        case(&format!(r#"{{"Tags":{{{INC}}}}}"#), 100, &[], true, vec![]),
        case(
            &format!(r#"{{"Tags":{{{INC},"owner.team":"search"}}}}"#),
            100,
            &[("owner.team", "search")],
            true,
            vec![Remark::UnknownOwnerFact { key: "owner.team".into() }],
        ),
        case(
            &format!(r#"{{"Tags":{{{INC},"owner.pid":"+7","owner.netns":"","owner.bound":"here"}}}}"#),
            100,
            &[("owner.pid", "+7"), ("owner.netns", ""), ("owner.bound", "here")],
            true,
            vec![
                Remark::OwnerFact { key: "owner.netns" },
                Remark::OwnerFact { key: "owner.pid" },
                Remark::OwnerFact { key: "owner.bound" },
            ],
        ),
        case(
            &format!(r#"{{"Tags":{{{INC},"owner.host":"","owner.started":"99999999999999999999"}}}}"#),
            100,
            &[("owner.host", ""), ("owner.started", "99999999999999999999")],
            true,
            vec![Remark::OwnerFact { key: "owner.host" }, Remark::OwnerFact { key: "owner.started" }],
        ),
    ];
    for Case { data, weight, tags, owner, remarks } in cases {
        let read = read(data.as_bytes());
        assert_eq!(read.instance.weight(), weight, "{data}");
        let expected = tags.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        assert_eq!(read.instance.tags(), &expected, "{data}");
        assert_eq!(read.instance.owner().is_some(), owner, "{data}");
        assert_eq!(read.remarks, remarks, "{data}");
    }
}

#[test]
fn an_instance_is_draining_only_if_its_tag_says_true() {
    for owner in ["", ",\"owner.incarnation\":\"000102030405060708090a0b0c0d0e0f\""] {
        let read_as = |value: &str| {
            read(format!(r#"{{"Weight":7,"Tags":{{"owner.draining":{value}{owner}}}}}"#).as_bytes())
        };
        let Decoded { instance, remarks } = read_as("\"true\"");
        assert!(instance.is_draining() && instance.tags().is_empty() && remarks.is_empty(), "{remarks:?}");
        assert_eq!((instance.weight(), instance.owner().is_some()), (7, !owner.is_empty()));
        for value in ["false", "", "True", "1", " true", "yes"] {
            let Decoded { instance, remarks } = read_as(&format!("\"{value}\""));
            assert!(!instance.is_draining(), "{value:?}");
            assert_eq!(instance.tag("owner.draining"), Some(value), "it is not lost");
            assert_eq!(remarks, [Remark::OwnerFact { key: "owner.draining" }], "{value:?}");
            assert_eq!((instance.weight(), instance.owner().is_some()), (7, !owner.is_empty()));
        }
        let Decoded { instance, remarks } = read_as("true");
        assert!(!instance.is_draining());
        let found = JsonType::Bool;
        assert_eq!(remarks, [Remark::TagValue { key: "owner.draining".into(), found }]);
    }
}

#[test]
fn remarks_are_bounded_in_number_and_length() {
    let tags: Vec<String> = (0..1000).map(|n| format!(r#""{n:04}{}":1"#, "k".repeat(40))).collect();
    let data = format!(r#"{{"{}":0,"Tags":{{{}}}}}"#, "f".repeat(5000), tags.join(","));
    let remarks = read(data.as_bytes()).remarks;
    assert_eq!(remarks.len(), MAX_REMARKS + 1);
    assert_eq!(remarks.last(), Some(&Remark::More { count: 1001 - MAX_REMARKS }));
    assert!(remarks.iter().all(|remark| remark.to_string().len() < 200));

    let remarks = read(format!(r#"{{"{}\n":0}}"#, "f".repeat(5000)).as_bytes()).remarks;
    assert!(remarks[0].to_string().len() < 200 && !remarks[0].to_string().contains('\n'));
}
