use super::*;

fn take(names: &Names, name: &str) -> Result<Arc<Inbox>, RegisterError> {
    let path = ZnodePath::root().join(name).unwrap();
    names.take(&path, &watch::channel(Wish::Absent).0)
}

#[test]
fn a_shared_watch_is_needed_until_the_names_are_counted_again() {
    let names = Names::new(1);
    take(&names, "1").unwrap();
    assert!(!names.needs_shared_watch());
    take(&names, "2").unwrap();
    take(&names, "2").expect_err("in use");
    names.release(&ZnodePath::parse("/2").unwrap(), false);
    assert!(names.needs_shared_watch());
    assert!(!names.recount());
}

#[test]
fn only_keepers_of_missing_names_are_notified() {
    let names = Names::new(9);
    let (one, two) = (take(&names, "1").unwrap(), take(&names, "2").unwrap());
    assert_eq!(names.notify_missing(&["2".into(), "3".into()]), 1);
    assert_eq!((one.counts().deleted, two.counts().deleted), (1, 0));
}
