use zk_simulated::recorded;

use super::*;

#[test]
fn a_name_is_logged_once_as_long_as_it_is_listed() {
    let ((), lines) = recorded(async {
        let mut names = LoggedNames::new("child skipped: not an instance");
        for name in ["a", "b", "a", "b"] {
            names.add(name, &"no port");
        }
        assert_eq!(names.len(), 2);
    });
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (line, name) in lines.iter().zip(["a", "b"]) {
        assert!(line.contains("child skipped: not an instance") && line.contains("no port"), "{line}");
        assert!(line.contains(&format!("child=\"{name}\"")), "{line}");
    }
}

#[test]
fn names_that_come_and_go_fill_neither_the_log_nor_memory() {
    let ((), lines) = recorded(async {
        let mut names = LoggedNames::new("child skipped: not an instance");
        for round in 0..10 {
            for number in 0..2_000 {
                names.add(&format!("{round}-{number}"), &"no port");
            }
            assert_eq!(names.len(), COUNTED);
            names.retain(&[]);
        }
    });
    assert_eq!(lines.len(), LOGGED);
    assert!(lines[LOGGED - 1].contains("not logged"), "{lines:?}");
}
